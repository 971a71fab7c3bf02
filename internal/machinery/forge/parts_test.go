package forge_test

import (
	"slices"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Read by parts of any sizes, which change under way, a list of numbered pages is the whole, each item once.
func TestPartsOfNumberedPages(t *testing.T) {
	t.Parallel()
	for total := range 23 {
		var whole []int
		for i := range total {
			whole = append(whole, i)
		}
		read := func(number, size int) ([]int, bool, error) {
			if size > 5 {
				t.Fatalf("a page of %d", size)
			}
			from := min((number-1)*size, total)
			to := min(from+size, total)
			return whole[from:to], to < total, nil
		}
		for _, sizes := range [][]int{{1}, {2}, {3}, {5}, {200}, {2, 3}, {3, 5, 1}, {4, 3}} {
			var got []int
			part := page.Request{}
			for i := 0; ; i++ {
				part.Limit = sizes[i%len(sizes)]
				p, err := forge.Numbered(part, 5, read)
				if err != nil || len(p.Items) > part.Limit || p.Next != "" && len(p.Items) == 0 {
					t.Fatalf("%d by %v: %+v, %v", total, sizes, p, err)
				}
				got = append(got, p.Items...)
				if part.Cursor = p.Next; p.Next == "" {
					break
				}
			}
			if !slices.Equal(got, whole) {
				t.Errorf("%d by %v: %v", total, sizes, got)
			}
		}
		all, err := forge.All(20, func(part page.Request) (page.Of[int], error) { return forge.Numbered(part, 5, read) })
		if total <= 20 && (err != nil || !slices.Equal(all, whole)) || total > 20 && !fault.Is(err, fault.TooLarge) {
			t.Errorf("all of %d: %v, %v", total, all, err)
		}
	}
	for _, bad := range []string{"x", "-1", "99999999999999"} {
		if _, err := forge.Numbered(page.Request{Cursor: bad}, 5, func(int, int) ([]int, bool, error) { return nil, false, nil }); !fault.Is(err, fault.Invalid) {
			t.Errorf("the cursor %q: %v", bad, err)
		}
	}
}
