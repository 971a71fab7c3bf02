package catalog

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// shape is what the catalog knows of one of Backstage's kinds.
type shape struct {
	name, plural, description string
	fields                    []document.Field
	byType                    map[string][]document.Field // of spec.type, in place of fields
	versions                  []string
}

// Kinds gives Backstage's kinds that belong to no other room. New registers them.
func Kinds() []document.Kind {
	kinds := make([]document.Kind, 0, 7)
	for _, s := range shapes() {
		if s.versions == nil {
			s.versions = []string{"backstage.io/v1alpha1", "backstage.io/v1beta1"}
		}
		kinds = append(kinds, document.Kind{
			APIVersions: s.versions, Name: s.name, Plural: s.plural, Description: s.description, Strict: true,
			Validate: s.validate, Relations: s.relations,
		})
	}
	return append(kinds, document.Kind{
		APIVersions: []string{"backstage.io/v1alpha1", "backstage.io/v1beta1"}, Name: locationKind, Plural: "locations", Strict: true,
		Description: "Names other files of entities: paths and patterns relative to itself, or files of other repositories.",
		Validate:    validateLocation,
	})
}

func shapes() []shape {
	type fields = []document.Field
	text := func(name string) document.Field {
		return document.Field{Name: name, Form: document.Text, Required: true}
	}
	names := func(name, relation, kind string) document.Field {
		return document.Field{Name: name, Form: document.Text, Relation: relation, Kind: kind}
	}
	list := func(name, relation, kind string) document.Field {
		return document.Field{Name: name, Form: document.Texts, Relation: relation, Kind: kind}
	}
	must := func(f document.Field) document.Field {
		f.Required = true
		return f
	}
	may := func(f document.Field) document.Field {
		f.Required = false
		return f
	}
	kind, lifecycle := text("type"), text("lifecycle")
	owner := must(names("owner", "ownedBy", "group"))
	system := names("system", "partOf", "system")
	dependsOn := list("dependsOn", "dependsOn", "")
	dependencyOf := document.Field{Name: "dependencyOf", Relation: "dependencyOf"} // Backstage's schema does not know it
	resource := fields{kind, lifecycle, owner, system}                             // of AI
	return []shape{
		{name: "Component", plural: "components", description: "A piece of software: a service, a website, a library.", fields: fields{
			kind, lifecycle, owner, system, names("subcomponentOf", "partOf", "component"),
			list("providesApis", "providesApi", "api"), list("consumesApis", "consumesApi", "api"), dependsOn, dependencyOf,
		}},
		{name: "API", plural: "apis", description: "An interface that components provide and consume.", fields: fields{kind, lifecycle, owner, system, text("definition")},
			byType: map[string][]document.Field{"mcp-server": {kind, lifecycle, owner, system, must(document.Field{
				Name: "remotes", Form: document.Mappings, Least: 1, Fields: fields{text("type"), text("url")},
			})}}},
		{name: "Resource", plural: "resources", description: "Infrastructure that software needs, such as a database.", fields: fields{
			kind, owner, system, dependsOn, dependencyOf,
		}},
		{name: "System", plural: "systems", description: "Components, APIs and resources that belong together.", fields: fields{
			owner, names("domain", "partOf", "domain"), may(kind),
		}},
		{name: "Domain", plural: "domains", description: "Systems that serve one part of the business.", fields: fields{
			owner, names("subdomainOf", "partOf", "domain"), may(kind),
		}},
		{name: "AiResource", plural: "airesources", description: "Something that AI agents use, such as a skill.", versions: []string{"backstage.io/v1alpha1"},
			fields: resource, byType: map[string][]document.Field{
				"skill": append(resource[:4:4], list("disciplines", "", ""), list("categories", "", ""), list("agents", "", ""), list("dependsOn", "dependsOn", "airesource"),
					may(text("allowedTools")), may(text("license")), document.Field{Name: "compatibility", Form: document.Text, Most: 500}),
				"rule":        append(resource[:4:4], list("disciplines", "", ""), text("category"), text("rationale")),
				"plugin":      append(resource[:4:4], must(list("skills", "hasPart", "airesource")), may(text("version"))),
				"marketplace": append(resource[:4:4], must(list("plugins", "hasPart", "airesource")), may(text("version"))),
			}},
	}
}

// of gives the fields that a document of the kind has.
func (s shape) of(d document.Document) []document.Field {
	if s.byType != nil {
		if name, ok := d.Spec["type"].(string); ok && s.byType[name] != nil {
			return s.byType[name]
		}
	}
	return s.fields
}

func (s shape) validate(d document.Document) []fault.Detail {
	wrong := document.CheckFields(d, s.of(d))
	if s.name != "API" || len(wrong) == 0 {
		return wrong
	}
	// A placeholder such as $text stays where somebody applies it.
	if _, _, is := document.Placeholder(d.Spec["definition"]); is {
		wrong = slices.DeleteFunc(wrong, func(w fault.Detail) bool { return w.Field == "spec.definition" })
	}
	for i := range wrong {
		if wrong[i].Field == "spec.definition" {
			wrong[i].Hint = "write it, or $text with the path of a file"
		}
	}
	return wrong
}

func (s shape) relations(d document.Document) []document.Relation {
	return document.Related(d, s.of(d))
}

const maxTargets = 500

func locationFields() []document.Field {
	return []document.Field{
		{Name: "type", Form: document.Text},
		{Name: "target", Form: document.Text},
		{Name: "targets", Form: document.Texts, Most: maxTargets},
		{Name: "presence", Form: document.Text, Values: []string{"required", "optional"}},
	}
}

func validateLocation(d document.Document) []fault.Detail {
	return document.CheckFields(d, locationFields())
}

// targetsOf gives the targets of a Location document, with the field of each for errors.
func targetsOf(d document.Document) (targets []string, fields [][]string) {
	if target, ok := d.Spec["target"].(string); ok && target != "" {
		targets, fields = append(targets, target), append(fields, []string{"spec", "target"})
	}
	list, _ := d.Spec["targets"].([]any)
	for i, item := range list {
		if target, ok := item.(string); ok {
			targets, fields = append(targets, target), append(fields, []string{"spec", "targets", fmt.Sprint(i)})
		}
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
