package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// changes is a repository of which it is known only what its commits change.
type changes struct {
	Repositories
	of  map[string][]string // by the older commit
	why error
}

func (c changes) CommitAt(context.Context, string, string) (git.Commit, error) {
	return git.Commit{Parents: []string{"parent"}}, c.why
}

func (c changes) ChangedPaths(_ context.Context, _, from, _ string) ([]string, error) {
	paths, known := c.of[from]
	if c.why == nil && !known {
		return nil, fault.Errorf(fault.NotFound, "compare %s: it is not in the repository", from)
	}
	return slices.Clone(paths), c.why
}

// TestWhatAReleaseChangesIsKnownOrAskedAgain: policies don't see what could not be read as a push of nothing.
func TestWhatAReleaseChangesIsKnownOrAskedAgain(t *testing.T) {
	t.Parallel()
	many := make([]string, 0, mostAffected+2)
	for i := range mostAffected + 1 {
		many = append(many, fmt.Sprintf("a/%06d", i))
	}
	m := Module{Spec: Spec{Source: Source{Repository: "crew/net", Path: "net"}}}
	for name, c := range map[string]struct {
		of    changes
		old   string
		first string
		count int
	}{
		"few":                  {changes{of: map[string][]string{"old": {"x", "net/y"}}}, "old", "x", 2},
		"many":                 {changes{of: map[string][]string{"old": append(many, "net/y")}}, "old", "net/y", mostAffected},
		"after a commit gone":  {changes{of: map[string][]string{repository.Zero: {"all"}}}, "gone", "all", 1},
		"nothing":              {changes{of: map[string][]string{"old": nil}}, "old", "", 0},
		"too many to be told":  {changes{why: fault.Errorf(fault.TooLarge, "too many")}, "old", "", 1},
		"not read":             {changes{why: fault.Errorf(fault.Unavailable, "no answer")}, "old", "", -1},
		"not read, by mistake": {changes{why: fault.Errorf(fault.Internal, "git broke")}, "old", "", -1},
	} {
		s := &Service{Deps: Deps{Repositories: c.of}}
		got, err := s.affected(t.Context(), m, c.old, "new")
		if c.count < 0 {
			if _, asked := s.releaseInput(t.Context(), m, nil, releaseArgs{Old: c.old}, found{commit: "new"}); !errors.Is(err, c.of.why) || !errors.Is(asked, c.of.why) {
				t.Errorf("%s: %v, and there is an input, %v", name, err, asked)
			}
			continue
		}
		if err != nil || got == nil || len(got) != c.count || len(got) > 0 && got[0] != c.first {
			t.Errorf("%s: %d files, %.100q, %v", name, len(got), got, err)
		}
	}
}
