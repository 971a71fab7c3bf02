import { Button, Menu } from '@mantine/core';
import { IconChevronDown } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { type StackOrder, useStackRun } from '../../api/actions';
import type { Stack } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { shortRef } from '../../words/ref';
import { offers } from './offers';
import { TaskDialog } from './TaskDialog';

export function StackActions({ stack }: { stack: Stack }) {
  const [asking, setAsking] = useState<'destroy' | 'reconcile' | 'task'>();
  const navigate = useNavigate();
  const start = useStackRun(stack.namespace, stack.name);
  const name = `${stack.namespace}/${stack.name}`;
  const go = (order: StackOrder) =>
    start.mutate(order, { onSuccess: (run) => void navigate({ to: '/runs/$id', params: { id: run.id } }) });
  const ask = (what: typeof asking) => {
    start.reset();
    setAsking(what);
  };
  const close = () => ask(undefined);
  const others = stack.dependents ?? [];
  const may = (what: string) => stack.can.includes(what);
  const command = may('apply') ? 'stack apply' : may('plan') ? 'stack plan' : 'describe stack';
  const offered = offers(stack);
  const more = [
    offered.includes('drift') && (
      <Menu.Item key="drift" onClick={() => go({ type: 'drift' })}>
        Look for drift
      </Menu.Item>
    ),
    offered.includes('reconcile') && (
      <Menu.Item key="reconcile" onClick={() => ask('reconcile')}>
        Look for drift and reconcile…
      </Menu.Item>
    ),
    offered.includes('task') && (
      <Menu.Item key="task" onClick={() => ask('task')}>
        Run a task…
      </Menu.Item>
    ),
  ].filter(Boolean);
  return (
    <>
      <CopyCommand command={`roadbed ${command} ${name}`} />
      {may('destroy') && (
        <Button variant="outline" color="red" onClick={() => ask('destroy')}>
          Destroy
        </Button>
      )}
      {more.length > 0 && (
        <Menu position="bottom-end">
          <Menu.Target>
            <Button
              variant="default"
              disabled={start.isPending}
              rightSection={<IconChevronDown size={15} aria-hidden />}
            >
              More
            </Button>
          </Menu.Target>
          <Menu.Dropdown>{more}</Menu.Dropdown>
        </Menu>
      )}
      {may('plan') && (
        <Button variant="default" disabled={start.isPending} onClick={() => go({ type: 'proposed' })}>
          Plan only
        </Button>
      )}
      {may('apply') && (
        <Button loading={start.isPending} onClick={() => go({ type: 'tracked' })}>
          Plan and apply
        </Button>
      )}
      {!asking && <Failure error={start.error} />}
      {asking === 'destroy' && (
        <Ask
          title={`Destroy ${stack.name}`}
          says={`A run is started that plans to destroy all ${stack.state?.resources ?? 0} resources of this stack. It waits for a review before it does.${
            others.length > 0
              ? ` What depends on it goes first, each by a run of its own: ${others.map((n) => shortRef(n.stack)).join(', ')}, and what depends on these.`
              : ''
          }`}
          label="Plan the destruction"
          name={stack.name}
          command={`roadbed stack destroy ${name}${others.length > 0 ? ' --dependents' : ''}`}
          busy={start.isPending}
          error={start.error}
          close={close}
          act={() => go({ type: 'destroy', dependents: others.length > 0 })}
        />
      )}
      {asking === 'reconcile' && (
        <Ask
          title={`Reconcile ${stack.name}`}
          says={`A run looks whether what is there is what was applied. If something differs, a tracked run begins by itself, which plans to put it back; ${
            stack.autodeploy
              ? 'this stack applies such a plan without a review.'
              : 'it waits for a review before it does.'
          }`}
          label="Look and reconcile"
          calm
          command={`roadbed stack drift ${name} --reconcile`}
          busy={start.isPending}
          error={start.error}
          close={close}
          act={() => go({ type: 'drift', reconcile: true })}
        />
      )}
      {asking === 'task' && (
        <TaskDialog
          stack={stack}
          busy={start.isPending}
          error={start.error}
          close={close}
          act={(given, skipInit) => go({ type: 'task', command: given, skipInit })}
        />
      )}
    </>
  );
}
