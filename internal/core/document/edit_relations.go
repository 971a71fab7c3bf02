package document

import (
	"maps"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// RelationField is a field of spec, in Backstage's kinds, that names other entities.
type RelationField struct {
	Name     string
	Kinds    []string // that have it
	List     bool
	Required bool // the kinds need it, be it empty
}

// RelationFields gives those that an edit sets by Relations: the owner and the system have fields of their own.
func RelationFields() []RelationField {
	return []RelationField{
		{Name: "subcomponentOf", Kinds: []string{"Component"}},
		{Name: "providesApis", Kinds: []string{"Component"}, List: true},
		{Name: "consumesApis", Kinds: []string{"Component"}, List: true},
		{Name: "dependsOn", Kinds: []string{"Component", "Resource", "AiResource"}, List: true},
		{Name: "dependencyOf", Kinds: []string{"Component", "Resource"}, List: true},
		{Name: "domain", Kinds: []string{"System"}},
		{Name: "subdomainOf", Kinds: []string{"Domain"}},
		{Name: "parent", Kinds: []string{"Group"}},
		{Name: "children", Kinds: []string{"Group"}, List: true, Required: true},
		{Name: "members", Kinds: []string{"Group"}, List: true},
		{Name: "memberOf", Kinds: []string{"User"}, List: true, Required: true},
		{Name: "skills", Kinds: []string{"AiResource"}, List: true, Required: true},
		{Name: "plugins", Kinds: []string{"AiResource"}, List: true, Required: true},
	}
}

// value gives what the field holds; nil takes it away.
func (f RelationField) value(names []string) any {
	switch {
	case len(names) == 0 && !f.Required:
		return nil
	case !f.List:
		return names[0]
	}
	list := make([]any, len(names))
	for i, name := range names {
		list[i] = name
	}
	return list
}

// checkRelations holds the names of relations to what a kind has; what they name is for the kind to check.
func (e Edit) checkRelations(kind string) error {
	for _, name := range slices.Sorted(maps.Keys(e.Relations)) {
		var has []string
		var f RelationField
		for _, known := range RelationFields() {
			if slices.Contains(known.Kinds, kind) {
				has = append(has, known.Name)
				if known.Name == name {
					f = known
				}
			}
		}
		switch {
		case len(has) == 0:
			return fault.Errorf(fault.Invalid, "%s has no relations that can be set by name; edit its document", one(kind))
		case f.Name == "":
			return fault.Errorf(fault.Invalid, "%s has no relation %.100q; it has %s", one(kind), name, strings.Join(has, ", "))
		case !f.List && len(e.Relations[name]) > 1:
			return fault.Errorf(fault.Invalid, "%s of %s names one entity, not %d", name, one(kind), len(e.Relations[name]))
		}
	}
	return nil
}
