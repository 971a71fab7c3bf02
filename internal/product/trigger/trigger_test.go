package trigger

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestDocuments checks the documents of testdata: the comments at their beginning say what is wrong with them, and where.
func TestDocuments(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for line := range strings.Lines(string(data)) {
			if text, comment := strings.CutPrefix(line, "# "); comment && text != "fine\n" {
				want = append(want, strings.TrimSpace(text))
			}
		}
		documents, err := document.Parse(filepath.Base(file), data, document.Limits{})
		if err != nil || len(documents) != 1 {
			t.Fatalf("%s: %d documents, %v", file, len(documents), err)
		}
		wrong := DocumentKind(&Service{}).Validate(documents[0])
		slices.SortFunc(wrong, func(a, b fault.Detail) int { return a.Line - b.Line })
		for i, d := range wrong {
			says := strings.Replace(strings.TrimPrefix(d.String(), filepath.Base(file)+":"), ": ", " ", 1)
			if i >= len(want) || !strings.HasPrefix(says, want[i]) {
				t.Errorf("%s: %s, want %q", file, says, want)
			}
		}
		if len(wrong) != len(want) {
			t.Errorf("%s: %d mistakes are found, want %d", file, len(wrong), len(want))
		}
	}
}

// TestOnlyWhatStaysAsItIsIsRefusedForGood tells what a trigger's event records from what the queue tries again.
func TestOnlyWhatStaysAsItIsIsRefusedForGood(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		fault.Errorf(fault.Invalid, "the file is wrong"):      true,
		fault.Errorf(fault.Denied, "another space"):           true,
		fault.Errorf(fault.NotFound, "no such file"):          true,
		fault.Errorf(fault.TooLarge, "the file is too large"): true,
		fault.Errorf(fault.Conflict, "somebody was quicker"):  false,
		fault.Errorf(fault.Stale, "somebody was quicker"):     false,
		fault.Errorf(fault.Exhausted, "too many at once"):     false,
		fault.Errorf(fault.Unavailable, "the database"):       false,
		context.Canceled: false,
		errors.New("a defect, mended by an update"): false,
	} {
		if got := final(err); got != want {
			t.Errorf("%v is final: %v", err, got)
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"main", "main", true}, {"main", "maintenance", false}, {"release-*", "release-1", true}, {"release-*", "release-1/x", false},
		{"**", "a/b/c", true}, {"docs/**", "docs/a/b.md", true}, {"docs/**", "docs", true}, {"docs/", "docs/x", true},
		{"**/*.md", "a/b/c.md", true}, {"**/*.md", "c.md", true}, {"**/*.md", "c.go", false}, {"a/*/c", "a/b/c", true}, {"a/*/c", "a/b/d/c", false},
	} {
		if got := matches(c.pattern, c.name); got != c.want {
			t.Errorf("matches(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

func TestPushOfInterest(t *testing.T) {
	t.Parallel()
	p := Push{Paths: []string{"src/**"}, IgnorePaths: []string{"**/*.md"}}
	for _, c := range []struct {
		changed []string
		want    bool
	}{
		{nil, true}, {[]string{"src/a.go"}, true}, {[]string{"src/README.md"}, false}, {[]string{"docs/x"}, false}, {[]string{"docs/x", "src/b.go"}, true}, {[]string{}, false},
	} {
		if got := p.wantsPaths(c.changed); got != c.want {
			t.Errorf("wantsPaths(%v) = %v", c.changed, got)
		}
	}
	if (Push{}).wantsBranch("refs/tags/main") || !(Push{}).wantsBranch("refs/heads/main") {
		t.Error("without branches, only the branch main is of interest")
	}
}

// A repository has one name in the ledger, however a document writes it.
func TestRepositoriesAreNamedAsInTheLedger(t *testing.T) {
	t.Parallel()
	documents, err := document.Parse("a.yaml", []byte("apiVersion: roadbed.dev/v1\nkind: Trigger\nmetadata: {name: a}\nspec:\n  owner: group:default/crew\n  on: {push: {repository: Crew/Shop}}\n  run: {workflow: {file: ci/a.yaml}}\n"), document.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if spec, wrong := read(documents[0]); len(wrong) > 0 || spec.On.Push.Repository != "crew/shop" {
		t.Errorf("the repository is %+v, %v", spec.On.Push, wrong)
	}
}
