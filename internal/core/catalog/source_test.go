package catalog_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func outcome(b catalog.Brought) string {
	return fmt.Sprintf("+%d ~%d =%d -%d !%d held %d", b.Created, b.Updated, b.Unchanged, b.Deleted, b.Wrong, b.Held)
}

// TestOutsideSystemsPush goes from a first whole set to a delta, a wrong document, somebody else's entity, and the end.
func TestOutsideSystemsPush(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := as("alice")
		push := func(in catalog.Push, yaml string) (catalog.Source, string) {
			t.Helper()
			in.Name, in.Documents = "cmdb", parse(t, yaml)
			src, out, err := b.Push(alice, in)
			if err != nil {
				t.Fatal(err)
			}
			return src, outcome(out)
		}
		want := func(got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		src, got := push(catalog.Push{Whole: true}, component("a", "")+component("b", "")+component("c", ""))
		want(got, "+3 ~0 =0 -0 !0 held 0")
		if e := b.get("component:default/a"); e.Source != "push:cmdb" || e.CreatedBy != "pri_alice" || src.Entities != 3 {
			t.Errorf("what was pushed is of %s by %s, and %d", e.Source, e.CreatedBy, src.Entities)
		}

		written := b.rows()
		again, got := push(catalog.Push{Whole: true}, component("a", "")+component("b", "")+component("c", ""))
		want(got, "+0 ~0 =3 -0 !0 held 0")
		if again.Etag() != src.Etag() || b.rows() != written {
			t.Errorf("an unchanged set makes %s of %s, and writes: %s, before %s", again.Etag(), src.Etag(), b.rows(), written)
		}

		_, got = push(catalog.Push{Remove: []ref.Entity{parseRef(t, "component:default/c"), parseRef(t, "component:default/none")}}, component("a", "system: store")+component("d", ""))
		want(got, "+1 ~1 =0 -1 !0 held 0")
		b.gone(alice, "component:default/c")

		if _, _, err := b.Push(alice, catalog.Push{Name: "cmdb", Whole: true, IfMatch: src.Etag()}); !fault.Is(err, fault.Stale) {
			t.Errorf("an older state is taken: %v", err)
		}
		refused(t, b.Delete(alice, parseRef(t, "component:default/a"), ""), fault.Conflict, "cmdb")

		// What is wrong, or somebody else's, or not alice's to say, is told, and the rest is taken.
		b.apply(as("adam"), "default", "mine", component("taken", ""))
		src, got = push(catalog.Push{Whole: true}, component("a", "system: store")+strings.ReplaceAll(component("b", ""), "lifecycle: production", "lifecycle: 7")+component("taken", "")+
			"---\n{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: mine}, spec: {type: team, children: []}}\n")
		want(got, "+0 ~0 =1 -1 !3 held 0")
		if e := b.get("component:default/b"); !strings.Contains(e.Error, "lifecycle") {
			t.Errorf("the wrong one has the error %q", e.Error)
		}
		text := fmt.Sprint(src.Details)
		for _, word := range []string{"lifecycle", "belongs to the source mine", "administrator"} {
			if word != "administrator" && !strings.Contains(text, word) {
				t.Errorf("%q is not among %s", word, text)
			}
		}
		b.gone(alice, "group:default/mine")
		if src.Details[0].Line == 0 {
			t.Errorf("a problem has no line: %+v", src.Details[0])
		}

		for who, ctx := range map[string]error{"rita": fault.Errorf(fault.Denied, ""), "carol": fault.Errorf(fault.Denied, "")} {
			if _, _, err := b.Push(as(who), catalog.Push{Name: "cmdb", Whole: true}); !fault.Is(err, fault.KindOf(ctx)) {
				t.Errorf("%s pushes: %v", who, err)
			}
		}
		if list, err := b.Sources(as("bob"), "", page.Request{}); err != nil || len(list.Items) != 1 || list.Items[0].Entities != 2 {
			t.Errorf("bob sees %+v, %v", list, err)
		}
		if _, err := b.GetSource(as("carol"), "cmdb"); !fault.Is(err, fault.NotFound) {
			t.Errorf("carol sees it: %v", err)
		}
		if err := b.DeleteSource(alice, "cmdb", ""); err != nil {
			t.Fatal(err)
		}
		b.gone(alice, "component:default/a")
		b.get("component:default/taken")
	})
}

