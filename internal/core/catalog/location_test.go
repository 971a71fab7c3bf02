package catalog_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (b *bench) location(ctx context.Context, space, repository, path string) catalog.Location {
	b.t.Helper()
	l, _, err := b.AddLocation(ctx, space, catalog.Target{Repository: repository, Path: path})
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

// again gives a location as it is now.
func (b *bench) again(l catalog.Location) catalog.Location {
	b.t.Helper()
	l, err := b.GetLocation(system(), l.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

func details(l catalog.Location) string {
	var lines []string
	for _, d := range l.Details {
		lines = append(lines, d.String())
	}
	return strings.Join(lines, "\n")
}

// A mistake in a file that names others leaves what those declare.
func TestAMistakeAboveDeletesNothingBelow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.repository(alice, "default", "team/shop")
		const index = "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: all}\nspec: {targets: [./services/*/catalog-info.yaml]}\n"
		l := b.location(alice, "default", "team/shop", "")
		b.follow(func() {
			b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": index, "services/a/catalog-info.yaml": component("a", ""), "services/b/catalog-info.yaml": component("b", "")})
		})
		b.get("a")
		for what, wrong := range map[string]string{
			"no YAML":          "a: b: c",
			"a wrong Location": strings.Replace(index, "targets: [", "targets: [1, ", 1),
			"a wrong pattern":  strings.Replace(index, "*", "[", 1),
			"out of it":        strings.Replace(index, "./services", "../../services", 1),
		} {
			b.follow(func() { b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": wrong}) })
			if now := b.again(l); now.Error == "" {
				t.Errorf("%s is taken", what)
			}
			b.get("a")
			b.get("b")
		}
		b.follow(func() {
			b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": strings.Replace(index, "*", "a", 1)})
		})
		if now := b.again(l); now.Error != "" {
			t.Errorf("mended: %s", now.Error)
		}
		b.get("a")
		b.gone(alice, "b")
	})
}

// What a repository is not trusted to bring, it can't take away either.
func TestATrustThatIsTakenBackDeletesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, admin := accesstest.As("alice"), system()
		early := b.location(alice, "default", "team/later", "org.yaml")
		refused(t, b.TrustLocation(admin, early.ID, []string{"Group"}, ""), fault.Conflict, "make it first")
		b.repository(alice, "default", "team/org")
		const group = "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: crew}\nspec: {type: team, children: []}\n"
		b.location(alice, "default", "team/org", "catalog-info.yaml")
		b.follow(func() {
			b.push(alice, "team/org", map[string]string{"org.yaml": group, "catalog-info.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: all}\nspec: {targets: [/git/team/org/org.yaml]}\n"})
		})
		list, err := b.Locations(admin, catalog.LocationQuery{}, page.Request{})
		if err != nil {
			t.Fatal(err)
		}
		var l catalog.Location
		for _, one := range list.Items {
			if one.Repository == "team/org" && one.Path == "org.yaml" {
				l = one
			}
		}
		b.follow(func() {
			if err := b.TrustLocation(admin, l.ID, []string{"Group"}, ""); err != nil {
				t.Fatal(err)
			}
		})
		b.group("crew")
		b.follow(func() { b.push(alice, "team/org", map[string]string{"catalog-info.yaml": component("shop", "")}) }) // names it no more
		b.group("crew")
		b.follow(func() {
			if err := b.TrustLocation(admin, l.ID, nil, ""); err != nil {
				t.Fatal(err)
			}
		})
		b.follow(func() { b.push(alice, "team/org", map[string]string{"org.yaml": component("part", "")}) })
		b.get("part")
		b.group("crew")
	})
}

// group wants a group to be there.
func (b *bench) group(name string) {
	b.t.Helper()
	if _, err := b.Get(system(), ref.New("group", "default", name)); err != nil {
		b.t.Fatal(err)
	}
}

