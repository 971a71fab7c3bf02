package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// DocumentKind gives the kind Trigger, kept by s.
func DocumentKind(s *Service) document.Kind {
	return document.Kind{
		APIVersions: []string{"roadbed.dev/v1"}, Name: "Trigger", Plural: "triggers",
		Description: "What happens on an event: a push starts a workflow of its repository.",
		Validate: func(d document.Document) []fault.Detail {
			_, wrong := read(d)
			return wrong
		},
		Relations: func(d document.Document) []document.Relation {
			spec, _ := read(d)
			owner, err := ref.Parse(spec.Owner, "group", d.Ref().Namespace)
			if err != nil {
				return nil
			}
			return []document.Relation{{Type: "ownedBy", Target: owner}}
		},
		Changed: s.documentChanged,
	}
}

// most bounds the lists of a trigger.
const most = 100

func read(d document.Document) (Spec, []fault.Detail) {
	var spec Spec
	if err := document.Decode(d, &spec); err != nil {
		return spec, fault.Details(err)
	}
	var wrong []fault.Detail
	bad := func(message, hint string, at ...string) { wrong = append(wrong, d.At(message, hint, at...)) }
	push := spec.On.Push
	if push == nil {
		bad("names no event", "write on: {push: {repository: NAMESPACE/NAME}}", "spec", "on")
		return spec, wrong
	}
	if ns, name, ok := strings.Cut(push.Repository, "/"); !ok || !ref.ValidName(ns) || !ref.ValidName(name) {
		bad(fmt.Sprintf("%q is not a hosted repository", push.Repository), "write NAMESPACE/NAME", "spec", "on", "push", "repository")
	}
	push.Repository = strings.ToLower(push.Repository) // as the ledger names it
	for field, patterns := range map[string][]string{"branches": push.Branches, "paths": push.Paths, "ignorePaths": push.IgnorePaths} {
		if len(patterns) > most {
			bad(fmt.Sprintf("has more than %d entries", most), "use patterns", "spec", "on", "push", field)
		}
		for _, p := range patterns {
			if _, err := path.Match(p, "x"); err != nil || p == "" || len(p) > 500 {
				bad(fmt.Sprintf("%q is not a pattern", p), "write something like release-* or docs/**", "spec", "on", "push", field)
			}
		}
	}
	if f := spec.Run.Workflow.File; f == "" || path.IsAbs(f) || path.Clean(f) != strings.TrimPrefix(f, "./") || strings.HasPrefix(path.Clean(f), "../") {
		bad(fmt.Sprintf("%q is not a file of the repository", f), "write a path such as .roadbed/pipeline.yaml", "spec", "run", "workflow", "file")
	}
	return spec, wrong
}

// documentChanged keeps the row of a trigger, in the transaction of its document, and looks at its branches.
func (s *Service) documentChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	if c.New == nil {
		_, err := tx.Exec(ctx, "DELETE FROM triggers WHERE ref = $1", c.Ref.String())
		return fault.Wrap(err, "forget trigger %s", c.Ref)
	}
	spec, wrong := read(*c.New)
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("Trigger %s is not valid", c.New.Metadata.Name), wrong...)
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return fault.Wrap(err, "encode trigger %s", c.Ref)
	}
	_, err = tx.Exec(ctx, `INSERT INTO triggers (ref, space, repository, spec, updated) VALUES ($1,$2,$3,$4,$5)
 ON CONFLICT (ref) DO UPDATE SET space=excluded.space, repository=excluded.repository, spec=excluded.spec, updated=excluded.updated`,
		c.Ref.String(), c.Space, spec.On.Push.Repository, string(raw), store.Micros(s.Now()))
	if err != nil {
		return fault.Wrap(err, "keep trigger %s", c.Ref)
	}
	return s.ask(ctx, tx, fireArgs{Trigger: c.Ref.String()})
}
