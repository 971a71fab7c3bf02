package toolchain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// putProgram puts a program that tells its version into a cache's folder, as something that was downloaded.
func putProgram(t *testing.T, c *Cache, name, version, words string) {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf("#!/bin/sh\necho '%s v%s'\n# %s\n", Title(name), version, words)
	sum, _, err := writeProgram(filepath.Join(dir, name), strings.NewReader(text), 1<<20)
	if err == nil {
		err = os.MkdirAll(filepath.Join(c.Dir, name), 0o755)
	}
	if err == nil {
		_, err = c.keep(name, version, brought{dir: dir, sum: sum, from: "https://example.com", listed: sum})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// log tells when something is written to it.
type log struct {
	bytes.Buffer
	once sync.Once
	told chan struct{}
}

func (l *log) Write(p []byte) (int, error) {
	defer l.once.Do(func() { close(l.told) })
	return l.Buffer.Write(p)
}

// TestWhatAnotherProcessReplacesIsNoFalseAlarm: whoever looks while another is at it waits, and removes nothing.
func TestWhatAnotherProcessReplacesIsNoFalseAlarm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one := New(Options{Dir: dir})
	putProgram(t, one, OpenTofu, "1.9.9", "first")
	unlock, err := one.hold(t.Context(), OpenTofu, "1.9.9", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	path := one.Path(OpenTofu, "1.9.9")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho 'OpenTofu v1.9.9'\n# second\n"), 0o755); err != nil { // and its record is still the former's
		t.Fatal(err)
	}
	l := &log{told: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		_, err := New(Options{Dir: dir}).Get(t.Context(), OpenTofu, "1.9.9", l)
		done <- err
	}()
	<-l.told
	p, err := one.kept(OpenTofu, "1.9.9")
	if err != nil {
		t.Fatalf("it was removed meanwhile: %v", err)
	}
	is, err := p.hash()
	if err == nil {
		err = one.note(OpenTofu, "1.9.9", is)
	}
	unlock()
	if err := errors.Join(err, <-done); err != nil || strings.Contains(l.String(), "was changed") {
		t.Errorf("%v, %s", err, l.String())
	}
	// Nor does whoever needs room take what another is at.
	unlock, err = one.hold(t.Context(), OpenTofu, "1.9.9", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	putProgram(t, one, OpenTofu, "1.9.8", "more")
	two := New(Options{Dir: dir, Room: 1})
	putProgram(t, two, OpenTofu, "1.9.7", "more")
	var left []string
	for _, p := range two.Local(t.Context(), OpenTofu) {
		left = append(left, p.Version)
	}
	if !slices.Equal(left, []string{"1.9.9", "1.9.7"}) {
		t.Errorf("left are %v", left)
	}
}

// TestWhatIsPinnedOutlivesACrash: a process that ends while it puts another program in place of one leaves what was known of it.
func TestWhatIsPinnedOutlivesACrash(t *testing.T) {
	t.Parallel()
	c := New(Options{Dir: t.TempDir()})
	putProgram(t, c, Kubectl, "1.31.2", "words")
	was, err := c.record(Kubectl, "1.31.2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.keep(Kubectl, "1.31.2", brought{dir: t.TempDir(), sum: was.SHA256, from: "https://example.com", listed: was.Listed}); err == nil {
		t.Fatal("a program that is not there was kept")
	}
	if is, err := c.record(Kubectl, "1.31.2"); err != nil || is.Listed != was.Listed {
		t.Errorf("known is %+v, %v; want %+v", is, err, was)
	}
	if err := c.pinned(Kubectl, "1.31.2", strings.Repeat("0", 64)); !fault.Is(err, fault.Conflict) {
		t.Errorf("another checksum: %v", err)
	}
}

// TestWhatKilledProcessesLeftIsRemoved, save what somebody is still at.
func TestWhatKilledProcessesLeftIsRemoved(t *testing.T) {
	t.Parallel()
	c := New(Options{Dir: t.TempDir()})
	unlock, err := c.hold(t.Context(), Kubectl, "1.32.9", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	old := time.Now().Add(-2 * leftFor)
	for _, x := range []struct {
		path string
		at   time.Time
		gone bool
	}{
		{".part-1.31.2-77/kubectl", time.Now(), true},
		{".part-1.33.0-rc1-77/kubectl", time.Now(), true},
		{".part-1.32.9-78/kubectl", old, false},
		{".part-79", old, true},
		{".part-80", time.Now(), false},
		{"1.31.2/.part-81", old, true},
		{"1.31.2/kubectl", old, false},
		{"versions.json", old, false},
	} {
		file := filepath.Join(c.Dir, Kubectl, x.path)
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, []byte("words"), 0o755)
		}
		if err == nil {
			err = os.Chtimes(file, x.at, x.at)
		}
		if err != nil {
			t.Fatal(err)
		}
		New(Options{Dir: c.Dir})
		if _, err := os.Stat(file); os.IsNotExist(err) != x.gone {
			t.Errorf("%s: %v", x.path, err)
		}
		if _, err := os.Stat(filepath.Dir(file)); strings.HasPrefix(x.path, ".part-") && strings.Contains(x.path, "/") && os.IsNotExist(err) != x.gone {
			t.Errorf("the folder of %s: %v", x.path, err)
		}
	}
}

// TestAProgramThatIsLateIsAskedAgain: the machine was busy, and the program is there all the same.
func TestAProgramThatIsLateIsAskedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, free := filepath.Join(dir, "terragrunt"), filepath.Join(dir, "free")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n[ -e "+free+" ] || exec sleep 600\necho terragrunt version v0.99.1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := New(Options{Dir: dir, Found: []string{path}})
	c.patience = 100 * time.Millisecond
	if v := c.Machine(t.Context(), Terragrunt); v != "" {
		t.Errorf("it says that it is %s", v)
	}
	if err := os.WriteFile(free, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.patience = asking
	if v := c.Machine(t.Context(), Terragrunt); v != "0.99.1" {
		t.Errorf("it is %q", v)
	}
}

// pulumiLists is a site of Pulumi's versions.
func pulumiLists(t *testing.T) (s *httptest.Server, latest *atomic.Value, fails *atomic.Bool, asked *atomic.Int32) {
	t.Helper()
	latest, fails, asked = &atomic.Value{}, &atomic.Bool{}, &atomic.Int32{}
	latest.Store("3.274.1")
	s = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/latest-version":
			_, _ = io.WriteString(w, latest.Load().(string))
		case fails.Load():
			asked.Add(1)
			http.Error(w, "too many", http.StatusForbidden)
		default:
			asked.Add(1)
			_, _ = io.WriteString(w, `[{"tag_name": "v3.274.1"}, {"tag_name": "v3.274.0"}, {"tag_name": "v3.100.0"}]`)
		}
	}))
	t.Cleanup(s.Close)
	return s, latest, fails, asked
}

