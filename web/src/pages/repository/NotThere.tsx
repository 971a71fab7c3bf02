import { Button, Group } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { asProblem } from '../../api/problem';
import type { Repository } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Empty, Section } from '../../parts/Page';
import { placeOf } from './place';

interface Props {
  repo: Repository;
  error: unknown;
  retry: () => void;
  at?: string;
}

/** A branch, a path or a commit that is not there, and where to go from it. */
export function NotThere({ repo, error, retry, at }: Props) {
  const problem = asProblem(error);
  if (problem.status !== 404 && problem.status !== 422) return <Failure error={error} retry={retry} />;
  return (
    <Section>
      <Empty
        title="There is nothing at this address"
        action={
          <Group gap="xs">
            {at && (
              <Button component={Link} to={placeOf(repo, { ref: at })} variant="default">
                The files of {at.slice(0, 40)}
              </Button>
            )}
            <Button component={Link} to={placeOf(repo, {})} variant="default">
              The files of {repo.defaultBranch}
            </Button>
            <Button component={Link} to={placeOf(repo, { tab: 'branches' })} variant="default">
              All branches
            </Button>
          </Group>
        }
      >
        {problem.message}. It may have been moved, renamed or deleted since.
      </Empty>
    </Section>
  );
}
