package stack

import (
	"bytes"
	"fmt"
	"testing"
)

// TestBriefsAreKeptByDigestsUpToABound: the oldest make place, and one that is large is not kept.
func TestBriefsAreKeptByDigestsUpToABound(t *testing.T) {
	t.Parallel()
	var b briefs
	has := func(digest, want string) {
		t.Helper()
		if got, ok := b.find(digest); ok != (want != "") || string(got) != want {
			t.Errorf("of %q it has %.20s, %t; want %q", digest, got, ok, want)
		}
	}
	has("a", "")
	b.keep("a", []byte(`{"a":1}`))
	b.keep("a", []byte(`{"a":2}`)) // a plan never changes
	b.keep("", []byte(`{}`))
	b.keep("large", bytes.Repeat([]byte(" "), briefBytes+1))
	has("a", `{"a":1}`)
	has("", "")
	has("large", "")

	whole := bytes.Repeat([]byte(" "), briefBytes)
	const all = briefsBytes / briefBytes
	for i := range all {
		b.keep(fmt.Sprint(i), whole)
		has(fmt.Sprint(i), string(whole))
	}
	has("a", "") // they take all of the place
	b.keep("next", whole)
	has("0", "")
	has("1", string(whole))
	has("next", string(whole))
	if b.size != briefsBytes || len(b.by) != all || len(b.order) != all {
		t.Errorf("it keeps %d bytes of %d, %d in order", b.size, len(b.by), len(b.order))
	}
}
