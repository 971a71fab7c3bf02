import type { Stack } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { Empty, Facts, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RunsOf } from '../../parts/RunsOf';
import { Neighbours } from './Neighbours';
import { Outputs } from './Outputs';

/** How what is there differs from what was applied. */
function Drift({ stack: { drift } }: { stack: Stack }) {
  if (!drift) return 'not looked for yet';
  return (
    <>
      {drift.found ? `found: ${drift.summary}` : 'none'}, <Moment at={drift.checked} /> by <RefLink to={drift.run} />
    </>
  );
}

/** What a stack is, gives, and did last. */
export function Overview({ stack }: { stack: Stack }) {
  return (
    <>
      <Section title="State">
        {stack.state ? (
          <Facts
            items={[
              ['Serial', stack.state.serial],
              ['Resources', stack.state.resources],
              ['Written by', stack.state.run ? <RefLink key="run" to={stack.state.run} /> : stack.state.actor.name],
              ['Applies by itself', stack.autodeploy ? 'yes' : 'no, it waits for a review'],
              ['Drift', <Drift key="drift" stack={stack} />],
              ['Next by schedule', stack.next ? <Moment key="next" at={stack.next} /> : 'nothing'],
              ['Space', stack.space],
              [
                'Runs on',
                stack.workerPool ? <RefLink key="pool" to={`workerpool:${stack.workerPool}`} /> : 'the server',
              ],
            ]}
          />
        ) : (
          <Empty title="No state yet">The first run that is applied writes it.</Empty>
        )}
      </Section>
      {stack.state && <Outputs outputs={stack.state.outputs} />}
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
