import { Alert, Anchor, Button, Group, Progress, Text } from '@mantine/core';
import { IconExternalLink, IconPlugConnectedX, IconRefresh } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useDisconnect, useFetch } from '../../api/outside';
import type { Repository } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';

/** Where a repository lives that is at a forge, how it does, and what can be done about it. */
export function Outside({ repo }: { repo: Repository }) {
  const fetch = useFetch(repo);
  const leave = useDisconnect(repo);
  const navigate = useNavigate();
  const [leaving, setLeaving] = useState(false);
  const o = repo.outside;
  if (!o) return null;
  const byApi = o.content === 'api' && !o.cloned;
  const busy = byApi ? 'being looked at' : 'being fetched';
  const full = `${repo.namespace}/${repo.name}`;
  return (
    <>
      <Group gap="md" justify="space-between">
        <Group gap="md">
          {o.url ? (
            <Anchor href={o.url} target="_blank" rel="noreferrer" size="sm">
              <Group gap={4} component="span">
                {o.remote} at {new URL(o.url).host}
                <IconExternalLink size={14} aria-hidden />
              </Group>
            </Anchor>
          ) : (
            <Text size="sm">{o.remote}</Text>
          )}
          <Text size="sm" c="dimmed" component="span">
            {o.fetching ? busy : <Looked at={o.looked ?? o.fetched} byApi={byApi} />}
          </Text>
          {byApi && (
            <Text size="sm" c="dimmed" component="span">
              read by the forge's API; cloned when somebody needs its history
            </Text>
          )}
        </Group>
        <Group gap="xs">
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconRefresh size={14} aria-hidden />}
            loading={fetch.isPending || o.fetching}
            onClick={() => fetch.mutate()}
          >
            {byApi ? 'Look now' : 'Fetch now'}
          </Button>
          <Button
            size="compact-sm"
            variant="subtle"
            color="gray"
            leftSection={<IconPlugConnectedX size={14} aria-hidden />}
            onClick={() => setLeaving(true)}
          >
            Disconnect
          </Button>
        </Group>
      </Group>
      {o.fetching && o.phase && (
        <div>
          <Text size="xs" c="dimmed">
            {o.phase}
          </Text>
          <Progress value={o.total ? (100 * (o.done ?? 0)) / o.total : 100} animated size="sm" aria-label={o.phase} />
        </div>
      )}
      {o.trouble && (
        <Alert
          color="red"
          variant="light"
          title={byApi ? "It can't be read at its forge" : "It can't be fetched from its forge"}
        >
          {o.trouble}
          <Text size="sm" mt="xs">
            {o.troubleSince && (
              <>
                Since <Moment at={o.troubleSince} />.{' '}
              </>
            )}
            {o.behind ? `${o.behind} branches and tags have moved there. ` : ''}
            {o.next && (
              <>
                It is tried again <Moment at={o.next} />.
              </>
            )}
          </Text>
        </Alert>
      )}
      <Failure error={fetch.error} title="It was not asked for" />
      {leaving && (
        <Ask
          title={`Disconnect ${full}?`}
          says={`It is forgotten here, and nothing changes at the forge. What stands on it here, such as pipelines and stacks, has no repository then.`}
          label="Disconnect"
          command={`roadbed repo disconnect ${full}`}
          busy={leave.isPending}
          error={leave.error}
          close={() => setLeaving(false)}
          act={() => leave.mutate(undefined, { onSuccess: () => navigate({ to: '/repositories' }) })}
        />
      )}
    </>
  );
}

function Looked({ at, byApi }: { at?: string; byApi: boolean }) {
  if (!at) return byApi ? 'not looked at yet' : 'not fetched yet';
  return (
    <>
      looked at <Moment at={at} />
    </>
  );
}
