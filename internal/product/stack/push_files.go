package stack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Policies of a push mostly ask for the files that it changes, and leave out what changes none that they know. So what
// they were not shown would be left out for good: of many files they are asked in parts, and what can't be read now is
// read again.

const (
	affectedAtOnce = 10_000 // files that policies see in one question
	affectedParts  = 10     // questions about one push
)

// affected is what a push changes, as policies are asked about it.
type affected struct {
	files   []string // those of the stack first
	unseen  int      // files that are too many
	unknown bool     // nobody can tell: one empty name stands for them
}

// part gives the files of one question.
func (a *affected) part(n int) []string {
	from := min(n*affectedAtOnce, len(a.files))
	return a.files[from:min(from+affectedAtOnce, len(a.files))]
}

// parts is how many questions there are.
func (a *affected) parts() int {
	return max(1, (len(a.files)+affectedAtOnce-1)/affectedAtOnce)
}

// left says what no policy has seen; "" when they have seen all.
func (a *affected) left() string {
	switch {
	case a.unknown:
		return "nobody can tell which files it changes, since they are too many"
	case a.unseen > 0:
		return fmt.Sprintf("it changes %d files, and policies have seen %d of them", len(a.files)+a.unseen, len(a.files))
	}
	return ""
}

// effectOf asks the push policies; usual is what happens where none holds.
func (s *Service) effectOf(ctx context.Context, stack Stack, args pushArgs, about *ProposalFacts, usual effect) (effect, error) {
	refs := policy.Refs{Subject: stack.Ref.String(), Labels: stack.Spec.Labels}
	var first effect
	var changed *affected
	for part := 0; changed == nil || part < changed.parts(); part++ {
		d, asked, err := s.Policy.Consult(ctx, "push", stack.Space, refs, func() (_ any, err error) {
			if changed == nil {
				if changed, err = s.affected(ctx, stack, args); err != nil {
					return nil, err
				}
			}
			return s.pushInput(ctx, stack, args, about, changed.part(part))
		})
		if err != nil {
			return usual, fault.Wrap(err, "ask the push policies")
		}
		if !asked {
			return usual, nil
		}
		e := effectBy(d)
		if e.kind() != "" || e.Fail {
			return e, nil
		}
		if part == 0 {
			first = e
		}
	}
	if left := changed.left(); left != "" {
		what, how := "this push", "begin a run with `roadbed stack apply %s`"
		if args.Proposal > 0 {
			what, how = "this head of the proposal", "say /roadbed plan -stack %s"
		}
		said := fmt.Sprintf("push policies leave out %s, but %s; if the others matter here, "+how, what, left, stackName(stack.Ref.String()))
		first.Message = strings.Join(slices.DeleteFunc([]string{said, first.Message}, func(word string) bool { return word == "" }), "; ")
	}
	return first, nil
}

// affected gives the files that a push changes. After a commit that is gone, all files of the new one are in doubt.
func (s *Service) affected(ctx context.Context, stack Stack, args pushArgs) (*affected, error) {
	old := args.Old
	if strings.Trim(old, "0") == "" {
		c, err := s.Repositories.CommitAt(ctx, stack.Repository, args.New)
		if err != nil {
			return nil, err
		}
		if len(c.Parents) > 0 {
			old = c.Parents[0]
		}
	}
	paths, err := s.Repositories.ChangedPaths(ctx, stack.Repository, old, args.New)
	if fault.Is(err, fault.NotFound) && strings.Trim(old, "0") != "" {
		paths, err = s.Repositories.ChangedPaths(ctx, stack.Repository, repository.Zero, args.New)
	}
	if fault.Is(err, fault.TooLarge) {
		return &affected{files: []string{""}, unknown: true}, nil
	}
	if err != nil {
		return nil, fault.Wrap(err, "read which files a push to %s changes", stack.Repository)
	}
	a := &affected{files: paths}
	if len(paths) <= affectedAtOnce {
		return a, nil
	}
	if stack.Path != "" {
		a.files = ownFirst(stack, paths)
	}
	if most := affectedAtOnce * affectedParts; len(a.files) > most {
		a.files, a.unseen = a.files[:most], len(a.files)-most
	}
	return a, nil
}

// ownFirst puts the files of a stack's folder, and those that it watches, before the others.
func ownFirst(stack Stack, paths []string) []string {
	var own, others []string
	watched := func(file string) bool {
		return slices.ContainsFunc(stack.Spec.Watch, func(pattern string) bool { return repository.Matches(pattern, file) })
	}
	for _, file := range paths {
		if strings.HasPrefix(file, stack.Path+"/") || watched(file) {
			own = append(own, file)
		} else {
			others = append(others, file)
		}
	}
	return append(own, others...)
}
