import type { Language, LanguageDescription } from '@codemirror/language';
import { classHighlighter, highlightCode } from '@lezer/highlight';
import { ofName, ofPath } from './languages';

/** A piece of a line, with the class that colours it. */
export interface Piece {
  text: string;
  kind?: string;
}

/** Texts above this are shown without colours, in characters. */
const largest = 400_000;

/** Lines of a file's text in coloured pieces; undefined when its language is not known, or it is too large. */
export const highlight = (text: string, path: string) => pieces(text, ofPath(path));

/** Lines of a text in the language that is named, as of highlight. */
export const highlightNamed = (text: string, name: string) => pieces(text, ofName(name));

async function pieces(text: string, language: LanguageDescription | null): Promise<Piece[][] | undefined> {
  if (!language || text.length > largest) return undefined;
  const { language: known } = await language.load();
  const lines: Piece[][] = [[]];
  highlightCode(
    text,
    read(known, text),
    classHighlighter,
    (piece, kind) => lines.at(-1)?.push(kind ? { text: piece, kind } : { text: piece }),
    () => lines.push([]),
  );
  return lines;
}

/**
 * Reads a text, for several times as long as one that is in order takes: thousands of errors would take a minute. What is
 * behind the place where that ends is shown without colours.
 */
function read({ parser }: Language, text: string) {
  const end = performance.now() + 100 + text.length / 400;
  const parse = parser.startParse(text);
  for (;;) {
    const tree = parse.advance();
    if (tree) return tree;
    if (parse.stoppedAt === null && performance.now() > end) parse.stopAt(parse.parsedPos);
  }
}
