import { Checkbox, Group, SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type ProposalFilter, proposalCounts } from '../../api/queries';
import { CopyCommand } from '../../parts/CopyCommand';
import { FilterText } from '../../parts/FilterText';
import { Page, Section } from '../../parts/Page';
import { ProposalsOf } from '../../parts/ProposalsOf';

const route = getRouteApi('/shell/proposals');

const flags: Record<string, string> = { mine: ' --mine', assigned: ' --assigned', waiting: ' --waiting' };

export function Proposals() {
  const { state = 'open', show, text, draft, repository } = route.useSearch();
  const navigate = route.useNavigate();
  const set = (next: Record<string, string | undefined>) =>
    navigate({ search: (s) => ({ ...s, ...next }), replace: true });
  const whose: ProposalFilter = {
    repository,
    text,
    author: show === 'mine' ? 'me' : undefined,
    assignee: show === 'assigned' ? 'me' : undefined,
    draft: draft === 'no' ? 'false' : undefined,
  };
  const filter: ProposalFilter = {
    ...whose,
    state: state === 'all' || show === 'waiting' ? undefined : (state as ProposalFilter['state']),
    waiting: show === 'waiting' || undefined,
  };
  const counts = useQuery(proposalCounts(whose)).data;
  const waits = useQuery(proposalCounts({ repository })).data?.waiting;
  const counted = (label: string, n?: number) => (n === undefined ? label : `${label} ${n}`);
  const command = `roadbed proposal list${repository ? ` ${repository}` : ''} --state ${state}${flags[show ?? ''] ?? ''}${text ? ` --text '${text}'` : ''}`;
  return (
    <Page
      title="Proposals"
      about="Changes of repositories, to be looked at before they are merged."
      actions={<CopyCommand command={command} />}
    >
      <Group gap="sm">
        <div style={{ overflowX: 'auto', maxWidth: '100%' }}>
          <SegmentedControl
            aria-label="Whose"
            value={show ?? ''}
            onChange={(value) => set({ show: value || undefined })}
            data={[
              { value: '', label: 'Everybody’s' },
              { value: 'mine', label: 'Mine' },
              { value: 'waiting', label: counted('Waiting for me', waits) },
              { value: 'assigned', label: 'Mine to look after' },
            ]}
          />
        </div>
        {show !== 'waiting' && (
          <SegmentedControl
            aria-label="State"
            value={state}
            onChange={(value) => set({ state: value === 'open' ? undefined : value })}
            data={[
              { value: 'open', label: counted('Open', counts?.open) },
              { value: 'merged', label: counted('Merged', counts?.merged) },
              { value: 'closed', label: counted('Closed', counts?.closed) },
              { value: 'all', label: 'All' },
            ]}
          />
        )}
        <FilterText
          aria-label="In the title"
          placeholder="In the title"
          value={text}
          set={(next) => set({ text: next })}
        />
        <Checkbox
          label="Without drafts"
          checked={draft === 'no'}
          onChange={(e) => set({ draft: e.currentTarget.checked ? 'no' : undefined })}
        />
      </Group>
      <Section flush>
        <ProposalsOf
          filter={filter}
          none={
            show === 'waiting'
              ? 'Nothing waits for your review: you look after none, and own no files that change.'
              : undefined
          }
        />
      </Section>
    </Page>
  );
}
