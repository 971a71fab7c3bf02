package worker

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// What is written to a spool comes out, in order, however it is cut, and never more than its room is on disk.
func TestASpoolGivesWhatItTook(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s := &spool{dir: dir, most: 64}
		defer s.close()
		var kept []byte
		next := byte(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "put") {
				p := make([]byte, rapid.IntRange(1, 40).Draw(t, "size"))
				for i := range p {
					p[i] = next
					next++
				}
				fits := int64(len(p)) <= s.room()
				if err := s.put(p); (err == nil) != fits {
					t.Fatalf("%d bytes where there is room for %d: %v", len(p), s.room(), err)
				}
				if fits {
					kept = append(kept, p...)
				}
				continue
			}
			if s.empty() {
				continue
			}
			n := rapid.Int64Range(1, 50).Draw(t, "take")
			p, err := s.take(n)
			if err != nil || !bytes.Equal(p, kept[:min(int(n), len(kept))]) {
				t.Fatalf("takes %v of %v, %v", p, kept, err)
			}
			kept = kept[len(p):]
			if s.empty() != (len(kept) == 0) || s.to > s.most {
				t.Fatalf("holds %d of %d bytes", len(kept), s.to)
			}
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}

// A step says more than the memory is for while the Hub is away: it goes on, and all of it arrives.
func TestALogIsKeptOnDiskWhileTheHubIsAway(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []byte
	away := true
	stream := openLog(context.Background(), 0, time.Minute, &spool{dir: t.TempDir(), most: 8 << 20}, slog.New(slog.DiscardHandler), func(_ context.Context, offset int64, p []byte) error {
		mu.Lock()
		defer mu.Unlock()
		if away {
			return fault.Errorf(fault.Unavailable, "away")
		}
		if offset != int64(len(got)) {
			t.Errorf("%d bytes arrive at %d, behind %d", len(p), offset, len(got))
		}
		got = append(got, p...)
		return nil
	})
	var want []byte
	for i := range 3 * maxPending / 1000 {
		line := bytes.Repeat([]byte{byte('a' + i%26)}, 999)
		want = append(append(want, line...), '\n')
		if _, err := stream.Write(append(line, '\n')); err != nil { // it does not wait
			t.Fatal(err)
		}
	}
	mu.Lock()
	away = false
	mu.Unlock()
	for i := range 3 * maxPending / 1000 { // behind what is on disk
		line := bytes.Repeat([]byte{byte('A' + i%26)}, 999)
		want = append(append(want, line...), '\n')
		if _, err := stream.Write(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes arrive of %d", len(got), len(want))
	}
}
