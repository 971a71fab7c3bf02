import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import type { LedgerEntry } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { RefLink } from '../../parts/RefLink';
import { type Column, Table } from '../../parts/Table';
import { sayType } from './words';

const EntryDrawer = lazy(() => import('./EntryDrawer'));

const columns = (open: (e: LedgerEntry) => void): Column<LedgerEntry>[] => [
  { name: 'When', width: 140, cell: (e) => <Moment at={e.time} /> },
  { name: 'Who', width: 170, cell: (e) => e.actor.name || e.actor.id },
  {
    name: 'What',
    cell: (e) => (
      <Anchor component="button" type="button" size="sm" c="inherit" ta="left" onClick={() => open(e)} title={e.type}>
        {sayType(e)}
      </Anchor>
    ),
  },
  { name: 'Of', cell: (e) => <RefLink to={e.subject} kind /> },
  {
    name: 'Run',
    wide: true,
    width: 90,
    cell: (e) =>
      e.run ? (
        <Anchor component={Link} to={`/runs/${e.run}`} size="sm" title={e.run}>
          run
        </Anchor>
      ) : (
        ''
      ),
  },
  { name: 'Position', wide: true, right: true, width: 90, cell: (e) => e.position },
];

export function EntryTable({ entries }: { entries: LedgerEntry[] }) {
  const [opened, setOpened] = useState<LedgerEntry>();
  return (
    <>
      <Table label="Entries of the ledger" columns={columns(setOpened)} rows={entries} id={(e) => e.id} />
      {opened && (
        <Suspense>
          <EntryDrawer entry={opened} close={() => setOpened(undefined)} />
        </Suspense>
      )}
    </>
  );
}
