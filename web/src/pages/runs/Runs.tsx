import { Group, SegmentedControl, Select } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { CopyCommand } from '../../parts/CopyCommand';
import { FilterText } from '../../parts/FilterText';
import { Page } from '../../parts/Page';
import { RunsToChoose } from './RunsToChoose';

const route = getRouteApi('/shell/runs');
const kinds = ['scaffold', 'workflow', 'stack', 'sync'];

export function Runs() {
  const { show, kind, subject, ...rest } = route.useSearch();
  const navigate = route.useNavigate();
  const set = (next: Record<string, string | undefined>) =>
    navigate({ search: (s) => ({ ...s, ...next }), replace: true });
  const filter = {
    ...rest,
    kind,
    subject,
    waiting: show === 'waiting' || undefined,
    open: show === 'open' || undefined,
    state: show === 'failed' ? 'failed,error' : rest.state,
  };
  return (
    <Page
      title="Runs"
      about="Everything the platform does is a run."
      actions={<CopyCommand command="roadbed run list" />}
    >
      <Group gap="sm" align="flex-end">
        <SegmentedControl
          aria-label="Which runs"
          value={show ?? ''}
          onChange={(value) => set({ show: value || undefined })}
          data={[
            { value: '', label: 'All' },
            { value: 'waiting', label: 'To review' },
            { value: 'open', label: 'Open' },
            { value: 'failed', label: 'Failed' },
          ]}
        />
        <Select
          aria-label="Kind"
          placeholder="Any kind"
          data={kinds}
          clearable
          w={150}
          value={kind ?? null}
          onChange={(value) => set({ kind: value ?? undefined })}
        />
        <FilterText
          aria-label="Subject"
          placeholder="stack:default/shop-infra"
          w={240}
          value={subject}
          set={(value) => set({ subject: value })}
        />
      </Group>
      <RunsToChoose
        filter={filter}
        label="Runs"
        none={
          Object.values(filter).some(Boolean) ? 'No run is like that; take a filter away to see others.' : undefined
        }
      />
    </Page>
  );
}
