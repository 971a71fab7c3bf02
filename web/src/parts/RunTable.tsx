import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ComponentProps } from 'react';
import type { Run } from '../api/types';
import { Moment, Took } from './Moment';
import { RefLink } from './RefLink';
import { State } from './State';
import { type Column, Table } from './Table';

const columns: Column<Run>[] = [
  { name: 'State', width: 150, cell: (r) => <State state={r.state} bare /> },
  {
    name: 'Run',
    cell: (r) => (
      <Anchor component={Link} to={`/runs/${r.id}`} size="sm" fw={500} c="inherit" title={r.reason}>
        {r.title}
      </Anchor>
    ),
  },
  { name: 'Kind', wide: true, width: 110, cell: (r) => r.kind },
  { name: 'Of', wide: true, cell: (r) => (r.subject ? <RefLink to={r.subject} kind /> : '') },
  { name: 'By', wide: true, width: 150, cell: (r) => r.actor.name },
  { name: 'Took', wide: true, right: true, width: 110, cell: (r) => <Took started={r.started} ended={r.ended} /> },
  { name: 'When', right: true, width: 130, cell: (r) => <Moment at={r.created} /> },
];

interface Props {
  label: string;
  runs: Run[];
  short?: boolean;
  /** They are all of one thing, which the page names. */
  ofOne?: boolean;
  selection?: ComponentProps<typeof Table>['selection'];
}

export function RunTable({ label, runs, short, ofOne, selection }: Props) {
  const out = [...(short || ofOne ? ['Kind', 'Of'] : []), ...(short ? ['Took'] : [])];
  const shown = columns.filter((c) => !out.includes(c.name));
  return (
    <Table label={label} columns={shown} rows={runs} id={(r) => r.id} selection={selection} named={(r) => r.title} />
  );
}
