package document_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const edited = `# What the shop is made of.
apiVersion: backstage.io/v1alpha1
kind: Component # a service
metadata:
  name: shop

  # as the menu has it
  title: "The Shop"
  description: |
    Sells things.

    # not a comment
  annotations: {a: b}
  tags:
    - java # the old one
    - web
spec:
  type: service
  owner: team    # who is called at night
  lifecycle: production

# What it is reached by.
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: shop, tags: [rest]}
spec: {type: openapi, lifecycle: production, owner: team, definition: "x: 1"}
---
{"apiVersion": "backstage.io/v1alpha1", "kind": "System", "metadata": {"name": "shop"}, "spec": {"owner": "team"}}
`

func of(text string) *string { return &text }

func TestAFileIsEditedWhereItChanges(t *testing.T) {
	t.Parallel()
	component, api, system := ref.New("component", "", "shop"), ref.New("api", "", "shop"), ref.New("system", "", "shop")
	for name, c := range map[string]struct {
		of        ref.Entity
		edit      document.Edit
		old, want string // what is replaced in the file; all else stays
	}{
		"a text keeps its quotes":        {component, document.Edit{Title: of("Shop: new")}, `title: "The Shop"`, `title: "Shop: new"`},
		"a comment behind stays":         {component, document.Edit{Owner: of("group:default/other")}, "owner: team    # who", "owner: group:default/other # who"},
		"a block of text":                {component, document.Edit{Description: of("Short")}, "description: |\n    Sells things.\n\n    # not a comment\n", "description: Short\n"},
		"a field goes":                   {component, document.Edit{Title: of("")}, "  title: \"The Shop\"\n", ""},
		"a new field":                    {component, document.Edit{System: of("all")}, "lifecycle: production\n\n# What", "lifecycle: production\n  system: all\n\n# What"},
		"an item more":                   {component, document.Edit{AddTags: []string{"pci", "web"}}, "    - web\n", "    - web\n    - pci\n"},
		"an item less":                   {component, document.Edit{RemoveTags: []string{"web"}}, "    - web\n", ""},
		"links":                          {component, document.Edit{Links: &[]document.Link{{URL: "https://x.test", Title: "X"}}}, "    - web\nspec", "    - web\n  links:\n    - title: X\n      url: https://x.test\nspec"},
		"nothing to change":              {component, document.Edit{Owner: of("team"), AddTags: []string{"java"}}, "", ""},
		"a mapping on one line":          {api, document.Edit{AddTags: []string{"pci"}}, "metadata: {name: shop, tags: [rest]}", "metadata: {name: shop, tags: [rest, pci]}"},
		"a mapping on one line, and new": {api, document.Edit{Title: of("The API")}, "metadata: {name: shop, tags: [rest]}", "metadata: {name: shop, tags: [rest], title: The API}"},
		"a relation, new":                {component, document.Edit{Relations: map[string][]string{"dependsOn": {"resource:db", "component:till"}}}, "lifecycle: production\n\n# What", "lifecycle: production\n  dependsOn:\n    - resource:db\n    - component:till\n\n# What"},
		"a relation to one":              {component, document.Edit{Relations: map[string][]string{"subcomponentOf": {"mall"}}}, "lifecycle: production\n\n# What", "lifecycle: production\n  subcomponentOf: mall\n\n# What"},
		"a relation that was not there":  {component, document.Edit{Relations: map[string][]string{"subcomponentOf": {}, "dependsOn": nil}}, "", ""},
		"a document that is JSON":        {system, document.Edit{Owner: of("other")}, `"owner": "team"`, `"owner": "other"`},
		"a whole document": {api, document.Edit{Text: "apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata: {name: shop}\nspec: {}\n"},
			"apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata: {name: shop, tags: [rest]}\nspec: {type: openapi, lifecycle: production, owner: team, definition: \"x: 1\"}\n",
			"apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata: {name: shop}\nspec: {}\n"},
	} {
		for _, end := range []string{"\n", ""} {
			had := strings.TrimSuffix(edited, "\n") + end
			got, err := document.EditFile("catalog-info.yaml", []byte(had), c.of, c.edit)
			want := strings.Replace(had, c.old, c.want, 1)
			if err != nil || strings.TrimSuffix(string(got), "\n") != strings.TrimSuffix(want, "\n") {
				t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, want)
			}
		}
	}
	for name, c := range map[string]struct {
		of   ref.Entity
		edit document.Edit
		kind fault.Kind
	}{
		"a relation of others":      {system, document.Edit{Relations: map[string][]string{"dependsOn": {"component:a"}}}, fault.Invalid},
		"two where there is one":    {system, document.Edit{Relations: map[string][]string{"domain": {"a", "b"}}}, fault.Invalid},
		"no relation":               {component, document.Edit{Relations: map[string][]string{"owner": {"a"}}}, fault.Invalid},
		"another entity":            {ref.New("component", "", "none"), document.Edit{Title: of("x")}, fault.NotFound},
		"a whole one of another":    {component, document.Edit{Text: "apiVersion: a/v1\nkind: Component\nmetadata: {name: other}\n"}, fault.Invalid},
		"two documents":             {component, document.Edit{Text: edited}, fault.Invalid},
		"a whole one that is wrong": {component, document.Edit{Text: "{"}, fault.Invalid},
	} {
		if _, err := document.EditFile("f.yaml", []byte(edited), c.of, c.edit); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const team = `apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: team}
spec:
  type: team
  parent: crew # for now
  children: []
  members: [ann, bob] # by seniority
`

func TestRelationsAreEditedWhereTheyStand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		relations map[string][]string
		old, want string
	}{
		"one more, on its line":  {map[string][]string{"members": {"ann", "bob", "user:default/cy"}}, "[ann, bob]", "[ann, bob, 'user:default/cy']"},
		"one less":               {map[string][]string{"members": {"bob"}}, "[ann, bob]", "[bob]"},
		"none any more":          {map[string][]string{"members": {}, "parent": {}}, "  parent: crew # for now\n  children: []\n  members: [ann, bob] # by seniority\n", "  children: []\n"},
		"another":                {map[string][]string{"parent": {"group:default/all"}}, "crew", "group:default/all"},
		"a list that must stay":  {map[string][]string{"children": nil}, "", ""},
		"the first of what must": {map[string][]string{"children": {"night"}}, "children: []", "children: [night]"},
	} {
		got, err := document.EditFile("catalog-info.yaml", []byte(team), ref.New("group", "", "team"), document.Edit{Relations: c.relations})
		if want := strings.Replace(team, c.old, c.want, 1); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, want)
		}
	}
}

