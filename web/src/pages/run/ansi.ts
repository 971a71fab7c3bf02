/** A part of a line, with the classes of its colours. */
export interface Span {
  text: string;
  classes: string[];
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is sought
const sequence = /\u001b(?:\[([0-9;:?]*)([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\^_])/g;

const names = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

interface Style {
  colour?: string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underlined?: boolean;
}

/** Takes the codes of one sequence into a style; colours of other palettes than the sixteen are passed over. */
function dress(style: Style, codes: number[]): Style {
  let now = style;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    if (code === 0) now = {};
    else if (code === 1) now = { ...now, bold: true };
    else if (code === 2) now = { ...now, dim: true };
    else if (code === 3) now = { ...now, italic: true };
    else if (code === 4) now = { ...now, underlined: true };
    else if (code === 22) now = { ...now, bold: false, dim: false };
    else if (code === 23) now = { ...now, italic: false };
    else if (code === 24) now = { ...now, underlined: false };
    else if (code === 39) now = { ...now, colour: undefined };
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) now = { ...now, colour: names[code % 10] };
    else if (code === 38 || code === 48) i += codes[i + 1] === 5 ? 2 : codes[i + 1] === 2 ? 4 : 0;
  }
  return now;
}

/** One line with its colours. Whatever it holds comes out as text: a log can't write into the page. */
export function spans(line: string): Span[] {
  const out: Span[] = [];
  let style: Style = {};
  let at = 0;
  const add = (text: string) => {
    if (!text) return;
    const { colour, ...others } = style;
    const classes = Object.entries(others).flatMap(([name, on]) => (on ? [name] : []));
    out.push({ text, classes: colour ? [colour, ...classes] : classes });
  };
  for (const match of line.matchAll(sequence)) {
    add(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[2] === 'm') style = dress(style, (match[1] ?? '').split(/[;:]/).map(Number));
  }
  add(line.slice(at));
  return out;
}

/** One line without its colours. */
export function plainText(line: string): string {
  return line.includes('\u001b') ? line.replace(sequence, '') : line;
}
