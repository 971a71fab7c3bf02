package scaffold

import (
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// DocumentKind gives the kind Template. A template with actions that this server doesn't have is a fine document;
// only its use is refused.
func DocumentKind() document.Kind {
	return document.Kind{
		APIVersions: []string{APIVersion}, Name: "Template", Plural: "templates",
		Description: "A golden path: a form, and the steps that make what it promises.",
		Validate: func(d document.Document) []fault.Detail {
			_, details := readTemplate(d)
			return details
		},
		Complete: keepOrder,
		Relations: func(d document.Document) []document.Relation {
			owner, _ := d.Spec["owner"].(string)
			target, err := ref.Parse(owner, "group", d.Ref().Namespace)
			if err != nil {
				return nil
			}
			return []document.Relation{{Type: "ownedBy", Target: target}}
		},
	}
}
