package definition

import (
	"fmt"
	"strings"
	"testing"
)

// TestLimits tells for two schemas of one value whether the change breaks those who give it, and those who get it.
func TestLimits(t *testing.T) {
	t.Parallel()
	const head = "openapi: 3.1.0\npaths: {/a: {%s}}\ncomponents: {schemas: {S: {type: string, %s}}}\n"
	for _, c := range []struct {
		before, after string
		given, got    bool
	}{
		{"type: integer, maximum: 100", "type: integer, maximum: 50", true, false},
		{"type: integer, maximum: 50", "type: integer, maximum: 100", false, true},
		{"type: integer", "type: integer, maximum: 50", true, false},
		{"type: integer, maximum: 50", "type: integer", false, true},
		{"type: integer, maximum: 9", "type: integer, maximum: 10", false, true},
		{"type: integer, maximum: 10", "type: integer, exclusiveMaximum: 10", true, false},
		{"type: integer, maximum: 10, exclusiveMaximum: true", "type: integer, exclusiveMaximum: 10", false, false},
		{"type: integer, maximum: 10", "type: integer, maximum: 10, exclusiveMaximum: true", true, false},
		{"type: integer, minimum: -5", "type: integer, minimum: 0", true, false},
		{"type: integer, minimum: 1, maximum: 5", "type: integer, minimum: 0, maximum: 4", true, true},
		{"type: integer, multipleOf: 10", "type: integer, multipleOf: 5", false, false},
		{"type: integer, multipleOf: 5", "type: integer, multipleOf: 10", true, false},
		{"type: string, maxLength: 50", "type: string, maxLength: 20", true, false},
		{"type: string", "type: string, minLength: 1", true, false},
		{"type: string", "type: string, minLength: 0", false, false},
		{"type: string, minLength: 1", "type: string", false, true},
		{"type: string", "type: string, pattern: '^a'", true, false},
		{"type: string, pattern: '^a'", "type: string, pattern: '^b'", true, false},
		{"type: string, pattern: '^a'", "type: string", false, false},
		{"type: string, enum: [a, b]", "type: string, enum: [a]", true, false},
		{"type: string, enum: [a]", "type: string, enum: [a, b]", false, true},
		{"type: string", "type: string, enum: [a]", true, false},
		{"type: string, enum: [a]", "type: string", false, true},
		{"type: integer", "type: number", false, true},
		{"type: number", "type: integer", true, false},
		{"type: integer, format: int32", "type: integer, format: int64", false, true},
		{"type: integer, format: int64", "type: integer, format: int32", true, false},
		{"type: string", "type: string, format: uuid", true, false},
		{"type: string, format: uuid", "type: string", false, true},
		{"type: string, format: date", "type: string, format: date-time", true, true},
		{"type: string", "type: integer", true, true},
		{"type: string", "type: [string, 'null']", false, true},
		{"type: string, nullable: true", "type: string", true, false},
		{"type: string, nullable: true", "type: [string, 'null']", false, false},
		{"type: array, items: {type: string}", "type: array, items: {type: [string, 'null']}", false, true},
		{"oneOf: [{type: string}, {type: integer}]", "anyOf: [{type: integer}, {type: string}]", false, false},
		{"oneOf: [{type: string}]", "oneOf: [{type: string}, {type: integer}]", false, true},
		{"type: string", "type: [string, integer]", false, true},
		{"{}", "type: string", true, false},
		{"type: object", "type: object, additionalProperties: {type: string}", true, false},
		{"type: object, properties: {a: {type: string}}, additionalProperties: false", "type: object, properties: {a: {type: string}}", false, false},
		{"type: object, properties: {a: {type: string}}", "type: object, properties: {a: {type: string}, b: {type: string}}", false, false},
		{"type: object, properties: {a: {type: string}}", "type: object, required: [a], properties: {a: {type: string}}", true, false},
		{"type: object, required: [a], properties: {a: {type: string}}", "type: object, properties: {a: {type: string}}", false, true},
		{"type: object, properties: {a: {type: string}}", "type: object, required: [b], properties: {a: {type: string}, b: {type: string}}", true, false},
		{"type: object, properties: {a: {type: string}}", "type: object, required: [b], properties: {a: {type: string}, b: {type: string, readOnly: true}}", false, false},
		{"type: object, required: [a], properties: {a: {type: string, writeOnly: true}}", "type: object, properties: {a: {type: string, writeOnly: true}}", false, false},
		{"type: object, properties: {a: {type: string}, b: {type: string}}", "type: object, properties: {a: {type: string}}", true, true},
		{"type: object, properties: {a: {type: string, nullable: true}}", "type: object, properties: {a: {type: string}}", true, false},
		{"$ref: '#/components/schemas/S'", "type: string", false, false},
		{"allOf: [{$ref: '#/components/schemas/S'}]", "$ref: '#/components/schemas/S'", false, false},
		{"allOf: [{$ref: '#/components/schemas/S'}, {maxLength: 7}]", "type: string, maxLength: 7", false, false},
		{"type: array, items: {type: string}", "type: array, items: {$ref: '#/components/schemas/S'}", false, false},
		{"type: integer", "$ref: '#/components/schemas/S'", true, true},
		{"type: array, items: {type: string}", "type: array, items: {type: string}, maxItems: 3", true, false},
		{"type: array, items: {type: string}", "type: array, items: {type: string}, uniqueItems: true", true, false},
		{"type: array, items: {type: string, maxLength: 9}", "type: array, items: {type: string, maxLength: 8}", true, false},
		{"type: object, additionalProperties: {type: string}", "type: object, additionalProperties: {type: string, maxLength: 8}", true, false},
		{"type: object, properties: {a: {type: string}}", "type: object, properties: {a: {type: string}}, additionalProperties: false", true, false},
		{"type: object, properties: {a: {type: string, maxLength: 3}}", "type: object, properties: {a: {type: string, maxLength: 2}}", true, false},
		{"allOf: [{type: string, maxLength: 3}]", "allOf: [{type: string, maxLength: 2}]", true, false},
		{"$ref: '#/components/schemas/S'", "$ref: '#/components/schemas/S' # maxLength: 5", true, false},
	} {
		for use, want := range map[string]bool{
			"get: {parameters: [{name: q, in: query, schema: {%s\n}}], responses: {}}":                             c.given,
			"post: {requestBody: {content: {application/json: {schema: {%s\n}}}}, responses: {}}":                  c.given,
			"get: {responses: {200: {description: x, content: {application/json: {schema: {%s\n}}}}}}":             c.got,
			"get: {responses: {default: {description: x, content: {application/json: {schema: {%s\n}}}}}, x-a: 1}": c.got,
		} {
			parse := func(schema, s string) Definition {
				d, err := Parse("openapi", fmt.Sprintf(head, fmt.Sprintf(use, strings.TrimPrefix(schema, "{}")), s))
				if err != nil || len(d.Problems) > 0 {
					t.Fatalf("%s: %v, %v", schema, d.Problems, err)
				}
				return d
			}
			named := ""
			if strings.Contains(c.after, "# maxLength") {
				named = "maxLength: 5"
			}
			changes, _ := Compare(parse(c.before, ""), parse(c.after, named))
			breaks := false
			for _, change := range changes {
				breaks = breaks || change.Breaking
			}
			if breaks != want {
				t.Errorf("from {%s} to {%s} in %.40s: %+v; breaks: want %v", c.before, c.after, use, changes, want)
			}
		}
	}
}
