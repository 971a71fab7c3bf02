package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/core/access"
)

func noted(text string) func() (string, error) { return func() (string, error) { return text, nil } }

func saved(t rapid.TB, x *Index, note string) string {
	t.Helper()
	var out strings.Builder
	if err := x.Save(&out, noted(note)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func restored(t rapid.TB, x *Index) *Index {
	t.Helper()
	text := saved(t, x, "a note")
	s, err := Open(text)
	if err != nil || s.Note != "a note" {
		t.Fatalf("the note is %q, %v", s.Note, err)
	}
	fresh, err := Restore(x.pairs, s)
	if err != nil {
		t.Fatal(err)
	}
	fresh.sorting = x.sorting
	if err := fresh.sound(); err != nil {
		t.Fatal(err)
	}
	return fresh
}

func someIndex(t testing.TB) *Index {
	t.Helper()
	x := New(testPairs)
	for i, ref := range someRefs {
		p, err := Prepare(Entity{Ref: ref, UID: ref + "!", Space: "default", Version: i + 1, Document: []byte(`{"kind":"Component","metadata":{"name":"Ab","tags":["x","y"]},"spec":{"n":null}}`),
			Relations: []Relation{{"partOf", "system:default/s"}}})
		if err != nil {
			t.Fatal(err)
		}
		x.Put(p)
	}
	x.Delete(someRefs[0], 9)
	return x
}

// What was torn, or changed on the disk, is not taken for an index.
func TestADamagedIndexIsNotRestored(t *testing.T) {
	t.Parallel()
	x := someIndex(t)
	text := saved(t, x, "n")
	fresh := restored(t, x)
	if fresh.Version(someRefs[0]) != 9 || fresh.Version(someRefs[1]) != 2 || fresh.Len() != len(someRefs)-1 {
		t.Errorf("restored are %d entities, versions %d and %d", fresh.Len(), fresh.Version(someRefs[0]), fresh.Version(someRefs[1]))
	}
	s, err := Open(text)
	if err != nil {
		t.Fatal(err)
	}
	other := someIndex(t)
	other.Delete(someRefs[1], 99)
	again, err := Restore(testPairs, s)
	if err != nil {
		t.Fatal(err)
	}
	if other.Become(again); other.Version(someRefs[1]) != 2 || other.sound() != nil {
		t.Errorf("what had entities is not what was saved: %v", other.sound())
	}
	for i := range text {
		damaged := []byte(text)
		damaged[i] ^= 0x20
		_, err := Open(string(damaged))
		if _, short := Open(text[:i]); err == nil || short == nil {
			t.Fatalf("damage at byte %d of %d is not seen", i, len(text))
		}
	}
}

// meddler changes an index while it is saved: whenever it has been let go of.
type meddler struct {
	io.Writer
	meddle func()
}

func (m meddler) Write(p []byte) (int, error) {
	m.meddle()
	return m.Writer.Write(p)
}

// contents gives what an index knows of each entity.
func (x *Index) contents() map[string]string {
	all := map[string]string{}
	for id := range x.docs.n {
		d := x.docs.at(id)
		if d.ref == "" {
			continue
		}
		pairs := make([]string, 0, len(d.terms))
		for _, t := range d.terms {
			k := x.terms.at(t).key
			pairs = append(pairs, fmt.Sprintf("%q %q %d %t %q", k.path.name, k.path.relation, k.kind, k.path.multi, x.rawOf(t)))
		}
		slices.Sort(pairs)
		all[d.ref] = fmt.Sprint(d.version, " ", string(x.rawOf(d.uid)), " ", string(x.rawOf(d.space)), " ", pairs)
	}
	return all
}

// What is put, touched and deleted while an index is saved is in what is restored, or changes that as it has changed the
// index.
func TestAnIndexIsSavedWhileItChanges(t *testing.T) {
	t.Parallel()
	const entities, atOnce = 30, 6
	rapid.Check(t, func(t *rapid.T) {
		x := New(testPairs)
		put := func(i, version int, tag string) Prepared {
			related := rapid.IntRange(0, entities-1).Draw(t, "related") // which touches both
			p, err := Prepare(Entity{
				Ref: fmt.Sprintf("component:default/c%d", i), UID: fmt.Sprint("u", i), Space: "default", Version: version,
				Document:  []byte(fmt.Sprintf(`{"kind":"Component","metadata":{"name":"c%d","tags":["%s","all"],"%s":"is"},"spec":{"owner":"group:g%d"}}`, i, tag, tag, i%7)),
				Relations: []Relation{{"dependsOn", fmt.Sprintf("component:default/c%d", related)}},
			})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		for i := range entities {
			x.Put(put(i, 1, fmt.Sprint("t", i%50)))
		}
		var after []func(*Index) // what the ledger would tell a start
		version, left := 1, rapid.IntRange(0, 12).Draw(t, "writes that are meddled with")
		var out strings.Builder
		err := x.save(meddler{&out, func() {
			if left--; left < 0 {
				return
			}
			for range rapid.SampledFrom([]int{1, 5, 2 * atOnce}).Draw(t, "changes") {
				version++
				i := rapid.IntRange(0, entities+10).Draw(t, "which")
				ref, v := fmt.Sprintf("component:default/c%d", i), version
				do := func(x *Index) { x.Delete(ref, v) }
				switch rapid.IntRange(0, 3).Draw(t, "what") {
				case 0:
					x.Touch(ref)
					continue
				case 1, 2:
					p := put(i, v, rapid.SampledFrom([]string{"new", "t1", "other"}).Draw(t, "tag"))
					do = func(x *Index) { x.Put(p) }
				}
				do(x)
				after = append(after, do)
			}
		}}, noted("n"), atOnce)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(out.String())
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := Restore(testPairs, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := fresh.sound(); err != nil {
			t.Fatal(err)
		}
		for _, do := range after {
			do(fresh)
		}
		if err := fresh.sound(); err != nil {
			t.Fatal(err)
		}
		got, want := fresh.contents(), x.contents()
		for ref, is := range want {
			if got[ref] != is {
				t.Fatalf("%s is restored as %s; it is %s", ref, got[ref], is)
			}
		}
		if len(got) != len(want) {
			t.Errorf("restored are %d entities; there are %d", len(got), len(want))
		}
	})
}

// An index that changes faster than it is written is not saved.
func TestAnIndexThatChangesTooFastIsNotSaved(t *testing.T) {
	t.Parallel()
	x, version := New(testPairs), 0
	churn := func() {
		version++
		for i := range 3 {
			p, err := Prepare(Entity{Ref: fmt.Sprintf("component:default/c%d", i), UID: fmt.Sprint(i), Space: "default", Version: version, Document: []byte(`{"kind":"Component"}`)})
			if err != nil {
				t.Fatal(err)
			}
			x.Put(p)
		}
	}
	churn()
	if err := x.save(meddler{io.Discard, churn}, noted("n"), 2); !errors.Is(err, ErrChanging) {
		t.Errorf("it is saved: %v", err)
	}
}

// A document can't say in which space it is, nor relate itself to others, by naming a field as the index does that.
func TestADocumentHasNoSayInTheIndexsOwnKeys(t *testing.T) {
	t.Parallel()
	x := New(testPairs)
	victim, err := Prepare(Entity{Ref: "component:default/v", UID: "victim", Space: "default", Version: 1, Document: []byte(`{"kind":"Component","metadata":{"name":"v"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	x.Put(victim)
	p, err := Prepare(Entity{Ref: "component:default/a", UID: "u", Space: "default", Version: 1,
		Document: []byte(`{"":{"@space":"ops","\u0000ownedBy":"group:default/g"},"@space":"lab","metadata":{"UID":"victim","Name":"v"},"\u0000ownedBy":"group:default/g"}`)})
	if err != nil {
		t.Fatal(err)
	}
	x.Put(p)
	for _, x := range []*Index{x, restored(t, x)} {
		for _, space := range []string{"lab", "ops"} {
			if got := x.Find(Query{Visible: access.Set{Names: map[string]bool{space: true}}}); got.Total != 0 {
				t.Errorf("who sees %s sees %v", space, got.Hits)
			}
		}
		if got := x.Find(Query{Visible: access.Set{Names: map[string]bool{"default": true}}}); got.Total != 2 {
			t.Errorf("who sees its space sees %v", got.Hits)
		}
		if got, ok := x.ByUID("victim", access.Set{All: true}); !ok || got.Ref != "component:default/v" {
			t.Errorf("the uid of another is that of %+v", got)
		}
		if got := x.Find(Query{Filter: Has{Key: "metadata.name", Values: []string{"v"}}, Visible: access.Set{All: true}}); got.Total != 1 {
			t.Errorf("the name of another is that of %+v", got.Hits)
		}
		if got := x.Find(Query{Filter: Exists{Key: "relations.ownedBy"}, Visible: access.Set{All: true}}); got.Total != 0 {
			t.Errorf("%v has a relation that its kind doesn't know", got.Hits)
		}
	}
}

// FuzzRestore reads what has a right checksum and is wrong.
func FuzzRestore(f *testing.F) {
	f.Add([]byte(saved(f, someIndex(f), "n")))
	x, writes := someIndex(f), 0
	var inParts strings.Builder
	err := x.save(meddler{&inParts, func() {
		if writes++; writes < 3 {
			x.Touch(someRefs...)
		}
	}}, noted("n"), 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(inParts.String()))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) < 4 {
			return
		}
		body := text[:len(text)-4]
		whole := binary.LittleEndian.AppendUint32(append([]byte{}, body...), crc32.Checksum(body, checksums))
		s, err := Open(string(whole))
		if err != nil {
			return
		}
		x, err := Restore(testPairs, s)
		if err != nil {
			return
		}
		if x.Len() > len(whole) {
			t.Errorf("%d entities of %d bytes", x.Len(), len(whole))
		}
		if err := x.sound(); err != nil {
			t.Error(err)
		}
		x.Find(Query{Visible: access.Set{All: true}, Filter: Has{Key: "metadata.name", Values: []string{"ab"}}})
	})
}
