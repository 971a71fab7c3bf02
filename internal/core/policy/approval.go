package policy

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// ErrMoreApprovals is in the chain of an error of Approved when nobody says no, but more people have to say yes.
var ErrMoreApprovals = errors.New("more approvals are needed")

// ErrUndecided is in the chain of an error of Approved when nobody says no, but a policy can't decide.
var ErrUndecided = errors.New("a policy can't decide")

// Approved asks the policies at the point approval. Where none is attached, whoever may approve decides alone. Denied
// with the policies' words otherwise.
func (s *Service) Approved(ctx context.Context, space string, input map[string]any, refs Refs) error {
	d, err := s.Decide(ctx, "approval", space, input, refs)
	if err != nil {
		return fault.Wrap(err, "ask the approval policies")
	}
	if words := append(d.Outcome["deny"], d.Outcome["reject"]...); len(words) > 0 {
		said := &fault.Error{Kind: fault.Denied, Message: "an approval policy says no: " + strings.Join(words, "; ")}
		if !slices.ContainsFunc(d.Votes, func(v Vote) bool { return len(v.Says["deny"])+len(v.Says["reject"]) > 0 }) {
			said.Err = ErrUndecided
		}
		return said
	}
	if len(d.Policies) > 0 && len(d.Outcome["approve"]) == 0 {
		return &fault.Error{Kind: fault.Denied, Err: ErrMoreApprovals, Message: "the approval policies (" + strings.Join(d.Policies, ", ") + ") need more approvals for this run"}
	}
	return nil
}

// inSpacelift tells whether a policy is in package spacelift: it was written for what is asked there.
func inSpacelift(rego string) bool {
	for line := range strings.Lines(rego) { // nothing but comments comes before the package
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 0 {
			return words[0] == "package" && len(words) > 1 && words[1] == "spacelift"
		}
	}
	return false
}
