import { Button } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useRollback } from '../../api/actions';
import type { ApplicationDetail, Revision } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { Moment } from '../../parts/Moment';
import { Empty, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { shortCommit } from '../../words/ref';

export function History({ app }: { app: ApplicationDetail }) {
  const [chosen, setChosen] = useState<Revision>();
  const rollback = useRollback(app.namespace, app.name);
  const navigate = useNavigate();
  if (app.history.length === 0) {
    return (
      <Section>
        <Empty title="No history yet">Each sync is kept here, and can be gone back to.</Empty>
      </Section>
    );
  }
  return (
    <Section flush>
      <Table
        label="Deployments"
        rows={app.history}
        id={(r) => r.id}
        columns={[
          { name: 'State', width: 150, cell: (r) => <State state={r.state} bare /> },
          { name: 'Commit', width: 120, cell: (r) => shortCommit(r.commit) },
          { name: 'Message', wide: true, cell: (r) => r.message },
          { name: 'Run', wide: true, cell: (r) => <RefLink to={r.run} /> },
          { name: 'When', right: true, width: 130, cell: (r) => <Moment at={r.created} /> },
          {
            name: 'Action',
            right: true,
            width: 120,
            cell: (r) =>
              app.can.includes('rollback') && r.state === 'succeeded' && r.commit !== app.revision ? (
                <Button
                  size="compact-xs"
                  variant="default"
                  onClick={() => setChosen(r)}
                  aria-label={`Roll back to ${shortCommit(r.commit)}`}
                >
                  Roll back
                </Button>
              ) : (
                ''
              ),
          },
        ]}
      />
      {chosen && (
        <Ask
          title={`Roll back ${app.name}`}
          says={`Commit ${shortCommit(chosen.commit)} is deployed again in place of ${shortCommit(app.revision ?? '')}.`}
          label="Roll back"
          command={`roadbed app rollback ${app.namespace}/${app.name} ${chosen.id}`}
          busy={rollback.isPending}
          error={rollback.error}
          close={() => setChosen(undefined)}
          act={() =>
            rollback.mutate(chosen.id, {
              onSuccess: (run) => void navigate({ to: '/runs/$id', params: { id: run.id } }),
            })
          }
        />
      )}
    </Section>
  );
}
