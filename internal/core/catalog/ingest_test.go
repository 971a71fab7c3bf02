package catalog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func typed(name, kind string) string {
	return strings.Replace(component(name, ""), "type: service", "type: "+kind, 1)
}

// counting notes which files are read.
type counting struct {
	catalog.Repositories
	mu   sync.Mutex
	read []string
}

func (c *counting) ReadSome(ctx context.Context, repository, commit string, files []string, limit, total int64) ([]git.Content, error) {
	some, err := c.Repositories.ReadSome(ctx, repository, commit, files, limit, total)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = append(c.read, files[:len(some)]...)
	return some, err
}

// files gives those that were read since the last time.
func (c *counting) files() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.read)
	text := strings.Join(c.read, " ")
	c.read = nil
	return text
}

func TestOnlyWhatHasChangedIsRead(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		seen := &counting{Repositories: b.repositories.Platform()}
		b.Read(seen)
		var l catalog.Location
		b.follow(func() { // that a repository is new has its locations read, too
			b.repository(alice, "default", "team/shop")
			l = b.location(alice, "default", "team/shop", "")
		})
		push := func(files map[string]string, want string) {
			t.Helper()
			b.follow(func() { b.push(alice, "team/shop", files) })
			if got := seen.files(); got != want {
				t.Errorf("read are %s; want %s", got, want)
			}
			if now := b.again(l); now.Error != "" {
				t.Errorf("%s %s", now.Error, details(now))
			}
		}
		push(map[string]string{
			"catalog-info.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: all}\nspec: {targets: ['./parts/*.yaml']}\n",
			"parts/a.yaml":      component("a", "") + component("moves", ""), "parts/b.yaml": component("b", ""),
			"parts/c.yaml": component("c", "text: {$text: ../words}"), "words": "one",
		}, "catalog-info.yaml parts/a.yaml parts/b.yaml parts/c.yaml")
		push(map[string]string{"README.md": "hello"}, "catalog-info.yaml")
		push(map[string]string{"parts/b.yaml": typed("b", "website")}, "catalog-info.yaml parts/b.yaml")
		if got := b.get("b").Type; got != "website" {
			t.Errorf("b is a %s", got)
		}
		push(map[string]string{"words": "two"}, "catalog-info.yaml parts/c.yaml")
		if got := b.get("c").Document.Spec["text"]; got != "two" {
			t.Errorf("c says %v", got)
		}
		push(map[string]string{"parts/a.yaml": component("a", ""), "parts/b.yaml": "", "parts/d.yaml": typed("moves", "library")}, "catalog-info.yaml parts/a.yaml parts/d.yaml")
		b.get("a")
		b.gone(system(), "b")
		if got := b.get("moves"); got.Version != 2 || got.File.Path != "parts/d.yaml" {
			t.Errorf("what moved is version %d in %s", got.Version, got.File.Path)
		}
		if _, _, err := b.RefreshLocation(alice, l.ID); err != nil {
			t.Fatal(err)
		}
		if got := seen.files(); got != "catalog-info.yaml parts/a.yaml parts/c.yaml parts/d.yaml" {
			t.Errorf("who asks for it has all read: %s", got)
		}
	})
}

// A file that is read only when it changes still counts when another declares the same.
func TestTwoFilesOfALocationDeclareTheSame(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.repository(alice, "default", "team/shop")
		l := b.location(alice, "default", "team/shop", "*.yaml")
		push := func(files map[string]string) catalog.Location {
			b.follow(func() { b.push(alice, "team/shop", files) })
			return b.again(l)
		}
		push(map[string]string{"a.yaml": component("a", ""), "b.yaml": typed("b", "website")})
		now := push(map[string]string{"a.yaml": component("a", "") + typed("b", "library")})
		if got := details(now); !strings.Contains(got, "a.yaml:") || !strings.Contains(got, "component:default/b: it is there twice, also in b.yaml") {
			t.Errorf("twice: %s", got)
		}
		if got := b.get("b").Type; got != "website" {
			t.Errorf("who had it keeps it, not %s", got)
		}
		if now = push(map[string]string{"b.yaml": component("c", "")}); now.Error != "" || b.get("b").Type != "library" {
			t.Errorf("when the other is gone: %s %s", now.Error, details(now))
		}
	})
}

