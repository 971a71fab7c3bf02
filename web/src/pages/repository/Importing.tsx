import { Alert, Button, Group, Progress, Text } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useImportDeed } from '../../api/hosting';
import type { Repository } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';

/** How far the import of a repository is, or which one it follows, and what can be done about it. */
export function Importing({ repo }: { repo: Repository }) {
  const deed = useImportDeed(repo);
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
          <Button size="compact-sm" variant="default" loading={deed.isPending} onClick={() => deed.mutate('retry')}>
            {i.state === 'ready' ? 'Look now' : 'Try again'}
          </Button>
        )}
        <Button size="compact-sm" variant="default" loading={deed.isPending} onClick={() => deed.mutate('cancel')}>
          {i.state === 'ready' ? 'Follow it no longer' : 'Give it up'}
        </Button>
      </Group>
    </Alert>
  );
}
