import type { SetHook } from '../../api/types';

const phases: Record<string, string> = {
  beforeInit: 'Before init',
  afterInit: 'After init',
  beforePlan: 'Before plan',
  afterPlan: 'After plan',
  beforeApply: 'Before apply',
  afterApply: 'After apply',
  beforeDestroy: 'Before destroy',
  afterDestroy: 'After destroy',
  beforePerform: 'Before a task',
  afterPerform: 'After a task',
  afterRun: 'After the run',
};

/** Hooks by phase, in the order in which they run; phases without any are left out. */
export function byPhase(hooks: SetHook[]): { phase: string; title: string; hooks: SetHook[] }[] {
  const out: { phase: string; title: string; hooks: SetHook[] }[] = [];
  for (const hook of hooks) {
    const group = out.find((g) => g.phase === hook.phase);
    if (group) group.hooks.push(hook);
    else out.push({ phase: hook.phase, title: phases[hook.phase] ?? hook.phase, hooks: [hook] });
  }
  return out;
}

/** Why a stack has a context, in words. */
export function whyAttached(why: string): string {
  if (why === 'autoattach:*') return 'the context attaches itself to all stacks';
  const label = /^autoattach:(.*)$/.exec(why)?.[1];
  return label ? `both have the label ${label}` : why;
}
