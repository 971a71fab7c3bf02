package stack

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func setDocument(t *testing.T, spec string) document.Document {
	t.Helper()
	docs, err := document.Parse("set.yaml", []byte("apiVersion: roadbed.dev/v1\nkind: StackSet\nmetadata: {name: mono}\nspec:\n"+spec), document.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return docs[0]
}

const monoSet = `
  owner: group:default/crew
  source: {repository: crew/mono}
  folders: ["stacks/*/*/"]
  ignore: ["stacks/old/*"]
  template:
    labels: ["env:{{path[2]}}", "{{ path.basename }}"]
    watch: ["modules/**"]
    variables: {team: "{{path[1]}}", nested: [{where: "{{path}}"}]}
`

func TestAFolderBecomesAStack(t *testing.T) {
	t.Parallel()
	spec, wrong := readSet(setDocument(t, monoSet))
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	files := []string{"stacks/pay/prod/main.tf", "stacks/pay/prod/out.tf", "stacks/old/x/main.tf", "main.tf", "stacks/Data Lake/eu/main.tf"}
	folders, apart, err := spec.list(globOf(files, len(files), nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(folders, " "); got != "stacks/Data Lake/eu stacks/pay/prod" {
		t.Fatalf("the folders are %s", got)
	}
	if got := strings.Join(apart.ignored, " "); got != "stacks/old/x" {
		t.Errorf("left out are %s", got)
	}
	docs, problems := spec.stacks(ref.New("stackset", "default", "mono"), folders)
	if len(problems) > 0 || len(docs) != 2 || docs[0].Metadata.Name != "stacks-data-lake-eu" || docs[1].Metadata.Name != "stacks-pay-prod" {
		t.Fatalf("they are %+v, %v", docs, problems)
	}
	stack, details := read(docs[1])
	if len(details) > 0 || stack.Owner != "group:default/crew" || stack.Source != (Source{Repository: "crew/mono", Branch: "main", Path: "stacks/pay/prod"}) ||
		strings.Join(stack.Labels, " ") != "env:prod prod" || stack.Variables["team"] != "pay" || fmt.Sprint(stack.Variables["nested"]) != "[map[where:stacks/pay/prod]]" || stack.Watch[0] != "modules/**" {
		t.Errorf("it is %+v, %v", stack, details)
	}
	if spec.Template["labels"].([]any)[1] != "{{ path.basename }}" {
		t.Error("a folder has changed the template")
	}
}

func TestFoldersOfOneNameBecomeNoStack(t *testing.T) {
	t.Parallel()
	spec, wrong := readSet(setDocument(t, strings.Replace(monoSet, "  template:", "  name: \"{{path.basename}}\"\n  template:", 1)))
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	long := "stacks/a/" + strings.Repeat("x", 64)
	docs, skipped := spec.stacks(ref.New("stackset", "default", "mono"), []string{"stacks/a/eu", "stacks/a/us", "stacks/b/eu", long, "stacks/c/---"})
	if len(docs) != 1 || docs[0].Metadata.Name != "us" {
		t.Errorf("the stacks are %+v", docs)
	}
	if len(skipped) != 3 || len(skipped[2].Folders) != 2 {
		t.Errorf("skipped are %v", skipped)
	}
	all := fmt.Sprint(skipped)
	for _, want := range []string{"folders stacks/a/eu, stacks/b/eu would all be stack eu", "folder " + long + " gives the name", "folder stacks/c/--- gives the name \"\""} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not said in:\n%s", want, all)
		}
	}
}

func TestWhatASetCantSay(t *testing.T) {
	t.Parallel()
	for change, want := range map[[2]string]string{
		{"crew/mono", "mono"}:                                 "is not a hosted repository",
		{`["stacks/*/*/"]`, "[]"}:                             "is missing",
		{`["stacks/*/*/"]`, `["../*"]`}:                       "leaves the repository",
		{`["stacks/*/*/"]`, `["a[/*"]`}:                       "is no pattern",
		{"  template:", "  removed: burn\n  template:"}:       "is nothing that is done",
		{"{{path[1]}}", "{{folder}}"}:                         "{{folder}} is no placeholder",
		{"{{path[1]}}", "{{path[20]}}"}:                       "has only 8 parts",
		{"    watch:", "    source: {}\n    watch:"}:          "names a source",
		{"    watch:", "    colour: red\n    watch:"}:         "colour",
		{"  template:", "  files: [\"a/*.tf\"]\n  template:"}: "is not the name of a file",
		{"  template:", "  files: [\"**\"]\n  template:"}:     "is not the name of a file",
	} {
		text := strings.Replace(monoSet, change[0], change[1], 1)
		if text == monoSet {
			t.Fatalf("%q changes nothing", change)
		}
		_, wrong := readSet(setDocument(t, text))
		said := fmt.Sprint(wrong)
		if !strings.Contains(said, want) {
			t.Errorf("%q: %s, want %q", change[1], said, want)
		}
	}
}

func TestAPatternCountsOnce(t *testing.T) {
	t.Parallel()
	text := strings.Replace(monoSet, `["stacks/*/*/"]`, `["stacks/*/*/", "a/*", "stacks/*/*", "a/*/"]`, 1)
	spec, wrong := readSet(setDocument(t, text+"  files: [\"*.tf\", \"*.tf\"]\n"))
	if len(wrong) > 0 || strings.Join(spec.Folders, " ") != "stacks/*/* a/*" || strings.Join(spec.Files, " ") != "*.tf" {
		t.Errorf("the patterns are %q and %q, %v", spec.Folders, spec.Files, wrong)
	}
	tried, err := SetTry{Folders: []string{"b/*", "b/*/"}, Files: []string{"x", "x"}}.of(spec)
	if err != nil || strings.Join(tried.Folders, " ") != "b/*" || strings.Join(tried.Files, " ") != "x" {
		t.Errorf("tried are %q and %q, %v", tried.Folders, tried.Files, err)
	}
	if _, err := (SetTry{Folders: []string{"b/*"}, Files: []string{"a/b"}}).of(spec); !fault.Is(err, fault.Invalid) {
		t.Errorf("a path where names of files are: %v", err)
	}
}

// TestNamesOfFoldersAreValidAndOnce holds for any folders.
func TestNamesOfFoldersAreValidAndOnce(t *testing.T) {
	t.Parallel()
	spec, _ := readSet(setDocument(t, monoSet))
	rapid.Check(t, func(rt *rapid.T) {
		folders := rapid.SliceOfNDistinct(rapid.StringMatching(`stacks/[a-cA-C._ üß-]{1,4}/[a-c{}-]{1,30}`), 0, 12, rapid.ID).Draw(rt, "folders")
		docs, problems := spec.stacks(ref.New("stackset", "default", "mono"), folders)
		seen := map[string]bool{}
		for _, d := range docs {
			name := d.Metadata.Name
			if name != slug(name) || name == "" || len(name) > 63 || seen[name] || !slices.Contains(folders, d.Origin.File) {
				rt.Fatalf("%q of %q", name, d.Origin.File)
			}
			seen[name] = true
		}
		if len(docs) < len(folders) && len(problems) == 0 {
			rt.Fatalf("%d of %d folders are left out without a word", len(folders)-len(docs), len(folders))
		}
	})
}
