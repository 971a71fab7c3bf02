package repository_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// vault is the Git LFS of a far repository.
type vault struct {
	f *far

	mu    sync.Mutex
	files map[string]string // by what they are called
	moved []string          // that were downloaded or uploaded, with what they are at that time
	none  bool              // it has no Git LFS
	hang  func(oid string, r *http.Request)
}

// keeps gives a far repository Git LFS.
func (f *far) keeps() *vault {
	v := &vault{f: f, files: map[string]string{}}
	before := func(w http.ResponseWriter, r *http.Request) bool {
		_, path, isLFS := strings.Cut(r.URL.Path, "/info/lfs/")
		if !isLFS {
			return false
		}
		want, _ := f.password.Load().(string)
		if _, given, _ := r.BasicAuth(); want != "" && given != want {
			http.Error(w, "sign in", http.StatusUnauthorized)
			return true
		}
		v.serve(w, r, path)
		return true
	}
	f.before.Store(&before)
	return v
}

func (v *vault) serve(w http.ResponseWriter, r *http.Request, path string) {
	if name, isObject := strings.CutPrefix(path, "object/"); isObject {
		v.mu.Lock()
		hang := v.hang
		v.mu.Unlock()
		if hang != nil {
			hang(name, r)
		}
		if r.Context().Err() != nil {
			return // whoever asked has gone
		}
		body, err := io.ReadAll(r.Body)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.moved = append(v.moved, r.Method+" "+v.files[name]+string(body))
		switch {
		case err != nil:
		case r.Method == http.MethodPut:
			v.files[name] = string(body)
		default:
			_, _ = io.WriteString(w, v.files[name])
		}
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	var in struct {
		Operation string `json:"operation"`
		Objects   []struct {
			OID string `json:"oid"`
		} `json:"objects"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || v.none {
		http.NotFound(w, r)
		return
	}
	var out []any
	for _, o := range in.Objects {
		_, has := v.files[o.OID]
		one := map[string]any{"oid": o.OID}
		if has == (in.Operation == "download") {
			one["actions"] = map[string]any{in.Operation: map[string]string{"href": v.f.url + "/info/lfs/object/" + o.OID}}
		}
		out = append(out, one)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"objects": out})
}

func (v *vault) put(contents ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, content := range contents {
		v.files[oid(content)] = content
	}
}

// set changes how it is.
func (v *vault) set(none bool, hang func(oid string, r *http.Request)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.none, v.hang = none, hang
}

// done gives what was moved since it was asked for last, sorted.
func (v *vault) done() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	slices.Sort(v.moved)
	all := strings.Join(v.moved, " ")
	v.moved = nil
	return all
}

func pointerTo(content string) string {
	return fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", oid(content), len(content))
}

// large commits pointers to contents there, each to a file of its name.
func (f *far) large(ref string, contents ...string) {
	f.t.Helper()
	for _, content := range contents {
		if err := os.WriteFile(filepath.Join(f.work, content), []byte(pointerTo(content)), 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
	f.commit(strings.Join(contents, " "), ref)
}

// keepsLarge gives the service a place for files of Git LFS.
func (b *bench) keepsLarge() {
	b.t.Helper()
	files, err := blob.OpenFiles(b.t.TempDir())
	if err != nil {
		b.t.Fatal(err)
	}
	b.KeepLarge(files)
}

// has gives which contents a repository has, as "content by whom".
func (b *bench) has(name string, contents ...string) string {
	b.t.Helper()
	var found []string
	for _, content := range contents {
		f, _, err := b.OpenLarge(accesstest.As("rita"), name, oid(content))
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			b.t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		f.Close()
		if err != nil || string(got) != content {
			b.t.Errorf("%s is %q, %v", content, got, err)
		}
		found = append(found, content)
	}
	return strings.Join(found, " ")
}

// An import brings the files of Git LFS of the whole history, with its own credentials. What is missing there, is not what
// its name says or is too large is told, while all else is here; tried again, it only brings what lacks.
func TestAnImportBringsLargeFiles(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.keepsLarge()
		b.Bound(repository.Limits{Object: 9})
		b.reaches()
		f := newFar(t)
		f.password.Store("s3cret word")
		v := f.keeps()
		f.large("trunk", "one", "two", "forged", "lost", "much too large")
		f.git(f.work, "rm", "-q", "one")
		f.large("trunk", "three")
		v.put("one", "two", "three", "much too large")
		v.files[oid("forged")] = "FORGED"
		b.imports(f, "shop", repository.Credentials{Username: "robot", Password: "s3cret word"}, 0)
		r := b.until("default/shop", inState(repository.ImportFailed))
		for _, want := range []string{"3 of 6", oid("lost")[:12], oid("forged")[:12], oid("much too large")[:12], "at most 9"} {
			if !strings.Contains(r.Import.Error, want) {
				t.Errorf("it says %q, without %q", r.Import.Error, want)
			}
		}
		if got := b.has("default/shop", "one", "two", "three", "forged", "lost", "much too large", "FORGED"); got != "one two three" {
			t.Errorf("it has %s", got)
		}
		b.same("references", []string{b.refsOf("default/shop")}, f.refs())
		if got := v.done(); got != "GET FORGED GET one GET three GET two" {
			t.Errorf("it did %s", got)
		}

		v.put("lost", "forged")
		b.Bound(repository.Limits{Object: 100})
		if _, err := b.RetryImport(accesstest.As("alice"), "default/shop", repository.Credentials{}); err != nil {
			t.Fatal(err)
		}
		r = b.until("default/shop", inState(repository.ImportReady))
		if r.Import.Error != "" || r.Import.Bytes == 0 || r.Import.Refs != 1 {
			t.Errorf("%+v", r.Import)
		}
		if got := v.done(); got != "GET forged GET lost GET much too large" {
			t.Errorf("then it did %s", got)
		}
		if got := b.kinds("default/shop"); got != "created changed pushed import-failed imported" {
			t.Errorf("entries: %s", got)
		}
		if who := kept[string](b, "SELECT MIN(actor) || MAX(actor) FROM repository_large"); who != "pri_alicepri_alice" {
			t.Errorf("they are by %s", who)
		}
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		b.commit("a", "more", pointerTo("two"))
		b.must("a", "push", "-q")
	})
}

// What lives at a forge has its files there, and takes none here.
func TestLargeFilesOfAnOutsideRepository(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		b.keepsLarge()
		b.commit("work", "x", pointerTo("one"))
		b.must("work", "push", "-q", "origin", "HEAD:main")
		b.connect()
		adam := accesstest.As("adam")
		for what, err := range map[string]error{
			"put":  b.PutLarge(adam, "default/shop", oid("one"), 3, strings.NewReader("one")),
			"open": second3(b.OpenLarge(adam, "default/shop", oid("one"))),
		} {
			if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "lives at its forge") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, here, err := b.LargeAt(adam, "default/shop", []byte(pointerTo("one"))); here || err != nil {
			t.Errorf("shown in place of its pointer: %v, %v", here, err)
		}
	})
}

func second3[A, B any](_ A, _ B, err error) error { return err }

// What was cut off goes on with what lacks.
func TestLargeFilesOfAnImportGoOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.keepsLarge()
		b.runs(b.reach().Run)
		f := newFar(t)
		v := f.keeps()
		f.large("trunk", "one", "two")
		v.put("one", "two")
		asked := make(chan bool, 1)
		v.set(false, func(name string, r *http.Request) {
			if name == oid("two") {
				asked <- true
				<-r.Context().Done()
			}
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Service.Run(ctx) }()
		b.imports(f, "shop", repository.Credentials{}, 0)
		<-asked
		b.until("default/shop", func(r repository.Repository) bool { return b.has("default/shop", "one") != "" })
		if p := b.Progress(b.until("default/shop", inState(repository.ImportRunning))); p.Phase != "Receiving files of Git LFS" || p.Done != 1 || p.Total != 2 || p.Bytes < 3 {
			t.Errorf("it is at %+v", p)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		v.set(false, nil)
		v.done()
		b.runs(b.Service.Run)
		b.until("default/shop", inState(repository.ImportReady))
		if got := v.done() + "; " + b.has("default/shop", "one", "two"); got != "GET two; one two" {
			t.Errorf("then it did %s", got)
		}
	})
}

// A repository that follows another one follows with its files, and goes on following where one is missing there.
func TestLargeFilesAreFollowed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.keepsLarge()
		b.reaches()
		f := newFar(t)
		v := f.keeps()
		f.large("trunk", "one", "lost")
		v.put("one")
		b.imports(f, "shop", repository.Credentials{}, time.Hour)
		look := func(wrong bool) repository.Repository {
			t.Helper()
			if _, err := b.RetryImport(accesstest.As("alice"), "default/shop", repository.Credentials{}); err != nil {
				t.Fatal(err)
			}
			return b.until("default/shop", func(r repository.Repository) bool {
				return (r.Import.Error != "") == wrong && b.refsOf("default/shop") == f.refs() && r.Import.Due.After(time.Now())
			})
		}
		r := b.until("default/shop", func(r repository.Repository) bool { return r.Import.Error != "" })
		if r.Import.State != repository.ImportReady || r.Import.Due.IsZero() || r.Import.Refs != 1 {
			t.Errorf("a file is missing: %+v", r.Import)
		}
		f.large("trunk", "two")
		v.put("two")
		look(true)
		v.put("lost")
		look(false)
		if got := v.done() + "; " + b.has("default/shop", "one", "two", "lost"); got != "GET lost GET one GET two; one two lost" {
			t.Errorf("it did %s", got)
		}
		f.large("trunk", "three")
		v.put("three")
		look(false)
		if got := v.done() + "; " + b.has("default/shop", "three"); got != "GET three; three" {
			t.Errorf("then it did %s", got)
		}
		if got := b.kinds("default/shop"); got != "created changed pushed mirror.failed pushed mirror.recovered pushed" {
			t.Errorf("entries: %s", got)
		}
	})
}

// A mirror has the files of Git LFS before it has what leads to them. Where it can't have them the references go
// nevertheless, and that is told.
func TestLargeFilesAreMirrored(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.keepsLarge()
		b.reaches()
		f := newFar(t)
		f.password.Store("s3cret word")
		v := f.keeps()
		early := make(chan string, 10)
		v.set(false, func(string, *http.Request) { early <- f.refs() })
		b.create("default/shop")
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		push := func(ref string, contents ...string) {
			t.Helper()
			for _, content := range contents {
				if err := b.PutLarge(accesstest.As("alice"), "default/shop", oid(content), int64(len(content)), strings.NewReader(content)); err != nil {
					t.Fatal(err)
				}
				b.commit("a", content, pointerTo(content))
			}
			b.must("a", "push", "-q", "origin", "HEAD:"+ref)
		}
		push("main", "one", "two")
		_, err := b.AddMirror(accesstest.As("adam"), "default/shop", repository.NewMirror{
			URL: f.url, Credentials: repository.Credentials{Username: "robot", Password: "s3cret word"}, Patterns: []string{"main"},
		})
		if err != nil {
			t.Fatal(err)
		}
		b.there(f, "default/shop")
		if got := v.done(); got != "PUT one PUT two" {
			t.Errorf("it did %s", got)
		}
		if before := <-early + <-early; before != "" {
			t.Errorf("before they came there was %q", before)
		}
		v.set(false, nil)
		push("main", "three")
		b.there(f, "default/shop")
		push("secret", "hidden") // which the mirror does not take
		b.must("a", "reset", "-q", "--hard", "HEAD~1")
		push("main", "four")
		b.must("a", "push", "-q", "origin", ":secret")
		b.there(f, "default/shop")
		if got := v.done(); got != "PUT four PUT three" {
			t.Errorf("then it did %s", got)
		}
		v.set(true, nil)
		push("main", "five")
		b.there(f, "default/shop")
		m := b.mirrored("default/shop", func(m repository.Mirror) bool { return m.Error != "" })
		if !strings.Contains(m.Error, "keeps no files of Git LFS") || m.Failing.IsZero() {
			t.Errorf("it says %q", m.Error)
		}
		v.set(false, nil)
		if err := b.PushMirror(accesstest.As("adam"), "default/shop", m.ID); err != nil {
			t.Fatal(err)
		}
		b.mirrored("default/shop", func(m repository.Mirror) bool { return m.Error == "" })
		if got := v.done(); got != "PUT five" {
			t.Errorf("at last it did %s", got)
		}
	})
}
