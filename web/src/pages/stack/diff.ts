import type { PlanChange, StateChange } from '../../api/types';

/** A change between two versions of a state, as the changes of a plan are shown. */
export function asPlanChange(change: StateChange): PlanChange {
  const { address, type, name, module, action, before, after, sensitive, changed } = change;
  const hidden = changed && changed.length > 0 && before === undefined && after === undefined;
  return {
    address,
    type,
    name,
    module,
    action,
    before,
    after,
    sensitive,
    reason: hidden ? `Differs in ${changed.join(', ')}` : undefined,
  };
}
