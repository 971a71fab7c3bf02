import { plainText } from './ansi';

export interface Line {
  number: number;
  /** Without colours, to be searched. */
  text: string;
  /** As it was written, when it has colours. */
  raw?: string;
}

/** Where a phase of a step begins, as its script says in a line of its own: "── init, at 0.4 s ──". */
export interface Mark {
  /** The number of that line. */
  line: number;
  name: string;
  /** When, in seconds since the first one; where the machine tells it. */
  at?: number;
}

/** A log as it is held for showing: its lines, where it goes on, and whether more may come. */
export interface LogText {
  lines: Line[];
  /** What came after the last end of a line. */
  open: string;
  /** The first byte that has not come. */
  next: number;
  /** Lines that were dropped from the beginning to keep the page light. */
  dropped: number;
  done: boolean;
  /** Those of all lines, dropped ones too: each name once, and none before the one in front of it. */
  marks: Mark[];
}

export const emptyLog: LogText = { lines: [], open: '', next: 0, dropped: 0, done: false, marks: [] };

/** How many lines are kept for showing; the whole log can be downloaded. */
export const keptLines = 20_000;
/** A line that is longer is shown as several. */
const longest = 10_000;

/** What a terminal shows of a line at its end: a carriage return starts it anew. */
function shown(line: string): string {
  const text = line.replace(/\r+$/, '');
  return text.slice(text.lastIndexOf('\r') + 1);
}

function lineOf(written: string, number: number): Line {
  const raw = shown(written);
  const text = plainText(raw);
  return text === raw ? { number, text } : { number, text, raw };
}

const markLine =
  /^── (hooks (?:before|after) [a-z]+|init|plan|show|apply|command|done)(?:, at (\d{1,9}(?:\.\d)?) s)? ──$/;

/** What a line says of a phase; undefined for any other line. */
export function markOf(line: Line): Mark | undefined {
  const [, name, at] = markLine.exec(line.text) ?? [];
  return name ? { line: line.number, name, at: at === undefined ? undefined : Number(at) } : undefined;
}

/** What a step is for: from there on nothing is folded by itself, since the author of a plan can write what looks like a phase. */
export const main: ReadonlySet<string> = new Set(['plan', 'apply', 'command']);

/** More phases than this no script has. */
const mostMarks = 40;

/**
 * The marks with those of more lines. What a program writes may look like one: a name that was there, or a time before the last
 * one, is none of the script's. What a step is for is taken at any time, so that none that was made up before it folds it.
 */
function marked(had: Mark[], lines: Line[]): Mark[] {
  let marks = had;
  for (const mark of lines.map(markOf)) {
    if (!mark || marks.length >= mostMarks || marks.some((m) => m.name === mark.name)) continue;
    const last = marks.findLast((m) => m.at !== undefined)?.at;
    if (last === undefined || mark.at === undefined || mark.at >= last || main.has(mark.name)) marks = [...marks, mark];
  }
  return marks;
}

/**
 * Adds a piece to a log. A piece that was had before (a stream that was taken up again) is passed over. The last line
 * stays open until its end has come; of one that is written over and over, such as a progress bar, only what stands is kept.
 */
export function append(log: LogText, piece: { offset: number; next: number; text: string }, kept = keptLines): LogText {
  if (piece.next <= log.next) return log;
  const parts = (log.open + piece.text).split('\n');
  let open = parts.pop() ?? '';
  open = open.slice(open.replace(/\r+$/, '').lastIndexOf('\r') + 1);
  while (open.length > longest) {
    parts.push(open.slice(0, longest));
    open = open.slice(longest);
  }
  const before = log.dropped + log.lines.length;
  const added = parts.map((part, i) => lineOf(part, before + i + 1));
  const lines = log.lines.concat(added);
  const over = Math.max(0, lines.length - kept);
  const dropped = log.dropped + over;
  return {
    ...log,
    lines: over ? lines.slice(over) : lines,
    open,
    next: piece.next,
    dropped,
    marks: marked(log.marks, added),
  };
}

/** The lines that hold a text, the open one too; all of them for an empty text. */
export function search(log: LogText, text: string): Line[] {
  const sought = text.toLowerCase();
  const last = log.dropped + log.lines.length + 1;
  const all = log.open ? [...log.lines, lineOf(log.open, last)] : log.lines;
  return sought ? all.filter((line) => line.text.toLowerCase().includes(sought)) : all;
}
