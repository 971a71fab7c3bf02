package definition

import (
	"slices"
	"strings"
	"testing"
)

// compared gives the changes between two definitions, those that break marked by "!".
func compared(t *testing.T, kind, before, after string) []string {
	t.Helper()
	var d [2]Definition
	for i, text := range []string{before, after} {
		var err error
		if d[i], err = Parse(kind, text); err != nil || len(d[i].Problems) > 0 {
			t.Fatalf("%s: %v, %v", text, d[i].Problems, err)
		}
		if none, _ := Compare(d[i], d[i]); len(none) > 0 {
			t.Errorf("a definition differs from itself: %v", none)
		}
	}
	changes, _ := Compare(d[0], d[1])
	var got []string
	for _, c := range changes {
		mark := "- "
		if c.Breaking {
			mark = "! "
		}
		got = append(got, mark+c.Where+": "+c.Message)
	}
	slices.Sort(got)
	return got
}

type comparing struct {
	name, before, after string
	want                []string
}

// compareEach compares two parts of a definition of one format, each in its place in the frame.
func compareEach(t *testing.T, kind, frame string, cases []comparing) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := func(part string) string { return strings.Replace(frame, "PART", part, 1) }
			if got := compared(t, kind, in(c.before), in(c.after)); !slices.Equal(got, c.want) {
				t.Errorf("the changes are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestCompareProtobuf tells what breaks calls: paths of calls, numbers, types and names of fields.
func TestCompareProtobuf(t *testing.T) {
	t.Parallel()
	const calls = "service S { rpc Do(M) returns (M); }\nmessage M { K k = 1; }\n"
	const kinds = calls + "enum K { A = 0; B = 1; C = 2; }"
	compareEach(t, "grpc", "syntax = \"proto3\";\nPART", []comparing{
		{"package", "package acme.v1;" + kinds, "package acme.v2;" + kinds, []string{"! acme.v1.S.Do: is gone", "! the definition: its package was acme.v1 and is acme.v2", "- acme.v2.S.Do: is new"}},
		{"package of messages alone", "package acme.v1; message M {}", "package acme.v2; message M {}", []string{"! the definition: its package was acme.v1 and is acme.v2"}},
		{"renumbered values", kinds, calls + "enum K { A = 0; B = 2; C = 1; }", []string{
			"! K: the value B had the number 1 and has 2", "! K: the value C had the number 2 and has 1",
		}},
		{"renamed value", kinds, calls + "enum K { A = 0; D = 1; C = 2; }", []string{
			"! K: the number 1 was that of B and is that of D", "! K: the value B is gone", "- K: the value D is new",
		}},
		{"value gone", kinds, calls + "enum K { A = 0; C = 2; reserved 1; reserved \"B\"; }", []string{"! K: the value B is gone"}},
		{"value gone from answers", strings.Replace(kinds, "Do(M)", "Do(N)", 1) + "message N {}", strings.Replace(calls, "Do(M)", "Do(N)", 1) + "message N {} enum K { A = 0; B = 1; reserved 2; }", []string{"- K: the value C is gone"}},
		{"alias gone", calls + "enum K { option allow_alias = true; A = 0; B = 1; C = 1; }", calls + "enum K { A = 0; B = 1; }", []string{"! K: the value C is gone"}},
		{"value new", kinds, calls + "enum K { A = 0; B = 1; C = 2; D = 3; }", []string{"- K: the value D is new"}},
		{"number of a field", "message M { string a = 1; }", "message M { string a = 2; }", []string{"! M: a: had the number 1 and has 2"}},
		{"field gone, reserved", "message M { string a = 1; string b = 2; }", "message M { string a = 1; reserved 2; }", []string{"! M: b: is gone"}},
		{"field gone", "message M { string a = 1; string b = 2; }", "message M { string a = 1; }", []string{"! M: b: is gone", "- M: the number 2 of b is not reserved"}},
		{"renamed field", "message M { string a = 1; }", "message M { string b = 1; }", []string{"! M: a: is gone", "! M: the number 1 was that of a and is that of b", "- M: b: is new"}},
		{"reserved number taken", "message M { reserved 2, 5 to 9; }", "message M { string a = 7; reserved 2, 5 to 6, 8 to 9; }", []string{
			"! M: a = 7 was reserved", "- M: 5 to 9 is no longer reserved", "- M: a: is new",
		}},
		{"reserved name taken", "message M { reserved \"a\"; }", "message M { string a = 7; }", []string{"! M: a = 7 was reserved", "- M: a: is new"}},
		{"reserved in other parts", "message M { reserved 1 to 9; reserved 20 to max; }", "message M { reserved 6 to max; reserved 1 to 5; }", nil},
		{"type of a field", "message M { int32 a = 1; }", "message M { int64 a = 1; }", []string{"! M: a: was int32 and is int64"}},
		{"key of a map", "message M { map<string, int32> a = 1; }", "message M { map<int32, int32> a = 1; }", []string{"! M: a: was map of string to int32 and is map of int32 to int32"}},
		{"repeated", "message M { int32 a = 1; }", "message M { repeated int32 a = 1; }", []string{"! M: a: was int32 and is repeated int32"}},
		{"repeated no more", "message M { repeated int32 a = 1; }", "message M { int32 a = 1; }", []string{"! M: a: was repeated int32 and is int32"}},
		{"optional", "message M { int32 a = 1; }", "message M { optional int32 a = 1; }", []string{"- M: a: was int32 and is optional int32"}},
		{"optional no more", "message M { optional int32 a = 1; }", "message M { int32 a = 1; }", []string{"! M: a: was optional int32 and is int32"}},
		{"into a oneof", "message M { int32 a = 1; oneof o { int32 b = 2; } }", "message M { oneof o { int32 b = 2; int32 a = 1; } }", []string{"! M: a: was in no oneof and is in oneof o"}},
		{"out of a oneof", "message M { oneof o { int32 b = 2; int32 a = 1; } }", "message M { int32 a = 1; oneof o { int32 b = 2; } }", []string{"! M: a: was in oneof o and is in no oneof"}},
		{"into another oneof", "message M { oneof o { int32 a = 1; } }", "message M { oneof p { int32 a = 1; } }", []string{"! M: a: was in oneof o and is in oneof p"}},
		{"name in JSON", "message M { int32 a_b = 1; }", "message M { int32 a_b = 1 [json_name = \"ab\"]; }", []string{"! M: a_b: its name in JSON was aB and is ab"}},
		{"name in JSON as it was", "message M { int32 a_b = 1; }", "message M { int32 a_b = 1 [json_name = \"aB\"]; }", nil},
		{"stream given", kinds, strings.Replace(kinds, "Do(M)", "Do(stream M)", 1), []string{"! S.Do: request: was M and is stream of M"}},
		{"stream got", kinds, strings.Replace(kinds, "returns (M)", "returns (stream M)", 1), []string{"! S.Do: answer answer: was M and is stream of M"}},
		{"call gone", kinds, strings.Replace(kinds, "rpc Do(M) returns (M);", "", 1), []string{"! S.Do: is gone"}},
		{"service gone", kinds, strings.Replace(kinds, "service S { rpc Do(M) returns (M); }", "", 1), []string{"! S.Do: is gone"}},
		{"message gone", kinds + " message N {}", kinds, []string{"! N: is gone"}},
		{"enum gone", kinds + " enum N { X = 0; }", kinds, []string{"! N: is gone"}},
		{"message becomes an enum", kinds + " enum N { X = 0; }", kinds + " message N {}", []string{"! N: was of the kind enum and is of the kind message"}},
	})
	compareEach(t, "grpc", "syntax = \"proto2\";\nservice S { rpc Do(M) returns (N); }\nPART", []comparing{
		{"required", "message M { optional int32 a = 1; } message N { optional int32 a = 1; }", "message M { required int32 a = 1; } message N { required int32 a = 1; }", []string{
			"! M: a: must be there", "- N: a: must be there",
		}},
		{"required no more", "message M { required int32 a = 1; } message N { required int32 a = 1; }", "message M { optional int32 a = 1; } message N { optional int32 a = 1; }", []string{
			"! N: a: may be absent", "- M: a: may be absent",
		}},
	})
}

// TestCompareGraphQL tells what breaks queries, by what is given and what is got.
func TestCompareGraphQL(t *testing.T) {
	t.Parallel()
	compareEach(t, "graphql", "type Query { a: A q(i: I, k: K): Int x: X }\nunion X = U | W\nPART", []comparing{
		{"implements dropped", types("type A implements N { n: Int } interface N { n: Int }"), types("type A { n: Int } interface N { n: Int }"), []string{"! A: is no longer a N"}},
		{"implements", types("type A { n: Int } interface N { n: Int }"), types("type A implements N { n: Int } interface N { n: Int }"), []string{"- A: is a N now"}},
		{"implements by an extension", types("type A { n: Int } extend type A implements N { m: Int } interface N { m: Int }"), types("type A { n: Int } extend type A { m: Int } interface N { m: Int }"), []string{"! A: is no longer a N"}},
		{"enum", types("type A { n: L } enum L { P Q }"), types("type A { n: L } enum L { P R }"), []string{"- L: the value Q is gone", "- L: the value R is new"}},
		{"enum given", types("type A { n: Int }"), strings.Replace(types("type A { n: Int }"), "E F", "E", 1), []string{"! K: the value F is gone"}},
		{"field that is got", types("type A { n: Int! m: Int l: [Int] k: [Int!]! }"), types("type A { n: Int m: Int! l: [Int!] k: [Int]! }"), []string{
			"! A: k: was [Int!] and is [Int]", "! A: n: may be absent", "- A: l: was [Int] and is [Int!]", "- A: m: must be there",
		}},
		{"field of an interface", types("type A implements N { n: Int } interface N { n: Int m: Int }"), types("type A implements N { n: Int } interface N { n: Int! k: Int }"), []string{
			"! N: m: is gone", "- N: k: is new", "- N: n: must be there",
		}},
		{"type of a field", types("type A { n: Int }"), types("type A { n: Float }"), []string{"! A: n: was Int and is Float"}},
		{"argument", types("type A { n(x: Int, y: Int!, z: Int): Int }"), types("type A { n(x: Int!, y: Int, w: Int): Int }"), []string{
			"! A: n: argument x: must be there", "! A: n: argument z: is gone", "- A: n: argument w: is new", "- A: n: argument y: may be absent",
		}},
		{"argument that must be given", types("type A { n: Int }"), types("type A { n(x: Int!): Int }"), []string{"! A: n: argument x: is new, and must be given"}},
		{"argument with a default", types("type A { n(x: Int! = 1, y: Int, z: Int = 1): Int }"), types("type A { n(x: Int!, y: Int! = 1, z: Int! = 1): Int }"), []string{
			`! A: n: argument x: must be there`, `! A: n: argument y: was Int and is Int!`, `! A: n: argument z: was Int and is Int!`,
			`- A: n: argument x: its default was "1" and is ""`, `- A: n: argument y: its default was "" and is "1"`,
		}},
		{"list that is given", types("type A { n(x: [Int!], y: [Int]): Int }"), types("type A { n(x: [Int], y: [Int!]): Int }"), []string{
			"! A: n: argument y: was [Int] and is [Int!]", "- A: n: argument x: was [Int!] and is [Int]",
		}},
		{"directive", types("type A { n: Int } directive @old on FIELD directive @cut(to: Int) on FIELD | QUERY directive @inner on OBJECT"),
			types("type A { n: Int } directive @cut(to: Int!, by: Int!) on FIELD"), []string{
				"! @cut: argument by: is new, and must be given", "! @cut: argument to: must be there", "! @cut: the value QUERY is gone", "! @old: is gone",
			}},
		{"type gone", types("type A { n: B } type B { n: Int }"), types("type A { m: Int }"), []string{"! A: n: is gone", "! B: is gone", "- A: m: is new"}},
		{"implementer gone", types("type A { n: N } interface N { m: Int } type B implements N { m: Int }"), types("type A { n: N } interface N { m: Int }"), []string{"! B: is gone"}},
		{"field of an input", types("type A { n: Int }"), strings.Replace(types("type A { n: Int }"), "o: Int r: Int!", "o: Int! p: Int! s: Int", 1), []string{
			"! I: o: must be there", "! I: p: is new, and must be given", "! I: r: is gone", "- I: s: is new",
		}},
		{"member of a union", types("type A { n: Int }") + "extend union X = V", types("type A { n: Int }") + "extend union X = T", []string{"! X: V is gone", "- X: T is new"}},
	})
	const root = "schema { query: ROOT } type ROOT { a: Int }"
	if got := compared(t, "graphql", strings.ReplaceAll(root, "ROOT", "Query"), strings.ReplaceAll(root, "ROOT", "Root")); got != nil {
		t.Errorf("the name of the root is told: %q", got)
	}
}

// types gives types of GraphQL beside those that all cases have.
func types(more string) string {
	return "input I { o: Int r: Int! } enum K { E F } type U { u: Int } type V { u: Int } type W { u: Int } type T { u: Int }\n" + more
}

// TestCompareOpenAPI tells what breaks requests, beyond their types; see TestLimits for those.
func TestCompareOpenAPI(t *testing.T) {
	t.Parallel()
	const schemes = "components: {securitySchemes: {key: {type: apiKey, in: header, name: X-Key}, other: {type: apiKey, in: header, name: X-Key}, mail: {type: http, scheme: Bearer}," +
		" auth: {type: oauth2, flows: {clientCredentials: {tokenUrl: 'https://a/t', scopes: {}}}}}}\n"
	op := func(head, op string) string {
		return head + "\npaths: {/a: {get: {" + op + "responses: {200: {description: x}}}}}\n" + schemes
	}
	authentication := func(name, before, after string, want ...string) comparing {
		for i, w := range want {
			want[i] = w[:2] + "GET /a: authentication: " + w[2:]
		}
		return comparing{name, op("", before), op("", after), want}
	}
	body := func(before, after string, want ...string) comparing {
		frame := func(b string) string {
			return "paths: {/a: {post: {" + b + "}}}"
		}
		return comparing{before + " to " + after, frame(before), frame(after), want}
	}
	server := func(name, before, after string, want ...string) comparing {
		return comparing{name, op(before, ""), op(after, ""), want}
	}
	const json = "content: {application/json: {schema: {type: string}}}"
	compareEach(t, "openapi", "openapi: 3.0.3\ninfo: {title: T, version: '1'}\nPART", []comparing{
		authentication("needed now", "", "security: [{key: []}], ", "! was none and is API key in the header X-Key"),
		authentication("needed no more", "security: [{key: []}], ", "", "- was API key in the header X-Key and is none"),
		authentication("need not", "security: [{}], ", "security: [{key: []}, {}], "),
		authentication("nobody without", "security: [{key: []}, {}], ", "security: [{key: []}], ", "! was API key in the header X-Key, or none and is API key in the header X-Key"),
		authentication("another", "security: [{key: []}], ", "security: [{mail: []}], ", "! was API key in the header X-Key and is HTTP bearer"),
		authentication("one more way", "security: [{key: []}], ", "security: [{mail: []}, {key: []}], ", "- was API key in the header X-Key and is HTTP bearer, or API key in the header X-Key"),
		authentication("other order", "security: [{key: []}, {mail: []}], ", "security: [{mail: []}, {key: []}], "),
		authentication("both at once", "security: [{key: []}], ", "security: [{key: [], mail: []}], ", "! was API key in the header X-Key and is API key in the header X-Key and HTTP bearer"),
		authentication("the same by another name", "security: [{key: []}], ", "security: [{other: []}], "),
		authentication("scope", "security: [{auth: [r]}], ", "security: [{auth: [r, w]}], ", "! was OAuth 2 (clientCredentials https://a/t) with r and is OAuth 2 (clientCredentials https://a/t) with r, w"),
		authentication("scope no more", "security: [{auth: [r, w]}], ", "security: [{auth: [r]}], ", "- was OAuth 2 (clientCredentials https://a/t) with r, w and is OAuth 2 (clientCredentials https://a/t) with r"),
		{"for all", op("", ""), op("security: [{key: []}]", ""), []string{"! GET /a: authentication: was none and is API key in the header X-Key"}},
		{"for all but one", op("", ""), op("security: [{key: []}]", "security: [], "), nil},
		{"header of a key", op("security: [{key: []}]", ""), strings.Replace(op("security: [{key: []}]", ""), "X-Key", "X-New", 1), []string{"! GET /a: authentication: was API key in the header X-Key and is API key in the header X-New"}},
		{"address of tokens", op("security: [{auth: []}]", ""), strings.Replace(op("security: [{auth: []}]", ""), "https://a/t", "https://b/t", 1), []string{"! GET /a: authentication: was OAuth 2 (clientCredentials https://a/t) and is OAuth 2 (clientCredentials https://b/t)"}},

		body("parameters: []", "parameters: [{name: q, in: query, required: true, schema: {type: string}}]", "! POST /a: query q: is new, and must be given"),
		body("parameters: []", "parameters: [{name: q, in: query, schema: {type: string}}]", "- POST /a: query q: is new"),
		body("parameters: [{name: q, in: query, schema: {type: string}}]", "parameters: []", "! POST /a: query q: is gone"),
		body("parameters: [{name: q, in: query, schema: {type: string}}]", "parameters: [{name: q, in: header, schema: {type: string}}]", "! POST /a: query q: is gone", "- POST /a: header q: is new"),
		body("requestBody: {"+json+"}", "requestBody: {required: true, "+json+"}", "! POST /a: body application/json: must be there"),
		body("requestBody: {required: true, "+json+"}", "requestBody: {"+json+"}", "- POST /a: body application/json: may be absent"),
		body("summary: x", "requestBody: {required: true, "+json+"}", "! POST /a: body application/json: is new, and must be given"),
		body("requestBody: {required: true, "+json+"}", "requestBody: {required: true, content: {application/json: {schema: {type: string}}, text/plain: {schema: {type: string}}}}", "- POST /a: body text/plain: is new"),
		body("requestBody: {required: true, "+json+"}", "requestBody: {required: true, content: {text/plain: {schema: {type: string}}}}", "! POST /a: body application/json: is gone", "- POST /a: body text/plain: is new"),
		body("responses: {200: {"+json+"}}", "responses: {201: {"+json+"}}", "! POST /a: answer 200 application/json: is gone", "- POST /a: answer 201 application/json: is new"),
		body("responses: {200: {"+json+"}}", "responses: {200: {content: {text/plain: {schema: {type: string}}}}}", "! POST /a: answer 200 application/json: is gone", "- POST /a: answer 200 text/plain: is new"),
		body("responses: {200: {"+json+"}, 404: {"+json+"}}", "responses: {200: {"+json+"}}", "- POST /a: answer 404 application/json: is gone"),
		body("responses: {404: {"+json+"}}", "responses: {404: {content: {text/plain: {schema: {type: string}}}}}", "! POST /a: answer 404 application/json: is gone", "- POST /a: answer 404 text/plain: is new"),
		body("responses: {204: {description: x}}", "responses: {204: {"+json+"}}", "- POST /a: answer 204 application/json: is new"),
		body("responses: {204: {description: x}}", "responses: {200: {description: x}}", "! POST /a: answer 204: is gone", "- POST /a: answer 200: is new"),
		body("responses: {200: {description: x, headers: {X-Next: {schema: {type: string}}}}}", "responses: {200: {description: x}}", "! POST /a: answer 200 header X-Next: is gone"),

		server("server gone", "servers: [{url: https://a/v1}, {url: https://b/v1}]", "servers: [{url: https://b/v1}]", "! server https://a/v1: is gone"),
		server("base path", "servers: [{url: /v1}]", "servers: [{url: /v2}]", "! server /v1: is gone", "- server /v2: is new"),
		server("server new", "servers: [{url: /v1}]", "servers: [{url: /v2}, {url: /v1}]", "- server /v2: is new"),
		server("variable", "servers: [{url: 'https://a/{v}', variables: {v: {default: v1}}}]", "servers: [{url: 'https://a/{v}', variables: {v: {default: v2}}}]", "! server https://a/v1: is gone", "- server https://a/v2: is new"),
		{
			"name within a path", "paths: {'/a/{id}/{to}': {get: {parameters: [{name: id, in: path, required: true, schema: {type: string}}, {name: to, in: path, required: true, schema: {type: string}}], responses: {}}}}",
			"paths: {'/a/{pet}/{to}': {get: {parameters: [{name: to, in: path, required: true, schema: {type: string}}, {name: pet, in: path, required: true, schema: {type: integer}}], responses: {}}}}",
			[]string{"! GET /a/{id}/{to}: path id: was string and is integer", "- GET /a/{id}/{to}: its path was /a/{id}/{to} and is /a/{pet}/{to}"},
		},
		{ // the API asks: what it gives may have more, and what it is given back must not lack what it had
			"webhook", "webhooks: {new: {post: {requestBody: {required: true, content: {a/b: {schema: {type: object, required: [x], properties: {x: {type: string}}}}}}, responses: {200: {content: {a/b: {schema: {type: object, properties: {y: {type: string}}}}}}}}}}",
			"webhooks: {new: {post: {requestBody: {required: true, content: {a/b: {schema: {type: object, required: [z], properties: {x: {type: string}, z: {type: string}}}}}}, responses: {200: {content: {a/b: {schema: {type: object, required: [y], properties: {y: {type: string}}}}}}}}}}",
			[]string{"! webhook POST new: answer 200 a/b: y: must be there", "! webhook POST new: body a/b: x: may be absent", "- webhook POST new: body a/b: z: is new"},
		},
	})
	get := func(schema string) string {
		return "paths: {/a: {get: {responses: {200: {content: {a/b: {schema: " + schema + "}}}}}, post: {requestBody: {content: {a/b: {schema: {$ref: '#/components/schemas/In'}}}}, responses: {}}}}\ncomponents: {schemas: {In: {type: string}, "
	}
	pet := func(name, owner string) string {
		return name + ": {type: object, required: [id], properties: {id: {type: string}, owner: {$ref: '#/components/schemas/" + owner + "'}}}, " + owner + ": {type: object, properties: {pets: {type: array, items: {$ref: '#/components/schemas/" + name + "'}}}}"
	}
	compareEach(t, "openapi", "openapi: 3.0.3\nPART}}\n", []comparing{
		{"types by other names", get("{$ref: '#/components/schemas/Pet'}") + pet("Pet", "Owner"), get("{$ref: '#/components/schemas/Animal'}") + pet("Animal", "Person"), []string{
			"- Animal: is new", "- Owner: is gone", "- Person: is new", "- Pet: is gone",
		}},
		{"types by other names with other fields", get("{$ref: '#/components/schemas/Pet'}") + "Pet: {type: object, properties: {id: {type: string}}}",
			get("{$ref: '#/components/schemas/Animal'}") + "Animal: {type: object, properties: {name: {type: string}}}", []string{
				"! GET /a: answer 200 a/b: id: is gone", "- Animal: is new", "- GET /a: answer 200 a/b: name: is new", "- Pet: is gone",
			}},
		{"type with a name", get("{type: array, items: {type: object, properties: {id: {type: string, maxLength: 3}}}}") + "Pet: {}", get("{type: array, items: {$ref: '#/components/schemas/Pet'}}") + "Pet: {type: object, properties: {id: {type: string, maxLength: 4}}}", []string{
			`! GET /a: answer 200 a/b: id: its limits were "length at most 3" and are "length at most 4"`, `! Pet: was any and is object`,
		}},
		{"a part dropped", get("{$ref: '#/components/schemas/Cat'}") + "Pet: {type: object, properties: {id: {type: string}}}, Cat: {allOf: [{$ref: '#/components/schemas/Pet'}, {type: object, properties: {claws: {type: integer}}}]}",
			get("{$ref: '#/components/schemas/Cat'}") + "Pet: {type: object, properties: {id: {type: string}}}, Cat: {type: object, properties: {claws: {type: integer}}}", []string{"! Cat: id: is gone"}},
		{"a part written out", get("{$ref: '#/components/schemas/Cat'}") + "Pet: {type: object, properties: {id: {type: string}}}, Cat: {allOf: [{$ref: '#/components/schemas/Pet'}, {type: object, properties: {claws: {type: integer}}}]}",
			get("{$ref: '#/components/schemas/Cat'}") + "Pet: {type: object, properties: {id: {type: string}}}, Cat: {type: object, properties: {claws: {type: integer}, id: {type: string}}}", nil},
		{"one more alternative", get("{oneOf: [{$ref: '#/components/schemas/A'}]}") + "A: {type: object}, B: {type: object}", get("{oneOf: [{$ref: '#/components/schemas/A'}, {$ref: '#/components/schemas/B'}]}") + "A: {type: object}, B: {type: object}", []string{
			"! GET /a: answer 200 a/b: was A and is A | B",
		}},
		{"alternatives with a name", get("{oneOf: [{$ref: '#/components/schemas/A'}, {$ref: '#/components/schemas/B'}]}") + "A: {type: object}, B: {type: object}, C: {type: object}",
			get("{$ref: '#/components/schemas/C'}") + "A: {type: object}, B: {type: object}, C: {oneOf: [{$ref: '#/components/schemas/B'}, {$ref: '#/components/schemas/A'}]}", []string{"! C: was object and is B | A"}},
		{"values one by one", get("{oneOf: [{const: a}, {const: b}]}") + "A: {}", get("{oneOf: [{const: a}, {const: c}]}") + "A: {}", []string{
			"! GET /a: answer 200 a/b: the value c is new", "- GET /a: answer 200 a/b: the value b is gone",
		}},
		{"newly given", get("{$ref: '#/components/schemas/A'}") + "A: {type: object, properties: {x: {type: string}}}",
			strings.Replace(get("{$ref: '#/components/schemas/A'}"), "/a: {", "/a: {put: {requestBody: {content: {a/b: {schema: {$ref: '#/components/schemas/A'}}}}, responses: {}}, ", 1) + "A: {type: object, required: [x], properties: {x: {type: string}}}", []string{
				"- A: x: must be there", "- PUT /a: is new",
			}},
	})
	old := "swagger: '2.0'\nhost: a\nbasePath: /v1\nschemes: [https]\nconsumes: [text/plain]\nsecurityDefinitions: {o: {type: oauth2, flow: application, tokenUrl: 'https://a/t'}}\nsecurity: [{o: [r]}]\n" +
		"paths: {/a: {post: {parameters: [{name: b, in: body, required: true, schema: {type: string}}], responses: {200: {description: x, schema: {type: string}}}}}}\n"
	new := "openapi: 3.0.0\nservers: [{url: https://a/v1}]\ncomponents: {securitySchemes: {auth: {type: oauth2, flows: {clientCredentials: {tokenUrl: 'https://a/t'}}}}}\nsecurity: [{auth: [r]}]\n" +
		"paths: {/a: {post: {requestBody: {required: true, content: {text/plain: {schema: {type: string}}}}, responses: {200: {description: x, content: {application/json: {schema: {type: string}}}}}}}}\n"
	if got := compared(t, "openapi", old, new); got != nil {
		t.Errorf("the same in version 3: %q", got)
	}
	if got := compared(t, "openapi", old, strings.NewReplacer("basePath: /v1", "basePath: /v2", "text/plain", "a/b").Replace(old)); !slices.Equal(got, []string{
		"! POST /a: body text/plain: is gone", "! server https://a/v1: is gone", "- POST /a: body a/b: is new", "- server https://a/v2: is new",
	}) {
		t.Errorf("version 2: %q", got)
	}
}

// TestCompareAsyncAPI tells what breaks who publishes and who subscribes.
func TestCompareAsyncAPI(t *testing.T) {
	t.Parallel()
	two := func(verb, message string) string { return "channels: {c: {" + verb + ": {message: " + message + "}}}" }
	message := func(s string) string { return "{name: m, payload: {type: object, " + s + "}}" }
	const a, ab, needsA = "properties: {a: {type: string}}", "properties: {a: {type: string}, b: {type: string}}", "required: [a], properties: {a: {type: string}}"
	payload := func(verb, before, after string, want ...string) comparing {
		return comparing{verb + " " + before + " to " + after, two(verb, message(before)), two(verb, message(after)), want}
	}
	compareEach(t, "asyncapi", "asyncapi: 2.6.0\ninfo: {title: T, version: '1'}\nPART", []comparing{
		payload("publish", a, ab, "- publish c: m: b: is new"),
		payload("publish", a, needsA, "! publish c: m: a: must be there"),
		payload("publish", needsA, a, "- publish c: m: a: may be absent"),
		payload("subscribe", a, needsA, "- subscribe c: m: a: must be there"),
		payload("subscribe", needsA, a, "! subscribe c: m: a: may be absent"),
		payload("subscribe", ab, a, "! subscribe c: m: b: is gone"),
		{"channel", two("publish", message(a)), "channels: {d: {publish: {message: " + message(a) + "}}}", []string{"! publish c: is gone", "- publish d: is new"}},
		{"direction", two("publish", message(a)), two("subscribe", message(a)), []string{"! publish c: is gone", "- subscribe c: is new"}},
		{"one more to publish", two("publish", "{oneOf: [{name: m}]}"), two("publish", "{oneOf: [{name: m}, {name: n}]}"), []string{"- publish c: n: is new"}},
		{"one more to get", two("subscribe", "{oneOf: [{name: m}]}"), two("subscribe", "{oneOf: [{name: m}, {name: n}]}"), []string{"! subscribe c: n: is new, and may come"}},
		{"one less", two("publish", "{oneOf: [{name: m}, {name: n}]}"), two("publish", "{oneOf: [{name: m}]}"), []string{"! publish c: n: is gone"}},
		{"headers", two("publish", "{name: m, contentType: a/b, headers: {type: object, properties: {x: {type: string}}}}"), two("publish", "{name: m, contentType: a/c, headers: {type: object, required: [y], properties: {y: {type: string}}}}"), []string{
			"! publish c: m: header contentType: was a/b and is a/c", "! publish c: m: header headers: must be there", "! publish c: m: header headers: x: is gone", "! publish c: m: header headers: y: is new, and must be given",
		}},
		{"name within an address", "channels: {'c/{x}': {parameters: {x: {schema: {type: string, enum: [a, b]}}}, subscribe: {message: {name: m}}}}", "channels: {'c/{y}': {parameters: {y: {schema: {type: string, enum: [a]}}}, subscribe: {message: {name: m}}}}", []string{
			"! subscribe c/{x}: path x: the value b is gone", "- subscribe c/{x}: its path was c/{x} and is c/{y}",
		}},
		{"authentication", "servers: {s: {url: u, protocol: kafka}}\n" + two("publish", message(a)), "servers: {s: {url: u, protocol: kafka, security: [{p: []}]}}\ncomponents: {securitySchemes: {p: {type: scramSha256}}}\n" + two("publish", message(a)), []string{
			"! publish c: authentication: was none and is scramSha256",
		}},
	})
	three := func(action, payload, more string) string {
		return "channels: {c: {address: c, messages: {m: {payload: {type: object, " + payload + "}}}}, d: {address: d, messages: {m: {payload: {type: object, " + payload + "}}, n: {payload: {type: object, properties: {x: {type: string}}}}}}}\n" +
			"operations: {do: {action: " + action + ", " + more + "}}\ncomponents: {securitySchemes: {p: {type: plain}}}\n"
	}
	const c, d = "channel: {$ref: '#/channels/c'}", "channel: {$ref: '#/channels/d'}, messages: [{$ref: '#/channels/d/messages/m'}]"
	const reply = c + ", reply: {messages: [{$ref: '#/channels/d/messages/n'}]}"
	compareEach(t, "asyncapi", "asyncapi: 3.0.0\ninfo: {title: T, version: '1'}\nPART", []comparing{
		{"receive", three("receive", a, c), three("receive", needsA, c), []string{"! do: m: a: must be there"}},
		{"send", three("send", a, c), three("send", needsA, c), []string{"- do: m: a: must be there"}},
		{"send less", three("send", needsA, c), three("send", a, c), []string{"! do: m: a: may be absent"}},
		{"direction", three("send", a, c), three("receive", a, c), []string{"! do: was of the kind send and is of the kind receive"}},
		{"address", three("send", a, c), three("send", a, d), []string{"! do: its path was c and is d"}},
		{"operation", three("send", a, c), strings.Replace(three("send", a, c), "do:", "done:", 1), []string{"! do: is gone", "- done: is new"}},
		{"reply to who asks", three("receive", a, reply), strings.Replace(three("receive", a, reply), "{x: {type: string}}", "{x: {type: integer}}", 1), []string{"! do: n: x: was string and is integer"}},
		{"reply that lacks", strings.Replace(three("receive", a, reply), "properties: {x", "required: [x], properties: {x", 1), three("receive", a, reply), []string{"! do: n: x: may be absent"}},
		{"reply of who is asked", three("send", a, reply), strings.Replace(three("send", a, reply), "properties: {x", "required: [x], properties: {x", 1), []string{"! do: n: x: must be there"}},
		{"authentication", three("send", a, c), three("send", a, c+", security: [{$ref: '#/components/securitySchemes/p'}]"), []string{"! do: authentication: was none and is plain"}},
	})
}