func TestALocationFollowsItsRepository(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		l := b.location(alice, "default", "team/shop", "")
		if !strings.Contains(l.Error, "there is no repository team/shop") || l.Existed {
			t.Errorf("without a repository: %+v", l)
		}
		b.repository(alice, "default", "team/shop")
		first := ""
		b.follow(func() {
			first = b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("shop", "") + component("part", "")})
		})
		e := b.get("shop")
		want := catalog.File{Location: l.ID, Repository: "team/shop", Path: "catalog-info.yaml", Commit: first, Home: catalog.Home{Branch: "main"}}
		if e.File != want || e.Commit != first || e.CreatedBy != "system" {
			t.Errorf("got %+v", e)
		}
		if l = b.again(l); l.Error != "" || l.Commit != first {
			t.Errorf("after the push: %+v", l)
		}

		// A text that is wrong keeps the last good entity; the others go on.
		b.follow(func() {
			b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("shop", "system: {wrong: x}") + component("part", "x: 2")})
		})
		if e := b.get("shop"); e.Version != 1 || !strings.Contains(e.Error, "catalog-info.yaml:2:") || !strings.Contains(e.Error, "spec.system: must be text") {
			t.Errorf("the last good one: version %d, error %q", e.Version, e.Error)
		}
		if e := b.get("part"); e.Version != 2 || e.Error != "" {
			t.Errorf("the good one beside it: %+v", e)
		}
		if l = b.again(l); !strings.Contains(l.Error, "1 thing in team/shop:catalog-info.yaml could not be taken") || !strings.Contains(details(l), "catalog-info.yaml:2:") {
			t.Errorf("the location: %+v", l)
		}
		page, err := b.List(alice, catalog.Query{Failed: true})
		if err != nil || names(page) != "shop" {
			t.Errorf("failed: %s, %v", names(page), err)
		}

		// A file that is no YAML at all keeps everything; the next good one mends it.
		b.follow(func() { b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": "a: b: c"}) })
		if e := b.get("part"); e.Version != 2 || !strings.Contains(e.Error, "catalog-info.yaml:1: mapping values") {
			t.Errorf("after the broken file: version %d, error %q", e.Version, e.Error)
		}
		b.follow(func() { b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("shop", "")}) })
		if e := b.get("shop"); e.Version != 1 || e.Error != "" {
			t.Errorf("mended: %+v", e)
		}
		b.gone(alice, "part")
		if l = b.again(l); l.Error != "" || len(l.Details) != 0 {
			t.Errorf("mended: %+v", l)
		}
		refused(t, b.Delete(alice, parseRef(t, "shop"), ""), fault.Conflict, "declared in catalog-info.yaml of team/shop")

		// A location that is no longer there keeps what it brought, until it is removed.
		b.follow(func() { b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": "", "other": "x"}) })
		if l = b.again(l); !strings.Contains(l.Error, "there is no file catalog-info.yaml") {
			t.Errorf("without the file: %+v", l)
		}
		b.get("shop")
		if err := b.RemoveLocation(alice, l.ID, ""); err != nil {
			t.Fatal(err)
		}
		b.gone(alice, "shop")
		if got := b.entries("location.failed", l.ID); got != 4 {
			t.Errorf("%d entries tell that it failed", got)
		}
		if got := b.entries("location.mended", l.ID); got != 2 {
			t.Errorf("%d entries tell that it was mended", got)
		}
	})
}

// atHead reads a repository whose head is where a test puts it, as a push by force does.
type atHead struct {
	catalog.Repositories
	commit *string
}

func (r atHead) Head(context.Context, string, string) (string, error) { return *r.commit, nil }

// A commit of which a part was taken in is read again, and so is the one before when the head goes back to it.
func TestACommitThatIsHalfReadDoesNotStay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.repository(alice, "default", "team/shop")
		all := func(spec string, last string) string {
			var text strings.Builder
			for i := range 40 {
				text.WriteString(widget("w"+strconv.Itoa(10+i), spec))
			}
			return text.String() + widget("w99", last)
		}
		first := b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": all("a: 1", "a: 1")})
		second := b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": all("a: 2", "away: true")})
		head := first
		b.Read(atHead{b.repositories.Platform(), &head})
		l := b.location(alice, "default", "team/shop", "")
		if got := b.again(l); got.Commit != first || got.Error != "" {
			t.Fatalf("before: %+v", got)
		}
		if got := b.get("widget:default/w10").Document.Spec["completed"]; got != true {
			t.Errorf("a document of a location is not completed: %v", got)
		}
		head = second
		if _, _, err := b.RefreshLocation(alice, l.ID); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("half way: %v", err)
		}
		if got := b.get("widget:default/w10").Document.Spec["a"]; got != int64(2) {
			t.Fatalf("nothing of the second commit was taken in: %v", got)
		}
		head = first
		b.follow(func() { b.push(alice, "team/shop", map[string]string{"other": "x"}) })
		if got := b.get("widget:default/w10").Document.Spec["a"]; got != int64(1) {
			t.Errorf("half of the second commit stays: %v", got)
		}
		if got := b.again(l); got.Commit != first || got.Error != "" {
			t.Errorf("after: %+v", got)
		}
	})
}

