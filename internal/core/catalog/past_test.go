package catalog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

const shopOf = `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: %s, title: %s}, spec: {type: service, lifecycle: production, owner: %s, dependsOn: ['resource:db']}}`

// Each moment of the story is between two changes.
func TestTheCatalogAsItWas(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		put := func(who, space, source, name, title, owner string) {
			t.Helper()
			b.apply(as(who), space, source, fmt.Sprintf(shopOf, name, title, owner))
		}
		start := time.Now()
		put("carol", "lab", "one", "shop", "First", "team")
		put("carol", "lab", "two", "cart", "Cart", "team")
		first := time.Now()
		put("carol", "lab", "one", "shop", "Second", "others")
		second := time.Now()
		if err := b.Delete(system(), parseRef(t, "shop"), ""); err != nil {
			t.Fatal(err)
		}
		third := time.Now()
		put("olga", "ops", "three", "shop", "Hidden", "team")
		last := time.Now()

		for _, c := range []struct {
			who  string
			at   time.Time
			want string
		}{
			{"carol", start, "not there"}, {"carol", first, "First 1 group:default/team [{dependsOn resource:default/db} {ownedBy group:default/team}]"},
			{"carol", second, "Second 2 group:default/others [{dependsOn resource:default/db} {ownedBy group:default/others}]"}, {"carol", third, "not there"}, {"carol", last, "not there"},
			{"olga", first, "not there"}, {"olga", last, "Hidden 4 group:default/team [{dependsOn resource:default/db} {ownedBy group:default/team}]"},
		} {
			e, err := b.GetAt(as(c.who), parseRef(t, "shop"), c.at)
			got := fmt.Sprint(e.Document.Metadata.Title, " ", e.Version, " ", e.Owner, " ", e.Relations)
			if fault.Is(err, fault.NotFound) {
				got, err = "not there", nil
			}
			if err != nil || got != c.want {
				t.Errorf("%s sees %s, %v; want %s", c.who, got, err, c.want)
			}
			list, err := b.List(as(c.who), catalog.Query{At: c.at, Kinds: []string{"components"}, Refs: nil, Text: "shop"})
			if there := len(list.Items) == 1; err != nil || there != (c.want != "not there") {
				t.Errorf("%s lists %s, %v; want %s", c.who, names(list), err, c.want)
			}
		}
		for want, q := range map[string]catalog.Query{
			"cart shop": {At: first, Kinds: []string{"component"}}, "shop": {At: second, Owner: []string{"others"}}, "cart": {At: second, Owner: []string{"team"}, Type: []string{"Service"}, Space: []string{"lab"}, Source: "two"},
			"": {At: second, Namespace: []string{"elsewhere"}},
		} {
			if list, err := b.List(as("carol"), q); err != nil || names(list) != want {
				t.Errorf("%+v lists %s, %v; want %s", q, names(list), err, want)
			}
		}
		part, err := b.List(as("carol"), catalog.Query{At: first, Limit: 1})
		if err != nil || names(part) != "cart" || part.Next == "" {
			t.Fatal(names(part), part.Next, err)
		}
		if rest, err := b.List(as("carol"), catalog.Query{At: first, Limit: 1, Cursor: part.Next}); err != nil || names(rest) != "shop" || rest.Next != "" {
			t.Error(names(rest), rest.Next, err)
		}
		if _, err := b.List(as("carol"), catalog.Query{At: second, Cursor: part.Next}); !fault.Is(err, fault.Invalid) {
			t.Error("a cursor of another time is taken", err)
		}

		components := catalog.Query{Kinds: []string{"component"}}
		for _, c := range []struct {
			who      string
			from, to time.Time
			q        catalog.Query
			want     string
		}{
			{"carol", start, first, components, "cart created 1 0, shop created 1 0"},
			{"carol", start, second, components, "shop created 2 0, cart created 1 0"},
			{"carol", first, second, components, "shop updated 1 2"},
			{"carol", first, third, components, "shop deleted 2 0"},
			{"carol", start, third, components, "cart created 1 0"},
			{"carol", first, last, components, "shop deleted 2 0"},
			{"olga", first, last, components, "shop created 1 0"},
			{"adam", first, last, components, "shop updated 3 1"},
			{"carol", second, third, catalog.Query{Owner: []string{"others"}}, "shop deleted 1 0"},
			{"carol", second, third, catalog.Query{Owner: []string{"team"}}, ""},
			{"carol", second, third, catalog.Query{Kinds: []string{"user"}}, ""},
		} {
			var told []string
			for cursor, parts := "", 0; parts == 0 || cursor != ""; parts++ {
				list, err := b.Changes(as(c.who), c.q, c.from, c.to, page.Request{Limit: 1, Cursor: cursor})
				if err != nil || len(list.Items) > 1 || parts > 5 {
					t.Fatal(list, parts, err)
				}
				for _, x := range list.Items {
					told = append(told, fmt.Sprint(x.Ref.Name, " ", x.Action, " ", x.Count, " ", len(x.Diff)))
				}
				cursor = list.Next
			}
			if got := strings.Join(told, ", "); got != c.want {
				t.Errorf("%s is told %q; want %q", c.who, got, c.want)
			}
		}
		if _, err := b.Changes(as("carol"), components, second, first, page.Request{}); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
		if _, err := b.Changes(as("carol"), components, first, second, page.Request{Cursor: "x"}); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
		if _, err := b.List(as("carol"), catalog.Query{At: first, Failed: true}); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}

		versions, err := b.History(as("adam"), parseRef(t, "shop"), catalog.HistoryQuery{Since: first, Until: third}, page.Request{Limit: 1})
		if err != nil || len(versions.Items) != 1 || versions.Items[0].Action != catalog.Deleted || versions.Next == "" {
			t.Fatal(versions, err)
		}
		versions, err = b.History(as("adam"), parseRef(t, "shop"), catalog.HistoryQuery{Since: first, Until: third}, page.Request{Limit: 1, Cursor: versions.Next})
		if err != nil || len(versions.Items) != 1 || versions.Items[0].Number != 2 || len(versions.Items[0].Diff) != 2 || versions.Next != "" {
			t.Fatal(versions, err)
		}
		mine, err := b.History(as("adam"), parseRef(t, "shop"), catalog.HistoryQuery{Actor: versions.Items[0].Actor}, page.Request{})
		if err != nil || len(mine.Items) != 2 {
			t.Error(mine, err)
		}
	})
}

