package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestAProgramIsReceivedWithItsChecksum takes programs that another machine gives: with a wrong checksum, of another version, and
// right, by ten at once.
func TestAProgramIsReceivedWithItsChecksum(t *testing.T) {
	t.Parallel()
	c := New(Options{Dir: t.TempDir()})
	const right, wrong = "#!/bin/sh\necho OpenTofu v1.9.9\n", "#!/bin/sh\necho OpenTofu v1.9.8\n"
	sum := func(text string) string {
		s := sha256.Sum256([]byte(text))
		return hex.EncodeToString(s[:])
	}
	var asked atomic.Int32
	from := func(text, sum string) func(context.Context) (Received, error) {
		return func(context.Context) (Received, error) {
			asked.Add(1)
			return Received{io.NopCloser(strings.NewReader(text)), sum}, nil
		}
	}
	if _, err := c.Here(t.Context(), OpenTofu, "1.9.9"); !fault.Is(err, fault.NotFound) {
		t.Errorf("what is not here: %v", err)
	}
	for what, open := range map[string]func(context.Context) (Received, error){"a wrong checksum": from(right, sum(wrong)), "another version": from(wrong, sum(wrong))} {
		if _, err := c.Receive(t.Context(), OpenTofu, "1.9.9", "a server", io.Discard, open); !fault.Is(err, fault.Conflict) || len(c.Local(t.Context())) != 0 {
			t.Errorf("%s: %v, and here are %v", what, err, c.Local(t.Context()))
		}
	}
	if _, err := c.Receive(t.Context(), OpenTofu, "../../x", "a server", io.Discard, from(right, sum(right))); !fault.Is(err, fault.Invalid) {
		t.Errorf("a version that is a path: %v", err)
	}
	asked.Store(0)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			p, err := c.Receive(t.Context(), OpenTofu, "1.9.9", "a server", io.Discard, from(right, sum(right)))
			if err != nil || p.String() != "OpenTofu v1.9.9" || p.Digest != sum(right) || p.From != "a server" {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
	all.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("it was asked for %d times", n)
	}
	p, err := c.Here(t.Context(), OpenTofu, "1.9.9")
	if err != nil {
		t.Fatal(err)
	}
	f, got, err := p.Read()
	if err != nil || got != sum(right) {
		t.Fatalf("%s, %v", got, err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); err != nil || string(text) != right {
		t.Errorf("%q, %v", text, err)
	}
}
