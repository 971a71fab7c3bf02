import { Button, Code, Drawer, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { delivery, payload, useRedeliver, webhook } from '../../api/webhooks';
import { Block } from '../../parts/Block';
import { Failure } from '../../parts/Failure';
import { Moment, Took } from '../../parts/Moment';
import { Facts } from '../../parts/Page';
import { State } from '../../parts/State';
import { bytes, full } from '../../words/time';
import { stateOf } from './Deliveries';

interface Props {
  namespace: string;
  name: string;
  number: number;
  close: () => void;
}

/** One delivery: what came of it, and to whom may see that, what it said. */
export default function DeliveryDrawer({ namespace, name, number, close }: Props) {
  const query = useQuery(delivery(namespace, name, number));
  const can = useQuery(webhook(namespace, name)).data?.can ?? [];
  const redeliver = useRedeliver(namespace, name);
  const d = query.data;
  return (
    <Drawer opened onClose={close} position="right" size="lg" title={d ? d.name || `Delivery ${number}` : 'Delivery'}>
      <Stack>
        <Failure error={query.isLoadingError ? query.error : undefined} retry={() => query.refetch()} />
        {d && (
          <>
            <Group justify="space-between">
              <State {...stateOf(d)} of="state" />
              {can.includes('redeliver') && (
                <Button
                  size="compact-sm"
                  variant="default"
                  disabled={!d.kept || d.state === 'received'}
                  loading={redeliver.isPending}
                  onClick={() => redeliver.mutate(number)}
                >
                  Redeliver
                </Button>
              )}
            </Group>
            <Failure error={redeliver.error} title="It is not handled again" />
            {d.outcome && (
              <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
                {d.outcome}
              </Text>
            )}
            <Facts
              items={[
                ['Number', d.number],
                ['Kind', d.kind],
                ['Repository', d.repository],
                ['By', d.sender],
                ['Came', full(d.received)],
                ['Took', d.handled && <Took key="took" started={d.received} ended={d.handled} />],
                ['Attempts', d.attempts > 1 && d.attempts],
                ['Tried again', d.next && <Moment key="next" at={d.next} />],
                ['Came again', d.repeats > 0 && `${d.repeats === 1 ? 'once' : `${d.repeats} times`}`],
                ['Size', bytes(d.size)],
                ['Id', <Code key="id">{d.delivery}</Code>],
              ]}
            />
            {!d.kept && (
              <Text size="sm" c="dimmed">
                What it said is not kept any more.
              </Text>
            )}
            {d.kept && can.includes('payload') && <Payload namespace={namespace} name={name} number={number} />}
            {d.kept && !can.includes('payload') && (
              <Text size="sm" c="dimmed">
                What it said is shown to those who have integration:admin in the space.
              </Text>
            )}
          </>
        )}
      </Stack>
    </Drawer>
  );
}

function Payload({ namespace, name, number }: Omit<Props, 'close'>) {
  const query = useQuery(payload(namespace, name, number));
  const p = query.data;
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  if (!p) return null;
  return (
    <>
      <Text fw={600} size="sm">
        Headers
      </Text>
      <Block
        text={Object.entries(p.headers)
          .sort()
          .map(([header, value]) => `${header}: ${value}`)
          .join('\n')}
      />
      <Text fw={600} size="sm">
        Payload
      </Text>
      <Block text={p.json === undefined ? (p.text ?? '') : JSON.stringify(p.json, null, 2)} />
      {p.cut && (
        <Text size="sm" c="dimmed">
          There is more of it than is shown.
        </Text>
      )}
    </>
  );
}
