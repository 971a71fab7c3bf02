import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { asProblem } from '../api/problem';
import { Failure } from './Failure';
import { Empty, Page, Section } from './Page';

interface Props {
  /** As the address has it. */
  name: string;
  /** What it would be: "stack". */
  what: string;
  /** The list of such things, and what it is called. */
  list:
    | '/infrastructure'
    | '/infrastructure/sets'
    | '/contexts'
    | '/pools'
    | '/modules'
    | '/providers'
    | '/policies'
    | '/runs';
  all: string;
  error: unknown;
  retry: () => void;
}

/** The page of a thing that could not be read: one that is not there leads to those that are. */
export function Unread({ name, what, list, all, error, retry }: Props) {
  if (asProblem(error).status !== 404) {
    return (
      <Page title={name}>
        <Failure error={error} retry={retry} />
      </Page>
    );
  }
  return (
    <Page title={name}>
      <Section>
        <Empty
          title={`There is no such ${what}`}
          action={
            <Button component={Link} to={list} variant="default">
              {all}
            </Button>
          }
        >
          It was deleted, is called otherwise, or is in a space that you have no right to read. The ledger knows what
          was there.
        </Empty>
      </Section>
    </Page>
  );
}
