import { startRun } from '../../api/actions';
import type { Stack } from '../../api/types';
import { RefLink } from '../../parts/RefLink';
import { ManyBar } from '../runs/ManyBar';
import { startsOf } from '../runs/many';

/** What can be begun of the chosen stacks: a run of each. */
export default function StacksMany({ stacks, clear }: { stacks: Stack[]; clear: () => void }) {
  const byRef = new Map(stacks.map((s) => [s.ref, s]));
  const deeds = startsOf(stacks).map(({ type, label, says, refs }) => ({
    label,
    says,
    noun: 'stack',
    items: refs.flatMap((ref) => byRef.get(ref) ?? []),
    others: stacks.length - refs.length,
    key: (s: Stack) => s.ref,
    name: (s: Stack) => <RefLink to={s.ref} />,
    act: (s: Stack) => startRun(s.namespace, s.name, { type }),
  }));
  return (
    <ManyBar
      label="Selected stacks"
      chosen={stacks.length}
      deeds={deeds}
      clear={clear}
      none="You may begin no runs of them."
    />
  );
}
