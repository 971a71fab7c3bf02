import { Anchor, Button, Group } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { Stack } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Empty, Facts, Section } from '../../parts/Page';
import { LockDialog } from './LockDialog';
import { Writer } from './Overview';
import { StateDiff } from './StateDiff';
import { States } from './States';

/** The state of a stack: what it is now, its versions, and what differs between two of them. */
export function StateTab({ stack }: { stack: Stack }) {
  const [locking, setLocking] = useState(false);
  const { namespace, name, state } = stack;
  const whole = `${namespace}/${name}`;
  const mayLock = stack.can.includes('state') && !stack.lock;
  return (
    <>
      <Section
        title="Newest version"
        actions={
          <Group gap="xs">
            {stack.can.includes('state-read') && state && <CopyCommand command={`roadbed state pull ${whole}`} />}
            {mayLock && (
              <Button size="compact-sm" variant="default" onClick={() => setLocking(true)}>
                Lock
              </Button>
            )}
          </Group>
        }
      >
        {state ? (
          <Facts
            items={[
              ['Serial', state.serial],
              [
                'Resources',
                <Anchor
                  key="resources"
                  size="sm"
                  renderRoot={(props) => <Link to="/infrastructure/resources" search={{ stack: whole }} {...props} />}
                >
                  {state.resources}
                </Anchor>,
              ],
              ['Written by', <Writer key="by" state={state} />],
              ['Lineage', state.lineage],
            ]}
          />
        ) : (
          <Empty title="No state yet">
            The first run that is applied writes it. One from elsewhere is brought in with roadbed state push {whole}{' '}
            FILE.
          </Empty>
        )}
      </Section>
      {state && <States stack={stack} />}
      {state && <StateDiff stack={stack} newest={state.serial} />}
      {locking && <LockDialog stack={stack} close={() => setLocking(false)} />}
    </>
  );
}
