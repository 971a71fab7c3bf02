package document_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/document/backstagetest"
)

func declared(t *testing.T, schema string) (*document.Schema, string) {
	t.Helper()
	d := parseOne(t, "apiVersion: v1\nkind: Kind\nmetadata: {name: x}\nspec:\n  schema: "+schema+"\n")
	inner, _ := d.Spec["schema"].(map[string]any)
	s, wrong := document.CompileSchema(d, inner, "spec", "schema")
	var lines []string
	for _, w := range wrong {
		lines = append(lines, w.String())
	}
	return s, strings.Join(lines, "\n")
}

func against(t *testing.T, s *document.Schema, spec string) string {
	t.Helper()
	d := parseOne(t, "apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec: "+spec+"\n")
	var lines []string
	for _, w := range s.Check(d, d.Spec, "spec") {
		lines = append(lines, w.String())
	}
	return strings.Join(lines, "\n")
}

func TestASchemaSaysWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	s, wrong := declared(t, `{type: object, required: [tier], additionalProperties: false, properties: {tier: {enum: [gold, silver]}, size: {$ref: '#/$defs/size'}, names: {type: array, items: {type: string, pattern: '^[a-z]+$'}}},
    $defs: {size: {type: integer, minimum: 1}}}`)
	if wrong != "" {
		t.Fatal(wrong)
	}
	if got := against(t, s, "{tier: gold, size: 3, names: [a]}"); got != "" {
		t.Error(got)
	}
	got := against(t, s, "\n  tier: golb\n  size: 0\n  names: [a, B]\n  more: 1")
	for _, want := range []string{":5:3: spec.tier:", "did you mean gold?", ":6:3: spec.size:", ":7:14: spec.names.1:", ":8:3: spec.more: unknown field"} {
		if !strings.Contains(strings.ReplaceAll(got, "catalog-info.yaml", ""), want) {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
	if got := against(t, s, "{size: 1}"); !strings.Contains(got, "spec.tier: is missing") {
		t.Error(got)
	}
}

// A schema that reaches out, or is none, is refused where it is wrong.
func TestASchemaThatIsRefused(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		`{$ref: 'https://example.com/x.json'}`:                              "spec.schema.$ref: a $ref points within the schema",
		`{properties: {a: {$ref: 'file:///etc/passwd'}}}`:                   "spec.schema.properties.a.$ref: a $ref points within",
		`{$ref: '#/$defs/none'}`:                                            "there is no schema at",
		`{x-hidden: {type: string}, properties: {a: {$ref: '#/x-hidden'}}}`: "there is no schema at",
		`{$id: 'https://example.com/x'}`:                                    "$id is not taken",
		`{$dynamicRef: '#x'}`:                                               "$dynamicRef is not taken",
		`{$schema: 'https://example.com/mine'}`:                             "draft 2020-12 and draft 7 are taken",
		`{$schema: 'http://json-schema.org/draft-04/schema#'}`:              "draft 2020-12 and draft 7 are taken",
		`{type: strin}`:                                               "spec.schema.type: is not what JSON Schema allows here",
		`{properties: {a: {minimum: x}}}`:                             "spec.schema.properties.a.minimum: is not what JSON Schema allows here",
		`{pattern: '('}`:                                              "spec.schema.pattern",
		`{pattern: '(?=a)b'}`:                                         "spec.schema.pattern",
		`{pattern: '` + strings.Repeat("a", 501) + `'}`:               "spec.schema.pattern",
		`{pattern: '(((a{1,30}){1,30}){1,10}){1,9}'}`:                 "spec.schema.pattern",
		`{description: '` + strings.Repeat("a", 70<<10) + `'}`:        "at most 65536 are taken",
		strings.Repeat("{not: ", 95) + "{}" + strings.Repeat("}", 95): "schemas nest at most 40 deep",
		`{$schema: 'http://json-schema.org/draft-07/schema#', definitions: {a: {$ref: '#/definitions/b'}, b: {type: string}}, properties: {c: {$ref: '#/definitions/a'}}}`: "only points further",
	} {
		if _, got := declared(t, schema); !strings.Contains(got, want) {
			t.Errorf("%.100s: %q is not in %q", schema, want, got)
		}
	}
}

