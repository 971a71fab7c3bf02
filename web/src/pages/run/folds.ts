import { type Line, type LogText, type Mark, main, search } from './log';

/** A phase of a step, as its log is folded. */
export interface Phase {
  name: string;
  /** The line that begins it. */
  line: number;
  /** How many lines it has written. */
  lines: number;
  /** How long it took, in milliseconds, where that is known. */
  took?: number;
  /** Another came after it, or the step said that it was done. */
  over: boolean;
  open: boolean;
}

/** What is shown of a log: its lines, and a head above those of a phase. */
export type Row = { phase: Phase; line?: undefined } | { line: Line; phase?: undefined };

/**
 * The phases of the lines that are held, the one that a line is in open, and those from a line on where somebody reads; those that
 * somebody has turned are as they turned them.
 */
export function phasesOf(
  log: LogText,
  turned: ReadonlyMap<number, boolean>,
  line?: number,
  reads = Number.POSITIVE_INFINITY,
): Phase[] {
  const end = log.dropped + log.lines.length + (log.open ? 2 : 1);
  const first = log.marks.findIndex((m) => main.has(m.name));
  return log.marks.flatMap((mark, i) => {
    const next: Mark | undefined = log.marks[i + 1];
    if (mark.name === 'done' || (next && next.line <= log.dropped)) return [];
    const to = next?.line ?? end;
    const over = next !== undefined;
    const within = line !== undefined && line >= mark.line && line < to;
    return {
      name: mark.name,
      line: mark.line,
      lines: to - mark.line - 1,
      took: next?.at !== undefined && mark.at !== undefined ? Math.max(0, next.at - mark.at) * 1000 : undefined,
      over,
      open: turned.get(mark.line) ?? (within || !over || mark.line >= reads || (first >= 0 && i >= first)),
    };
  });
}

/** The rows of a log: of a phase that is folded only its head; while something is sought, all that holds it. */
export function rowsOf(log: LogText, phases: Phase[], text: string): Row[] {
  const lines = search(log, text);
  const rows: Row[] = [];
  const last = log.marks.at(-1);
  const ended = last?.name === 'done' ? last.line : Number.POSITIVE_INFINITY;
  let at = -1; // the phase that the lines are in
  for (const line of lines) {
    while (at + 1 < phases.length && (phases[at + 1] as Phase).line <= line.number) {
      at++;
      if (!text) rows.push({ phase: phases[at] as Phase });
    }
    const phase = line.number < ended ? phases[at] : undefined;
    if (text || !phase) rows.push({ line });
    else if (phase.open && line.number !== phase.line) rows.push({ line });
  }
  return rows;
}

export const lineOfRow = (row: Row) => row.phase?.line ?? (row.line as Line).number;
