package search

import (
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/product/search/index"
)

// TestASectionThatIsAnotherByNowIsNotShown is about a site that is read while the index knows it as it was: what was found under a
// number is left out where that is another section by now, and not shown with its text.
func TestASectionThatIsAnotherByNowIsNotShown(t *testing.T) {
	t.Parallel()
	old := []Section{{Number: 0, Path: "", Title: "Shop", Text: "Welcome."}, {Number: 1, Path: "use", Title: "Use", Anchor: "walrus", Heading: "The walrus", Text: "It sits here."}}
	x := index.New()
	for _, s := range old {
		x.Put(sectionDoc("one", "default", s))
	}
	inserted := []Section{old[0], {Number: 1, Path: "new", Title: "New", Anchor: "zebra", Heading: "The zebra", Text: "It stands there."}, old[1]}
	for _, c := range []struct {
		text  string
		now   []Section
		found string // anchor
		shown bool
	}{
		{"walrus", old, "walrus", true}, {"walrus sits", old, "walrus", true}, {"walr", old, "walrus", true}, {"walruss", old, "walrus", true}, {"use walrus", old, "walrus", true}, {"shop", old, "", true}, {"", old, "", true},
		{"walrus", inserted, "", false}, {"it sits", inserted, "", false}, {"welcome", inserted, "", true},
	} {
		words := index.Parse(c.text, func(string, string) bool { return false }).Words
		r := x.Find(index.Query{Words: words, In: []index.In{index.Docs}, Limit: 1, Sees: func(index.In, string) bool { return true }})
		if len(r.Hits) != 1 {
			t.Errorf("%q is not found", c.text)
			continue
		}
		var at Section
		for _, s := range c.now {
			if sectionKey("one", s.Number) == r.Hits[0].Key {
				at = s
				break
			}
		}
		h, ok := describeSection(catalog.Entity{}, "default", at, marker{words, r.Typos})
		if ok != c.shown || h.Anchor != c.found {
			t.Errorf("%q is shown %v with #%s, want %v with #%s", c.text, ok, h.Anchor, c.shown, c.found)
		}
	}
}
