package catalog

import (
	"fmt"
	"path"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// field is one field of spec that names other entities.
type field struct {
	name     string
	relation string
	kind     string // of a reference that names none
	many     bool
}

// shape is what the catalog knows of one of Backstage's kinds.
type shape struct {
	name, plural, description string
	required                  []string // fields of spec that are text
	fields                    []field
}

// Kinds gives Backstage's kinds that belong to no other room. New registers them.
func Kinds() []document.Kind {
	// The field of spec, its relation, and the kind of a reference that names none.
	owner := field{"owner", "ownedBy", "group", false}
	system := field{"system", "partOf", "system", false}
	domain := field{"domain", "partOf", "domain", false}
	subcomponentOf := field{"subcomponentOf", "partOf", "component", false}
	subdomainOf := field{"subdomainOf", "partOf", "domain", false}
	providesApis := field{"providesApis", "providesApi", "api", true}
	consumesApis := field{"consumesApis", "consumesApi", "api", true}
	dependsOn := field{"dependsOn", "dependsOn", "", true}
	dependencyOf := field{"dependencyOf", "dependencyOf", "", true}
	shapes := []shape{
		{"Component", "components", "A piece of software: a service, a website, a library.",
			[]string{"type", "lifecycle", "owner"}, []field{owner, system, subcomponentOf, providesApis, consumesApis, dependsOn, dependencyOf}},
		{"API", "apis", "An interface that components provide and consume.",
			[]string{"type", "lifecycle", "owner"}, []field{owner, system}},
		{"Resource", "resources", "Infrastructure that software needs, such as a database.",
			[]string{"type", "owner"}, []field{owner, system, dependsOn, dependencyOf}},
		{"System", "systems", "Components, APIs and resources that belong together.",
			[]string{"owner"}, []field{owner, domain}},
		{"Domain", "domains", "Systems that serve one part of the business.",
			[]string{"owner"}, []field{owner, subdomainOf}},
		{"AiResource", "airesources", "Something that AI agents use, such as a skill.",
			[]string{"type", "owner"}, []field{owner, system, dependsOn, dependencyOf}},
	}
	kinds := make([]document.Kind, 0, len(shapes)+1)
	for _, s := range shapes {
		kinds = append(kinds, document.Kind{
			APIVersions: []string{"backstage.io/v1alpha1", "backstage.io/v1beta1"}, Name: s.name, Plural: s.plural, Description: s.description,
			Validate: s.validate, Relations: s.relations,
		})
	}
	return append(kinds, document.Kind{
		APIVersions: []string{"backstage.io/v1alpha1", "backstage.io/v1beta1"}, Name: "Location", Plural: "locations",
		Description: "Names other files of entities: paths and patterns relative to itself, or files of hosted repositories.",
		Validate:    validateLocation,
	})
}

func (s shape) validate(d document.Document) []fault.Detail {
	var wrong []fault.Detail
	for _, name := range s.required {
		if text, ok := d.Spec[name].(string); !ok || strings.TrimSpace(text) == "" {
			wrong = append(wrong, d.At(fmt.Sprintf("a %s needs spec.%s, as text", d.Kind, name), "", "spec", name))
		}
	}
	if s.name == "API" {
		wrong = append(wrong, validateDefinition(d)...)
	}
	for _, f := range s.fields {
		_, bad := f.targets(d)
		wrong = append(wrong, bad...)
	}
	return wrong
}

// validateDefinition: Backstage wants a definition, save for MCP servers, which have remotes instead.
func validateDefinition(d document.Document) []fault.Detail {
	if kind, _ := d.Spec["type"].(string); kind == "mcp-server" {
		if remotes, ok := d.Spec["remotes"].([]any); !ok || len(remotes) == 0 {
			return []fault.Detail{d.At("an API of type mcp-server needs spec.remotes, a list", "", "spec", "remotes")}
		}
		return nil
	}
	switch v := d.Spec["definition"].(type) {
	case string:
		if v != "" {
			return nil
		}
	case map[string]any: // a placeholder such as $text, in an apply
		if _, is := placeholder(v); is {
			return nil
		}
	}
	return []fault.Detail{d.At("an API needs spec.definition, as text", "write it, or $text with the path of a file", "spec", "definition")}
}

func (s shape) relations(d document.Document) []document.Relation {
	var all []document.Relation
	for _, f := range s.fields {
		targets, _ := f.targets(d)
		for _, target := range targets {
			all = append(all, document.Relation{Type: f.relation, Target: target})
		}
	}
	return all
}

// targets reads the references of a field; what is wrong comes back with its line.
func (f field) targets(d document.Document) ([]ref.Entity, []fault.Detail) {
	var texts []any
	switch v := d.Spec[f.name].(type) {
	case nil:
		return nil, nil
	case string:
		if f.many {
			return nil, []fault.Detail{d.At("must be a list", "start each item with a dash", "spec", f.name)}
		}
		texts = []any{v}
	case []any: // for system and domain too: real catalogs have lists there
		texts = v
	default:
		return nil, []fault.Detail{d.At("must be text", "write kind:namespace/name", "spec", f.name)}
	}
	var targets []ref.Entity
	var wrong []fault.Detail
	for i, item := range texts {
		at := []string{"spec", f.name, fmt.Sprint(i)}
		text, ok := item.(string)
		switch {
		case !ok:
			wrong = append(wrong, d.At("must be text", "write kind:namespace/name", at...))
		case f.kind == "" && !strings.Contains(text, ":"):
			wrong = append(wrong, d.At(fmt.Sprintf("%q does not say of which kind it is", text), "write kind:namespace/name, such as component:default/shop", at...))
		default:
			// As in Backstage, a text that can't name an entity, such as a mail address, is kept and relates to nothing.
			if target, err := ref.Parse(text, f.kind, d.Ref().Namespace); err == nil {
				targets = append(targets, target)
			}
		}
	}
	return targets, wrong
}

type locationSpec struct {
	Type     string   `json:"type"`
	Target   string   `json:"target"`
	Targets  []string `json:"targets"`
	Presence string   `json:"presence"`
}

const maxTargets = 500

func validateLocation(d document.Document) []fault.Detail {
	var spec locationSpec
	if err := document.DecodeLoose(d, &spec); err != nil {
		return fault.Details(err)
	}
	if len(spec.Targets) > maxTargets {
		return []fault.Detail{d.At(fmt.Sprintf("at most %d targets are taken", maxTargets), "name a Location that names others, or use patterns", "spec", "targets")}
	}
	return nil
}

// targetsOf gives the targets of a Location document, with the field of each for errors.
func targetsOf(d document.Document) (targets []string, fields [][]string) {
	var spec locationSpec
	if document.DecodeLoose(d, &spec) != nil {
		return nil, nil
	}
	if spec.Target != "" {
		targets, fields = append(targets, spec.Target), append(fields, []string{"spec", "target"})
	}
	for i, target := range spec.Targets {
		targets, fields = append(targets, target), append(fields, []string{"spec", "targets", fmt.Sprint(i)})
	}
	return targets, fields
}

// relativeTarget gives the path or pattern in the repository that a target of a Location in file names; ok is false
// for one that leaves the repository.
func relativeTarget(file, target string) (pattern string, ok bool) {
	if path.IsAbs(target) {
		pattern = path.Clean(target)[1:]
	} else {
		pattern = path.Join(path.Dir(file), target)
	}
	return pattern, pattern != "" && pattern != "." && pattern != ".." && !strings.HasPrefix(pattern, "../")
}
