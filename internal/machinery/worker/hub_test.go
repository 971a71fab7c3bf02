package worker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestMain(m *testing.M) {
	process.Child()
	goleak.VerifyTestMain(m)
}

// hub is a Hub in memory.
type hub struct {
	mu       sync.Mutex
	waiting  chan Lease
	logs     map[string][]byte
	results  map[string]Result
	blobs    map[string][]byte
	archives map[string][]byte
	canceled map[string]bool
	silent   bool // heartbeats tell of no cancel
	deaf     bool // nothing but heartbeats tells of a cancel
	lost     map[string]bool
	beats    map[string]int
	changed  chan struct{} // closed and replaced at each change
	trouble  int           // so many calls fail first
	puts     int           // of blobs that fail next
	noLogs   bool          // no log is taken, for want of space
	refused  int           // so many reports are refused for good
	ttl      time.Duration
}

func newHub() *hub {
	return &hub{waiting: make(chan Lease, 100), logs: map[string][]byte{}, results: map[string]Result{}, blobs: map[string][]byte{},
		archives: map[string][]byte{}, canceled: map[string]bool{}, lost: map[string]bool{}, beats: map[string]int{}, changed: make(chan struct{}), ttl: time.Minute}
}

func (h *hub) change(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn()
	close(h.changed)
	h.changed = make(chan struct{})
}

// until waits for something to be so.
func (h *hub) until(t *testing.T, what string, fn func() bool) {
	t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		h.mu.Lock()
		ok, changed := fn(), h.changed
		h.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("waited in vain until %s; logs: %q", what, h.logs)
		}
	}
}

func (h *hub) offer(id string, j Job) {
	h.waiting <- Lease{ID: id, Step: "step_" + id, Run: "run_1", Attempt: 1, Job: j, Expires: time.Now().Add(h.ttl), Space: "default",
		Token: "rbw_token_of_the_step", Secrets: map[string]string{"default/password": "hunter2hunter2"}}
}

func (h *hub) result(t *testing.T, id string) (Result, string) {
	t.Helper()
	h.until(t, id+" is reported", func() bool { _, ok := h.results[id]; return ok })
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.results[id], string(h.logs[id])
}

func (h *hub) check(id string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost[id] {
		return fault.Errorf(fault.NotFound, "lease %s", id)
	}
	if h.trouble > 0 {
		h.trouble--
		return fault.Errorf(fault.Unavailable, "the hub is being restarted")
	}
	return nil
}

func (h *hub) Lease(ctx context.Context, _, _, kind string, _ time.Duration) (*Lease, error) {
	if err := h.check(""); err != nil {
		return nil, err
	}
	for {
		select {
		case l := <-h.waiting:
			if l.Job.Kind == kind {
				return &l, nil
			}
			h.waiting <- l
			time.Sleep(time.Millisecond) // another lane of the worker takes it
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (h *hub) Heartbeat(_ context.Context, id string) (canceled bool, err error) {
	if err := h.check(id); err != nil {
		return false, err
	}
	h.change(func() { h.beats[id]++; canceled = h.canceled[id] && !h.silent })
	return canceled, nil
}

func (h *hub) AwaitCancel(ctx context.Context, id string) error {
	for {
		h.mu.Lock()
		canceled, changed := h.canceled[id] && !h.deaf, h.changed
		h.mu.Unlock()
		if canceled {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h *hub) Log(_ context.Context, id string, offset int64, p []byte) (err error) {
	if err := h.check(id); err != nil {
		return err
	}
	if h.noLogs {
		return fault.Errorf(fault.Unavailable, "append to a log: no space left on device")
	}
	h.change(func() {
		have := int64(len(h.logs[id]))
		if offset > have {
			err = fault.Errorf(fault.Conflict, "a gap at %d of %d", offset, have)
			return
		}
		if skip := have - offset; skip < int64(len(p)) {
			h.logs[id] = append(h.logs[id], p[skip:]...)
		}
	})
	return err
}

func (h *hub) Report(_ context.Context, id string, r Result) error {
	if err := h.check(id); err != nil {
		return err
	}
	err := error(nil)
	h.change(func() {
		if h.refused > 0 {
			h.refused--
			err = fault.Errorf(fault.TooLarge, "it is too large")
			return
		}
		h.results[id] = r
	})
	return err
}

func (h *hub) PutBlob(_ context.Context, id string, r io.Reader) (string, int64, error) {
	b, err := io.ReadAll(r)
	if err == nil {
		err = h.check(id)
	}
	h.change(func() {
		if h.puts--; h.puts >= 0 && err == nil {
			err = fault.Errorf(fault.Unavailable, "the database does not answer")
		}
	})
	if err != nil {
		return "", 0, err
	}
	sum := sha256.Sum256(b)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	h.change(func() { h.blobs[digest] = b })
	return digest, int64(len(b)), nil
}

func (h *hub) GetBlob(_ context.Context, _, digest string) (io.ReadCloser, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b, ok := h.blobs[digest]
	if !ok {
		return nil, fault.Errorf(fault.NotFound, "blob %s", digest)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (h *hub) Archive(_ context.Context, _, repository, commit, _ string) (io.ReadCloser, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b, ok := h.archives[repository+"@"+commit]
	if !ok {
		return nil, fault.Errorf(fault.NotFound, "repository %s has no commit %s", repository, commit)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

type entry struct {
	name, link, content string
	kind                byte
	mode                int64
}

func tarOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		h := &tar.Header{Name: e.name, Linkname: e.link, Typeflag: e.kind, Size: int64(len(e.content)), Mode: max(e.mode, 0o644)}
		if e.kind == tar.TypeXGlobalHeader {
			h = &tar.Header{Typeflag: e.kind, Name: e.name, PAXRecords: map[string]string{"comment": "c0ffee"}}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bench is a running worker.
type bench struct {
	hub  *hub
	dir  string
	opts Options
	stop func() // ends the worker's context and waits for Run
}

func start(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	lacktest.Programs()
	dir := t.TempDir()
	e, err := process.New(filepath.Join(dir, "execute"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	b := &bench{hub: newHub(), dir: dir}
	b.opts = Options{Name: "w1", Pool: "default", Hub: b.hub, Executor: e, Dir: filepath.Join(dir, "worker"), Parallel: 4,
		Grace: time.Second, Limits: execute.Limits{Memory: 1 << 30}}
	if change != nil {
		change(&b.opts)
	}
	b.run(t)
	return b
}

func (b *bench) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- New(b.opts).Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(func() { b.stop() })
}

func sh(script string) Job {
	return Job{Kind: KindCommand, Argv: []string{"sh", "-c", script}}
}
