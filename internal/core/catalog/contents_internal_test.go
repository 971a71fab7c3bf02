package catalog

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// heavy has files of documents that bring a large text each, and counts how often it was brought.
type heavy struct {
	Repositories
	text    []byte
	brought *atomic.Int64
}

const heavyDocuments = 30

func (h heavy) ReadSome(_ context.Context, _, _ string, files []string, _, _ int64) (some []git.Content, err error) {
	for _, name := range files {
		var text strings.Builder
		for i := range heavyDocuments {
			fmt.Fprintf(&text, "---\n{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: %s-%02d}, spec: {type: service, lifecycle: a, owner: a, text: {$text: ./large}}}\n", name, i)
		}
		some = append(some, git.Content{Bytes: []byte(text.String())})
	}
	return some, nil
}

func (h heavy) ReadFile(context.Context, string, string, string, int64) ([]byte, error) {
	h.brought.Add(1)
	return h.text, nil
}

func (h heavy) Hashes(context.Context, string, string, []string) (map[string]string, error) {
	return nil, nil
}

// However many files are parsed at once, what their placeholders bring ahead of their turn has room for a few documents; the file
// whose turn it is has all of its own.
//
//nolint:paralleltest // it has more processors
func TestWhatPlaceholdersBringWaitsForItsTurn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(16))
	synctest.Test(t, func(t *testing.T) {
		const files = 12
		h := heavy{text: []byte(strings.Repeat("x", 450_000)), brought: &atomic.Int64{}}
		registry := document.NewRegistry()
		for _, k := range Kinds() {
			registry.Register(k)
		}
		r := (&Service{repositories: h, registry: registry}).look(Location{Repository: "team/shop"}, "c")
		r.preview = false
		var all []*walkedFile
		for i := range files {
			all = append(all, &walkedFile{path: fmt.Sprintf("f%02d", i)})
		}
		taken := 0
		err := r.stream(t.Context(), all, func(c *contents) error {
			synctest.Wait()
			switch ahead := int(h.brought.Load()) - (taken+1)*heavyDocuments; {
			case len(c.bad) > 0 || len(c.documents) != heavyDocuments || len(c.documents[0].wrong) > 0:
				t.Fatalf("%s has %d documents, %v", c.path, len(c.documents), c.bad)
			case ahead*len(h.text) > bytesInWork+16*len(h.text):
				t.Errorf("%d MB are brought ahead of %s", ahead*len(h.text)>>20, c.path)
			case ahead == 0 && taken < files-1:
				t.Errorf("nothing is brought ahead of %s", c.path)
			}
			taken++
			return nil
		})
		if err != nil || taken != files {
			t.Errorf("%d files are taken, %v", taken, err)
		}
		// Who gives up leaves nobody who waits.
		err = r.stream(t.Context(), all, func(*contents) error { return fault.Errorf(fault.Unavailable, "away") })
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("it ends with %v", err)
		}
	})
}
