import { LanguageDescription } from '@codemirror/language';
import { languages } from '@codemirror/language-data';
import { classHighlighter, highlightCode } from '@lezer/highlight';

/** A piece of a line, with the class that colours it. */
export interface Piece {
  text: string;
  kind?: string;
}

/** Texts above this are shown without colours, in characters. */
const largest = 400_000;

/** Lines of a text in coloured pieces; undefined when its language is not known, or it is too large. */
export async function highlight(text: string, path: string): Promise<Piece[][] | undefined> {
  if (text.length > largest) return undefined;
  const name = path.slice(path.lastIndexOf('/') + 1);
  const language = LanguageDescription.matchFilename(languages, name);
  if (!language) return undefined;
  const { language: known } = await language.load();
  const lines: Piece[][] = [[]];
  highlightCode(
    text,
    known.parser.parse(text),
    classHighlighter,
    (piece, kind) => lines.at(-1)?.push(kind ? { text: piece, kind } : { text: piece }),
    () => lines.push([]),
  );
  return lines;
}
