/** A log as it is held for showing: its lines, how many bytes have been taken, and whether more may come. */
export interface LogText {
  lines: string[];
  /** Bytes taken so far; the offset of the next piece. */
  offset: number;
  /** Lines that were dropped from the beginning to keep the page light. */
  dropped: number;
  done: boolean;
}

export const emptyLog: LogText = { lines: [], offset: 0, dropped: 0, done: false };

/** How many lines are kept for showing; the whole log can be downloaded. */
export const keptLines = 20_000;

const size = new TextEncoder();

/**
 * Adds a piece to a log. Pieces that were had before (a stream that was taken up again) are passed over, also when
 * they overlap. The last line stays open until its end has come.
 */
export function append(log: LogText, piece: { offset: number; text: string }, kept = keptLines): LogText {
  const bytes = size.encode(piece.text);
  const had = log.offset - piece.offset;
  if (had >= bytes.length) return log;
  const text = had > 0 ? new TextDecoder().decode(bytes.subarray(had)) : piece.text;
  const [first = '', ...rest] = text.split('\n');
  const lines = log.lines.slice();
  const open = lines.pop() ?? '';
  lines.push(open + first, ...rest);
  const over = Math.max(0, lines.length - kept);
  return {
    ...log,
    lines: over ? lines.slice(over) : lines,
    offset: piece.offset + bytes.length,
    dropped: log.dropped + over,
  };
}

/** One line without its colours: escape sequences are taken out, and a carriage return starts the line anew. */
export function clean(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is sought
  const text = line.replace(/\u001b\[[0-9;?]*[A-Za-z]|\u001b\][^\u0007]*\u0007/g, '').replace(/\r+$/, '');
  return text.slice(text.lastIndexOf('\r') + 1);
}

/** The lines that hold a text, with their numbers; all of them for an empty text. */
export function search(log: LogText, text: string): { number: number; text: string }[] {
  const sought = text.toLowerCase();
  const last = log.lines.length - 1;
  const found: { number: number; text: string }[] = [];
  log.lines.forEach((line, i) => {
    if (i === last && line === '') return;
    const shown = clean(line);
    if (!sought || shown.toLowerCase().includes(sought)) found.push({ number: log.dropped + i + 1, text: shown });
  });
  return found;
}
