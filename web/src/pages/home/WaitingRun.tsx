import { Anchor, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Run } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { State } from '../../parts/State';
import { Actions } from '../run/Actions';
import classes from './Home.module.css';

export default function WaitingRun({ run }: { run: Run }) {
  return (
    <div className={classes.waiting}>
      <State state={run.state} />
      <div className={classes.words}>
        <Anchor component={Link} to={`/runs/${run.id}`} fw={500} c="inherit">
          {run.title}
        </Anchor>
        <Text size="sm" c="dimmed">
          {run.reason ? `${run.reason} · ` : ''}by {run.actor.name}, <Moment at={run.created} />
        </Text>
      </div>
      <Actions run={run} />
    </div>
  );
}