// A version is read by its number, where its space may be seen and it has a document.
func TestAnEntityAtAVersion(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		shop := parseRef(t, "shop")
		for _, title := range []string{"First", "Second"} {
			b.apply(as("carol"), "lab", "one", fmt.Sprintf(shopOf, "shop", title, "team"))
		}
		if err := b.Delete(system(), shop, ""); err != nil {
			t.Fatal(err)
		}
		for i, title := range []string{"First", "Second"} {
			d, v, err := b.AtVersion(as("carol"), shop, i+1)
			if err != nil || d.Metadata.Title != title || v.Number != i+1 || v.Entry == "" {
				t.Errorf("version %d is %q, %+v, %v", i+1, d.Metadata.Title, v, err)
			}
		}
		for who, number := range map[string]int{"olga": 1, "adam": 3, "carol": 4} {
			if _, v, err := b.AtVersion(as(who), shop, number); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s is told of version %d: %+v, %v", who, number, v, err)
			}
		}
	})
}

// A person who is deleted is in no answer about the past.
func TestThePastForgetsPeople(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		start := time.Now()
		b.apply(system(), "default", "people", `{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: zoe}, spec: {profile: {displayName: Zoe Zest}, memberOf: [team]}}`)
		there := time.Now()
		if e, err := b.GetAt(as("adam"), parseRef(t, "user:zoe"), there); err != nil || e.Ref.Name != "zoe" {
			t.Fatal(e.Ref, err)
		}
		if err := b.Delete(system(), parseRef(t, "user:zoe"), ""); err != nil {
			t.Fatal(err)
		}
		if e, err := b.GetAt(as("adam"), parseRef(t, "user:zoe"), there); !fault.Is(err, fault.NotFound) {
			t.Error(e, err)
		}
		if list, err := b.List(as("adam"), catalog.Query{At: there, Kinds: []string{"user"}}); err != nil || len(list.Items) != 0 {
			t.Error(names(list), err)
		}
		for _, to := range []time.Time{there, time.Now()} {
			if list, err := b.Changes(as("adam"), catalog.Query{Kinds: []string{"user"}}, start, to, page.Request{}); err != nil || len(list.Items) != 0 {
				t.Error(list, err)
			}
		}
	})
}

