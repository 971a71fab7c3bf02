import { Button } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { type StackRunType, useStackRun } from '../../api/actions';
import type { Stack } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { shortRef } from '../../words/ref';

export function StackActions({ stack }: { stack: Stack }) {
  const [asking, setAsking] = useState(false);
  const navigate = useNavigate();
  const start = useStackRun(stack.namespace, stack.name);
  const name = `${stack.namespace}/${stack.name}`;
  const go = (type: StackRunType, dependents?: boolean) =>
    start.mutate(
      { type, dependents },
      { onSuccess: (run) => void navigate({ to: '/runs/$id', params: { id: run.id } }) },
    );
  const others = stack.dependents ?? [];
  const may = (what: string) => stack.can.includes(what);
  const command = may('apply') ? 'stack apply' : may('plan') ? 'stack plan' : 'describe stack';
  return (
    <>
      <CopyCommand command={`roadbed ${command} ${name}`} />
      {may('destroy') && (
        <Button variant="outline" color="red" onClick={() => setAsking(true)}>
          Destroy
        </Button>
      )}
      {may('plan') && stack.state && (
        <Button variant="default" disabled={start.isPending} onClick={() => go('drift')}>
          Look for drift
        </Button>
      )}
      {may('plan') && (
        <Button variant="default" disabled={start.isPending} onClick={() => go('proposed')}>
          Plan only
        </Button>
      )}
      {may('apply') && (
        <Button loading={start.isPending} onClick={() => go('tracked')}>
          Plan and apply
        </Button>
      )}
      {!asking && <Failure error={start.error} />}
      {asking && (
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
          close={() => setAsking(false)}
          act={() => go('destroy', others.length > 0)}
        />
      )}
    </>
  );
}
