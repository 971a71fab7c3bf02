package catalog_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// known is somebody who has signed in, with an id.
func known(name string) context.Context {
	p := actor.From(member(name))
	p.ID, p.Kind = "pri_"+name, actor.User
	return actor.With(context.Background(), p)
}

func TestStarsAreOnesOwn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(as("carol"), "lab", "fleet", fleet)
		b.apply(as("olga"), "ops", "hidden", hidden)
		carol, adam := known("carol"), known("adam")
		for _, name := range []string{"cart", "resource:db", "cart"} {
			if err := b.Star(carol, parseRef(t, name), true); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Star(carol, parseRef(t, "secret"), true); !fault.Is(err, fault.NotFound) {
			t.Error("what may not be seen is starred", err)
		}
		if err := b.Star(context.Background(), parseRef(t, "cart"), true); !fault.Is(err, fault.Denied) {
			t.Error("nobody stars", err)
		}
		if got, err := b.List(carol, catalog.Query{Starred: true, Sort: "name"}); err != nil || names(got) != "cart db" || got.Total != 2 {
			t.Error(names(got), got.Total, err)
		}
		if got, err := b.List(adam, catalog.Query{Starred: true}); err != nil || names(got) != "" {
			t.Error("another's stars are shown", names(got), err)
		}
		if got, err := b.Facets(carol, catalog.FacetQuery{Query: catalog.Query{Kinds: []string{"component"}}, Fields: []string{"personal"}, Apart: true}); err != nil || fmt.Sprint(got) != "map[personal:[{starred 1}]]" {
			t.Error(got, err)
		}
		if n := b.entries("star.added", "component:default/cart"); n != 1 {
			t.Errorf("%d entries tell of one star", n)
		}
		for range 2 {
			if err := b.Star(carol, parseRef(t, "cart"), false); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := b.Stars(carol); err != nil || fmt.Sprint(got) != "[resource:default/db]" {
			t.Error(got, err)
		}
	})
}

func TestViewsAreKeptAndShared(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		carol, alice, nobody := known("carol"), known("alice"), known("nobody")
		save := func(ctx context.Context, v catalog.SavedView, match string) catalog.SavedView {
			t.Helper()
			saved, err := b.SaveView(ctx, v, match)
			if err != nil {
				t.Fatal(err)
			}
			return saved
		}
		seen := func(ctx context.Context) string {
			t.Helper()
			all, err := b.Views(ctx, page.Request{})
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, v := range all.Items {
				out = append(out, v.Name+" "+v.Query)
			}
			return fmt.Sprint(out)
		}
		own := save(carol, catalog.SavedView{Name: " Mine ", Query: "?sort=-updated&mine=true&kind=&owner=team&below=true&location=loc_1"}, "")
		shared := save(carol, catalog.SavedView{Name: "Lab", Query: "space=lab", Space: "lab"}, "")
		if got := seen(carol); got != "[Mine below=true&location=loc_1&mine=true&owner=team&sort=-updated Lab space=lab]" {
			t.Error(got)
		}
		if got := seen(alice); got != "[Lab space=lab]" { // she reads in default, and so below
			t.Error(got)
		}
		if got := seen(nobody); got != "[]" {
			t.Error(got)
		}
		for name, c := range map[string]struct {
			who  context.Context
			view catalog.SavedView
			kind fault.Kind
		}{
			"a name that is taken":      {carol, catalog.SavedView{Name: "Mine", Query: "kind=api"}, fault.Conflict},
			"a space without the right": {carol, catalog.SavedView{Name: "x", Space: "ops"}, fault.Denied},
			"an unknown parameter":      {carol, catalog.SavedView{Name: "x", Query: "limit=3"}, fault.Invalid},
			"one twice":                 {carol, catalog.SavedView{Name: "x", Query: "kind=a&kind=b"}, fault.Invalid},
			"no name":                   {carol, catalog.SavedView{Name: " "}, fault.Invalid},
			"another's own":             {alice, catalog.SavedView{ID: own.ID, Name: "x"}, fault.NotFound},
			"another's taken away":      {alice, catalog.SavedView{ID: shared.ID, Name: "x"}, fault.Invalid},
			"nobody":                    {context.Background(), catalog.SavedView{Name: "x"}, fault.Denied},
		} {
			if _, err := b.SaveView(c.who, c.view, ""); !fault.Is(err, c.kind) {
				t.Errorf("%s: %v", name, err)
			}
		}
		changed := save(carol, catalog.SavedView{ID: own.ID, Name: "Ours", Query: "kind=api"}, own.Etag())
		if changed.Version != 2 || changed.Created != own.Created || changed.Etag() == own.Etag() {
			t.Error(changed)
		}
		if _, err := b.SaveView(carol, catalog.SavedView{ID: own.ID, Name: "Late"}, own.Etag()); !fault.Is(err, fault.Stale) {
			t.Error(err)
		}
		if got, err := b.GetView(carol, own.ID); err != nil || got != changed {
			t.Error(got, changed, err)
		}
		if err := b.DeleteView(nobody, shared.ID, ""); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		if err := b.DeleteView(known("rita"), shared.ID, ""); !fault.Is(err, fault.NotFound) { // who has no right in lab
			t.Error(err)
		}
		for _, id := range []string{shared.ID, own.ID} {
			if err := b.DeleteView(carol, id, ""); err != nil {
				t.Error(err)
			}
		}
		if got := seen(carol); got != "[]" {
			t.Error(got)
		}
		if n := b.entries("view.deleted", own.ID) + b.entries("view.saved", own.ID); n != 3 {
			t.Errorf("%d entries", n)
		}
	})
}
