package definition

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxTokens bounds a schema, and so how deep it can be.
const maxTokens = 200_000

func parseGraphQL(text string) (Definition, error) {
	d := Definition{Format: GraphQL}
	schema, err := parser.ParseSchemaWithLimit(&ast.Source{Name: "definition", Input: text}, maxTokens)
	if err != nil {
		return d, fault.Errorf(fault.Invalid, "it is no schema of GraphQL: %w", err)
	}
	g := graphQL{bounds{d: &d}, map[string]*ast.Definition{}}
	for _, def := range schema.Definitions {
		g.all[def.Name] = def
	}
	for _, more := range schema.Extensions {
		if def := g.all[more.Name]; def != nil {
			def.Fields = append(def.Fields, more.Fields...)
			def.EnumValues = append(def.EnumValues, more.EnumValues...)
			def.Types = append(def.Types, more.Types...)
			def.Interfaces = append(def.Interfaces, more.Interfaces...)
		} else {
			g.all[more.Name] = more // of a part of a graph whose rest is elsewhere
			schema.Definitions = append(schema.Definitions, more)
		}
	}
	roots := map[string]string{"Query": "query", "Mutation": "mutation", "Subscription": "subscription"}
	if len(schema.Schema) > 0 {
		clear(roots)
	}
	for _, s := range append(schema.Schema, schema.SchemaExtension...) {
		if s.Description != "" {
			d.Description = s.Description
		}
		for _, o := range s.OperationTypes {
			roots[o.Type] = string(o.Operation)
		}
	}
	for _, def := range schema.Definitions {
		if verb := roots[def.Name]; verb != "" && def.Kind == ast.Object {
			for _, f := range def.Fields {
				g.call(verb, f)
			}
			continue
		}
		g.definition(def)
	}
	for _, directive := range schema.Directives {
		g.directive(directive)
	}
	return d, nil
}

type graphQL struct {
	bounds
	all map[string]*ast.Definition
}

// call reads a field of a root, whose own name no query says.
func (g *graphQL) call(verb string, f *ast.FieldDefinition) {
	root := strings.ToUpper(verb[:1]) + verb[1:]
	if strings.HasPrefix(f.Name, "__") {
		return
	}
	answer := g.typed(f.Type)
	answer.Name, answer.In = "result", "result"
	g.operation(Operation{
		ID: root + "." + f.Name, Group: root, Verb: verb, Name: f.Name, Description: f.Description, Deprecated: f.Directives.ForName("deprecated") != nil,
		Inputs: g.arguments(f.Arguments), Outputs: []Field{answer},
	})
}

func (g *graphQL) arguments(list ast.ArgumentDefinitionList) []Field {
	var fields []Field
	for _, a := range list {
		if !g.field() {
			break
		}
		f := g.typed(a.Type)
		f.Name, f.In, f.Description, f.Deprecated = a.Name, "argument", a.Description, a.Directives.ForName("deprecated") != nil
		withDefault(&f, a.DefaultValue)
		fields = append(fields, f)
	}
	return fields
}

// withDefault notes that something need not be given; it still may not be null when its type says so.
func withDefault(f *Field, value *ast.Value) {
	if value == nil {
		return
	}
	if f.Required {
		f.Type += "!"
	}
	f.Default, f.Required = value.String(), false
}

// typed gives a type without the sign that it is never null, which makes a field required.
func (g *graphQL) typed(t *ast.Type) Field {
	if t == nil {
		return Field{Type: "any"}
	}
	f := Field{Type: strings.TrimSuffix(t.String(), "!"), Required: t.NonNull, shape: shapeOf(t)}
	for t.Elem != nil {
		t = t.Elem
	}
	if g.all[t.NamedType] != nil {
		f.Refs = []string{t.NamedType}
	}
	return f
}

func shapeOf(t *ast.Type) []alternative {
	shape := []alternative{{refs: []string{t.NamedType}}}
	if t.Elem != nil {
		shape = []alternative{{name: "array", of: shapeOf(t.Elem)}}
	}
	if !t.NonNull {
		shape = orNull(shape)
	}
	return shape
}

// directive reads one that stands in queries; the places where it may are its values.
func (g *graphQL) directive(def *ast.DirectiveDefinition) {
	t := Type{Name: "@" + def.Name, Kind: "directive", Description: def.Description, Fields: g.arguments(def.Arguments)}
	for _, place := range def.Locations {
		switch place {
		case ast.LocationQuery, ast.LocationMutation, ast.LocationSubscription, ast.LocationField, ast.LocationFragmentDefinition,
			ast.LocationFragmentSpread, ast.LocationInlineFragment, ast.LocationVariableDefinition:
			t.Values = append(t.Values, string(place))
		}
	}
	if len(t.Values) > 0 {
		g.named(t)
	}
}

func (g *graphQL) definition(def *ast.Definition) {
	t := Type{Name: def.Name, Description: def.Description, Kind: strings.ToLower(string(def.Kind)), Implements: def.Interfaces}
	if def.Kind == ast.InputObject {
		t.Kind = "input"
	}
	for _, v := range def.EnumValues {
		t.Values = append(t.Values, v.Name)
	}
	if def.Kind == ast.Union {
		t.Type, t.Refs, t.Values = strings.Join(def.Types, " | "), def.Types, def.Types
	}
	for _, f := range def.Fields {
		if !g.field() {
			break
		}
		field := g.typed(f.Type)
		field.Name, field.Description, field.Deprecated = f.Name, f.Description, f.Directives.ForName("deprecated") != nil
		field.Fields = g.arguments(f.Arguments)
		withDefault(&field, f.DefaultValue)
		t.Fields = append(t.Fields, field)
	}
	g.named(t)
}