// What came by a commit says which, and of which repository.
func TestHistoryNamesCommits(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository(as("alice"), "default", "team/shop")
		first := b.push(as("alice"), "team/shop", map[string]string{"catalog-info.yaml": fmt.Sprintf(shopOf, "shop", "First", "team")})
		if _, _, err := b.AddLocation(as("adam"), "default", catalog.Target{Repository: "team/shop"}); err != nil {
			t.Fatal(err)
		}
		versions, err := b.History(as("alice"), parseRef(t, "shop"), catalog.HistoryQuery{}, page.Request{})
		if err != nil || len(versions.Items) != 1 || versions.Items[0].Commit != first || versions.Items[0].Repository != "team/shop" || versions.Items[0].Entry == "" {
			t.Fatal(versions, err)
		}
		e, err := b.GetAt(as("alice"), parseRef(t, "shop"), time.Now())
		if err != nil || e.Commit != first || e.File.Repository != "team/shop" || e.Created.IsZero() || e.CreatedBy == "" || e.Etag != b.get("shop").Etag {
			t.Error(e, err)
		}
	})
}

// TestAPartOfThePastMayBeEmptyAndGoOn where little of what is looked through matches; what is found says when it was made.
func TestAPartOfThePastMayBeEmptyAndGoOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.LookThrough(100)
		var text strings.Builder
		for i := range 250 {
			owner := "team"
			if i >= 240 {
				owner = "others"
			}
			fmt.Fprintf(&text, shopOf+"\n---\n", fmt.Sprintf("c%03d", i), "Some", owner)
		}
		b.apply(as("carol"), "lab", "many", text.String())
		b.apply(as("carol"), "lab", "one", fmt.Sprintf(shopOf, "c250", "First", "others"))
		if err := b.Delete(system(), parseRef(t, "c250"), ""); err != nil {
			t.Fatal(err)
		}
		b.apply(as("adam"), "lab", "one", fmt.Sprintf(shopOf, "c250", "Again", "others"))
		now := b.get("c250")
		b.apply(as("carol"), "lab", "one", fmt.Sprintf(shopOf, "c250", "Changed", "others"))

		q := catalog.Query{At: time.Now(), Kinds: []string{"component"}, Owner: []string{"others"}, Limit: 6}
		var parts []int
		var last catalog.Entity
		for {
			part, err := b.List(as("carol"), q)
			if err != nil || len(parts) > 5 {
				t.Fatal(parts, err)
			}
			parts = append(parts, len(part.Items))
			for _, e := range part.Items {
				if last = e; e.Created.IsZero() || e.CreatedBy == "" {
					t.Errorf("%s was made at %s by %q", e.Ref, e.Created, e.CreatedBy)
				}
			}
			if q.Cursor = part.Next; q.Cursor == "" {
				break
			}
		}
		if fmt.Sprint(parts) != "[0 0 6 5]" {
			t.Errorf("the parts have %v", parts)
		}
		if last.Ref != now.Ref || last.Version != 4 || !last.Created.Equal(now.Created) || last.CreatedBy != now.CreatedBy || last.UpdatedBy == last.CreatedBy {
			t.Errorf("%s, version %d, was made at %s by %s, not %s by %s", last.Ref, last.Version, last.Created, last.CreatedBy, now.Created, now.CreatedBy)
		}
	})
}
