import { Drawer, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { stateResource } from '../../api/states';
import type { Resource } from '../../api/types';
import { Block } from '../../parts/Block';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { Facts, Rows } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { parseRef } from '../../words/ref';
import { toYAML } from '../../words/yaml';
import { Drift } from './Drift';

/** One resource as the newest state of its stack has it; show is the stack's reference and the address. */
export default function ResourceDrawer({ show, known, close }: { show: string; known?: Resource; close: () => void }) {
  const at = show.indexOf(' ');
  const stack = show.slice(0, at);
  const address = show.slice(at + 1);
  const ref = parseRef(stack);
  const query = useQuery({
    ...stateResource(ref?.namespace ?? '', ref?.name ?? '', 'latest', address),
    enabled: ref !== undefined,
  });
  const found = query.data;
  return (
    <Drawer
      opened
      onClose={close}
      position="right"
      size="lg"
      title={address}
      styles={{ title: { overflowWrap: 'anywhere' } }}
    >
      <Stack>
        <Facts
          items={[
            ['Known as', found?.identity],
            ['Type', found?.type],
            ['Provider', found?.provider],
            ['Module', found?.module],
            ['Status', found?.status],
            ['Stack', <RefLink key="stack" to={stack} />],
            ['Owner', known && <RefLink key="owner" to={known.owner} />],
            ['Space', known?.space],
            ['Drift', known && <Drift key="drift" resource={known} dated />],
            ['There since', known && <Moment key="since" at={known.firstSeen} />],
            ['Changed', known && <Moment key="changed" at={known.changed} />],
            ['Changed by', known && (known.run ? <RefLink key="run" to={known.run} /> : known.actor.name)],
          ]}
        />
        {query.isLoading && <Rows count={4} />}
        <Failure error={query.error} title="It can't be read" />
        {found?.attributes && <Block text={toYAML(found.attributes)} />}
        {found && !found.attributes && (
          <Text size="sm" c="dimmed">
            Its attributes take the right to read the state (stack:state-read) in the space of the stack.
          </Text>
        )}
      </Stack>
    </Drawer>
  );
}
