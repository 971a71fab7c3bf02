package blobtest

import (
	"strings"
	"sync"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// dropping puts content once, again, and while it is dropped: what somebody has put since stays.
func dropping(t *testing.T, s blob.Store) {
	ctx := t.Context()
	bring := func(text string) (blob.Info, bool) {
		t.Helper()
		kept, before, err := s.Bring(ctx, strings.NewReader(text), 100)
		if err != nil || kept.Size != int64(len(text)) || kept.Modified.IsZero() {
			t.Fatalf("bring %q: %+v, %v", text, kept, err)
		}
		return kept, before.IsZero()
	}
	there := func(digest string) bool {
		t.Helper()
		content, _, err := s.Open(ctx, digest)
		if err == nil {
			content.Close()
		} else if !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	first, fresh := bring("one")
	if !fresh {
		t.Error("what was never there is not fresh")
	}
	if again, fresh := bring("one"); fresh || again.Digest != first.Digest || again.Modified.Equal(first.Modified) {
		t.Errorf("the same content again is %+v, fresh %t, and was %+v", again, fresh, first)
	} else if dropped, err := s.Drop(ctx, first); dropped || err != nil || !there(first.Digest) {
		t.Errorf("what was put since is dropped: %t, %v", dropped, err)
	} else if dropped, err := s.Drop(ctx, again); !dropped || err != nil || there(first.Digest) {
		t.Errorf("what nobody put since is left: %t, %v", dropped, err)
	} else if dropped, err := s.Drop(ctx, again); dropped || err != nil {
		t.Errorf("what is gone is dropped: %t, %v", dropped, err)
	}
	if _, err := s.Drop(ctx, blob.Info{Digest: "../x"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a name outside the folder: %v", err)
	}
	for range 50 {
		kept, _ := bring("raced")
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := s.Drop(ctx, kept); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			if _, _, err := s.Put(ctx, strings.NewReader("raced"), 100); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		if !there(kept.Digest) {
			t.Fatal("content that somebody put while it was dropped is gone")
		}
	}
}
