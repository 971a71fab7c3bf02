package catalog_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
)

// raws gives everything that somebody may see as it is sent on.
func raws(t *testing.T, s *catalog.Service, who string) string {
	t.Helper()
	r, err := s.Hits(as(who), index.Query{Limit: index.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Hits) == 0 {
		return ""
	}
	all, err := s.Raws(as(who), append([]index.Hit{{}, r.Hits[0]}, r.Hits...)) // nothing, and one twice
	if err != nil {
		t.Fatal(err)
	}
	defer all.Release()
	if all.All[0].Entity != nil || all.All[1].Entity == nil {
		t.Error("a hit of nothing gives something, or one that is there twice nothing")
	}
	var text strings.Builder
	for _, one := range all.All[2:] {
		if one.Entity == nil {
			t.Error("a hit gives nothing")
			continue
		}
		e, err := json.Marshal(one.Entity)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%s %s %+v %+v %s\n", e, one.Text, one.File, one.Origin, one.Error)
	}
	return text.String()
}

// TestTheShelfGivesWhatIsStored changes the catalog in every way, and has what the shelf gives compared with what a server
// gives that has none.
func TestTheShelfGivesWhatIsStored(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		adam, alice := accesstest.As("adam"), accesstest.As("alice")
		b.repository(alice, "default", "team/shop")
		var many strings.Builder
		for i := range 600 { // so that there is a dictionary
			many.WriteString(component(fmt.Sprintf("part-%d", i), ""))
		}
		b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("a", "") + component("b", "") + component("c", ""), "other.yaml": component("d", "")})
		l := b.location(alice, "default", "team/shop", "")
		b.location(alice, "default", "team/shop", "other.yaml")
		if _, err := b.SetLocationDefaults(adam, "default", catalog.Rules{Orphans: catalog.KeepOrphans}, ""); err != nil {
			t.Fatal(err)
		}
		b.work()
		b.apply(alice, "default", "parts", many.String())
		stocked := 0
		compare := func(what string) {
			t.Helper()
			for _, who := range []string{"alice", "adam", "carol"} {
				fresh := b.another()
				if got, want := raws(t, b.Service, who), raws(t, fresh, who); got != want {
					at := 0
					for at < min(len(got), len(want)) && got[at] == want[at] {
						at++
					}
					t.Errorf("%s: %s is given\n%.300s\nwant\n%.300s", what, who, got[max(at-100, 0):], want[max(at-100, 0):])
				}
			}
		}
		change := func(what string, fn func()) {
			t.Helper()
			n, err := b.Stock(system())
			if err != nil || n < 600 {
				t.Fatalf("before %s: %d are on the shelf, %v", what, n, err)
			}
			stocked = n
			fn()
			compare(what)
		}
		compare("nothing on the shelf")
		change("everything on the shelf", func() {})
		change("another text", func() { b.apply(alice, "default", "", component("e", "")+component("part-7x", "")) })
		change("a file is broken", func() {
			b.follow(func() { b.push(alice, "team/shop", map[string]string{"other.yaml": "kind: [\n"}) })
		})
		change("it is whole again", func() {
			b.follow(func() { b.push(alice, "team/shop", map[string]string{"other.yaml": component("d", "")}) })
		})
		change("orphans", func() {
			b.follow(func() { b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("a", "")}) })
		})
		change("a deletion", func() {
			if err := b.Delete(alice, parseRef(t, "e"), ""); err != nil {
				t.Fatal(err)
			}
		})
		change("made anew", func() { b.apply(alice, "default", "", component("e", "")) })
		change("a location is removed", func() {
			if err := b.RemoveLocation(adam, l.ID, ""); err != nil {
				t.Fatal(err)
			}
		})
		if n, err := b.Stock(system()); err != nil || n >= stocked+2 {
			t.Errorf("%d are on the shelf, %v", n, err)
		}
	})
}
