import { Alert, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { runGraph } from '../../api/queries';
import type { RunDetail } from '../../api/types';
import { Empty, Section } from '../../parts/Page';
import { LogView } from './LogView';
import { StepList } from './StepList';
import { StepResults } from './StepResults';
import { leaves, shownStep } from './steps';
import classes from './Work.module.css';

const Graph = lazy(() => import('../../graph/Graph'));
const route = getRouteApi('/shell/runs/$id');

/** The work of a run: its steps, for a workflow their graph, and the log of the one that is looked at. */
export function Work({ run }: { run: RunDetail }) {
  const { step: wanted, line } = route.useSearch();
  const navigate = route.useNavigate();
  const graph = useQuery({ ...runGraph(run.id, run.version), enabled: run.kind === 'workflow' });
  const nodes = leaves(graph.data?.items ?? []);
  const step = shownStep(run.steps, wanted);
  const choose = (key: string) =>
    navigate({ search: (s) => ({ ...s, tab: 'work', step: key, line: undefined }), replace: true });

  if (run.steps.length === 0 && nodes.length === 0) {
    return (
      <Section>
        <Empty title="No steps yet">They appear here as soon as the run begins its work.</Empty>
      </Section>
    );
  }
  return (
    <div style={{ display: 'grid', gap: 24, gridTemplateColumns: 'minmax(0, 1fr)' }}>
      {nodes.length > 1 && (
        <Section title="Graph" flush>
          <Suspense fallback={<Skeleton height={300} />}>
            <Graph
              label={`Graph of ${run.title}`}
              nodes={nodes.map((n) => ({ id: n.key, label: n.name, state: n.phase, open: n.step }))}
              edges={nodes.flatMap((n) => (n.depends ?? []).map((from) => ({ from, to: n.key })))}
              chosen={nodes.find((n) => n.step === step?.key)?.key}
              onChoose={choose}
            />
          </Suspense>
        </Section>
      )}
      <div className={classes.work}>
        <StepList steps={run.steps} chosen={step?.key} choose={choose} />
        {step && (
          <div className={classes.step}>
            {step.reason && (
              <Alert variant="light" p="sm" color={step.state === 'failed' ? 'red' : 'gray'}>
                {step.reason}
              </Alert>
            )}
            <LogView
              key={`${step.id} ${step.attempt}`}
              run={run.id}
              step={step.id}
              attempt={step.attempt}
              title={step.title}
              line={Number(line) || undefined}
              choose={(to) =>
                navigate({ search: (s) => ({ ...s, tab: 'work', step: step.key, line: to }), replace: true })
              }
            />
            <StepResults step={step} />
          </div>
        )}
      </div>
    </div>
  );
}
