package scaffold

import (
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/core/document"
)

// orderKey is where rjsf, and so Backstage's form, reads the order of an object's fields.
const orderKey = "ui:order"

// keepOrder writes the order of the form's fields into the template, since storage sorts the keys of mappings. An order
// that the author gave stays.
func keepOrder(d document.Document) document.Document {
	if _, there := d.Spec["parameters"]; !there {
		return d
	}
	d = d.Clone()
	o := orderer{document: d}
	parameters := d.Spec["parameters"]
	if pages, ok := parameters.([]any); ok {
		for i, page := range pages {
			o.schema(page, "spec", "parameters", strconv.Itoa(i))
		}
		return d
	}
	o.schema(parameters, "spec", "parameters")
	return d
}

type orderer struct {
	document document.Document
}

// schema orders the fields of one schema and of those inside it.
func (o orderer) schema(value any, path ...string) {
	schema, ok := value.(map[string]any)
	if !ok || len(path) > maxSchemaDepth {
		return
	}
	below := func(steps ...string) []string { return append(path[:len(path):len(path)], steps...) }
	properties, _ := schema["properties"].(map[string]any)
	for name, property := range properties {
		o.schema(property, below("properties", name)...)
	}
	_, given := schema[orderKey]
	if written := o.document.Keys(below("properties")...); len(written) > 1 && !given {
		order := make([]any, 0, len(written)+1)
		for _, name := range written {
			order = append(order, name)
		}
		schema[orderKey] = append(order, "*") // fields that dependencies bring in come last
	}
	for _, key := range []string{"items", "if", "then", "else", "not", "additionalProperties"} {
		o.schema(schema[key], below(key)...)
	}
	for _, key := range []string{"oneOf", "anyOf", "allOf", "items"} {
		list, _ := schema[key].([]any)
		for i, item := range list {
			o.schema(item, below(key, strconv.Itoa(i))...)
		}
	}
	for _, key := range []string{"dependencies", "dependentSchemas", "definitions", "$defs"} {
		named, _ := schema[key].(map[string]any)
		for name, item := range named {
			o.schema(item, below(key, name)...)
		}
	}
}

// maxSchemaDepth bounds how deep schemas are looked into, as steps of a path.
const maxSchemaDepth = 100
