import { Alert, Group, SegmentedControl, Select, Text } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { asProblem } from '../../api/problem';
import { plan as planQuery } from '../../api/queries';
import type { PlanChange, RunDetail } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { Empty, Rows, Section } from '../../parts/Page';
import { partsOf } from '../../words/vendor';
import type { Pick } from './Change';
import { ChangeList } from './ChangeList';
import { Cost } from './Cost';
import { Outside } from './Outside';
import { counts, filterPlan, modulesOf, type PlanFilter, planGroups, rootModule } from './plan';
import { ReplanBar } from './ReplanBar';
import { Types } from './Types';

const route = getRouteApi('/shell/runs/$id');

export function PlanView({ run }: { run: RunDetail }) {
  const digest = planDigest(run);
  const plan = useQuery(planQuery(run.id, `${run.state} ${digest}`));
  if (plan.isPending) {
    return (
      <Section>
        <Rows />
      </Section>
    );
  }
  if (plan.isLoadingError) {
    const missing = asProblem(plan.error).status === 404;
    return (
      <Section>
        {missing ? (
          <Empty title="No plan yet">
            {run.terminal
              ? 'The run ended before it had one; its steps tell why.'
              : 'It appears here when the engine has planned.'}
          </Empty>
        ) : (
          <Failure error={plan.error} retry={() => plan.refetch()} />
        )}
      </Section>
    );
  }
  return (
    <div style={{ display: 'grid', gap: 24 }}>
      <Cost cost={plan.data.cost} />
      {plan.data.refresh && (
        <Alert color="gray" variant="light" p="sm">
          It changes the state alone: what was changed outside is taken up, and nothing else is done.
        </Alert>
      )}
      <Resources key={digest} title={partsOf(plan.data.vendor)} run={run} changes={plan.data.changes ?? []} />
      {(plan.data.outputs ?? []).length > 0 && <Changes title="Outputs" changes={plan.data.outputs ?? []} />}
      <Outside plan={plan.data} />
    </div>
  );
}

/** Which plan a run has now: one that is planned anew has another in the same state. */
function planDigest(run: RunDetail): string {
  return (run.output as { plan?: string } | undefined)?.plan ?? '';
}

/** The resources of a plan; of one that waits for review some can be chosen, to be planned anew. */
function Resources({ title, run, changes }: { title: string; run: RunDetail; changes: PlanChange[] }) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const turn = (address: string) =>
    setChosen((before) => {
      const now = new Set(before);
      if (!now.delete(address)) now.add(address);
      return now;
    });
  const may = run.can.includes('replan');
  return (
    <>
      <Changes title={title} changes={changes} filtered pick={may ? { chosen, turn } : undefined} />
      {may && <ReplanBar run={run} changes={changes} chosen={chosen} clear={() => setChosen(new Set())} />}
    </>
  );
}

/** Of a plan with more changes its types are counted. */
const many = 20;

interface ChangesProps {
  title: string;
  changes: PlanChange[];
  filtered?: boolean;
  pick?: Pick;
}

function Changes({ title, changes, filtered, pick }: ChangesProps) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { action, module, type, text = '' }: PlanFilter = filtered ? search : {};
  const n = counts(changes);
  const total = Object.values(n).reduce((a, b) => a + b, 0);
  const modules = useMemo(() => (filtered ? modulesOf(changes) : []), [filtered, changes]);
  const shown = useMemo(
    () => filterPlan(changes, { action, module, type, text }),
    [changes, action, module, type, text],
  );
  const set = (next: PlanFilter) => navigate({ search: (s) => ({ ...s, ...next }), replace: true });

  return (
    <Section title={title} flush actions={<Summary n={n} />}>
      {filtered && total > 0 && (
        <Group p="sm" gap="sm">
          <SegmentedControl
            size="xs"
            aria-label="Which changes"
            value={action ?? ''}
            onChange={(value) => set({ action: value || undefined })}
            data={[
              { value: '', label: `All ${total}` },
              ...planGroups
                .filter((g) => n[g.name] > 0)
                .map((g) => ({ value: g.name as string, label: `${g.sign} ${n[g.name]} ${g.label}` })),
            ]}
          />
          {(modules.length > 1 || module) && (
            <Select
              size="xs"
              w={220}
              aria-label="Of which module"
              searchable
              limit={200}
              nothingFoundMessage="No module is like that"
              allowDeselect={false}
              value={module ?? ''}
              onChange={(value) => set({ module: value || undefined })}
              data={[
                { value: '', label: 'All modules' },
                ...modules.map(({ name, n }) => ({ value: name, label: `${moduleName(name)} (${n})` })),
              ]}
            />
          )}
          <FilterText
            size="xs"
            style={{ flex: 1, minWidth: 160 }}
            leftSection={<IconSearch size={14} aria-hidden />}
            placeholder="Address or type"
            aria-label="Filter by address or type"
            value={text}
            set={(next) => set({ text: next })}
          />
        </Group>
      )}
      {filtered && (total > many || type) && (
        <Types changes={changes} chosen={type} choose={(next) => set({ type: next })} />
      )}
      <ChangeList changes={shown} pick={pick} />
      {shown.length === 0 && (
        <Empty title={total === 0 ? 'Nothing changes' : 'No change is like that'}>
          {total === 0 ? 'What is there is what the code says.' : 'Take the filters away to see all.'}
        </Empty>
      )}
    </Section>
  );
}

const moduleName = (name: string) => (name === rootModule ? 'No module' : name.replace(/^module\./, ''));

function Summary({ n }: { n: ReturnType<typeof counts> }) {
  return (
    <Text size="sm" c="dimmed">
      {planGroups
        .filter((g) => n[g.name] > 0)
        .map((g) => `${n[g.name]} ${g.label}`)
        .join(', ') || 'no changes'}
    </Text>
  );
}
