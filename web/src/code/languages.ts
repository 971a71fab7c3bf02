import { LanguageDescription, LanguageSupport, StreamLanguage, type StreamParser } from '@codemirror/language';
import { languages as others } from '@codemirror/language-data';
import { graphql, hcl, makefile, promql, rego, session } from './grammars';

interface Names {
  alias?: string[];
  extensions?: string[];
  filename?: RegExp;
}

function own<State>(name: string, parser: StreamParser<State>, names: Names): LanguageDescription {
  const load = async () => new LanguageSupport(StreamLanguage.define(parser));
  return LanguageDescription.of({ name, ...names, load });
}

const languages = [
  own('Terraform', hcl, {
    alias: ['hcl', 'hcl2', 'opentofu'],
    extensions: ['tf', 'tfvars', 'hcl', 'tofu', 'nomad'],
  }),
  own('Makefile', makefile, {
    alias: ['make', 'mf', 'gnumake'],
    extensions: ['mk', 'mak'],
    filename: /^(?:GNU)?[Mm]akefile(?:\.\w+)?$/,
  }),
  own('Rego', rego, { extensions: ['rego'] }),
  own('GraphQL', graphql, { extensions: ['graphql', 'graphqls', 'gql'] }),
  own('PromQL', promql, { extensions: ['promql'] }),
  own('Session', session, { alias: ['console', 'shell-session', 'shellsession', 'sh-session', 'terminal'] }),
  ...others,
];

/** What people call languages by, beyond the names that these have and the endings of their files. */
const nicknames = new Map([
  ['golang', 'go'],
  ['python3', 'python'],
  ['jsonc', 'json'],
  ['jsonl', 'json'],
  ['ndjson', 'json'],
  ['helm', 'yaml'],
  ['docker', 'dockerfile'],
  ['containerfile', 'dockerfile'],
  ['jenkinsfile', 'groovy'],
  ['pwsh', 'powershell'],
  ['postgres', 'postgresql'],
  ['psql', 'postgresql'],
  ['dotenv', 'properties'],
  ['env', 'properties'],
  ['conf', 'properties'],
  ['cfg', 'properties'],
  ['text', 'plain'], // no LaTeX, whose ending that is
]);

/** The language of a file. */
export function ofPath(path: string): LanguageDescription | null {
  return LanguageDescription.matchFilename(languages, path.slice(path.lastIndexOf('/') + 1));
}

/** The language that somebody names. */
export function ofName(name: string): LanguageDescription | null {
  const lower = name.toLowerCase();
  const known = nicknames.get(lower) ?? lower;
  // A name within a longer one says nothing: "helm" isn't Elm, nor "plaintext" TeX.
  return (
    LanguageDescription.matchLanguageName(languages, known, false) ??
    LanguageDescription.matchFilename(languages, `.${known}`)
  );
}
