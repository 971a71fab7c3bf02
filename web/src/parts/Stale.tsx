import { Button } from '@mantine/core';
import { asProblem } from '../api/problem';
import classes from './Stale.module.css';

export interface Asked {
  isRefetchError: boolean;
  error: unknown;
  isFetching: boolean;
  refetch: () => unknown;
}

/** Says that what is shown could not be renewed; the data stays where it is. */
export function Stale({ query }: { query: Asked }) {
  if (!query.isRefetchError) return null;
  const problem = asProblem(query.error);
  return (
    <div className={classes.stale} role="status">
      <span>This may be out of date: {problem.status === 0 ? problem.title : problem.message}</span>
      <Button size="compact-xs" variant="default" loading={query.isFetching} onClick={() => query.refetch()}>
        Try again
      </Button>
    </div>
  );
}