// Of each source in a list it is told how many entities it has.
func TestSourcesAreCounted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := as("alice")
		for name, documents := range map[string]string{"none": "", "one": component("a", ""), "three": component("b", "") + component("c", "") + component("d", "")} {
			if _, _, err := b.Push(alice, catalog.Push{Name: name, Whole: true, Documents: parse(t, documents)}); err != nil {
				t.Fatal(err)
			}
		}
		b.apply(alice, "default", "one", component("e", "")) // an apply of the same name is another source
		list, err := b.Sources(alice, "", page.Request{})
		var got []string
		for _, src := range list.Items {
			got = append(got, fmt.Sprint(src.Name, " ", src.Entities))
		}
		if strings.Join(got, ", ") != "none 0, one 1, three 3" || err != nil {
			t.Errorf("the sources have %v, %v", got, err)
		}
	})
}

// rows counts all that a push can write.
func (b *bench) rows() string {
	b.t.Helper()
	var n [2]int
	err := b.db.Read(b.t.Context(), func(tx *store.Tx) error {
		for i, table := range []string{"entity_versions", "catalog_sources WHERE generation = 1"} {
			if err := tx.QueryRow(b.t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return fmt.Sprint(n)
}

// TestATokenForOneSource pushes to that one alone.
func TestATokenForOneSource(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		who := actor.From(as("alice"))
		who.Scopes = []string{"source:push=cmdb"}
		narrow := actor.With(t.Context(), who)
		if _, _, err := b.Push(narrow, catalog.Push{Name: "cmdb", Whole: true, Documents: parse(t, component("a", ""))}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Push(narrow, catalog.Push{Name: "other", Whole: true, Documents: parse(t, component("b", ""))}); !fault.Is(err, fault.Denied) {
			t.Errorf("it pushes to another one: %v", err)
		}
		if _, err := b.try(narrow, "default", "", component("b", "")); !fault.Is(err, fault.Denied) {
			t.Errorf("it applies: %v", err)
		}
	})
}

// TestASourceThatEmptiesHoldsBack keeps a source that says next to nothing from emptying the catalog.
func TestASourceThatEmptiesHoldsBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		var all strings.Builder
		for i := range 20 {
			all.WriteString(component(fmt.Sprintf("c%d", i), ""))
		}
		set := catalog.Set{Space: "default", Source: "discovery:acme", Whole: true, MostGone: 20, Documents: parse(t, all.String())}
		if _, err := b.Bring(system(), set); err != nil {
			t.Fatal(err)
		}
		set.Documents = set.Documents[:10]
		out, err := b.Bring(system(), set)
		if err != nil || outcome(out) != "+0 ~0 =10 -0 !0 held 10" {
			t.Errorf("half of it is gone: %s, %v", outcome(out), err)
		}
		b.get("component:default/c19")
		set.MostGone = 0
		if out, err = b.Bring(system(), set); err != nil || outcome(out) != "+0 ~0 =10 -10 !0 held 0" {
			t.Errorf("what was confirmed gives %s, %v", outcome(out), err)
		}
	})
}

// That all of one kind are missing is held back however many there are of others.
func TestNoKindGoesUnderTheCoverOfAnother(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		var systems, components strings.Builder
		for i := range 100 {
			systems.WriteString("---\n{apiVersion: backstage.io/v1alpha1, kind: System, metadata: {name: s" + strconv.Itoa(i) + "}, spec: {owner: team}}\n")
		}
		for i := range 10 {
			components.WriteString(component("c"+strconv.Itoa(i), ""))
		}
		set := catalog.Set{Space: "default", Source: "discovery:acme", Whole: true, MostGone: 25, Documents: parse(t, systems.String()+components.String())}
		if out, err := b.Bring(system(), set); err != nil || out.Created != 110 {
			t.Fatalf("%+v, %v", out, err)
		}
		set.Documents = parse(t, systems.String())
		if out, err := b.Bring(system(), set); err != nil || out.Held != 10 || out.Deleted != 0 {
			t.Errorf("without any of one kind: %+v, %v", out, err)
		}
		b.get("c9")
	})
}
