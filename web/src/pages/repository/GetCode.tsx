import { Button, Group, Popover, Stack } from '@mantine/core';
import { IconCode, IconFilePlus, IconUpload } from '@tabler/icons-react';
import { getRouteApi, Link } from '@tanstack/react-router';
import { archiveAddress } from '../../api/code';
import type { Repository } from '../../api/types';
import { CopyText } from '../../parts/CopyText';
import { Empty, Section } from '../../parts/Page';
import { mayWrite, placeOf } from './place';

const route = getRouteApi('/shell/repositories/$namespace/$name');

/** How the code comes to a person's machine. */
export function GetCode({ repo }: { repo: Repository }) {
  const { ref } = route.useSearch();
  const at = ref ?? repo.defaultBranch;
  return (
    <Popover width={380} position="bottom-end" withArrow trapFocus>
      <Popover.Target>
        <Button leftSection={<IconCode size={16} aria-hidden />} variant="default">
          Get the code
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="sm">
          <CopyText label="Clone it with git" text={`git clone ${repo.cloneUrl}`} />
          {repo.head && (
            <Group gap="xs">
              <Button component="a" href={archiveAddress(repo, at, 'zip')} variant="default" size="compact-sm" download>
                {at}.zip
              </Button>
              <Button
                component="a"
                href={archiveAddress(repo, at, 'tar.gz')}
                variant="default"
                size="compact-sm"
                download
              >
                {at}.tar.gz
              </Button>
            </Group>
          )}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

/** What to do with a repository that nothing was pushed to. */
export function Unborn({ repo }: { repo: Repository }) {
  if (repo.outside) {
    return (
      <Section>
        <Empty title={repo.outside.fetched ? 'It is empty at its forge' : 'It was not fetched yet'}>
          What is pushed to {repo.outside.remote} there is seen here in a moment.
        </Empty>
      </Section>
    );
  }
  const state = repo.import?.state;
  if (state && state !== 'ready' && state !== 'canceled') {
    return (
      <Section>
        <Empty title={state === 'failed' ? 'Its import brought nothing' : 'What is imported is not here yet'}>
          {state === 'failed'
            ? 'See above why, and try it again; or give it up, and push something of your own.'
            : 'Its files are seen here as soon as it is done.'}
        </Empty>
      </Section>
    );
  }
  return (
    <Section>
      <Empty
        title="Nothing was pushed yet"
        action={
          mayWrite(repo) && (
            <Group gap="xs" justify="center">
              <Button
                component={Link}
                to={placeOf(repo, { path: 'README.md', look: 'new' })}
                variant="default"
                leftSection={<IconFilePlus size={16} aria-hidden />}
              >
                Write its README here
              </Button>
              <Button
                component={Link}
                to={placeOf(repo, { look: 'upload' })}
                variant="default"
                leftSection={<IconUpload size={16} aria-hidden />}
              >
                Upload files
              </Button>
            </Group>
          )
        }
      >
        Clone it, commit something, and push to {repo.defaultBranch}. Or begin here.
      </Empty>
      <CopyText label="Clone it with git" text={`git clone ${repo.cloneUrl}`} />
    </Section>
  );
}
