import type { Stack } from '../../api/types';
import { Empty, Facts, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RunsOf } from '../../parts/RunsOf';
import { Neighbours } from './Neighbours';
import { Outputs } from './Outputs';

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
              ['Space', stack.space],
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
