package workflow

import (
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// AnnotationOwner names who owns a WorkflowTemplate, since Argo's document has no field for it.
const AnnotationOwner = "roadbed.dev/owner"

// Kinds gives the documents that this room keeps in the catalog. Workflows themselves are runs, not documents.
func Kinds(s *Service) []document.Kind {
	return []document.Kind{{
		APIVersions: []string{APIVersion}, Name: KindWorkflowTemplate, Plural: "workflowtemplates",
		Description: "A workflow to submit, or templates for others to use: DAGs and steps of commands.",
		Validate: func(d document.Document) []fault.Detail {
			_, wrong := s.check(d, func(string) (*Spec, bool) { return nil, false }, nil)
			return wrong
		},
		Relations: relations, Changed: s.documentChanged,
	}}
}

// relations says who owns a template and which others it uses.
func relations(d document.Document) []document.Relation {
	def, wrong := read(d)
	if len(wrong) > 0 {
		return nil
	}
	var out []document.Relation
	if owner, err := ref.Parse(d.Metadata.Annotations[AnnotationOwner], "group", d.Ref().Namespace); err == nil {
		out = append(out, document.Relation{Type: "ownedBy", Target: owner})
	}
	for _, name := range referenced(&def.spec) {
		if target, err := templateEntity(name); err == nil {
			out = append(out, document.Relation{Type: "dependsOn", Target: target})
		}
	}
	return out
}

// templateEntity gives the catalog's reference of a WorkflowTemplate: NAMESPACE/NAME, or NAME in the namespace default.
func templateEntity(name string) (ref.Entity, error) {
	return ref.Parse(name, KindWorkflowTemplate, ref.DefaultNamespace)
}

// referenced gives the names of the WorkflowTemplates that a spec uses, in order.
func referenced(spec *Spec) []string {
	names := map[string]bool{}
	add := func(r *TemplateRef) {
		if r != nil {
			names[r.Name] = true
		}
	}
	add(spec.WorkflowTemplateRef)
	var walk func(t *Template)
	walk = func(t *Template) {
		for _, task := range tasksOf(t) {
			add(task.TemplateRef)
			for _, h := range task.Hooks {
				add(h.TemplateRef)
			}
			if task.Inline != nil {
				walk(task.Inline)
			}
		}
	}
	for i := range spec.Templates {
		walk(&spec.Templates[i])
	}
	for _, h := range spec.Hooks {
		add(h.TemplateRef)
	}
	return sortedKeys(names)
}