func (b *bench) told(types ...string) (entries []ledger.Entry) {
	b.t.Helper()
	if b.db.Dialect() == store.Postgres {
		b.sealed()
	}
	err := b.db.Read(context.Background(), func(tx *store.Tx) (err error) {
		entries, err = b.ledger.List(context.Background(), tx, ledger.Query{Types: types, Limit: 1000})
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return entries
}

// Many changes of a source share an entry; of a few, each has its own.
func TestManyChangesShareAnEntry(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.repository(alice, "default", "team/many")
		l := b.location(alice, "default", "team/many", "")
		before := len(b.told("entity."))
		b.follow(func() { b.push(alice, "team/many", many(8)) })
		if now := b.again(l); now.Error != "" {
			t.Fatal(now.Error, details(now))
		}
		sum := func() (counts map[string]int, refs int) {
			counts = map[string]int{}
			for _, e := range b.told("entities.changed") {
				var data struct {
					Source                    string
					Created, Updated, Deleted int
				}
				if err := json.Unmarshal(e.Data, &data); err != nil || data.Source != "location:"+l.ID || e.Subject != l.ID || e.Space != "default" {
					t.Fatalf("%+v: %s, %v", e, e.Data, err)
				}
				counts["created"] += data.Created
				counts["updated"] += data.Updated
				counts["deleted"] += data.Deleted
				changes, err := b.ChangesOf(system(), e.ID)
				if err != nil || len(changes) != data.Created+data.Updated+data.Deleted {
					t.Fatalf("%d changes of %s, %v", len(changes), e.Data, err)
				}
				refs += len(changes)
			}
			return counts, refs
		}
		if counts, refs := sum(); counts["created"] != 800 || refs != 800 {
			t.Errorf("created: %v, %d", counts, refs)
		}
		if got := len(b.told("entity.")) - before; got != 1 {
			t.Errorf("%d entries tell of single entities, not of the Location alone", got)
		}
		e := b.get("service-000345")
		versions, err := b.History(system(), e.Ref, catalog.HistoryQuery{}, page.Request{})
		if err != nil || len(versions.Items) != 1 || versions.Items[0].Action != catalog.Created || versions.Items[0].Commit == "" {
			t.Fatal(versions, err)
		}
		files := many(8)
		files["parts/0003.yaml"] = strings.Replace(files["parts/0003.yaml"], "title: Service 345", "title: Changed", 1)
		b.follow(func() { b.push(alice, "team/many", map[string]string{"parts/0003.yaml": files["parts/0003.yaml"]}) })
		if got := b.entries("entity.changed", e.Ref.String()); got != 1 {
			t.Errorf("%d entries tell of a single change", got)
		}
		if got := b.get("service-000345"); got.Version != 2 || got.UID != e.UID || !got.Created.Equal(e.Created) || got.Document.Metadata.Title != "Changed" {
			t.Errorf("changed: %+v", got)
		}
		for path := range maps.Keys(files) {
			files[path] = strings.ReplaceAll(files[path], "lifecycle: production", "lifecycle: deprecated")
		}
		b.follow(func() { b.push(alice, "team/many", files) })
		if counts, _ := sum(); counts["updated"] != 800 {
			t.Errorf("updated: %v", counts)
		}
		if got := b.get("service-000345"); got.Version != 3 || got.UID != e.UID || !got.Created.Equal(e.Created) || got.Document.Spec["lifecycle"] != "deprecated" {
			t.Errorf("updated: %+v", got)
		}
		if err := b.RemoveLocation(alice, l.ID, ""); err != nil {
			t.Fatal(err)
		}
		if counts, _ := sum(); counts["deleted"] != 800 { // the Location has an entry of its own
			t.Errorf("deleted: %v", counts)
		}
		if list, err := b.List(system(), catalog.Query{Kinds: []string{"component"}}); err != nil || list.Total != 0 {
			t.Errorf("%d are left, %v", list.Total, err)
		}
		again := b.location(alice, "default", "team/many", "")
		if got := b.get("service-000345"); got.Version != 5 || got.UID == e.UID || again.Error != "" {
			t.Errorf("made again: version %d, %s", got.Version, again.Error)
		}
	})
}

// Of many documents the bad ones keep what was good.
func TestOfManyOnlyTheBadStay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.apply(alice, "default", "other", component("service-000007", ""))
		b.repository(alice, "default", "team/many")
		l := b.location(alice, "default", "team/many", "")
		files := many(3)
		b.follow(func() { b.push(alice, "team/many", files) })
		if now := b.again(l); !strings.Contains(details(now), "parts/0000.yaml:") || !strings.Contains(details(now), "component:default/service-000007: it belongs to the source other") {
			t.Errorf("a name that is taken: %s", details(now))
		}
		for path, text := range files {
			files[path] = strings.ReplaceAll(text, "type: service", "type: website")
		}
		files["parts/0001.yaml"] = strings.Replace(files["parts/0001.yaml"], "owner: group:default/group-0150", "owner: [x]", 1)
		files["parts/0002.yaml"] = "half a file: [" + files["parts/0002.yaml"]
		b.follow(func() { b.push(alice, "team/many", files) })
		for name, want := range map[string]string{"000008": "website", "000149": "website", "000150": "service", "000200": "service", "000299": "service"} {
			e := b.get("service-" + name)
			if e.Type != want || (e.Error != "") != (want == "service") {
				t.Errorf("%s is a %s: %q", name, e.Type, e.Error)
			}
		}
		if got := b.get("service-000007").Source; got != "other" {
			t.Errorf("what is another's is now of %s", got)
		}
		mended := many(3)
		b.follow(func() { b.push(alice, "team/many", mended) })
		if e := b.get("service-000150"); e.Error != "" {
			t.Errorf("mended: %s", e.Error)
		}
		if err := b.Delete(system(), ref.New("component", "default", "service-000007"), ""); err != nil {
			t.Fatal(err)
		}
		if now, _, err := b.RefreshLocation(alice, l.ID); err != nil || now.Error != "" || b.get("service-000007").Source != "location:"+l.ID {
			t.Error(fmt.Sprint(now.Error, details(now), err))
		}
	})
}
