import { Anchor, Group, Text, Tooltip } from '@mantine/core';
import type { Repository } from '../../api/types';
import { State } from '../../parts/State';

/** Where a repository lives, and whether it can be had from there. */
export function Home({ repo }: { repo: Repository }) {
  const o = repo.outside;
  if (!o) {
    return (
      <Text size="sm" c="dimmed" component="span">
        here
      </Text>
    );
  }
  const byApi = o.content === 'api' && !o.cloned;
  const host = o.url ? new URL(o.url).host : o.integration;
  return (
    <Group gap="xs">
      {o.url ? (
        <Anchor href={o.url} target="_blank" rel="noreferrer" size="sm">
          {host}
        </Anchor>
      ) : (
        host
      )}
      {o.trouble ? (
        <Tooltip label={o.trouble} multiline maw={400}>
          <span>
            <State state="error" said={byApi ? "can't be read" : "can't be fetched"} bare />
          </span>
        </Tooltip>
      ) : (
        !o.fetched && <State state="running" said={byApi ? 'being looked at' : 'being fetched'} bare />
      )}
    </Group>
  );
}
