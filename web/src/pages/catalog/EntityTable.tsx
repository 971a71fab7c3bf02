import { Anchor, VisuallyHidden } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconAlertTriangle, IconArrowDown, IconArrowUp, IconStar, IconStarFilled } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { Entity } from '../../api/types';
import { parseRef } from '../../words/ref';
import classes from './catalog.module.css';
import type { EntityColumn } from './columns';
import { nextSort } from './filter';

interface Props {
  items: Entity[];
  total: number;
  columns: EntityColumn[];
  sort?: string;
  setSort?: (sort?: string) => void;
  asOf?: string;
  selected: ReadonlySet<string>;
  select: (refs: string[], on: boolean) => void;
  starred: ReadonlySet<string>;
  star: (ref: string, on: boolean) => void;
  /** More is there to be read. */
  more: boolean;
  readMore: () => void;
}

const height = 52;

/** The entities of a list; only the rows in sight are drawn, and what follows is read before they end. */
export function EntityTable(props: Props) {
  const { items, columns, selected, select, sort, setSort, more, readMore } = props;
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    if (box.current) setTop(box.current.getBoundingClientRect().top + window.scrollY);
  }, []);
  const rows = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => height,
    getItemKey: (i) => items[i]?.ref ?? i,
    overscan: 12,
    scrollMargin: top,
  });
  const drawn = rows.getVirtualItems();
  const last = drawn.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last >= items.length - 40) readMore();
  }, [more, last, items.length, readMore]);
  const grid = { gridTemplateColumns: `18px 24px minmax(130px, 2fr) ${columns.map((c) => c.width).join(' ')}` };
  const narrow = { gridTemplateColumns: '18px 24px minmax(0, 1fr)' };
  const phone = useMediaQuery('(max-width: 700px)', false, { getInitialValueInEffect: false });
  const style = phone ? narrow : grid;
  const all = items.length > 0 && items.every((e) => selected.has(e.ref));
  const head = (name: string, field?: string) => {
    if (!field || !setSort) return name;
    const [up, down] = [sort === field, sort === `-${field}`];
    return (
      <button type="button" onClick={() => setSort(nextSort(sort, field))}>
        {name}
        {up && <IconArrowUp size={13} aria-hidden />}
        {down && <IconArrowDown size={13} aria-hidden />}
      </button>
    );
  };
  const order = (field?: string) =>
    field && sort === field ? 'ascending' : field && sort === `-${field}` ? 'descending' : undefined;
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows that are drawn as they come in sight have places of their own
    <div role="table" aria-label="Entities" aria-rowcount={props.total + 1} className={classes.table}>
      {/* biome-ignore lint/a11y/useSemanticElements: see above */}
      <div role="rowgroup">
        {/* biome-ignore lint/a11y/useSemanticElements: see above */}
        {/* biome-ignore lint/a11y/useFocusableInteractive: a row of heads is not chosen */}
        <div role="row" aria-rowindex={1} className={`${classes.row} ${classes.head}`} style={style}>
          <Cell head>
            <input
              type="checkbox"
              aria-label="Select all that are shown"
              checked={all}
              onChange={(e) =>
                select(
                  items.map((one) => one.ref),
                  e.currentTarget.checked,
                )
              }
            />
          </Cell>
          <Cell head>
            <VisuallyHidden>Star</VisuallyHidden>
          </Cell>
          <Cell head sort={order('name')}>
            {head('Name', 'name')}
          </Cell>
          {!phone &&
            columns.map((c) => (
              <Cell key={c.id} head sort={order(c.sort)}>
                {head(c.name, c.sort)}
              </Cell>
            ))}
        </div>
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: see above */}
      <div role="rowgroup" ref={box} className={classes.body} style={{ height: rows.getTotalSize() }}>
        {drawn.map((row) => {
          const e = items[row.index] as Entity;
          return (
            // biome-ignore lint/a11y/useSemanticElements: see above
            // biome-ignore lint/a11y/useFocusableInteractive: its links and boxes are
            <div
              key={row.key}
              role="row"
              aria-rowindex={row.index + 2}
              data-chosen={selected.has(e.ref) || undefined}
              className={classes.row}
              style={{ ...style, transform: `translateY(${row.start - top}px)` }}
            >
              <Cell>
                <input
                  type="checkbox"
                  aria-label={`Select ${e.ref}`}
                  checked={selected.has(e.ref)}
                  onChange={(event) => select([e.ref], event.currentTarget.checked)}
                />
              </Cell>
              <Cell>
                <Star of={e} on={props.starred.has(e.ref)} turn={props.star} />
              </Cell>
              <Cell>
                <Name entity={e} asOf={props.asOf} phone={phone} />
              </Cell>
              {!phone && columns.map((c) => <Cell key={c.id}>{c.cell(e)}</Cell>)}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Cell({
  head,
  sort,
  children,
}: {
  head?: boolean;
  sort?: 'ascending' | 'descending';
  children: React.ReactNode;
}) {
  return (
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: the head of a column has it
    <div role={head ? 'columnheader' : 'cell'} aria-sort={sort} className={classes.cell}>
      {children}
    </div>
  );
}

function Star({ of, on, turn }: { of: Entity; on: boolean; turn: (ref: string, on: boolean) => void }) {
  return (
    <button
      type="button"
      className={classes.star}
      aria-pressed={on}
      aria-label={`Star ${of.ref}`}
      onClick={() => turn(of.ref, !on)}
    >
      {on ? <IconStarFilled size={15} aria-hidden /> : <IconStar size={15} aria-hidden />}
    </button>
  );
}

function Name({ entity: e, asOf, phone }: { entity: Entity; asOf?: string; phone: boolean }) {
  const ref = parseRef(e.ref);
  const about = phone ? [e.kind, e.type, e.owner?.replace(/^.*\//, '')].filter(Boolean).join(' · ') : e.description;
  return (
    <div className={classes.name}>
      <span className={classes.cell}>
        <Anchor
          renderRoot={(props) =>
            ref ? (
              <Link to="/catalog/$kind/$namespace/$name" params={{ ...ref }} search={{ asOf }} {...props} />
            ) : (
              <Link to="/catalog" {...props} />
            )
          }
          size="sm"
          fw={500}
          c="inherit"
          title={e.ref}
        >
          {e.title || e.name}
        </Anchor>
        {e.error && (
          <IconAlertTriangle
            size={14}
            role="img"
            aria-label="Its newest version can’t be read"
            style={{ marginLeft: 6, color: 'var(--warn)' }}
          />
        )}
      </span>
      {about && <small>{about}</small>}
    </div>
  );
}
