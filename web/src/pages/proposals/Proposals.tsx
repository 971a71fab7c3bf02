import { Group, SegmentedControl } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import type { ProposalFilter } from '../../api/queries';
import { CopyCommand } from '../../parts/CopyCommand';
import { Page, Section } from '../../parts/Page';
import { ProposalsOf } from '../../parts/ProposalsOf';

const route = getRouteApi('/shell/proposals');

export function Proposals() {
  const { state = 'open', show } = route.useSearch();
  const navigate = route.useNavigate();
  const set = (next: Record<string, string | undefined>) =>
    navigate({ search: (s) => ({ ...s, ...next }), replace: true });
  const filter: ProposalFilter = {
    state: state === 'all' ? undefined : (state as ProposalFilter['state']),
    author: show === 'mine' ? 'me' : undefined,
  };
  return (
    <Page
      title="Proposals"
      about="Changes of repositories, to be looked at before they are merged."
      actions={<CopyCommand command={`roadbed proposal list --state ${state}${show === 'mine' ? ' --mine' : ''}`} />}
    >
      <Group gap="sm">
        <SegmentedControl
          aria-label="State"
          value={state}
          onChange={(value) => set({ state: value === 'open' ? undefined : value })}
          data={[
            { value: 'open', label: 'Open' },
            { value: 'merged', label: 'Merged' },
            { value: 'closed', label: 'Closed' },
            { value: 'all', label: 'All' },
          ]}
        />
        <SegmentedControl
          aria-label="Whose"
          value={show ?? ''}
          onChange={(value) => set({ show: value || undefined })}
          data={[
            { value: '', label: 'Everybody’s' },
            { value: 'mine', label: 'Mine' },
          ]}
        />
      </Group>
      <Section flush>
        <ProposalsOf filter={filter} />
      </Section>
    </Page>
  );
}