// FuzzEditFile holds that an edit changes its document as it says, and no other, or fails.
func FuzzEditFile(f *testing.F) {
	f.Add(edited, "New", "team2", "pci")
	f.Add("a: 1\n---\napiVersion: v\nkind: Component\nmetadata:\n    name: shop\nspec:\n    owner: x\n", "", "y", "")
	f.Add("--- {apiVersion: v, kind: Component, metadata: {name: shop}}\n", "t", "y", "z")
	f.Fuzz(func(t *testing.T, text, title, owner, tag string) {
		r := ref.New("component", "", "shop")
		e := document.Edit{Title: &title, Owner: &owner, AddTags: []string{tag}, Relations: map[string][]string{"dependsOn": {owner, tag}, "subcomponentOf": {}}}
		got, err := document.EditFile("f.yaml", []byte(text), r, e)
		if err != nil {
			return
		}
		had, err := document.Parse("f.yaml", []byte(text), document.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		now, err := document.Parse("f.yaml", got, document.Limits{})
		if err != nil || len(now) != len(had) {
			t.Fatalf("%d documents are %d now: %v", len(had), len(now), err)
		}
		changed := false
		for i := range had {
			want := had[i]
			if !changed && want.Ref() == r {
				if want, err = e.Apply(want); err != nil {
					t.Fatal(err)
				}
				changed = true
			}
			if !bytes.Equal(want.JSON(), now[i].JSON()) {
				t.Fatalf("document %d is\n%s\nwant\n%s", i, now[i].JSON(), want.JSON())
			}
		}
	})
}

// The portal's form is held to the same file.
func TestTheRelationsThatAnEditSets(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/relation_fields.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string]string
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]string{}
	for _, f := range document.RelationFields() {
		for _, kind := range f.Kinds {
			if got[kind] == nil {
				got[kind] = map[string]string{}
			}
			got[kind][f.Name] = map[bool]string{false: "one", true: "many"}[f.List]
		}
	}
	if !maps.EqualFunc(got, want, maps.Equal) {
		t.Errorf("an edit sets %v; testdata/relation_fields.json has %v", got, want)
	}
}
