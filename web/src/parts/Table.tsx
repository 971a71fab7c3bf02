import { Table as MantineTable } from '@mantine/core';
import type { CSSProperties, ReactNode } from 'react';
import classes from './Table.module.css';

export interface Column<T> {
  name: string;
  cell: (row: T) => ReactNode;
  width?: string | number;
  /** Left out on narrow screens. */
  wide?: boolean;
  right?: boolean;
}

interface Props<T> {
  label: string;
  columns: Column<T>[];
  rows: T[];
  id: (row: T) => string;
}

/** A width for Table.module.css, which has none on small screens. */
function widthOf(width?: string | number): CSSProperties | undefined {
  if (width === undefined) return undefined;
  return { '--width': typeof width === 'number' ? `${width}px` : width } as CSSProperties;
}

export function Table<T>({ label, columns, rows, id }: Props<T>) {
  return (
    <MantineTable
      className={classes.table}
      aria-label={label}
      verticalSpacing={9}
      horizontalSpacing="md"
      highlightOnHover
    >
      <MantineTable.Thead>
        <MantineTable.Tr>
          {columns.map((c) => (
            <MantineTable.Th
              key={c.name}
              style={widthOf(c.width)}
              data-wide={c.wide || undefined}
              data-right={c.right || undefined}
              scope="col"
            >
              {c.name}
            </MantineTable.Th>
          ))}
        </MantineTable.Tr>
      </MantineTable.Thead>
      <MantineTable.Tbody>
        {rows.map((row) => (
          <MantineTable.Tr key={id(row)}>
            {columns.map((c) => (
              <MantineTable.Td key={c.name} data-wide={c.wide || undefined} data-right={c.right || undefined}>
                {c.cell(row)}
              </MantineTable.Td>
            ))}
          </MantineTable.Tr>
        ))}
      </MantineTable.Tbody>
    </MantineTable>
  );
}
