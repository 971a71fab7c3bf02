package stack

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestNoEditorIsLost: whoever edited after an edit is named, or somebody unknown is.
func TestNoEditorIsLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		people := rapid.IntRange(1, 3*mostEditors).Draw(t, "people")
		var editors Editors
		newest := map[string]int64{}
		for edit := range rapid.Int64Range(1, 300).Draw(t, "edits") {
			who := fmt.Sprint("pri_", rapid.IntRange(1, people).Draw(t, "who"))
			before := maps.Clone(editors)
			next := editors.with(who, edit+1)
			if !maps.Equal(before, editors) {
				t.Fatal("the editors before have changed")
			}
			editors, newest[who] = next, edit+1
		}
		if len(editors) > mostEditors+1 {
			t.Fatalf("%d editors are kept", len(editors))
		}
		applied := rapid.Int64Range(0, 300).Draw(t, "applied")
		got := editors.since(applied)
		known := !slices.Contains(got, unknownAuthor)
		for who, edit := range newest {
			if named := slices.Contains(got, who); edit > applied && !named && known || edit <= applied && named {
				t.Fatalf("%s, who edited as number %d, is named: %t; applied is %d", who, edit, named, applied)
			}
		}
		if !known && len(newest) <= mostEditors {
			t.Fatal("few editors are not all known")
		}
	})
}

// line is a repository whose branch main is 1, 2, 3 and so on, each pushed by who is named like it; x lies on another.
type line struct{ Repositories }

func (line) IsAncestor(_ context.Context, _, ancestor, commit string) (bool, error) {
	if ancestor == "gone" {
		return false, fault.Errorf(fault.NotFound, "there is no commit gone")
	}
	return ancestor != "x" && ancestor <= commit, nil
}

func (line) Pushers(_ context.Context, _, _, from, to string) (who []string, whole bool, err error) {
	for _, c := range []string{"1", "2", "3"} {
		if c > from && c <= to {
			who = append(who, "pusher"+c)
		}
	}
	return who, true, nil
}

func TestAuthorsOfADocument(t *testing.T) {
	t.Parallel()
	s := &Service{Deps: Deps{Repositories: line{}}}
	for name, c := range map[string]struct {
		applied string
		edit    int64
		editors Editors
		want    []string
	}{
		"one person":                           {"3", 0, Editors{"pri_a": 1}, []string{"pri_a"}},
		"all since what is applied":            {"3", 2, Editors{"pri_a": 2, "pri_b": 3, "pri_m": 4}, []string{"pri_b", "pri_m"}},
		"with who pushed":                      {"2", 0, Editors{"pri_a": 1}, []string{"pusher3", "pri_a"}},
		"nobody":                               {"3", 1, Editors{"pri_a": 1}, nil},
		"in the repository":                    {"1", 0, Editors{"commit:crew/net@2": 1}, []string{"pusher2", "pusher3"}},
		"in a repository with nothing applied": {"", 0, Editors{"commit:crew/net@2": 1}, []string{"pusher1", "pusher2", "pusher3"}},
		"in a commit that is applied":          {"2", 0, Editors{"commit:crew/net@2": 1}, []string{"pusher3", unknownAuthor}},
		"in another repository":                {"2", 0, Editors{"commit:crew/networks@3": 1}, []string{"pusher3", unknownAuthor}},
		"on another branch":                    {"2", 0, Editors{"commit:crew/net@x": 1}, []string{"pusher3", unknownAuthor}},
		"before a forced push":                 {"2", 0, Editors{"commit:crew/net@gone": 1}, []string{"pusher3", unknownAuthor}},
		"too many":                             {"2", 4, Editors{unknownAuthor: 5, "pri_a": 6}, []string{"pusher3", "pri_a", unknownAuthor}},
		"too many, but long ago":               {"2", 5, Editors{unknownAuthor: 5, "pri_a": 6}, []string{"pusher3", "pri_a"}},
	} {
		stack := Stack{Repository: "crew/net", Branch: "main", Applied: c.applied, AppliedEdit: c.edit, Editors: c.editors}
		got, err := s.authors(t.Context(), stack, "3")
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
	}
}
