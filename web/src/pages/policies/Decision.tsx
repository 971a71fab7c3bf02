import { Button, List, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { decision } from '../../api/policies';
import { Block } from '../../parts/Block';
import { CopyCommand } from '../../parts/CopyCommand';
import { Moment } from '../../parts/Moment';
import { Empty, Facts, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { Unread } from '../../parts/Unread';
import { parseRef } from '../../words/ref';
import { gravest } from '../run/Review';

const route = getRouteApi('/shell/decisions/$id');

/** One decision, and what it was made from. */
export function DecisionPage() {
  const { id } = route.useParams();
  const query = useQuery(decision(id));
  const d = query.data;
  if (query.isLoadingError) {
    return (
      <Unread
        name="Decision"
        what="decision"
        list="/policies"
        all="All policies"
        error={query.error}
        retry={() => query.refetch()}
      />
    );
  }
  if (!d) {
    return (
      <Page title="Decision">
        <Rows />
      </Page>
    );
  }
  const said = Object.entries(d.outcome).flatMap(([rule, all]) => (all ?? []).map((text) => ({ rule, text })));
  return (
    <Page
      title={`Decision at ${d.point}`}
      marks={<State state={gravest(d.outcome)} of="verdict" />}
      about={<Moment at={d.time} />}
      actions={<CopyCommand command={`roadbed policy decision ${id}`} />}
    >
      <Section title="What was said">
        {said.length === 0 && <Empty title="No policy said anything" />}
        {said.length > 0 && (
          <List size="sm">
            {said.map(({ rule, text }) => (
              <List.Item key={`${rule} ${text}`} style={{ overflowWrap: 'anywhere' }}>
                {rule}: {text}
              </List.Item>
            ))}
          </List>
        )}
      </Section>
      <Section title="About">
        <Facts
          items={[
            ['Space', d.space],
            ['Of', d.who?.name || (d.subject && <RefLink to={d.subject} kind />)],
            ['Run', d.run && <RefLink to={d.run} />],
          ]}
        />
      </Section>
      <Section title="Policies that were asked">
        {d.policies.length === 0 && <Empty title="None">No policy was attached, so that what is usual happened.</Empty>}
        <List size="sm" listStyleType="none">
          {d.policies.map((name) => (
            <List.Item key={name} mb={6}>
              <RefLink to={name} /> <TryHere policy={name} id={id} />
            </List.Item>
          ))}
        </List>
      </Section>
      <Section title="Input">
        {d.input === undefined ? <Empty title="It was too large to be kept" /> : <Input value={d.input} id={id} />}
      </Section>
    </Page>
  );
}

/** More than this of an input is not shown: a browser would be long at it. */
const most = 200_000;

function Input({ value, id }: { value: unknown; id: string }) {
  const text = JSON.stringify(value, null, 2);
  if (text.length <= most) return <Block text={text} />;
  return (
    <>
      <Block text={`${text.slice(0, most)}…`} />
      <Text size="sm" c="dimmed" mt="xs">
        The beginning of {Math.round(text.length / 1000).toLocaleString('en')} kB is shown; roadbed policy decision {id}{' '}
        -o json gives all of it.
      </Text>
    </>
  );
}

function TryHere({ policy, id }: { policy: string; id: string }) {
  const ref = parseRef(policy);
  if (!ref) return null;
  const { namespace, name } = ref;
  return (
    <Button
      size="compact-xs"
      variant="default"
      ml="xs"
      renderRoot={(props) => (
        <Link to="/policies/$namespace/$name" params={{ namespace, name }} search={{ decision: id }} {...props} />
      )}
    >
      Try a change of {name} on this
    </Button>
  );
}
