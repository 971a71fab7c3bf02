import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useMemo, useRef, useState } from 'react';
import { linesOf } from '../../api/code';
import type { FileDiff } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { type DiffLine, type Gap, gapLines, lineKey, type Part, parseHunks, partsOf, sideBySide } from './hunks';
import classes from './proposal.module.css';
import { type Coloured, markWords, overlay, type Piece } from './words';

/** Lines of a file: one, or from start to line. */
export interface LineAt {
  path: string;
  line: number;
  start?: number;
  old: boolean;
}

export interface BodyProps {
  file: Pick<FileDiff, 'path' | 'status' | 'patch'>;
  /** The repository and the commit that the new file is of, to show what lies between. */
  of?: { namespace: string; name: string; head: string };
  split: boolean;
  below: (at: LineAt) => ReactNode;
  marked: Set<string>;
  /** Lines that are chosen. */
  at?: LineAt;
  choose?: (at: LineAt) => void;
}

const signs: Record<DiffLine['kind'], string> = { added: '+', removed: '-', same: ' ', place: '', note: '' };
const step = 20;

/** The changes of a file, in one column or side by side; what lies between them can be shown. */
export function FileBody({ file, of, split, below, marked, at, choose }: BodyProps) {
  const parts = useMemo(() => partsOf(parseHunks(file.patch ?? '')), [file.patch]);
  const colours = useColours(parts, file);
  const words = useMemo(() => {
    const marked = new Map(parts.flatMap((p) => [...marks(p.lines)]));
    return { marked, colours };
  }, [parts, colours]);
  const [wanted, setWanted] = useState(false);
  const [open, setOpen] = useState<Record<number, { top: number; bottom: number }>>({});
  const grows = of !== undefined && file.status !== 'deleted' && file.status !== 'added';
  const text = useQuery({
    ...linesOf(of?.namespace ?? '', of?.name ?? '', of?.head ?? '', file.path),
    enabled: wanted && grows,
  });
  const drag = useDrag(choose);
  const width = split ? 4 : 3;

  const row = (line: DiffLine | undefined, other: DiffLine | undefined, key: string) => {
    const shown = { file, at, choose, drag };
    const rows = [
      split ? (
        <tr key={key}>
          <LineNumber {...shown} line={line?.old} old />
          <Text line={line} words={words} />
          <LineNumber {...shown} line={other?.new} old={false} />
          <Text line={other} words={words} />
        </tr>
      ) : (
        <tr key={key}>
          <LineNumber {...shown} line={line?.kind === 'added' ? undefined : line?.old} old />
          <LineNumber {...shown} line={line?.new} old={false} />
          <Text line={line} words={words} />
        </tr>
      ),
    ];
    for (const place of places(file, line, other)) {
      if (!marked.has(lineKey(place.path, place.line, place.old))) continue;
      rows.push(
        <tr key={`${key} ${place.old}`}>
          <td colSpan={width} className={classes.talk}>
            {below(place)}
          </td>
        </tr>,
      );
    }
    return rows;
  };
  const wide = (line: DiffLine, key: string) => (
    <tr key={key}>
      <td colSpan={width} data-kind={line.kind}>
        {line.text}
      </td>
    </tr>
  );
  const all = (lines: DiffLine[], key: string) =>
    split
      ? sideBySide(lines).flatMap(({ left, right }, i) =>
          left?.kind === 'note' ? [wide(left, `${key} ${i}`)] : row(left, right, `${key} ${i}`),
        )
      : lines.flatMap((line, i) =>
          line.kind === 'note' ? [wide(line, `${key} ${i}`)] : row(line, line, `${key} ${i}`),
        );

  const gap = (g: Gap, place: string, i: number) => {
    const last = g.last || (text.data ? text.data.length : 0);
    const unknown = g.last === 0;
    if (!unknown && last < g.first) return place ? [wide({ kind: 'place', text: place }, `place ${i}`)] : [];
    if (!grows || (unknown && text.data && last < g.first))
      return place ? [wide({ kind: 'place', text: place }, `place ${i}`)] : [];
    const { top, bottom } = open[i] ?? { top: 0, bottom: 0 };
    const upTo = text.data ? Math.min(last, g.first + top - 1) : g.first - 1;
    const from = text.data && !unknown ? Math.max(upTo + 1, last - bottom + 1) : last + 1;
    const hidden = from - upTo - 1;
    const grow = (more: { top?: number; bottom?: number }) => {
      setWanted(true);
      setOpen((now) => ({ ...now, [i]: { top: top + (more.top ?? 0), bottom: bottom + (more.bottom ?? 0) } }));
    };
    const lines = text.data ?? [];
    return [
      ...all(gapLines(lines, g.first, upTo, g.shift), `gap ${i} top`),
      ...(hidden > 0 || (unknown && !text.data)
        ? [
            <tr key={`gap ${i}`}>
              <td colSpan={width} data-kind="place">
                {i > 0 && (
                  <button type="button" className={classes.fill} onClick={() => grow({ top: step })}>
                    {step} lines down
                  </button>
                )}
                {!unknown && (
                  <>
                    <button type="button" className={classes.fill} onClick={() => grow({ bottom: step })}>
                      {step} lines up
                    </button>
                    <button type="button" className={classes.fill} onClick={() => grow({ top: last })}>
                      all {hidden || last - g.first + 1}
                    </button>
                  </>
                )}
                <span>{place}</span>
              </td>
            </tr>,
          ]
        : []),
      ...all(gapLines(lines, from, last, g.shift), `gap ${i} bottom`),
    ];
  };

  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className={classes.scroll} tabIndex={0} aria-label={`Changes of ${file.path}`}>
      <Failure error={text.error} retry={() => text.refetch()} />
      <table className={`${classes.diff} ${split ? classes.split : ''}`}>
        <colgroup>
          <col className={classes.numbers} />
          {split && <col />}
          <col className={classes.numbers} />
          <col />
        </colgroup>
        <tbody onMouseUp={drag.up} onMouseLeave={drag.up}>
          {parts.flatMap((p, i) => [...gap(p.gap, p.place, i), ...all(p.lines, `part ${i}`)])}
        </tbody>
      </table>
    </section>
  );
}

