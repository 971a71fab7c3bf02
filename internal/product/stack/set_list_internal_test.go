package stack

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// globOf lists files as a repository does that has no others; asked are the patterns.
func globOf(files []string, most int, asked *[]string) func(string) ([]string, error) {
	return func(pattern string) (fit []string, err error) {
		if asked != nil {
			*asked = append(*asked, pattern)
		}
		for _, f := range files {
			if repository.Matches(pattern, f) {
				fit = append(fit, f)
			}
		}
		if len(fit) > most {
			return nil, fault.Errorf(fault.TooLarge, "there are more than %d files", most)
		}
		return fit, nil
	}
}

func TestALookListsEachPatternOfFoldersOnce(t *testing.T) {
	t.Parallel()
	spec := SetSpec{Files: make([]string, mostPatterns)}
	for i := range mostPatterns {
		spec.Folders, spec.Files[i] = append(spec.Folders, fmt.Sprintf("s%02d/*", i)), fmt.Sprintf("*.t%02d", i)
	}
	files := []string{"s00/a/x.t49", "s00/b/README.md", "s49/c/x.t00", "s49/c/x.t01"}
	var asked []string
	found, apart, err := spec.list(globOf(files, 10, &asked))
	if err != nil || strings.Join(found, " ") != "s00/a s49/c" || strings.Join(apart.bare, " ") != "s00/b" || len(asked) != mostPatterns {
		t.Errorf("it is %q and %+v by %d listings, %v", found, apart, len(asked), err)
	}

	// Where no pattern can be listed at once, it ends soon.
	asked = nil
	_, _, err = spec.list(func(pattern string) ([]string, error) {
		if asked = append(asked, pattern); strings.HasSuffix(pattern, "/*") {
			return nil, fault.Errorf(fault.TooLarge, "there are too many files")
		}
		return nil, nil
	})
	if !fault.Is(err, fault.TooLarge) || !strings.Contains(fault.Message(err), "write fewer or narrower ones") || len(asked) != mostListings {
		t.Errorf("after %d listings: %v", len(asked), err)
	}

	// So it does where each of them has many files.
	many := slices.Repeat([]string{"s00/a/x.t00"}, 50_000)
	asked = nil
	_, _, err = spec.list(func(pattern string) ([]string, error) {
		asked = append(asked, pattern)
		return many, nil
	})
	if !fault.Is(err, fault.TooLarge) || len(asked) != mostNames/50_000 {
		t.Errorf("after %d listings: %v", len(asked), err)
	}
}

func TestALookStopsAtTheMostFolders(t *testing.T) {
	t.Parallel()
	spec := SetSpec{Folders: []string{"a/*", "b/*"}}
	files := make([]string, 0, 2*mostFolders)
	for i := range mostFolders {
		files = append(files, fmt.Sprintf("a/%05d/main.tf", i), fmt.Sprintf("a/%05d/out.tf", i))
	}
	if found, _, err := spec.list(globOf(files, 50_000, nil)); err != nil || len(found) != mostFolders {
		t.Errorf("%d folders are %d, %v", mostFolders, len(found), err)
	}
	if _, _, err := spec.list(globOf(append(files, "b/one/main.tf"), 50_000, nil)); !fault.Is(err, fault.TooLarge) || !strings.Contains(fault.Message(err), "more than 5000 folders fit") {
		t.Errorf("one more: %v", err)
	}
	spec.Ignore = []string{"a/*"}
	if found, apart, err := spec.list(globOf(append(files, "b/one/main.tf"), 50_000, nil)); err != nil || len(found) != 1 || len(apart.ignored) != mostFolders {
		t.Errorf("with those left out they are %q and %d, %v", found, len(apart.ignored), err)
	}
}

// TestALookFindsWhatItsPatternsSay whether names are listed at once or by each pattern of files.
func TestALookFindsWhatItsPatternsSay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		some := func(from ...string) []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 1, len(from), rapid.ID).Draw(rt, "some")
		}
		spec := SetSpec{Folders: some("a/*", "a/**", "*/b", "**", "a/b"), Ignore: some("a/c", "none", "**/d"), Files: some("*.tf", "x", "y*")}
		files := rapid.SliceOfNDistinct(rapid.StringMatching(`([a-d]/){0,3}(m\.tf|x|y1|README)`), 0, 30, rapid.ID).Draw(rt, "files")
		want := map[string]bool{}
		for _, f := range files {
			at := strings.LastIndex(f, "/")
			for _, folder := range spec.Folders {
				for _, name := range spec.Files {
					if _, out := spec.leavesOut(f[:max(at, 0)]); at > 0 && !out && repository.Matches(folder+"/"+name, f) {
						want[f[:at]] = true
					}
				}
			}
		}
		found, apart, err := spec.list(globOf(files, rapid.SampledFrom([]int{5, 30}).Draw(rt, "most"), nil))
		if fault.Is(err, fault.TooLarge) {
			return // by each name, too
		}
		if err != nil || len(found) != len(want) || !slices.IsSorted(found) {
			rt.Fatalf("%+v of %q: %q, %v; want %v", spec, files, found, err, want)
		}
		for _, folder := range found {
			if !want[folder] || slices.Contains(apart.ignored, folder) || slices.Contains(apart.bare, folder) {
				rt.Fatalf("%+v of %q: %q is in %q and %+v", spec, files, folder, found, apart)
			}
		}
	})
}
