package nunjucks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/machinery/nunjucks"
)

type nodeCase struct {
	Name     string         `json:"name"`
	Style    nunjucks.Style `json:"style"`
	Template string         `json:"template"`
	Values   map[string]any `json:"values"`
}

type nodeAnswer struct {
	Text  string `json:"text"`
	Error string `json:"error"`
}

// The same nunjucks in Node, with the settings of Backstage's scaffolder.
const nodeProgram = `
const nunjucks = require('nunjucks');
const cases = JSON.parse(require('fs').readFileSync(0, 'utf8'));
let uninstall;
const answers = cases.map(c => {
  try {
    if (c.style.Cookiecutter && !uninstall) uninstall = nunjucks.installJinjaCompat();
    if (!c.style.Cookiecutter && uninstall) { uninstall(); uninstall = undefined; }
    const env = new nunjucks.Environment([{getSource: () => null}], {autoescape: false, trimBlocks: c.style.TrimBlocks,
      lstripBlocks: c.style.LstripBlocks, tags: {variableStart: c.style.Cookiecutter ? '{{' : '${{', variableEnd: '}}'}});
    if (c.style.Cookiecutter) env.addFilter('jsonify', env.getFilter('dump'));
    return {text: env.renderString(c.template, c.values), error: ''};
  } catch (e) {
    return {text: '', error: String(e.message)};
  }
});
process.stdout.write(JSON.stringify(answers));
`

