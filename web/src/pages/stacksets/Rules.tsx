import { Code, Group } from '@mantine/core';
import type { StackSet } from '../../api/types';
import { CommitLink } from '../../parts/CommitLink';
import { Moment } from '../../parts/Moment';
import { Facts } from '../../parts/Page';
import { duration } from '../../words/time';
import { cameTo } from './standing';

const Patterns = ({ of }: { of: string[] }) => (
  <Group gap={4}>
    {of.map((p) => (
      <Code key={p} style={{ overflowWrap: 'anywhere' }}>
        {p}
      </Code>
    ))}
  </Group>
);

/** What a set looks for, what it makes of that, and when it last looked. */
export function Rules({ set }: { set: StackSet }) {
  return (
    <Facts
      items={[
        ['Folders', <Patterns key="folders" of={set.folders} />],
        ['But not', (set.ignore ?? []).length > 0 && <Patterns key="ignore" of={set.ignore ?? []} />],
        ['With a file', <Patterns key="files" of={set.files} />],
        ['Stacks are called', <Code key="naming">{set.naming}</Code>],
        [
          'When a folder is gone',
          set.removed === 'delete' ? 'its stack goes, once its state holds nothing' : 'its stack stays',
        ],
        [
          'The first look',
          set.planFirst ? 'plans all that it finds' : 'adopts what it finds; a push that touches it plans it',
        ],
        [
          'The newest look',
          set.looked ? (
            <span key="looked">
              <Moment at={set.looked} />, in {duration(set.took)}; it {cameTo(set)}
            </span>
          ) : (
            'not yet'
          ),
        ],
        ['It saw', set.seen && <CommitLink repository={set.repository} commit={set.seen} />],
      ]}
    />
  );
}
