package lfs_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/git/lfs"
	"github.com/roadbed-dev/roadbed/internal/machinery/outbound"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// depot is another machine's Git LFS.
type depot struct {
	t   *testing.T
	url string

	mu       sync.Mutex
	files    map[string]string
	batch    func(w http.ResponseWriter, r *http.Request) bool // in place of its own answer
	object   func(w http.ResponseWriter, r *http.Request) bool
	href     string // where its files are; its own address when empty
	password string
	seen     []string // requests with what signs them
	verified int
	errors   map[string]int // of the batch, by oid
}

func newDepot(t *testing.T) *depot {
	d := &depot{t: t, files: map[string]string{}, errors: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(d.serve))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func (d *depot) serve(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, given, _ := r.BasicAuth()
	d.seen = append(d.seen, strings.TrimSpace(fmt.Sprintf("%s %s %s%s", r.Method, strings.Split(r.URL.Path, "/")[1], given, r.Header.Get("X-Pass"))))
	if oid, ok := strings.CutPrefix(r.URL.Path, "/object/"); ok {
		if d.object != nil && d.object(w, r) {
			return
		}
		switch content, has := d.files[oid]; {
		case r.Method == http.MethodPost:
			d.verified++
		case r.Method == http.MethodPut:
			sent, err := io.ReadAll(r.Body)
			if err != nil || r.ContentLength != int64(len(sent)) {
				d.t.Errorf("%d bytes of %d were sent: %v", len(sent), r.ContentLength, err)
			}
			d.files[oid] = string(sent)
		case !has:
			http.Error(w, "none", http.StatusNotFound)
		default:
			_, _ = io.WriteString(w, content)
		}
		return
	}
	if d.batch != nil && d.batch(w, r) {
		return
	}
	if d.password != "" && given != d.password {
		http.Error(w, `{"message": "sign\u0007 in"}`, http.StatusUnauthorized)
		return
	}
	if r.URL.Path != "/crew/shop.git/info/lfs/objects/batch" {
		http.NotFound(w, r)
		return
	}
	var in struct {
		Operation string `json:"operation"`
		Objects   []struct {
			OID  string `json:"oid"`
			Size int64  `json:"size"`
		} `json:"objects"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		d.t.Error(err)
	}
	base := d.href
	if base == "" {
		base = d.url
	}
	var out []any
	for _, o := range in.Objects {
		one := map[string]any{"oid": o.OID, "size": o.Size}
		act := map[string]any{"href": base + "/object/" + o.OID, "header": map[string]string{"X-Pass": "+pass"}}
		_, has := d.files[o.OID]
		switch code := d.errors[o.OID]; {
		case code != 0:
			one["error"] = map[string]any{"code": code, "message": "not today"}
		case in.Operation == "download" && !has:
			one["error"] = map[string]any{"code": 404, "message": "lost"}
		case in.Operation == "download":
			one["actions"] = map[string]any{"download": act}
		case !has:
			one["actions"] = map[string]any{"upload": act, "verify": act}
		}
		out = append(out, one)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"objects": out})
}

func pointer(content string) git.Pointer {
	sum := sha256.Sum256([]byte(content))
	return git.Pointer{OID: hex.EncodeToString(sum[:]), Size: int64(len(content))}
}

func through(t *testing.T, allow string) http.RoundTripper {
	t.Helper()
	guard, err := outbound.New(outbound.Options{Allow: allow})
	if err != nil {
		t.Fatal(err)
	}
	transport := guard.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// download gives what came of files, and what became of each.
func (d *depot) download(c *lfs.Client, files ...git.Pointer) (came map[string]string, failed map[string]error, err error) {
	var mu sync.Mutex
	came, failed = map[string]string{}, map[string]error{}
	err = c.Download(d.t.Context(), files, func(_ context.Context, p git.Pointer, content io.Reader) error {
		raw, err := io.ReadAll(content)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			came[p.OID] = string(raw)
		}
		return err
	}, func(p git.Pointer, err error) {
		if err != nil {
			failed[p.OID] = err
		}
	})
	return came, failed, err
}

func (d *depot) client(remote git.Remote) *lfs.Client {
	d.t.Helper()
	if remote.URL == "" {
		remote.URL = d.url + "/crew/shop"
	}
	c, err := lfs.New(remote, through(d.t, "127.0.0.1"))
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// Files come and go in batches, in both directions, and what is there is not sent again.
func TestFilesAreMoved(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	d.password = "s3cret"
	c := d.client(git.Remote{Username: "robot", Password: "s3cret"})
	contents, files := map[string]string{}, []git.Pointer{}
	for i := range 205 {
		content := strings.Repeat("x", i)
		p := pointer(content)
		contents[p.OID] = content
		files = append(files, p)
	}
	send := func() (sent int) {
		t.Helper()
		var mu sync.Mutex
		err := c.Upload(t.Context(), files, func(_ context.Context, p git.Pointer) (io.ReadCloser, error) {
			mu.Lock()
			defer mu.Unlock()
			sent++
			return io.NopCloser(strings.NewReader(contents[p.OID])), nil
		}, func(p git.Pointer, err error) {
			if err != nil {
				t.Errorf("%s: %v", p.OID, err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return sent
	}
	if first, again := send(), send(); first != len(files) || again != 0 || d.verified != len(files) {
		t.Errorf("%d and %d were sent, %d verified", first, again, d.verified)
	}
	came, failed, err := d.download(c, files...)
	if err != nil || len(failed) > 0 || len(came) != len(files) {
		t.Fatalf("%d came, %v, %v", len(came), failed, err)
	}
	for oid, content := range came {
		if content != contents[oid] {
			t.Errorf("%s is %q", oid, content)
		}
	}
}

// What can't be had is told for each file, and holds up no other.
func TestAFileThatCantBeHad(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	c := d.client(git.Remote{})
	good, lost, limited, longer, moved := pointer("good"), pointer("lost"), pointer("limited"), pointer("longer"), pointer("moved")
	d.files = map[string]string{good.OID: "good", limited.OID: "limited", longer.OID: "longer", moved.OID: "moved"}
	d.errors[limited.OID] = 429
	d.object = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasSuffix(r.URL.Path, longer.OID): // it never ends
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 64<<10)); err != nil {
					break
				}
			}
			return true
		case strings.HasSuffix(r.URL.Path, moved.OID):
			http.Redirect(w, r, "http://127.0.0.2:1/secret-token", http.StatusFound)
			return true
		}
		return false
	}
	came, failed, err := d.download(c, lost, limited, longer, moved, good)
	if err != nil || len(came) != 1 || came[good.OID] != "good" || len(failed) != 4 {
		t.Fatalf("%v came, %v, %v", came, failed, err)
	}
	for p, want := range map[git.Pointer]struct {
		kind fault.Kind
		word string
	}{
		lost: {fault.NotFound, "lost"}, limited: {fault.Exhausted, "not today"}, longer: {fault.Invalid, "more bytes"}, moved: {fault.Invalid, "127.0.0.2"},
	} {
		if got := failed[p.OID]; !fault.Is(got, want.kind) || !strings.Contains(got.Error(), want.word) || strings.Contains(got.Error(), "secret-token") {
			t.Errorf("%q is wanted, not %v", want.word, got)
		}
	}
}

// Credentials go to their own host alone, and so does what opens one file.
func TestCredentialsStayAtTheirHost(t *testing.T) {
	t.Parallel()
	for name, led := range map[string]bool{"a batch names another host": false, "a redirect leads to it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, other := newDepot(t), newDepot(t)
			d.password = "s3cret"
			p := pointer("content")
			d.files[p.OID], other.files[p.OID] = "content", "content"
			if led {
				d.object = func(w http.ResponseWriter, r *http.Request) bool {
					http.Redirect(w, r, other.url+r.URL.Path, http.StatusFound)
					return true
				}
			} else {
				d.href = other.url
			}
			came, failed, err := d.download(d.client(git.Remote{Username: "robot", Password: "s3cret"}), p)
			if err != nil || came[p.OID] != "content" {
				t.Fatalf("%v, %v, %v", came, failed, err)
			}
			want := "GET object +pass"
			if led {
				want = "GET object"
			}
			if got := strings.Join(other.seen, "; "); got != want {
				t.Errorf("the other host saw %q, want %q", got, want)
			}
			if led && d.seen[1] != "GET object s3cret+pass" {
				t.Errorf("its own host saw %q", d.seen)
			}
		})
	}
	// With credentials the question itself is led nowhere.
	d, other := newDepot(t), newDepot(t)
	d.batch = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, other.url+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	}
	p := pointer("content")
	other.files[p.OID] = "content"
	if _, _, err := d.download(d.client(git.Remote{Password: "s3cret"}), p); !fault.Is(err, fault.Conflict) || len(other.seen) > 0 {
		t.Errorf("led away: %v, %v", err, other.seen)
	}
	if came, _, err := d.download(d.client(git.Remote{}), p); err != nil || came[p.OID] != "content" {
		t.Errorf("without credentials: %v, %v", came, err)
	}
}

// What the other side answers to the question as a whole is told as such, and bounded.
func TestABatchThatIsRefused(t *testing.T) {
	t.Parallel()
	p := pointer("content")
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		kind   fault.Kind
		word   string
	}{
		"no Git LFS": {func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, fault.NotFound, "keeps no files of Git LFS"},
		"not signed in": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"message": "no\u0007t\n you"}`, http.StatusUnauthorized)
		}, fault.Unauthenticated, "no t you"},
		"forbidden": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, fault.Denied, "may not"},
		"too often": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, fault.Exhausted, "too often"},
		"broken":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, fault.Unavailable, "502"},
		"a page":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, fault.Invalid, "does not answer"},
		"other ways": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"transfer": "tus", "objects": []}`)
		}, fault.Invalid, "tus"},
		"in a circle": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, fault.Invalid, "from one address to the next"},
		"to a private address": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://10.0.0.1/x", http.StatusTemporaryRedirect)
		}, fault.Invalid, "10.0.0.1"},
		"without an end": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
					return
				}
			}
		}, fault.Invalid, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDepot(t)
			d.batch = func(w http.ResponseWriter, r *http.Request) bool { c.answer(w, r); return true }
			_, _, err := d.download(d.client(git.Remote{}), p)
			if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.word) {
				t.Errorf("%v; want %q", err, c.word)
			}
		})
	}
}

// What moves next to nothing is given up, and so is another side that fails again and again.
func TestAnotherSideThatFails(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	var files []git.Pointer
	for i := range 50 {
		content := fmt.Sprint(i)
		files = append(files, pointer(content))
		d.files[pointer(content).OID] = content
	}
	hangs := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-hangs:
		}
	}))
	defer slow.Close()
	defer close(hangs)
	d.href = slow.URL
	_, failed, err := d.download(d.client(git.Remote{}).Patient(time.Millisecond), files[0])
	if err != nil || !fault.Is(failed[files[0].OID], fault.Unavailable) || !strings.Contains(failed[files[0].OID].Error(), "next to nothing") {
		t.Errorf("it hangs: %v, %v", failed, err)
	}

	d.href = ""
	d.object = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true }
	d.seen = nil
	if _, failed, err = d.download(d.client(git.Remote{}), files...); !fault.Is(err, fault.Unavailable) || len(failed) != 10 || len(d.seen) > 20 {
		t.Errorf("it fails: %v, %d files, %d requests", err, len(failed), len(d.seen))
	}
}
