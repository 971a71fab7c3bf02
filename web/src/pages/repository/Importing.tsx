import { Alert, Button, Group, Progress, Stack, Text } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { type FormEvent, useState } from 'react';
import { type Credentials, useImportDeed } from '../../api/hosting';
import type { Repository } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { SignIn } from '../../parts/SignIn';

/** How far the import of a repository is, or which one it follows, and what can be done about it. */
export function Importing({ repo }: { repo: Repository }) {
  const deed = useImportDeed(repo);
  const [anew, setAnew] = useState(false);
  const i = repo.import;
  if (!i || i.state === 'canceled' || (i.state === 'ready' && !i.every)) return null;
  const working = i.state === 'waiting' || i.state === 'running';
  return (
    <Alert
      color={i.error ? 'red' : 'blue'}
      icon={<IconDownload size={18} aria-hidden />}
      title={
        i.state === 'ready' ? `Follows ${i.url}` : working ? `Is being imported from ${i.url}` : 'Could not be imported'
      }
    >
      {i.error && <Text size="sm">{i.error}</Text>}
      {working && (
        <>
          <Text size="sm" role="status">
            {i.phase ?? i.state}
            {i.total ? ` ${i.done ?? 0} of ${i.total}` : ''}
            {i.bytes ? `, ${(i.bytes / 1e6).toFixed(1)} MB` : ''}
          </Text>
          <Progress value={i.total ? (100 * (i.done ?? 0)) / i.total : 0} my="xs" aria-label="How far the import is" />
        </>
      )}
      {i.state === 'ready' && (
        <Text size="sm">
          It is changed there, and looked at every {i.every}
          {i.fetched && (
            <>
              , last <Moment at={i.fetched} />
            </>
          )}
          .
        </Text>
      )}
      <Failure error={deed.error} />
      <Group gap="xs" mt="xs">
        {!working && (
          <Button
            size="compact-sm"
            variant="default"
            loading={deed.isPending}
            onClick={() => deed.mutate({ deed: 'retry' })}
          >
            {i.state === 'ready' ? 'Look now' : 'Try again'}
          </Button>
        )}
        {i.error && (
          <Button size="compact-sm" variant="default" aria-expanded={anew} onClick={() => setAnew(!anew)}>
            Other credentials
          </Button>
        )}
        <Button
          size="compact-sm"
          variant="default"
          loading={deed.isPending}
          onClick={() => deed.mutate({ deed: 'cancel' })}
        >
          {i.state === 'ready' ? 'Follow it no longer' : 'Give it up'}
        </Button>
      </Group>
      {i.error && anew && (
        <Anew
          space={repo.space}
          busy={deed.isPending}
          take={(credentials) => deed.mutate({ deed: 'retry', credentials }, { onSuccess: () => setAnew(false) })}
        />
      )}
    </Alert>
  );
}

interface AnewProps {
  space: string;
  busy: boolean;
  take: (credentials: Credentials) => void;
}

/** Takes other credentials for what could not be had with the ones it was given. */
function Anew({ space, busy, take }: AnewProps) {
  const [credentials, setCredentials] = useState<Credentials>({});
  const submit = (event: FormEvent) => {
    event.preventDefault();
    take(credentials);
  };
  return (
    <form onSubmit={submit}>
      <Stack mt="sm" maw={560}>
        <SignIn space={space} value={credentials} set={setCredentials} />
        <Group>
          <Button
            type="submit"
            size="compact-sm"
            loading={busy}
            disabled={!credentials.password && !credentials.secret}
          >
            Try with these
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
