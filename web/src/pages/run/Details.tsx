import { Code } from '@mantine/core';
import { lazy, Suspense } from 'react';
import type { RunDetail } from '../../api/types';
import { Block } from '../../parts/Block';
import { CommitLink } from '../../parts/CommitLink';
import { Moment } from '../../parts/Moment';
import { Facts, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { toYAML } from '../../words/yaml';
import { engineOf } from './engine';

const Changes = lazy(() => import('../ledger/Changes'));

export function Details({ run }: { run: RunDetail }) {
  return (
    <div style={{ display: 'grid', gap: 24 }}>
      <Section title="Facts">
        <Facts
          items={[
            ['Id', <Code key="id">{run.id}</Code>],
            ['Kind', run.kind],
            ['Space', run.space],
            ['Subject', run.subject && <RefLink to={run.subject} kind />],
            ['Started by', run.actor.name],
            ['Created', <Moment key="created" at={run.created} />],
            [
              'Commit',
              run.source?.commit && (
                <CommitLink key="commit" repository={run.source.repository ?? ''} commit={run.source.commit} />
              ),
            ],
            ['Branch', run.source?.ref?.replace(/^refs\/heads\//, '')],
            ['Engine', engineOf(run.steps)],
          ]}
        />
      </Section>
      {run.input !== undefined && (
        <Section title="Input">
          <Block text={toYAML(run.input)} />
        </Section>
      )}
      {run.output !== undefined && (
        <Section title="Output">
          <Block text={toYAML(run.output)} />
        </Section>
      )}
      <Section title="History" flush>
        <Suspense fallback={<Rows />}>
          <Changes filter={{ run: run.id }} />
        </Suspense>
      </Section>
    </div>
  );
}