func TestALocationNamesOtherFiles(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.repository(alice, "default", "team/mono")
		b.push(alice, "team/mono", map[string]string{
			"all.yaml": `
apiVersion: backstage.io/v1alpha1
kind: Location
metadata: {name: all}
spec:
  targets:
    - ./services/*/catalog-info.yaml
    - apis/list.yaml
    - ../outside.yaml
    - ./missing.yaml
    - https://elsewhere.example.org/catalog-info.yaml
`,
			"services/a/catalog-info.yaml": component("a", ""),
			"services/b/catalog-info.yaml": component("b", ""),
			"services/c/other.yaml":        component("c", ""),
			"apis/list.yaml":               "{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: apis}, spec: {targets: [./orders.yaml, ../all.yaml]}}",
			"apis/orders.yaml": `
{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: orders}, spec: {type: openapi, lifecycle: production, owner: team, definition: {$text: ./openapi.json}, more: [{$json: ./openapi.json}]}}
---
{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: gone}, spec: {type: openapi, lifecycle: production, owner: team, definition: {$text: ../../etc/passwd}}}
`,
			"apis/openapi.json": `{"openapi": "3.1.0"}`,
		})
		l := b.location(alice, "default", "team/mono", "all.yaml")
		page, err := b.List(alice, catalog.Query{Source: "location:" + l.ID})
		if err != nil || names(page) != "orders a b all apis" {
			t.Errorf("got %q, %v", names(page), err)
		}
		for _, want := range []string{
			`all.yaml:9:7: spec.targets.2: "../outside.yaml" leaves the repository`,
			`all.yaml:10:7: spec.targets.3: there is no file missing.yaml`,
			`all.yaml:11:7: spec.targets.4: "https://elsewhere.example.org/catalog-info.yaml" is not a file that can be read`,
			`"../../etc/passwd" is not a file of this repository`,
		} {
			if !strings.Contains(details(l), want) {
				t.Errorf("%s is not in\n%s", want, details(l))
			}
		}
		orders := b.get("api:orders").Document.Spec
		if orders["definition"] != `{"openapi": "3.1.0"}` || orders["more"].([]any)[0].(map[string]any)["openapi"] != "3.1.0" {
			t.Errorf("placeholders: %v", orders)
		}
		// The same pushed again without a target: what was behind it goes.
		b.follow(func() {
			b.push(alice, "team/mono", map[string]string{"all.yaml": "{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: all}, spec: {target: ./services/a/catalog-info.yaml}}"})
		})
		if page, err = b.List(alice, catalog.Query{Source: "location:" + l.ID}); err != nil || names(page) != "a all" {
			t.Errorf("after the push: %q, %v", names(page), err)
		}
	})
}

func TestARepositoryCannotMakeItselfAdministrator(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, adam := accesstest.As("alice"), accesstest.As("adam")
		b.apply(adam, "default", "", component("theirs", ""))
		b.repository(alice, "default", "team/evil")
		b.push(alice, "team/evil", map[string]string{"catalog-info.yaml": component("mine", "") + component("theirs", "x: stolen") + `---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: evil}, spec: {role: admin, subjects: ['user:default/alice']}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: friends}, spec: {type: team, children: [], members: [alice]}}
`})
		l := b.location(alice, "default", "team/evil", "")
		b.get("mine")
		b.gone(adam, "rolebinding:evil")
		b.gone(adam, "group:friends")
		if e := b.get("theirs"); e.Version != 1 || e.Error != "" {
			t.Errorf("another's entity: %+v", e)
		}
		for _, want := range []string{"a RoleBinding is not taken from a repository that is not trusted for it", "a Group is not taken", "component:default/theirs: it belongs to the source apply"} {
			if !strings.Contains(details(l), want) {
				t.Errorf("%s is not in\n%s", want, details(l))
			}
		}
		refused(t, b.TrustLocation(alice, l.ID, []string{"Group"}, ""), fault.Denied, "space:admin")
		refused(t, b.TrustLocation(adam, l.ID, []string{"Component"}, ""), fault.Invalid, "needs no trust")
		if err := b.TrustLocation(adam, l.ID, []string{"groups"}, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := b.queue.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.get("group:friends")
		b.gone(adam, "rolebinding:evil")
		// The trust taken back, what it brought stays as it is.
		if err := b.TrustLocation(adam, l.ID, nil, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := b.queue.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e := b.get("group:friends"); !strings.Contains(e.Error, "not trusted") {
			t.Errorf("without trust: %+v", e)
		}
		refused(t, b.RemoveLocation(alice, l.ID, ""), fault.Denied, "space:admin")
	})
}