func askNode(t *testing.T, cases []nodeCase) []nodeAnswer {
	t.Helper()
	lacktest.Programs()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			lacktest.Skip(t, "no %s: the comparison with nunjucks in Node is left out", program)
		}
	}
	dir := t.TempDir()
	install := exec.Command("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "nunjucks@3.2.4")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		lacktest.Skip(t, "npm can't install nunjucks (%v): the comparison with Node is left out: %s", err, out)
	}
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command("node", "-e", nodeProgram)
	run.Dir, run.Stdin = dir, bytes.NewReader(input)
	var stderr bytes.Buffer
	run.Stderr = &stderr
	output, err := run.Output()
	if err != nil {
		t.Fatalf("node: %v: %s", err, stderr.String())
	}
	var answers []nodeAnswer
	if err := json.Unmarshal(output, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

func compareWithNode(t *testing.T, cases []nodeCase) {
	t.Helper()
	e := engine(t, nunjucks.Options{Limits: nunjucks.Limits{Parallel: 10, Time: time.Minute}})
	sessions := map[nunjucks.Style]*nunjucks.Session{}
	for i, want := range askNode(t, cases) {
		c := cases[i]
		if sessions[c.Style] == nil {
			sessions[c.Style] = open(t, e, c.Style)
		}
		got, err := sessions[c.Style].Render(context.Background(), c.Template, c.Values)
		if (err != nil) != (want.Error != "") || got != want.Text {
			t.Errorf("%s: %+v: %.300q\n got %.300q, %v\nnode %.300q, %s", c.Name, c.Style, c.Template, got, err, want.Text, want.Error)
		}
	}
}

func TestSameAsNode(t *testing.T) {
	t.Parallel()
	values := map[string]any{
		"values": map[string]any{
			"name": "shop-api", "count": 3, "price": 1.5, "on": true, "off": false, "nil": nil, "empty": "", "html": "<a href=\"x\">&'</a>",
			"list": []any{"b", "a", "c"}, "numbers": []any{3, 1, 2}, "deep": map[string]any{"a": map[string]any{"b": []any{1, map[string]any{"c": "d"}}}},
			"people": []any{map[string]any{"name": "Ann", "age": 30}, map[string]any{"name": "Bob", "age": 25}, map[string]any{"name": "Cy", "age": 30}},
			"text":   "the quick brown fox\njumps over\n\nthe lazy dog", "unicode": "żółć 🚀 ok",
		},
	}
	var cases []nodeCase
	for _, style := range []nunjucks.Style{{}, {TrimBlocks: true}, {LstripBlocks: true}, {TrimBlocks: true, LstripBlocks: true}, {Cookiecutter: true}} {
		for _, template := range sameTemplates {
			if style.Cookiecutter {
				template = strings.ReplaceAll(template, "${{", "{{")
			}
			cases = append(cases, nodeCase{"table", style, template, values})
		}
	}
	compareWithNode(t, cases)
}

// Every file of the corpus' templates is rendered, whatever it is, with values that some of them know.
func TestSameAsNodeOnRealTemplates(t *testing.T) {
	t.Parallel()
	root := lacktest.Corpus(t, "templates")
	values := map[string]any{"name": "shop", "component_id": "shop", "description": "Sells things", "owner": "group:default/team", "orgName": "acme",
		"repoName": "shop", "destination": map[string]any{"owner": "acme", "repo": "shop", "host": "example.test"}, "port": 8080, "system": "sales",
		"namespace": "shop", "image": "shop:1", "environments": []any{"dev", "prod"}, "http_port": 8080, "java_package_name": "com.acme.shop"}
	cases := []nodeCase{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil || len(content) > 200_000 || !utf8.Valid(content) || bytes.IndexByte(content, 0) >= 0 {
			return err
		}
		for _, style := range []nunjucks.Style{{}, {Cookiecutter: true}} {
			cases = append(cases, nodeCase{path, style, string(content), map[string]any{"values": values, "parameters": values, "cookiecutter": values}})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 500 {
		t.Fatalf("only %d files were found in %s", len(cases), root)
	}
	compareWithNode(t, cases)
}

var sameTemplates = []string{
	"plain", "", "${{ values.name }}", "a\n${{ values.name }}\n", "${{values.name}}${{values.count}}", "${{ values.nil }}|${{ values.empty }}|${{ nothing }}|${{ nothing.at.all }}",
	"${{ values.on }} ${{ values.off }} ${{ values.price }}", "${{ values.list }} ${{ values.deep }} ${{ values.deep.a.b }}",
	"${{ values.list | join(', ') }} ${{ values.list | sort | join }} ${{ values.list | reverse | join('') }} ${{ values.list | first }} ${{ values.list | last }} ${{ values.list | length }}",
	"${{ values.name | upper }} ${{ values.name | capitalize }} ${{ values.name | title }} ${{ values.name | replace('-', '_') }} ${{ values.name | replace('o', 'O', 1) }}",
	"${{ values.deep | dump }} ${{ values.deep | dump(2) }} ${{ values.nil | dump }} ${{ nothing | dump }} ${{ values.html | dump }}",
	"${{ values.html }} ${{ values.html | escape }} ${{ values.html | e }} ${{ values.html | safe }} ${{ values.html | striptags }} ${{ values.html | urlencode }}",
	"${{ values.text | indent(2) }} ${{ values.text | indent(2, true) }} ${{ values.text | nl2br }} ${{ values.text | truncate(10) }} ${{ values.text | wordcount }}",
	"${{ nothing | default('d') }} ${{ values.empty | default('d', true) }} ${{ values.nil | default('d') }} ${{ values.off | d('x', true) }}",
	"${{ values.people | groupby('age') | dump }} ${{ values.people | sort(false, false, 'name') | dump }} ${{ values.people | selectattr('age') | length }} ${{ values.people | rejectattr('zip') | length }}",
	"${{ values.numbers | sum }} ${{ values.numbers | sort | join(',') }} ${{ values.people | sum('age') }} ${{ values.numbers | batch(2, 'x') | dump }} ${{ values.numbers | slice(2) | dump }}",
	"${{ values.deep | dictsort | dump }} ${{ values.list | list }} ${{ 'abc' | list }} ${{ 4.6 | round }} ${{ 4.123 | round(2, 'floor') }} ${{ -3 | abs }} ${{ '12' | int + 1 }} ${{ '1.5' | float }}",
	"${{ 'x' | center(7) }}| ${{ ' x ' | trim }}| ${{ 'a b' | wordcount }} ${{ 'see http://x.test' | urlize }} ${{ values.unicode | upper }} ${{ values.unicode | length }} ${{ [1, 1, 2] | unique | join }}",
	"${{ 1 + 2 * 3 - 4 / 2 % 3 // 2 ** 2 }} ${{ 'a' + 1 + 2 }} ${{ 'a' ~ 1 + 2 }} ${{ 1 ~ 2 + 3 }} ${{ 1 + 2 ~ 3 }} ${{ 'x' + 3 - 1 }} ${{ -1 + +2 }}",
	"${{ 1 == 1 }} ${{ 1 === '1' }} ${{ 1 != 2 and not false }} ${{ values.nil or 'or' }} ${{ 'a' in 'abc' }} ${{ 'z' not in values.list }} ${{ 2 > 1 > 0 }}",
	"${{ 'yes' if values.on else 'no' }} ${{ 'yes' if values.off }} ${{ ('a' if values.on else 'b') + 'c' }}",
	"${{ 1 is odd }} ${{ nothing is defined }} ${{ nothing is undefined }} ${{ values.nil is null }} ${{ values.nil is none }} ${{ 4 is divisibleby(2) }} ${{ 'a' is string }} ${{ values.on is true }} ${{ 3 is gt(2) }}",
	"{% if values.on %}on{% elif values.off %}off{% else %}none{% endif %}", "{% if values.count > 2 %}\n  many\n{% endif %}\nend",
	"{% for x in values.list %}\n  - ${{ x }} ${{ loop.index }}/${{ loop.length }} ${{ loop.first }} ${{ loop.last }} ${{ loop.revindex0 }}\n{% endfor %}\n",
	"{% for k, v in values.deep %}${{ k }}=${{ v | dump }}{% endfor %}{% for x in [] %}{% else %}empty{% endfor %}{% for a, b in [[1, 2], [3, 4]] %}${{ a + b }},{% endfor %}",
	"{%- for x in values.list -%} ${{ x }} {%- endfor -%} \n after", "  {% set a = 1 %}\n  ${{ a }}\n", "a  \n   {#- c -#}  \n b", "a ${{- values.name -}} b",
	"{% set a, b = 2 %}${{ a + b }}{% set c %}block ${{ a }}{% endset %}${{ c | upper }}", "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{% endfor %}${{ x }}",
	"{% macro field(name, type='text', extra=none) %}<${{ name }} ${{ type }} ${{ extra }}>{% endmacro %}${{ field('a') }}${{ field('b', type='c') }}${{ field('d', 'e', 'f') }}",
	"{% macro wrap() %}[${{ caller() }}]{% endmacro %}{% call wrap() %}in{% endcall %}", "{% call(x) values.nope() %}{% endcall %}",
	"{% switch values.name %}{% case 'shop-api' %}yes{% default %}no{% endswitch %}", "{% filter upper %}shout ${{ values.name }}{% endfilter %}",
	"{% raw %}${{ x }} {% if %}{% endraw %} {% verbatim %}{{ y }}{% endverbatim %}", "{% block a %}in${{ values.count }}{% endblock %}",
	"{{ x }} {{ '{{' }} ${{ '{{ x }}' }} ${{ \"${{\" }}", "#{ not } {not} %} }} ${ x } $${{ values.name }}", "{# a #}{# ${{ x }} #}b", "${{ r/s(h)op/g.test(values.name) }} ${{ values.name.replace(r/o/g, '0') }}",
	"${{ values.name.split('-')[1].toUpperCase() }} ${{ values.name.length }} ${{ values.list.indexOf('a') }} ${{ values.list.concat(['z']).join('+') }} ${{ values.name.slice(0, -4) }}",
	"${{ 'ab'.repeat(3) }} ${{ '5'.padStart(3, '0') }} ${{ 'a,b,,c'.split(',') | dump }} ${{ 'aXbX'.replace('X', '$&$&') }} ${{ 'abc'.match('b').index }} ${{ [[1, [2]], 3].join(';') }} ${{ [1, [2, [3]]].toString() }}",
	"${{ range(3) }} ${{ range(1, 10, 3) | join }} ${{ range(5, 0, -2) | join }} {% set c = cycler('a', 'b') %}${{ c.next() }}${{ c.next() }}${{ c.next() }} {% set j = joiner() %}${{ j() }}x${{ j() }}y",
	"${{ { a: 1, 'b': [1, 2] } | dump }} ${{ [1, 'two', true, none, { x: 1 }] | dump }} ${{ {}.a }}", "${{ 'it\\'s' }} ${{ \"q\\\"q\" }} ${{ 'a\\nb\\tc\\\\' }}",
	"${{ values.missing.deeper.still }} ${{ values['name'] }} ${{ values['na' + 'me'] }} ${{ values.list[1] }} ${{ values.list[9] }}",
	"${{ nosuch() }}", "${{ values.name() }}", "${{ 1 | nosuch }}", "{% nosuch %}", "{% if %}", "{% endif %}", "${{ ", "${{ a b }}", "{% for x %}{% endfor %}", "${{ }}", "{% include 'x' %}", "{% extends 'x' %}",
	"${{ 'a' | replace }}", "${{ 3 | join }}", "${{ values.list | dictsort }}", "{% raw %}open", "${{ values.on ? 1 : 2 }}", "${{ values..name }}", "${{ 'open }}",
	"{% for x in values.list %}{% if loop.index == 2 %}{% else %}${{ x }}{% endif %}{% endfor %}", "\t{% if values.on %}\n\tx\n\t{% endif %}\n", "a{% if values.on %}\n\n{% endif %}\n\nb", "line\r\n{% if values.on %}\r\nx\r\n{% endif %}\r\n",
	"${{ values.people | map('name') }}", "${{ values.list | random | length }}", "${{ 1_000 }}", "${{ 1e3 }}", "${{ 0.1 + 0.2 }}", "${{ 10 / 4 }} ${{ 7 // 2 }} ${{ 1 / 0 }}",
}
