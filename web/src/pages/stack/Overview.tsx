import type { Stack, StateVersion } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { Facts, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RunsOf } from '../../parts/RunsOf';
import { Neighbours } from './Neighbours';
import { Outputs } from './Outputs';
import { Queue } from './Queue';

/** How what is there differs from what was applied. */
function Drift({ stack: { drift } }: { stack: Stack }) {
  if (!drift) return 'not looked for yet';
  return (
    <>
      {drift.found ? `found: ${drift.summary}` : 'none'}, <Moment at={drift.checked} /> by <RefLink to={drift.run} />
    </>
  );
}

/** Who has written a version of a state, and in which run. */
export function Writer({ state }: { state: StateVersion }) {
  return (
    <>
      {state.actor.name}
      {state.run && (
        <>
          , in <RefLink to={state.run} />
        </>
      )}
    </>
  );
}

/** What a stack is, gives, and did last. */
export function Overview({ stack }: { stack: Stack }) {
  const { state } = stack;
  return (
    <>
      <Section title="State">
        <Facts
          items={[
            ['State', !state && 'none yet; the first run that is applied writes it'],
            ['Serial', state?.serial],
            ['Resources', state?.resources],
            ['Written by', state && <Writer key="by" state={state} />],
            ['Applies by itself', stack.autodeploy ? 'yes' : 'no, it waits for a review'],
            ['Drift', <Drift key="drift" stack={stack} />],
            ['Next by schedule', stack.next ? <Moment key="next" at={stack.next} /> : 'nothing'],
            ['Space', stack.space],
            ['Runs on', stack.workerPool ? <RefLink key="pool" to={`workerpool:${stack.workerPool}`} /> : 'the server'],
          ]}
        />
      </Section>
      <Queue stack={stack} />
      {state && <Outputs outputs={state.outputs} />}
      <Neighbours stack={stack} />
      <Section title="Runs" flush>
        <RunsOf
          filter={{ subject: stack.ref }}
          label={`Runs of ${stack.name}`}
          none="Plan it to see what it would make."
        />
      </Section>
    </>
  );
}
