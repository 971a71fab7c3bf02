package repository

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func hashOf(c string) string { return strings.Repeat(c, 40) }

func TestWhatIsRecalledIsSmallAndTheLast(t *testing.T) {
	t.Parallel()
	var r recall
	r.keep(asked{"r", "main", "commit"}, 1, 10) // a branch moves
	if _, ok := r.find(asked{"r", "main", "commit"}); ok {
		t.Error("what a branch named is recalled")
	}
	first := asked{"r", hashOf("a"), "commit"}
	r.keep(first, "first", 100)
	r.keep(asked{"r", hashOf("b"), "archive"}, "large", recallOne)
	if _, ok := r.find(asked{"r", hashOf("b"), "archive"}); ok {
		t.Error("what is large is recalled")
	}
	for i := range 3 * recallBytes / (recallOne / 2) {
		r.keep(asked{"r", hashOf("c"), strings.Repeat("x", i)}, i, recallOne/2)
		if got, ok := r.find(first); !ok || got != "first" {
			t.Fatalf("what is asked for each time is gone after %d others", i)
		}
	}
	if r.size > recallBytes || len(r.at) != r.order.Len() || len(r.at) < 10 {
		t.Errorf("%d answers have %d bytes, %d are in order", len(r.at), r.size, r.order.Len())
	}
	if _, ok := r.find(asked{"r", hashOf("c"), ""}); ok {
		t.Error("the one that was asked for longest ago is still there")
	}
	if _, ok := r.find(asked{"other", hashOf("a"), "commit"}); ok {
		t.Error("another repository's commit is recalled")
	}
}

func TestAStreamIsRecordedWhenAllOfItWasRead(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 1000)
	for name, c := range map[string]struct {
		from io.Reader
		read int64 // before it is closed
		kept bool
	}{
		"all":        {strings.NewReader(text), 1 << 20, true},
		"byte by b.": {iotest.OneByteReader(strings.NewReader(text)), 1 << 20, true},
		"some":       {strings.NewReader(text), 100, true},
		"large":      {bytes.NewReader(make([]byte, recallOne+1)), 1 << 20, false},
		"cut off":    {io.MultiReader(strings.NewReader(text), iotest.ErrReader(errors.New("git failed"))), 1 << 20, false},
	} {
		var kept []byte
		s := &recording{ReadCloser: io.NopCloser(c.from), whole: func(content []byte) { kept = content }}
		_, _ = io.CopyN(io.Discard, s, c.read)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if (kept != nil) != c.kept || c.kept && string(kept) != text {
			t.Errorf("%s: kept are %d bytes", name, len(kept))
		}
	}
}
