package worker

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// kept is a hub that keeps logs where a server does.
type kept struct {
	*hub
	files *blob.Files
}

func (k kept) Log(ctx context.Context, id string, offset int64, p []byte) error {
	_, err := k.files.Append(ctx, "runs/run_1/"+id, offset, p)
	return err
}

// most is what was measured at its highest.
type most struct{ heap, disk uint64 }

// measured does something and gives the most that this process had on its heap meanwhile, and that lay in a folder.
func measured(t *testing.T, dir string, do func()) (m most) {
	t.Helper()
	look := func() {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		m.heap = max(m.heap, now.HeapInuse)
		var disk uint64
		_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error { // what is gone meanwhile is not there
			if err == nil && d.Type().IsRegular() {
				if info, err := d.Info(); err == nil {
					disk += uint64(info.Size())
				}
			}
			return nil
		})
		m.disk = max(m.disk, disk)
	}
	runtime.GC()
	look()
	before := m.heap
	over := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		ticks := time.NewTicker(10 * time.Millisecond)
		defer ticks.Stop()
		for {
			look()
			select {
			case <-over:
				return
			case <-ticks.C:
			}
		}
	})
	do()
	close(over)
	looking.Wait()
	t.Logf("%d MiB of heap at first and %d at most, %d MiB of disk", before>>20, m.heap>>20, m.disk>>20)
	return m
}

// TestACommandThatSaysAGigabyte has commands say a GiB, in lines and without any, by the caps that a pool has: the log has its
// bound and says why it ends there, neither memory nor disk grows with what is said, and the worker goes on. It is not parallel,
// so that the heap is its own.
func TestACommandThatSaysAGigabyte(t *testing.T) {
	const bound, heap = 64 << 20, 400 << 20
	words := "yes some words that nobody reads | head -c 1073741824"
	for name, c := range map[string]struct {
		script  string
		changes bool
	}{
		"a plan":                {words, false},
		"a plan of one line":    {`head -c 1073741824 /dev/zero | tr '\0' x`, false},
		"an apply":              {words + "; echo kept > state", true},
		"an apply that is torn": {`head -c 1073741824 /dev/zero | tr '\0' h; echo kept > state`, true}, // as a secret begins
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files, err := blob.OpenFiles(filepath.Join(dir, "blobs"))
			if err != nil {
				t.Fatal(err)
			}
			b := start(t, func(o *Options) {
				o.Limits, o.Hub, o.Dir = execute.Limits{}, kept{o.Hub.(*hub), files}, filepath.Join(dir, "worker")
			})
			j := sh(c.script)
			if j.Changes = c.changes; c.changes {
				j.Outputs = []Output{{Name: "state", Path: "state", Kind: OutputText}}
			}
			var result Result
			m := measured(t, dir, func() {
				b.hub.offer("a", j)
				result, _ = b.hub.result(t, "a")
			})
			end := make([]byte, 300)
			_, size, _, err := files.ReadAt(t.Context(), "runs/run_1/a", 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			n, _, _, err := files.ReadAt(t.Context(), "runs/run_1/a", max(0, size-int64(len(end))), end)
			if err != nil {
				t.Fatal(err)
			}
			says := fmt.Sprintf("roadbed: the step wrote more than its %d bytes of output\n", bound)
			if c.changes {
				says = fmt.Sprintf("roadbed: the log ends here: it has its %d bytes. The command goes on, and what it says is not kept.\n", bound)
				if result.ExitCode != 0 || result.Reason != "" || result.Outputs["state"] != "kept\n" {
					t.Errorf("what changes things ends as %+v", result)
				}
			} else if result.ExitCode == 0 || result.Reason != execute.ReasonOutput || !strings.Contains(says, result.Message) || result.Message == "" {
				t.Errorf("it ends as %+v", result)
			}
			if size < bound || size > bound+500 || !strings.HasSuffix(string(end[:n]), says) {
				t.Errorf("the log has %d bytes, and ends with %q", size, end[:n])
			}
			if m.heap > heap || m.disk > bound+1<<20 {
				t.Errorf("it takes %d MiB of heap and %d MiB of disk", m.heap>>20, m.disk>>20)
			}
			b.hub.offer("next", sh("true"))
			if result, _ := b.hub.result(t, "next"); result.ExitCode != 0 {
				t.Errorf("the next step ends as %+v", result)
			}
		})
	}
}
