package proposal

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// most bounds the lists of a rule.
const most = 100

// DocumentKind gives the kind BranchRule, kept by s.
func DocumentKind(s *Service) document.Kind {
	return document.Kind{
		APIVersions: []string{"roadbed.dev/v1"}, Name: "BranchRule", Plural: "branchrules",
		Description: "What a merge into branches takes: approvals, owners, checks; and who may push to them.",
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

func read(d document.Document) (Spec, []fault.Detail) {
	var spec Spec
	if err := document.Decode(d, &spec); err != nil {
		return spec, fault.Details(err)
	}
	var wrong []fault.Detail
	bad := func(field, message, hint string) { wrong = append(wrong, d.At(message, hint, "spec", field)) }
	for field, patterns := range map[string][]string{"repositories": spec.Repositories, "branches": spec.Branches} {
		if len(patterns) > most {
			bad(field, fmt.Sprintf("has more than %d entries", most), "use patterns")
		}
		for _, p := range patterns {
			if _, err := path.Match(p, "x"); err != nil || p == "" || len(p) > 300 {
				bad(field, fmt.Sprintf("%.300q is not a pattern", p), "write something like payments/* or release-*")
			}
		}
	}
	if spec.Push != "" && spec.Push != OnlyProposals {
		bad("push", fmt.Sprintf("%.100q is unknown", spec.Push), "write proposals, or leave it out")
	}
	if spec.Approvals < 0 || spec.Approvals > 20 {
		bad("approvals", fmt.Sprintf("%d is out of range", spec.Approvals), "write 0 to 20")
	}
	if len(spec.Checks) > most {
		bad("checks", fmt.Sprintf("has more than %d entries", most), "name fewer")
	}
	for _, c := range spec.Checks {
		if oneLine("a check's name", c, 200) != nil {
			bad("checks", fmt.Sprintf("%.200q is not the name of a check", c), "write the name as the proposal's page shows it")
		}
	}
	for _, w := range spec.Ways {
		if !isWay(w) {
			bad("ways", fmt.Sprintf("%.100q is no way to merge", w), "write merge, squash or rebase")
		}
	}
	slices.SortFunc(wrong, func(a, b fault.Detail) int { return strings.Compare(a.Field, b.Field) })
	return spec, wrong
}

// documentChanged keeps the row of a rule, in the transaction of its document, and has open proposals looked at again.
func (s *Service) documentChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	if c.New == nil {
		if _, err := tx.Exec(ctx, "DELETE FROM branch_rules WHERE ref = $1", c.Ref.String()); err != nil {
			return fault.Wrap(err, "forget rule %s", c.Ref)
		}
		return s.askAll(ctx, tx)
	}
	spec, wrong := read(*c.New)
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("BranchRule %s is not valid", c.New.Metadata.Name), wrong...)
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return fault.Wrap(err, "encode rule %s", c.Ref)
	}
	_, err = tx.Exec(ctx, `INSERT INTO branch_rules (ref, space, spec) VALUES ($1,$2,$3)
 ON CONFLICT (ref) DO UPDATE SET space=excluded.space, spec=excluded.spec`, c.Ref.String(), c.Space, string(raw))
	if err != nil {
		return fault.Wrap(err, "keep rule %s", c.Ref)
	}
	return s.askAll(ctx, tx)
}
