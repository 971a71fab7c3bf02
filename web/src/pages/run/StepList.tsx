import type { Step } from '../../api/types';
import { Took } from '../../parts/Moment';
import { Section } from '../../parts/Page';
import { State } from '../../parts/State';
import { byGroup } from './steps';
import classes from './Work.module.css';

interface Props {
  steps: Step[];
  chosen?: string;
  choose: (key: string) => void;
}

export function StepList({ steps, chosen, choose }: Props) {
  return (
    <Section title="Steps" flush>
      {byGroup(steps).map(({ group, steps }) => (
        <div key={group}>
          {group && <h3 className={classes.group}>{group}</h3>}
          <ol className={classes.list}>
            {steps.map((step) => (
              <li key={step.id}>
                <button
                  type="button"
                  className={classes.item}
                  aria-current={step.key === chosen ? 'true' : undefined}
                  onClick={() => choose(step.key)}
                >
                  <span className={classes.name}>
                    {step.title || step.key}
                    {step.attempt > 1 && ` (attempt ${step.attempt})`}
                  </span>
                  <span className={classes.aside}>
                    <State state={step.state} bare />
                    <Took started={step.started} ended={step.ended} />
                  </span>
                </button>
              </li>
            ))}
          </ol>
        </div>
      ))}
    </Section>
  );
}
