import { Alert, Button, Group, TextInput } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { useVerify } from '../../api/actions';
import { useLive } from '../../api/live';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { Page, Section } from '../../parts/Page';
import { State } from '../../parts/State';
import Changes from './Changes';

const route = getRouteApi('/shell/ledger');
const connections = {
  live: { state: 'running', said: 'live' },
  connecting: { state: 'pending', said: 'connecting' },
  broken: { state: 'warn', said: 'not live, trying again' },
};

export function Ledger() {
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  const verify = useVerify();
  const live = useLive();
  const set = (next: Partial<typeof filter>) => navigate({ search: (s) => ({ ...s, ...next }), replace: true });

  return (
    <Page
      title="Ledger"
      about="Every change that was made, by whom, and why. Each entry holds the hash of the one before it."
      actions={
        <>
          <CopyCommand command="roadbed audit verify" />
          <Button variant="default" loading={verify.isPending} onClick={() => verify.mutate()}>
            Verify
          </Button>
        </>
      }
    >
      <Failure error={verify.error} />
      {verify.data && (
        <Alert color={verify.data.whole ? 'green' : 'red'} variant="light" role="status">
          {verify.data.whole
            ? `The chain of ${verify.data.entries} entries is whole; its head is ${verify.data.headHash.slice(0, 16)}….`
            : `The chain is broken at entry ${verify.data.brokenAt}: ${verify.data.why}.`}
        </Alert>
      )}
      <Group align="flex-end" gap="sm">
        <FilterText label="About" placeholder="component:default/shop" value={filter.ref} set={(ref) => set({ ref })} />
        <FilterText
          label="Type"
          placeholder="run. or entity.created"
          value={filter.type}
          set={(type) => set({ type })}
        />
        {filter.run && <TextInput label="Run" value={filter.run} readOnly />}
        {(filter.ref || filter.type || filter.run || filter.actor) && (
          <Button variant="subtle" onClick={() => navigate({ search: {}, replace: true })}>
            Show all
          </Button>
        )}
        <div style={{ marginLeft: 'auto', paddingBottom: 8 }}>
          <State {...connections[live]} bare />
        </div>
      </Group>
      <Section flush>
        <Changes filter={filter} />
      </Section>
    </Page>
  );
}