// TestAListThatFailsInPartLosesNothing: what was known stays, with what is new, and is asked for again after a minute, by another life
// of the process at once.
func TestAListThatFailsInPartLosesNothing(t *testing.T) {
	t.Parallel()
	s, latest, fails, asked := pulumiLists(t)
	now := time.Now()
	o := Options{Dir: t.TempDir(), Download: true, Pulumi: s.URL, HTTP: s.Client().Transport.(*http.Transport), Now: func() time.Time { return now }}
	c := New(o)
	wants := func(c *Cache, times int32, want string) {
		t.Helper()
		for range 2 {
			if got, err := c.Available(t.Context(), Pulumi); err != nil || strings.Join(got, " ") != want {
				t.Errorf("%v, %v; want %s", got, err, want)
			}
		}
		if n := asked.Swap(0); n != times {
			t.Errorf("it was asked %d times; want %d", n, times)
		}
	}
	wants(c, 1, "3.274.1 3.274.0 3.100.0")
	fails.Store(true)
	latest.Store("3.275.0")
	wants(c, 0, "3.274.1 3.274.0 3.100.0")
	now = now.Add(2 * keptFor)
	wants(c, 1, "3.275.0 3.274.1 3.274.0 3.100.0")
	w, err := ParseFor(Pulumi, "2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Resolve(t.Context(), Pulumi, w); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "as far as is known: read which versions of Pulumi there are at "+s.URL) || !strings.Contains(err.Error(), "403") {
		t.Errorf("what is told: %v", err)
	}
	wants(New(o), 1, "3.275.0 3.274.1 3.274.0 3.100.0")
	now = now.Add(2 * awayFor)
	fails.Store(false)
	wants(c, 1, "3.275.0 3.274.1 3.274.0 3.100.0")
	now = now.Add(2 * awayFor)
	wants(c, 0, "3.275.0 3.274.1 3.274.0 3.100.0")
	wants(New(o), 0, "3.275.0 3.274.1 3.274.0 3.100.0")
}

// TestWhoLeavesTakesNoAnswerAlong: a list is asked for once, to the end, whoever began it; nobody is told that its site is away.
func TestWhoLeavesTakesNoAnswerAlong(t *testing.T) {
	t.Parallel()
	began, answer := make(chan struct{}, 10), make(chan struct{})
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/stable.txt" && r.URL.Path != "/stable-1.12.txt" {
			http.NotFound(w, r)
			return
		}
		began <- struct{}{}
		<-answer
		_, _ = io.WriteString(w, map[string]string{"/stable.txt": "v1.37.1", "/stable-1.12.txt": "v1.12.3"}[r.URL.Path])
	}))
	t.Cleanup(s.Close)
	c := New(Options{Dir: t.TempDir(), Download: true, Kubectl: s.URL, HTTP: s.Client().Transport.(*http.Transport)})
	w, err := ParseFor(Kubectl, "1.12")
	if err != nil {
		t.Fatal(err)
	}
	leaving, leave := context.WithCancel(t.Context())
	left, got := make(chan error, 1), make(chan string, 5)
	go func() {
		_, err := c.Resolve(leaving, Kubectl, w)
		left <- err
	}()
	<-began
	for range cap(got) {
		go func() {
			v, err := c.Resolve(t.Context(), Kubectl, w)
			if err != nil {
				v = err.Error()
			}
			got <- v
		}()
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("whoever left: %v", err)
	}
	close(answer)
	for range cap(got) {
		if v := <-got; v != "1.12.3" {
			t.Errorf("who stayed got %s", v)
		}
	}
	if n := len(began); n != 1 { // of the minor version
		t.Errorf("it was asked %d times more", n)
	}
}
