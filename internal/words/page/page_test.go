package page_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func self(s string) string { return s }

// Read part by part, a list gives each item once, whatever the size of the parts and whatever is added meanwhile.
func TestPartsMakeTheWhole(t *testing.T) {
	var all []string
	for i := range 17 {
		all = append(all, fmt.Sprintf("item-%02d", 16-i))
	}
	for limit := 1; limit <= 18; limit++ {
		r := page.Request{Limit: limit}
		var got []string
		for added := all; ; added = append(added, fmt.Sprintf("item-%02d", len(added)), "before") {
			part := page.From(added, r, self)
			for _, x := range part.Items {
				if slices.Contains(all, x) {
					got = append(got, x)
				}
			}
			if len(part.Items) > limit {
				t.Fatalf("a part of %d has %d items", limit, len(part.Items))
			}
			if part.Next == "" || len(added) > 100 {
				break
			}
			r.Cursor = part.Next
		}
		want := slices.Sorted(slices.Values(all))
		if !slices.Equal(got, want) {
			t.Fatalf("parts of %d gave %v, want %v", limit, got, want)
		}
	}
}

func TestARequestIsBounded(t *testing.T) {
	for limit, want := range map[int]int{0: page.Usual, -1: page.Usual, 7: 7, 10_000: page.Most} {
		if got := (page.Request{Limit: limit}).Size(); got != want {
			t.Errorf("a request for %d gives %d items, want %d", limit, got, want)
		}
	}
	for cursor, want := range map[string]int64{"": 0, "12": 12} {
		if got, err := (page.Request{Cursor: cursor}).Number(); err != nil || got != want {
			t.Errorf("cursor %q is %d, %v", cursor, got, err)
		}
	}
	for _, cursor := range []string{"0", "-3", "x", "1 "} {
		if _, err := (page.Request{Cursor: cursor}).Number(); !fault.Is(err, fault.Invalid) {
			t.Errorf("cursor %q: %v, want it refused", cursor, err)
		}
	}
}