// Whatever a schema says, to hold a document to it takes bounded time.
func TestASchemaThatWouldTakeForever(t *testing.T) {
	t.Parallel()
	twice := func(word string) string { // each leads to the next twice: 2 to the power of 60
		var defs []string
		for i := range 60 {
			defs = append(defs, fmt.Sprintf("d%d: {%s: [{$ref: '#/$defs/d%d'}, {$ref: '#/$defs/d%d'}]}", i, word, i+1, i+1))
		}
		return "{$ref: '#/$defs/d0', $defs: {" + strings.Join(defs, ", ") + ", d60: {required: [never]}}}"
	}
	deep := strings.Repeat("{a: ", 60) + "1" + strings.Repeat("}", 60)
	numbers := strings.Repeat("1, ", 20000)
	var enum strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&enum, "%d, ", 1000+i)
	}
	var keys strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&keys, "\n  k%d: 1", i)
	}
	began := time.Now()
	for name, c := range map[string][2]string{
		"anyOf":             {twice("anyOf"), "{}"},
		"allOf":             {twice("allOf"), "{}"},
		"oneOf":             {twice("oneOf"), "{}"},
		"below themselves":  {"{$defs: {n: {properties: {a: {anyOf: [{$ref: '#/$defs/n'}, {$ref: '#/$defs/n'}]}, b: true}, not: {type: string}, required: [never]}}, $ref: '#/$defs/n'}", deep},
		"many in an enum":   {"{properties: {a: {items: {enum: [" + enum.String() + "]}}}}", "{a: [" + numbers + "]}"},
		"a pattern":         {"{properties: {a: {pattern: '(.{0,200}x){2}y'}}}", "{a: '" + strings.Repeat("z", 500_000) + "'}"},
		"a cycle":           {"{$ref: '#'}", "{}"},
		"names of all keys": {"{propertyNames: {allOf: [" + strings.Repeat("{pattern: 'k.{0,300}'}, ", 300) + "]}}", keys.String()},
	} {
		s, wrong := declared(t, c[0])
		if wrong != "" {
			t.Errorf("%s: %s", name, wrong)
			continue
		}
		got := against(t, s, c[1])
		if got == "" {
			t.Errorf("%s is taken", name)
		}
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

// Our verdict is that of Ajv, which Backstage uses.
func TestSchemasAgreeWithAjv(t *testing.T) {
	t.Parallel()
	schemas := []string{
		`{type: object, required: [a], properties: {a: {type: string, minLength: 2, maxLength: 4}}}`,
		`{properties: {a: {type: [string, 'null']}, b: {type: integer, minimum: 1, exclusiveMaximum: 10, multipleOf: 2}}}`,
		`{additionalProperties: {type: string}, patternProperties: {'^x-': {type: number}}}`,
		`{properties: {a: {type: array, items: {type: string}, minItems: 1, maxItems: 3, uniqueItems: true}}}`,
		`{properties: {a: {prefixItems: [{type: string}, {type: integer}], items: false}}}`,
		`{oneOf: [{required: [a]}, {required: [b]}]}`,
		`{anyOf: [{required: [a]}, {properties: {b: {const: 1}}}], not: {required: [c]}}`,
		`{if: {properties: {a: {const: x}}, required: [a]}, then: {required: [b]}, else: {required: [c]}}`,
		`{dependentRequired: {a: [b]}, dependentSchemas: {b: {required: [c]}}}`,
		`{$ref: '#/$defs/n', $defs: {n: {properties: {a: {$ref: '#/$defs/n'}, b: {type: string}}, additionalProperties: false}}}`,
		`{propertyNames: {pattern: '^[a-c]$'}, minProperties: 1, maxProperties: 2}`,
		`{properties: {a: {contains: {type: integer}, minContains: 2}}}`,
		`{allOf: [{properties: {a: true}}, {properties: {b: true}}], unevaluatedProperties: false}`,
		`{properties: {a: {enum: [1, x, null, [1], {b: 1}]}}}`,
		`{properties: {a: {type: string, format: email}, b: {pattern: '^\\d{2}$'}}}`,
		`{properties: {a: false}}`,
		`{$schema: 'http://json-schema.org/draft-07/schema#', definitions: {t: {type: string}}, properties: {a: {$ref: '#/definitions/t'}, b: {items: [{type: string}], additionalItems: false}}}`,
	}
	specs := []string{
		`{}`, `{a: x}`, `{a: xyz}`, `{a: abcdefg}`, `{a: 1}`, `{a: null}`, `{a: true}`, `{a: []}`, `{a: [x]}`, `{a: [x, x]}`, `{a: [x, 1]}`, `{a: [x, 1, 2]}`, `{a: [1, 2]}`, `{a: [1]}`, `{a: {b: 1}}`, `{a: {b: x}}`, `{a: {a: {c: 1}}}`,
		`{b: 1}`, `{b: 2}`, `{b: 2.0}`, `{b: 10}`, `{b: 0.5}`, `{b: '12'}`, `{b: '1'}`, `{b: [x]}`, `{b: [x, y]}`, `{a: x, b: 1}`, `{a: x, b: 2, c: 3}`, `{b: x, c: y}`, `{c: 1}`, `{x-a: 1}`, `{x-a: x}`, `{d: 1}`, `{a: 'ab', c: x}`, `{a: [1, 1]}`,
	}
	type question struct {
		Schema any   `json:"schema"`
		Values []any `json:"values"`
	}
	values := make([]any, len(specs))
	for i, text := range specs {
		values[i] = parseOne(t, "apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec: "+text+"\n").Spec
	}
	questions := make([]question, len(schemas))
	for i, text := range schemas {
		schema := parseOne(t, "apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec: {schema: "+text+"}\n").Spec["schema"]
		questions[i] = question{schema, values}
	}
	answers := backstagetest.Ask[[]bool](t, "ajv.cjs", questions)
	for i, text := range schemas {
		s, wrong := declared(t, text)
		if wrong != "" {
			t.Errorf("%s: %s", text, wrong)
			continue
		}
		for n, spec := range specs {
			if got := against(t, s, spec); (got == "") != answers[i][n] {
				t.Errorf("%s, of %s: Ajv says %t, we say %q", spec, text, answers[i][n], got)
			}
		}
	}
}

func FuzzSchema(f *testing.F) {
	f.Add("{type: object, properties: {a: {$ref: '#/$defs/b'}}, $defs: {b: {pattern: 'a+'}}}", "{a: aaa}")
	f.Add("{$ref: '#'}", "{}")
	f.Add("{anyOf: [{items: {enum: [1]}}, {not: true}]}", "[1]")
	f.Fuzz(func(t *testing.T, schema, spec string) {
		d, err := document.Parse("x", []byte("apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec: {schema: "+schema+", value: "+spec+"}\n"), document.Limits{})
		if err != nil || len(d) != 1 {
			return
		}
		m, ok := d[0].Spec["schema"].(map[string]any)
		if !ok {
			return
		}
		s, wrong := document.CompileSchema(d[0], m, "spec", "schema")
		if (s == nil) != (len(wrong) > 0) {
			t.Fatalf("a schema and mistakes: %v", wrong)
		}
		if s != nil {
			s.Check(d[0], d[0].Spec["value"], "spec", "value")
		}
	})
}
