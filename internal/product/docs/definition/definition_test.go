package definition

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../testdata/definitions", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCompare tells of each pair of definitions in testdata what its file of changes says: "!" before what breaks.
func TestCompare(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../testdata/definitions/*.changes")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".changes")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind := strings.Trim(name, "23")
			before, err := Parse(kind, read(t, name+".before"))
			if err != nil {
				t.Fatal(err)
			}
			after, err := Parse("", read(t, name+".after"))
			if err != nil {
				t.Fatal(err)
			}
			changes, more := Compare(before, after)
			var got []string
			for _, c := range changes {
				mark := "- "
				if c.Breaking {
					mark = "! "
				}
				got = append(got, mark+c.Where+": "+c.Message)
			}
			slices.Sort(got)
			want := strings.Split(strings.TrimSpace(read(t, name+".changes")), "\n")
			slices.Sort(want)
			if more || !slices.Equal(got, want) {
				t.Errorf("the changes are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for _, d := range []Definition{before, after} {
				if none, _ := Compare(d, d); len(none) > 0 {
					t.Errorf("a definition differs from itself: %v", none)
				}
			}
		})
	}
}

// TestParse shows what is read of a definition.
func TestParse(t *testing.T) {
	t.Parallel()
	d, err := Parse("openapi", read(t, "openapi.before"))
	if err != nil || d.Title != "Pets" || d.Release != "1.0.0" || d.Version != "3.0.3" || len(d.Operations) != 3 || len(d.Types) != 3 || len(d.Problems) != 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	list := d.Operations[0]
	if list.ID != "GET /pets" || list.Group != "pets" || len(list.Inputs) != 4 || list.Inputs[2].Default != "1" || list.Inputs[3].In != "header" || list.Outputs[0].Type != "array of Pet" || list.Outputs[0].Example != `[{"name":"Rex"}]` {
		t.Errorf("%+v", list)
	}
	d, err = Parse("asyncapi", "asyncapi: 2.6.0\nservers: {a: {url: a, security: [{p: []}]}, b: {url: b, security: [{q: []}]}, c: {url: c, security: [{p: []}]}}\n"+
		"channels: {c: {publish: {security: [{r: [w]}]}, subscribe: {}}}\ncomponents: {securitySchemes: {p: {type: plain}, q: {type: X509}, r: {type: openIdConnect, openIdConnectUrl: u}}}")
	if err != nil || ways(d.Operations[0].Security) != "plain and OpenID Connect of u with w, or X509 and OpenID Connect of u with w" || ways(d.Operations[1].Security) != "plain, or X509" {
		t.Errorf("%+v, %v", d, err)
	}
	d, err = Parse("grpc", read(t, "protobuf.before"))
	if err != nil || len(d.Operations) != 2 || d.Operations[0].Description != "Gives one pet." || !d.Operations[1].Deprecated || d.Operations[1].Outputs[0].Type != "stream of Pet" ||
		len(d.Problems) != 1 || d.Operations[0].ID != "pets.v1.Store.Get" || !slices.Equal(d.Types[3].Numbers, []int{0, 1}) || d.Types[1].Fields[2].Type != "repeated Pet.Tag" || d.Types[1].Fields[3].Type != "map of string to Pet.Tag" || d.Types[1].Fields[4].In != "oneof owner" {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := Parse("soap", "<wsdl/>"); err != nil || d.Format != Text {
		t.Errorf("%+v, %v", d, err)
	}
	for kind, text := range map[string]string{"openapi": "a: b", "asyncapi": "[]", "graphql": "type {", "grpc": "message {", "swagger": "\t:"} {
		if _, err := Parse(kind, text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestHostileDefinitions are refused, or read in part: none of them takes long, or fetches anything.
func TestHostileDefinitions(t *testing.T) {
	t.Parallel()
	const head = "openapi: 3.0.0\npaths: {}\n"
	deep := strings.Repeat(`{"type":"object","properties":{"a":`, 20) + `{}` + strings.Repeat(`}}`, 20)
	var alternatives strings.Builder
	for i := range 12 {
		fmt.Fprintf(&alternatives, "  a%d: {oneOf: [%s]}\n", i, strings.Repeat(fmt.Sprintf("{$ref: '#/x/a%d'}, ", i+1), 20)+"{}")
	}
	for name, c := range map[string]struct{ kind, text, problem string }{
		"outside":      {"openapi", head + "components: {schemas: {A: {$ref: 'https://10.0.0.1/x'}}}", "is not fetched"},
		"file":         {"openapi", head + "components: {schemas: {A: {$ref: '../../etc/passwd'}}}", "is not fetched"},
		"circle":       {"openapi", head + "components: {parameters: {A: {$ref: '#/components/parameters/B'}, B: {$ref: '#/components/parameters/A'}}}\nx: 1\npaths2: 1", ""},
		"own circle":   {"openapi", "openapi: 3.0.0\npaths: {/a: {get: {parameters: [{$ref: '#/paths/~1a/get/parameters'}], responses: {200: {$ref: '#/b'}}}}}\nb: {$ref: '#/b'}", "leads in a circle"},
		"type circle":  {"openapi", head + "components: {schemas: {A: {$ref: '#/components/schemas/A'}, B: {allOf: [{$ref: '#/components/schemas/B'}]}}}", ""},
		"deep":         {"openapi", `{"openapi":"3.0.0","paths":{},"components":{"schemas":{"A":` + deep + `}}}`, "levels deep"},
		"nothing":      {"openapi", head + "components: {schemas: {A: {properties: {b: {$ref: '#/no'}}}}}", "leads to nothing"},
		"wrong shapes": {"openapi", "openapi: 3.0.0\npaths: {/a: [], /b: {get: 1, post: {parameters: 7, responses: [], requestBody: x}}}\ncomponents: {schemas: {A: 1, B: {enum: {}, properties: [], required: 3}}}", ""},
		"alternatives": {"openapi", head + "components: {schemas: {A: {$ref: '#/x/a0'}}}\nx:\n" + alternatives.String(), "more than 50000 fields"},
		"security":     {"openapi", "openapi: 3.0.0\nsecurity: [1, [], {a: 7, b: {}}, {c: [x]}]\npaths: {/a: {get: {}}}\ncomponents: {securitySchemes: {a: [], b: {type: oauth2, flows: {x: 1}}, c: {$ref: '#/no'}}}", "leads to nothing"},
		"async shapes": {"asyncapi", "asyncapi: 3.0.0\nchannels: []\noperations: {a: {channel: 1, messages: {}}}", ""},
	} {
		d, err := Parse(c.kind, c.text)
		if err != nil || c.problem != "" && !strings.Contains(strings.Join(d.Problems, "\n"), c.problem) {
			t.Errorf("%s: %q, %v", name, d.Problems, err)
		}
	}
	for name, c := range map[string]struct{ kind, text string }{
		"anchors":  {"openapi", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nopenapi: 3.0.0\npaths: {}"},
		"nested":   {"graphql", "type A { a: " + strings.Repeat("[", 1_000_000)},
		"values":   {"graphql", "input A { a: Int = " + strings.Repeat("[", 1_000_000)},
		"messages": {"grpc", strings.Repeat("message A {", 100_000)},
		"reserved": {"grpc", "syntax = \"proto3\"; message M { reserved - to 5; }"},
		"options":  {"grpc", "syntax = \"proto3\"; option a = " + strings.Repeat("{a:", 100_000)},
		"large":    {"openapi", strings.Repeat("#", MaxBytes+1)},
	} {
		if _, err := Parse(c.kind, c.text); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParse reads anything as each format, and compares what it reads with itself.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"openapi.before", "openapi.after", "asyncapi2.before", "asyncapi3.before", "graphql.before", "graphql.after", "protobuf.before", "swagger.before"} {
		f.Add("", read(f, name))
	}
	f.Fuzz(func(t *testing.T, kind, text string) {
		for _, k := range []string{kind, OpenAPI, AsyncAPI, GraphQL, Protobuf} {
			d, err := Parse(k, text)
			if err != nil {
				continue
			}
			if changes, _ := Compare(d, d); len(changes) > 0 {
				t.Errorf("%s differs from itself: %v", k, changes)
			}
		}
	})
}
