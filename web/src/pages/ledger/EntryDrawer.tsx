import { Code, Drawer, Stack } from '@mantine/core';
import type { LedgerEntry } from '../../api/types';
import { Block } from '../../parts/Block';
import { Facts } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { full } from '../../words/time';
import { toYAML } from '../../words/yaml';

export default function EntryDrawer({ entry, close }: { entry: LedgerEntry; close: () => void }) {
  return (
    <Drawer opened onClose={close} position="right" size="lg" title={entry.type}>
      <Stack>
        <Facts
          items={[
            ['Position', entry.position],
            ['Time', full(entry.time)],
            ['Who', `${entry.actor.name} ${entry.actor.ref ?? ''}`],
            ['Subject', <RefLink key="subject" to={entry.subject} kind />],
            ['Space', entry.space],
            ['Run', entry.run && <RefLink to={entry.run} />],
            ['Cause', entry.cause && <Code>{entry.cause}</Code>],
            ['Id', <Code key="id">{entry.id}</Code>],
            ['Hash', <Code key="hash">{entry.hash}</Code>],
          ]}
        />
        {(entry.refs ?? []).length > 0 && (
          <div>
            Touches{' '}
            {(entry.refs ?? []).map((ref) => (
              <span key={ref}>
                <RefLink to={ref} kind />{' '}
              </span>
            ))}
          </div>
        )}
        {entry.data !== undefined && <Block text={toYAML(entry.data)} />}
      </Stack>
    </Drawer>
  );
}
