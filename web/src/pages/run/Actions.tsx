import { Button, Menu } from '@mantine/core';
import { IconChevronDown } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import type { Verb } from '../../api/actions';
import type { Run } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { command, offered, verbWords } from './verbs';

const ActionDialog = lazy(() => import('./ActionDialog'));

/** The one main action of a run, and the others behind a menu. */
export function Actions({ run }: { run: Run }) {
  const [verb, setVerb] = useState<Verb | null>(null);
  const [main, ...others] = offered(run);
  return (
    <>
      <CopyCommand command={main ? command(main, run.id) : `roadbed run show ${run.id}`} />
      {others.length > 0 && (
        <Menu position="bottom-end">
          <Menu.Target>
            <Button variant="default" rightSection={<IconChevronDown size={15} aria-hidden />}>
              More
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {others.map((other) => (
              <Menu.Item
                key={other}
                color={verbWords[other].destructive ? 'red' : undefined}
                onClick={() => setVerb(other)}
              >
                {verbWords[other].label}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
      )}
      {main && (
        <Button
          color={verbWords[main].destructive ? 'red' : undefined}
          variant={verbWords[main].destructive ? 'outline' : 'filled'}
          onClick={() => setVerb(main)}
        >
          {verbWords[main].label}
        </Button>
      )}
      {verb && (
        <Suspense>
          <ActionDialog run={run} verb={verb} close={() => setVerb(null)} />
        </Suspense>
      )}
    </>
  );
}
