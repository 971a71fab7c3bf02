import type { StreamParser, StringStream } from '@codemirror/language';

/** What a piece that begins like this is; the first that fits counts. Patterns begin with ^ and never match nothing. */
type Rule = [RegExp, string | null];

function by(rules: Rule[], stream: StringStream): string | null {
  for (const [pattern, kind] of rules) if (stream.match(pattern)) return kind;
  stream.next();
  return null;
}

const definition = 'variableName.definition';
const text: Rule = [/^"[^"\\]*(?:\\.[^"\\]*)*"?/, 'string'];
const number: Rule = [/^\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b/, 'number'];
const remark: Rule = [/^#.*/, 'comment'];
const member: Rule = [/^\.[A-Za-z_]\w*/, 'propertyName'];
const name: Rule = [/^[A-Za-z_]\w*/, 'variableName'];

/** What is open around a place: a bracket, a string, a comment, or the word that ends a heredoc. */
interface Open {
  kind: string;
  around?: Open;
}

const hclRules: Rule[] = [
  [/^(?:#|\/\/).*/, 'comment'],
  number,
  [/^\.[A-Za-z_][\w-]*/, 'propertyName'],
  [/^[A-Za-z_][\w-]*(?=\s*=(?![=>]))/, 'propertyName'],
  [/^(?:true|false)(?![\w-])/, 'bool'],
  [/^null(?![\w-])/, 'atom'],
  [/^(?:for|in|if|else|endif|endfor)(?![\w.-])/, 'keyword'],
  [/^(?:(?:string|number|bool|any)(?![\w.(-])|(?:list|map|set|object|tuple|optional)(?=\())/, 'typeName'],
  [/^[A-Za-z_][\w-]*/, 'variableName'],
];

export const hcl: StreamParser<{ open?: Open; first: boolean }> = {
  startState: () => ({ first: true }),
  token(stream, state) {
    const begin = (kind: string) => {
      state.open = { kind, around: state.open };
    };
    const end = () => {
      state.open = state.open?.around;
    };
    if (stream.sol()) {
      state.first = true;
      if (state.open?.kind === '"') end(); // a string ends with its line
    }
    const open = state.open?.kind;
    if (open === '/*') {
      if (stream.match(/^.*?\*\//)) end();
      else stream.skipToEnd();
      return 'comment';
    }
    if (open && open !== '{' && open !== '${') {
      if (open !== '"' && stream.sol() && stream.string.trim() === open) {
        stream.skipToEnd();
        end();
      } else if (stream.match(/^[$%]\{~?/)) {
        begin('${');
        return 'punctuation';
      } else if (open === '"' && stream.eat('"')) {
        end();
      } else if (!stream.match(open === '"' ? /^(?:\\.|\$\$\{|%%\{|[^"\\$%]+)/ : /^(?:\$\$\{|%%\{|[^$%]+)/)) {
        stream.next();
      }
      return 'string';
    }
    if (stream.eatSpace()) return null;
    const { first } = state;
    state.first = false;
    if (first && stream.match(/^[A-Za-z_][\w-]*(?=(?:\s+(?:"[^"]*"|[\w-]+))*\s*\{)/)) return 'keyword';
    if (stream.match(/^<<-?[A-Za-z_]\w*\s*$/)) {
      begin(stream.current().replace(/^<<-?/, '').trim());
      return 'string';
    }
    if (stream.eat('"')) {
      begin('"');
      return 'string';
    }
    if (stream.match('/*')) {
      begin('/*');
      return 'comment';
    }
    if (stream.eat('{')) {
      begin('{');
      return 'punctuation';
    }
    if (stream.eat('}')) {
      end();
      return 'punctuation';
    }
    return by(hclRules, stream);
  },
  languageData: { commentTokens: { line: '#', block: { open: '/*', close: '*/' } } },
};

const makeDirective =
  /^(?:-?include|sinclude|ifn?eq|ifn?def|else|endif|define|endef|override|export|unexport|undefine|private|vpath)(?![\w.-]|\s*[:?+!]*=)/;
const makeFunction =
  /^\$[({](?:abspath|addprefix|addsuffix|and|basename|call|dir|error|eval|file|filter|filter-out|findstring|firstword|flavor|foreach|if|info|intcmp|join|lastword|let|notdir|or|origin|patsubst|realpath|shell|sort|strip|subst|suffix|value|warning|wildcard|wordlist|words?)(?=[\s)}])/;
const makeRules: Rule[] = [
  remark,
  [/^\\./, null],
  [makeFunction, 'keyword'],
  [/^\$(?:[({][\w.-]+[)}]?|\$(?:\w+|\{\w+\})?|[\w@%<?^+*|])/, definition],
  [/^(?:'[^']*'|"[^"\\]*(?:\\.[^"\\]*)*")/, 'string'],
  [/^[^\s$'"\\#)},][^\s$'"\\)},]*/, null],
];

/** A line of a Makefile defines, or it is a recipe's. What is behind a sign of assignment or a colon is a value. */
export const makefile: StreamParser<{ place: 'line' | 'value' | 'recipe'; rule: boolean; goesOn: boolean }> = {
  startState: () => ({ place: 'line', rule: false, goesOn: false }),
  blankLine(state) {
    state.goesOn = false;
  },
  token(stream, state) {
    if (stream.sol()) {
      if (!state.goesOn) {
        state.place = stream.peek() === '\t' ? 'recipe' : 'line';
        state.rule = /^[^=#]*:(?!:{0,2}=)/.test(stream.string);
      }
      state.goesOn = stream.string.endsWith('\\');
    }
    if (stream.eatSpace()) return null;
    if (state.place === 'line') {
      if (stream.match(makeDirective)) return 'keyword';
      if (stream.match(/^[\w.%-]+(?=\s*(?::{0,3}|[?+!])=)/)) {
        state.place = 'value';
        return definition;
      }
      if (state.rule && stream.match(/^\.[A-Z_]+(?=\s*:)/)) return 'keyword';
      if (state.rule && stream.match(/^[^\s:#=$(){}]+/)) return 'labelName';
      if (stream.eat(':')) {
        state.place = 'value';
        return 'punctuation';
      }
    }
    return by(makeRules, stream);
  },
  languageData: { commentTokens: { line: '#' } },
};

const regoRules: Rule[] = [
  remark,
  text,
  number,
  member,
  [/^(?:true|false)\b/, 'bool'],
  [/^null\b/, 'atom'],
  [/^(?:as|if|in|every|some|not|with|else)\b|^contains\b(?!\()/, 'keyword'],
  name,
];

export const rego: StreamParser<{ next?: string; raw: boolean }> = {
  startState: () => ({ raw: false }),
  token(stream, state) {
    if (state.raw || stream.eat('`')) {
      state.raw = !stream.match(/^[^`]*`/);
      if (state.raw) stream.skipToEnd();
      return 'string';
    }
    if (stream.eatSpace()) return null;
    const { next } = state;
    state.next = undefined;
    if (next && stream.match(/^[A-Za-z_][\w.]*/)) return next;
    if (stream.match(/^(?:package|import)\b/)) {
      state.next = 'namespace';
      return 'keyword';
    }
    if (stream.match(/^default\b/)) {
      state.next = definition;
      return 'keyword';
    }
    const margin = stream.sol(); // where rules begin
    const kind = by(regoRules, stream);
    return margin && kind === 'variableName' ? definition : kind;
  },
  languageData: { commentTokens: { line: '#' } },
};

const graphqlRules: Rule[] = [
  remark,
  text,
  [/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b/, 'number'],
  [/^(?:true|false)\b/, 'bool'],
  [/^null\b/, 'atom'],
  [/^\$\w+/, definition],
  [/^@\w+/, 'meta'],
  [/^\.\.\.\s*on\b/, 'keyword'],
  [/^[A-Z]\w*/, 'typeName'],
  name,
];
const graphqlKeyword =
  /^(?:query|mutation|subscription|fragment|on|type|interface|union|enum|input|scalar|schema|directive|extend|implements|repeatable)\b/;

export const graphql: StreamParser<{ depth: number; block: boolean }> = {
  startState: () => ({ depth: 0, block: false }),
  token(stream, state) {
    if (state.block || stream.match('"""')) {
      state.block = !stream.match(/^.*?"""/);
      if (state.block) stream.skipToEnd();
      return 'string';
    }
    if (stream.eatSpace()) return null;
    if (stream.match(/^[{([]/)) {
      state.depth++;
      return 'punctuation';
    }
    if (stream.match(/^[})\]]/)) {
      state.depth = Math.max(0, state.depth - 1);
      return 'punctuation';
    }
    if (state.depth === 0 && stream.match(graphqlKeyword)) return 'keyword';
    const kind = by(graphqlRules, stream);
    return kind === 'variableName' && state.depth > 0 ? 'propertyName' : kind;
  },
  languageData: { commentTokens: { line: '#' } },
};

const prompt = /^(?:\([^\s()]+\) )?(?:\[?\w[\w.-]*@[^\s$#%>]*(?: [^\s$#%>]+)? ?[$#%>]|[$%>])(?=\s|$)/;
const commandRules: Rule[] = [
  remark,
  [/^\$(?:\w+|\{[^}]*\}|[@*#?$!-])/, definition],
  [/^\\./, null],
  [/^--?[A-Za-z][\w-]*/, 'propertyName'],
  [/^[^\s$'"\\|;]+/, null],
];

/** A session in a shell: commands behind their prompts, and what they answered. */
export const session: StreamParser<{ command: boolean; first: boolean; goesOn: boolean; quote?: string }> = {
  startState: () => ({ command: false, first: false, goesOn: false }),
  token(stream, state) {
    if (stream.sol()) {
      const goesOn = state.goesOn || state.quote !== undefined;
      const prompted = stream.match(prompt);
      if (prompted) state.quote = undefined;
      state.command = Boolean(prompted) || goesOn;
      state.first = Boolean(prompted);
      state.goesOn = state.command && stream.string.endsWith('\\');
      if (prompted) return 'meta';
    }
    if (!state.command) {
      if (stream.match(/^# .*/)) return 'comment';
      stream.skipToEnd();
      return null;
    }
    if (state.quote === undefined) {
      if (stream.eatSpace()) return null;
      state.quote = stream.eat(/['"]/) || undefined;
    }
    if (state.quote !== undefined) {
      const whole = state.quote === "'" ? /^[^']*'/ : /^[^"\\]*(?:\\.[^"\\]*)*"/;
      if (stream.match(whole)) state.quote = undefined;
      else stream.skipToEnd();
      return 'string';
    }
    if (stream.match(/^(?:\|\|?|&&|;)/)) {
      state.first = true;
      return 'operator';
    }
    const first = state.first && stream.match(/^[\w./~-]+(?![\w./~=-])/);
    if (first) state.first = false;
    return first ? 'keyword' : by(commandRules, stream);
  },
};

const promqlRules: Rule[] = [
  remark,
  text,
  [/^(?:'[^'\\]*(?:\\.[^'\\]*)*'?|`[^`]*`?)/, 'string'],
  [/^\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*\b/, 'number'],
  number,
  [
    /^(?:sum|min|max|avg|group|stddev|stdvar|count|count_values|bottomk|topk|quantile|limitk|limit_ratio|by|without|on|ignoring|group_left|group_right|offset|bool|and|or|unless|atan2)(?![\w:=])/,
    'keyword',
  ],
  [/^[A-Za-z_:][\w:]*/, 'variableName'],
];

export const promql: StreamParser<{ labels: boolean }> = {
  startState: () => ({ labels: false }),
  token(stream, state) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^[{}]/, false)) state.labels = stream.peek() === '{';
    if (state.labels && stream.match(/^[A-Za-z_]\w*(?=\s*[!=])/)) return 'propertyName';
    return by(promqlRules, stream);
  },
};