/** The words by which lines differ that stand in each other's place. */
function marks(lines: DiffLine[]): Map<DiffLine, Piece[]> {
  const out = new Map<DiffLine, Piece[]>();
  for (const { left, right } of sideBySide(lines)) {
    if (left?.kind !== 'removed' || right?.kind !== 'added') continue;
    const marked = markWords(left.text, right.text);
    if (!marked) continue;
    out.set(left, marked.before);
    out.set(right, marked.after);
  }
  return out;
}

interface Words {
  marked: Map<DiffLine, Piece[]>;
  colours?: Map<DiffLine, Coloured[]>;
}

function Text({ line, words }: { line?: DiffLine; words: Words }) {
  if (!line) return <td data-kind="none" />;
  const pieces = overlay(line.text, words.colours?.get(line), words.marked.get(line));
  return (
    <td data-kind={line.kind}>
      <span className={classes.sign}>{signs[line.kind]}</span>
      {pieces.map((p, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of a line never change
        <span key={i} className={p.kind}>
          {p.changed ? <mark>{p.text}</mark> : p.text}
        </span>
      ))}
    </td>
  );
}

/** The colours of a diff's lines, which come later: the new side and the old one are each read as one text. */
function useColours(parts: Part[], file: { path: string; patch?: string }): Map<DiffLine, Coloured[]> | undefined {
  const query = useQuery({
    queryKey: ['colours', file.path, file.patch],
    queryFn: async () => {
      const { highlight } = await import('../../code/highlight');
      const out = new Map<DiffLine, Coloured[]>();
      for (const side of ['removed', 'added'] as const) {
        const lines = parts.flatMap((p) => p.lines.filter((l) => l.kind === 'same' || l.kind === side));
        const coloured = await highlight(lines.map((l) => l.text).join('\n'), file.path);
        lines.forEach((line, i) => {
          const pieces = coloured?.[i];
          if (pieces) out.set(line, pieces);
        });
      }
      return out;
    },
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    retry: false,
    structuralSharing: false,
  });
  return query.data;
}

/** The lines of the two files that a row shows. */
function places(file: Pick<FileDiff, 'path'>, left?: DiffLine, right?: DiffLine): LineAt[] {
  const out: LineAt[] = [];
  if (left?.old !== undefined) out.push({ path: file.path, line: left.old, old: true });
  if (right?.new !== undefined) out.push({ path: file.path, line: right.new, old: false });
  return out;
}

interface Drag {
  /** The lines that are dragged over. */
  held?: LineAt;
  down: (at: LineAt) => void;
  over: (at: LineAt) => void;
  up: () => void;
  click: (at: LineAt, shift: boolean) => void;
}

/** Chooses a line by a click, several by dragging over their numbers or by a click with shift. */
function useDrag(choose?: (at: LineAt) => void): Drag {
  const from = useRef<{ down?: LineAt; last?: LineAt }>({});
  const [held, setHeld] = useState<LineAt>();
  const range = (a: LineAt | undefined, b: LineAt): LineAt =>
    a && a.old === b.old && a.line !== b.line
      ? { ...b, start: Math.min(a.line, b.line), line: Math.max(a.line, b.line) }
      : b;
  return {
    held,
    down: (at) => {
      from.current.down = at;
    },
    over: (at) => from.current.down && setHeld(range(from.current.down, at)),
    up: () => {
      if (held) choose?.(held);
      setHeld(undefined);
      from.current.down = undefined;
    },
    click: (at, shift) => {
      choose?.(range(shift ? from.current.last : undefined, at));
      from.current.last = at;
    },
  };
}

interface NumberProps {
  line?: number;
  old: boolean;
  file: Pick<FileDiff, 'path'>;
  at?: LineAt;
  choose?: (at: LineAt) => void;
  drag: Drag;
}

function LineNumber({ line, old, file, at, choose, drag }: NumberProps) {
  if (line === undefined) return <td className={classes.number} />;
  const here = { path: file.path, line, old };
  const range = drag.held ?? (at?.path === file.path ? at : undefined);
  const chosen = range?.old === old && line >= (range.start ?? range.line) && line <= range.line;
  return (
    <td className={classes.number} data-chosen={chosen || undefined} id={old ? undefined : `line-${line}-${file.path}`}>
      {choose ? (
        <button
          type="button"
          aria-label={`Say something of ${old ? 'old ' : ''}line ${line} of ${file.path}`}
          onMouseDown={() => drag.down(here)}
          onMouseEnter={(e) => e.buttons === 1 && drag.over(here)}
          onClick={(e) => drag.click(here, e.shiftKey)}
        >
          {line}
        </button>
      ) : (
        line
      )}
    </td>
  );
}