func TestALocationReadsOnlyWhatItMay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, carol, olga := accesstest.As("alice"), accesstest.As("carol"), accesstest.As("olga")
		b.repository(olga, "ops", "ops/secret")
		b.push(olga, "ops/secret", map[string]string{"catalog-info.yaml": component("secret", ""), "other.yaml": component("other", "")})
		for _, repository := range []string{"ops/secret", "ops/nothing"} {
			l := b.location(carol, "lab", repository, "")
			if want := "there is no repository " + repository + " that space lab may read"; !strings.Contains(l.Error, want) {
				t.Errorf("got %q, want %q", l.Error, want)
			}
		}
		// A file lends nobody's rights: adam may read everything, but the text is carol's.
		b.repository(carol, "lab", "lab/tool")
		b.push(carol, "lab/tool", map[string]string{"catalog-info.yaml": "{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: x}, spec: {target: 'https://roadbed.test/git/ops/secret/other.yaml'}}"})
		b.location(accesstest.As("adam"), "lab", "lab/tool", "")
		if _, err := b.queue.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.gone(system(), "secret")
		b.gone(system(), "other")
		_, _, err := b.AddLocation(carol, "default", catalog.Target{Repository: "lab/tool"})
		refused(t, err, fault.Denied, "location:write")
		// What is below a space is the space's to read.
		if l := b.location(alice, "default", "ops/secret", ""); l.Error != "" {
			t.Errorf("from above: %+v", l)
		}
		b.get("secret")
		if list, err := b.Locations(carol, catalog.LocationQuery{Repository: "Ops/nothing"}, page.Request{}); err != nil || len(list.Items) != 1 || list.Items[0].Repository != "ops/nothing" {
			t.Errorf("of one repository: %+v, %v", list, err)
		}
		list, err := b.Locations(carol, catalog.LocationQuery{}, page.Request{})
		if err != nil || len(list.Items) != 4 {
			t.Errorf("carol sees %d locations, %v", len(list.Items), err)
		}
		for _, target := range []catalog.Target{{Repository: "x"}, {Repository: "a/b", Path: "../x"}, {Repository: "a/b", Branch: "-x"}, {Repository: "a/b/c"}} {
			_, _, err := b.AddLocation(alice, "default", target)
			refused(t, err, fault.Invalid)
		}
	})
}

func TestALocationThatIsApplied(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.repository(alice, "default", "team/shop")
		b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("shop", ""), "more/info.yaml": component("more", "")})
		location := func(target string) string {
			return "{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: shop}, spec: {target: '" + target + "'}}"
		}
		_, err := b.try(alice, "default", "", location("./catalog-info.yaml"))
		refused(t, err, fault.Invalid, "/git/NAMESPACE/NAME/PATH")
		_, err = b.try(alice, "default", "", location("https://elsewhere.test/git/team/shop/x.yaml"))
		refused(t, err, fault.Invalid)
		for target, want := range map[string]string{"https://roadbed.test/git/Team/shop.git/more/info.yaml": "more", "/git/team/shop": "shop"} {
			b.apply(alice, "default", "", location(target))
			if _, err := b.queue.Work(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.get(want)
			list, err := b.Locations(alice, catalog.LocationQuery{}, page.Request{})
			if err != nil || len(list.Items) != 1 {
				t.Fatalf("%s: %+v, %v", target, list, err)
			}
			refused(t, b.RemoveLocation(alice, list.Items[0].ID, ""), fault.Conflict, "named by location:default/shop")
		}
		if err := b.Delete(alice, parseRef(t, "location:default/shop"), ""); err != nil {
			t.Fatal(err)
		}
		b.gone(alice, "shop")
		b.gone(alice, "more")
	})
}

func TestCorpusIsTakenIn(t *testing.T) {
	t.Parallel()
	root := lacktest.Corpus(t, "catalog")
	index, err := os.ReadFile(filepath.Join(root, "index.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := document.NewRegistry()
	for _, k := range catalog.Kinds() {
		kinds.Register(k)
	}
	taken := 0
	for _, line := range strings.Split(strings.TrimSpace(string(index)), "\n")[1:] {
		columns := strings.Split(line, "\t")
		data, err := os.ReadFile(filepath.Join(root, columns[0]))
		if err != nil {
			t.Fatal(err)
		}
		want, err := strconv.Atoi(columns[1])
		if err != nil {
			t.Fatal(err)
		}
		documents, err := document.Parse(columns[0], data, document.Limits{})
		if len(documents) != want || err != nil && len(columns) > 6 && columns[6] == "" {
			t.Errorf("%s has %d entities, want %d: %v", columns[0], len(documents), want, err)
		}
		for _, d := range documents {
			if _, known := kinds.Lookup(d.APIVersion, d.Kind); !known {
				continue // another room's
			}
			if _, wrong := kinds.Check(d); len(wrong) > 0 {
				t.Logf("refused: %v", wrong)
				continue
			}
			taken++
		}
	}
	if taken != 195 { // the others Backstage refuses too; see TestBackstageAgrees
		t.Errorf("%d documents were taken", taken)
	}
}
