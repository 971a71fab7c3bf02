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
  /** Rows can be selected, each by its name. */
  selection?: Selection;
  named?: (row: T) => string;
}

interface Selection {
  selected: ReadonlySet<string>;
  select: (ids: string[], on: boolean) => void;
}

/** A width for Table.module.css, which has none on small screens. */
function widthOf(width?: string | number): CSSProperties | undefined {
  if (width === undefined) return undefined;
  return { '--width': typeof width === 'number' ? `${width}px` : width } as CSSProperties;
}

export function Table<T>({ label, columns, rows, id, selection, named = id }: Props<T>) {
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
          {selection && (
            <MantineTable.Th className={classes.check} scope="col">
              <input
                type="checkbox"
                aria-label="Select all that are shown"
                checked={rows.length > 0 && rows.every((row) => selection.selected.has(id(row)))}
                onChange={(e) => selection.select(rows.map(id), e.currentTarget.checked)}
              />
            </MantineTable.Th>
          )}
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
          <MantineTable.Tr key={id(row)} data-chosen={selection?.selected.has(id(row)) || undefined}>
            {selection && (
              <MantineTable.Td className={classes.check}>
                <input
                  type="checkbox"
                  aria-label={`Select ${named(row)}`}
                  checked={selection.selected.has(id(row))}
                  onChange={(e) => selection.select([id(row)], e.currentTarget.checked)}
                />
              </MantineTable.Td>
            )}
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
