import { describe, expect, it } from 'vitest';
import { highlight, highlightNamed, type Piece } from './highlight';
import { ofName, ofPath } from './languages';

const textOf = (lines?: Piece[][]) => lines?.map((line) => line.map((p) => p.text).join('')).join('\n');

/** What each coloured piece of a text is, in its order; pieces that are the same and follow each other are one. */
async function kinds(text: string, name: string) {
  const lines = await highlightNamed(text, name);
  expect(textOf(lines)).toBe(text);
  return (lines ?? []).flat().flatMap((p) => (p.kind ? [`${p.kind.replaceAll('tok-', '')} ${p.text}`] : []));
}

describe('languages', () => {
  it('colours Terraform', async () => {
    const got = await kinds(
      `# A bucket
resource "aws_s3_bucket" "logs" {
  bucket = "logs-\${var.names["eu"]}-x" // inline
  count  = 3
  tags   = { in = true, b = null }
  type   = list(string)
  when   = a == b
  policy = <<-EOT
    { "of": "\${aws_x.y.id}" }
    bucket = "not one"
  EOT
  /* long
  for = "x" */
  for_each = { for k, v in var.all : k => v }
}`,
      'hcl',
    );
    expect(got).toEqual([
      'comment # A bucket',
      ...['keyword resource', 'string "aws_s3_bucket"', 'string "logs"', 'punctuation {'],
      ...['propertyName bucket', 'string "logs-', 'punctuation ${', 'variableName var', 'propertyName .names'],
      ...['string "eu"', 'punctuation }', 'string -x"', 'comment // inline'],
      ...['propertyName count', 'number 3'],
      ...['propertyName tags', 'punctuation {', 'propertyName in', 'bool true', 'propertyName b', 'atom null'],
      'punctuation }',
      ...['propertyName type', 'typeName list', 'typeName string'],
      ...['propertyName when', 'variableName a', 'variableName b'],
      ...['propertyName policy', 'string <<-EOT', 'string     { "of": "', 'punctuation ${', 'variableName aws_x'],
      ...['propertyName .y.id', 'punctuation }', 'string " }', 'string     bucket = "not one"'],
      'string   EOT',
      ...['comment /* long', 'comment   for = "x" */'],
      ...['propertyName for_each', 'punctuation {', 'keyword for', 'variableName k', 'variableName v', 'keyword in'],
      ...['variableName var', 'propertyName .all', 'variableName k', 'variableName v', 'punctuation }'],
      'punctuation }',
    ]);
  });

  it('goes on after a string of Terraform that nobody ended', async () => {
    expect(await kinds('a = "x\nb = 1', 'tf')).toEqual(['propertyName a', 'string "x', 'propertyName b', 'number 1']);
  });

  it('colours Makefiles', async () => {
    const got = await kinds(
      `GO ?= go # which
export PATH := $(PWD)/bin:$(PATH)
ifeq ($(OS),Linux)
include more.mk
endif
.PHONY: all
all bin/%.o: $(wildcard *.c) ## help
\t@echo "hi" $$HOME $@ # end
\tcurl http://x/#y \\
a: b`,
      'make',
    );
    const variable = 'variableName definition';
    expect(got).toEqual([
      ...[`${variable} GO`, 'comment # which'],
      ...['keyword export', `${variable} PATH`, `${variable} $(PWD)`, `${variable} $(PATH)`],
      ...['keyword ifeq', `${variable} $(OS)`],
      'keyword include',
      'keyword endif',
      ...['keyword .PHONY', 'punctuation :'],
      ...['labelName all', 'labelName bin/%.o', 'punctuation :', 'keyword $(wildcard', 'comment ## help'],
      ...['string "hi"', `${variable} $$HOME`, `${variable} $@`, 'comment # end'],
    ]);
  });

  it('colours Rego', async () => {
    const got = await kinds(
      `package policy.deny
import rego.v1
default allow := false # no
deny contains msg if {
  some i in input.items
  not contains(i.name, "x\\"y")
  i.count > 1.5
  msg := \`raw
"text" if\`
}`,
      'rego',
    );
    expect(got).toEqual([
      ...['keyword package', 'namespace policy.deny'],
      ...['keyword import', 'namespace rego.v1'],
      ...['keyword default', 'variableName definition allow', 'bool false', 'comment # no'],
      ...['variableName definition deny', 'keyword contains', 'variableName msg', 'keyword if'],
      ...['keyword some', 'variableName i', 'keyword in', 'variableName input', 'propertyName .items'],
      ...['keyword not', 'variableName contains', 'variableName i', 'propertyName .name', 'string "x\\"y"'],
      ...['variableName i', 'propertyName .count', 'number 1.5'],
      ...['variableName msg', 'string `raw', 'string "text" if`'],
    ]);
  });

  it('colours GraphQL', async () => {
    const got = await kinds(
      `"""
A type of
"""
type Cart implements Node @key(fields: "id") {
  type(first: Int = 10): [Item!]! # of it
}
query Q($id: ID!) { cart(id: $id) { ...on Cart { input, sent(is: true) } } }`,
      'gql',
    );
    expect(got).toEqual([
      ...['string """', 'string A type of', 'string """'],
      ...['keyword type', 'typeName Cart', 'keyword implements', 'typeName Node', 'meta @key', 'punctuation ('],
      ...['propertyName fields', 'string "id"', 'punctuation )', 'punctuation {'],
      ...['propertyName type', 'punctuation (', 'propertyName first', 'typeName Int', 'number 10', 'punctuation )'],
      ...['punctuation [', 'typeName Item', 'punctuation ]', 'comment # of it'],
      'punctuation }',
      ...[
        'keyword query',
        'typeName Q',
        'punctuation (',
        'variableName definition $id',
        'typeName ID',
        'punctuation )',
      ],
      ...['punctuation {', 'propertyName cart', 'punctuation (', 'propertyName id', 'variableName definition $id'],
      ...['punctuation )', 'punctuation {', 'keyword ...on', 'typeName Cart', 'punctuation {', 'propertyName input'],
      ...['propertyName sent', 'punctuation (', 'propertyName is', 'bool true'],
      ...['punctuation )', 'punctuation }', 'punctuation }', 'punctuation }'],
    ]);
  });

  it('tells commands from what they answered', async () => {
    const got = await kinds(
      `# First
$ kubectl get pods -n "my ns" 2>&1 | grep \\
  -v $NAME # mine
NAME  "READY" -x
root@host:~# A=1 make
$ curl -d '{
  "a": 1
}' /x
{"b": 2}`,
      'console',
    );
    expect(got).toEqual([
      'comment # First',
      ...['meta $', 'keyword kubectl', 'propertyName -n', 'string "my ns"', 'operator |', 'keyword grep'],
      ...['propertyName -v', 'variableName definition $NAME', 'comment # mine'],
      ...['meta root@host:~#', 'keyword make'],
      ...['meta $', 'keyword curl', 'propertyName -d', "string '{", 'string   "a": 1', "string }'"],
    ]);
  });

  it('colours PromQL', async () => {
    expect(await kinds('sum by (job) (rate(x_total{code!~"5..", job="a"}[5m])) > 0.5 # high', 'promql')).toEqual([
      ...['keyword sum', 'keyword by', 'variableName job', 'variableName rate', 'variableName x_total'],
      ...['propertyName code', 'string "5.."', 'propertyName job', 'string "a"', 'number 5m', 'number 0.5'],
      'comment # high',
    ]);
  });

  it('loses nothing of odd texts', async () => {
    const odd = [
      '',
      '\n',
      '\n\n',
      '"',
      "'",
      '`',
      '"""',
      '${',
      '"${"${',
      '<<A',
      '<<A\n\nA ',
      '/*',
      '}',
      '\\',
      '$',
      '\t',
      '\t#',
    ]
      .concat(['{'.repeat(2_000), '"'.repeat(999), 'é😀\u2028x\u0000', 'a\r\nb', '$ \n> "\n$', '$ a \\', ': :=', '##'])
      .concat(['a "b" '.repeat(2_000), `${'\t$(('.repeat(50)}\n`, 'x = "a\\']);
    for (const name of ['hcl', 'make', 'rego', 'graphql', 'console', 'promql', 'go', 'yaml', 'sh', 'diff', 'json']) {
      for (const text of [...odd, odd.join('\n')]) expect(textOf(await highlightNamed(text, name))).toBe(text);
    }
  });
});

describe('a text that is made to take long', () => {
  it('is given up, and nothing of it is lost', async () => {
    const text = '<<A\n'.repeat(16_000);
    expect(textOf(await highlightNamed(text, 'html'))).toBe(text); // 20 seconds, if it were read to its end
  });
});

describe('names', () => {
  it('knows languages as people call them', () => {
    for (const [name, want] of Object.entries({
      go: 'Go',
      golang: 'Go',
      ts: 'TypeScript',
      TSX: 'TSX',
      js: 'JavaScript',
      jsx: 'JSX',
      py: 'Python',
      sh: 'Shell',
      bash: 'Shell',
      shell: 'Shell',
      console: 'Session',
      'shell-session': 'Session',
      yaml: 'YAML',
      yml: 'YAML',
      helm: 'YAML',
      json: 'JSON',
      jsonc: 'JSON',
      toml: 'TOML',
      ini: 'Properties files',
      properties: 'Properties files',
      hcl: 'Terraform',
      terraform: 'Terraform',
      tf: 'Terraform',
      tofu: 'Terraform',
      dockerfile: 'Dockerfile',
      docker: 'Dockerfile',
      makefile: 'Makefile',
      make: 'Makefile',
      rego: 'Rego',
      proto: 'ProtoBuf',
      protobuf: 'ProtoBuf',
      graphql: 'GraphQL',
      gql: 'GraphQL',
      sql: 'SQL',
      xml: 'XML',
      html: 'HTML',
      css: 'CSS',
      diff: 'diff',
      patch: 'diff',
      nginx: 'Nginx',
      groovy: 'Groovy',
      jenkinsfile: 'Groovy',
      kotlin: 'Kotlin',
      ruby: 'Ruby',
      rust: 'Rust',
      java: 'Java',
      csharp: 'C#',
      'c++': 'C++',
      php: 'PHP',
      http: 'HTTP',
      promql: 'PromQL',
      markdown: 'Markdown',
      md: 'Markdown',
    }))
      expect([name, ofName(name)?.name]).toEqual([name, want]);
  });

  it('takes no name for another', () => {
    for (const name of ['text', 'plaintext', 'txt', 'output', 'none', 'mermaid', 'constructor', '.', ''])
      expect([name, ofName(name)]).toEqual([name, null]);
  });

  it('knows files by their names', () => {
    for (const [path, want] of Object.entries({
      'infra/main.tf': 'Terraform',
      'prod.tfvars': 'Terraform',
      '.terraform.lock.hcl': 'Terraform',
      'main.tofu': 'Terraform',
      Makefile: 'Makefile',
      'build/GNUmakefile': 'Makefile',
      'rules.mk': 'Makefile',
      'policy/deny_test.rego': 'Rego',
      'schema.graphql': 'GraphQL',
      'q.gql': 'GraphQL',
      'main.go': 'Go',
      'a.b/Dockerfile': 'Dockerfile',
    }))
      expect([path, ofPath(path)?.name]).toEqual([path, want]);
    expect(ofPath('a.go/LICENSE')).toBeNull();
  });

  it('leaves what is unknown or large as it is', async () => {
    expect(await highlight('x', 'LICENSE')).toBeUndefined();
    expect(await highlightNamed('x', 'nothing')).toBeUndefined();
    expect(await highlight('x'.repeat(400_001), 'a.go')).toBeUndefined();
  });
});
