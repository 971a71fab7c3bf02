package provider_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/machinery/provider/providertest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const host = "registry.example.com"

func name(t *testing.T, text string) provider.Name {
	t.Helper()
	n, err := provider.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func open(t *testing.T, dir string, r *providertest.Registry, change ...func(*provider.Options)) *provider.Store {
	t.Helper()
	o := provider.Options{Dir: dir}
	if r != nil {
		o.Upstreams, o.HTTP = []string{host}, r.Transport()
	}
	for _, c := range change {
		c(&o)
	}
	s, err := provider.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// registry offers acme/thing in two versions.
func registry(t *testing.T) *providertest.Registry {
	t.Helper()
	r := providertest.New(t)
	for _, v := range []string{"1.0.0", "1.1.0"} {
		for _, platform := range []string{provider.Here(), "plan9_386"} {
			r.Add("acme/thing", v, platform, providertest.Archive(t, "thing", v, []byte("#!/bin/sh\n# "+v+platform+"\n"), map[string]string{"docs/README.md": "words\n"}))
		}
	}
	return r
}

func TestARegistryIsAskedOnceAndItsPackagesAreKept(t *testing.T) {
	t.Parallel()
	r := registry(t)
	dir := t.TempDir()
	s := open(t, dir, r)
	thing := provider.Package{Name: name(t, host+"/acme/thing"), Version: "1.1.0", Platform: provider.Here()}
	versions, err := s.Versions(t.Context(), thing.Name)
	if err != nil || len(versions) != 2 || !slices.Contains(versions["1.0.0"], "plan9_386") {
		t.Fatalf("%v, %v", versions, err)
	}
	before, err := s.Archives(t.Context(), thing.Name, "1.1.0")
	if err != nil || len(before) != 2 || len(before[provider.Here()]) != 1 || !strings.HasPrefix(before[provider.Here()][0], "zh:") {
		t.Fatalf("before it is fetched its checksum is known: %v, %v", before, err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			f, record, err := s.Open(t.Context(), thing)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if !slices.Equal(record.Hashes()[1:], before[provider.Here()]) || !record.Signed || record.From != host {
				t.Errorf("%+v", record)
			}
		})
	}
	all.Wait()
	if n := r.Count(); n != 1 {
		t.Errorf("it was fetched %d times", n)
	}
	after, err := s.Archives(t.Context(), thing.Name, "1.1.0")
	if err != nil || len(after[provider.Here()]) != 2 || !strings.HasPrefix(after[provider.Here()][0], "h1:") || len(after["plan9_386"]) != 1 {
		t.Errorf("%v, %v", after, err)
	}
	// What is in it lies beside it, to be linked to.
	program := filepath.Join(s.Shared(), host, "acme", "thing", "1.1.0", provider.Here(), "terraform-provider-thing_v1.1.0")
	info, err := os.Stat(program)
	if err != nil || info.Mode().Perm() != 0o755 || s.Hash(thing.Name, "1.1.0") != after[provider.Here()][0] {
		t.Errorf("%v, %v, %q", info, err, s.Hash(thing.Name, "1.1.0"))
	}
	// Without a network, what is kept is given, by the next life too.
	r.Close()
	s = open(t, dir, r, func(o *provider.Options) { o.Now = func() time.Time { return time.Now().Add(24 * time.Hour) } })
	if versions, err := s.Versions(t.Context(), thing.Name); err != nil || len(versions) != 2 {
		t.Errorf("%v, %v", versions, err)
	}
	f, _, err := s.Open(t.Context(), thing)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	thing.Version = "1.0.0"
	if _, _, err := s.Open(t.Context(), thing); !fault.Is(err, fault.Unavailable) {
		t.Errorf("what was never fetched: %v", err)
	}
}

func TestWhatIsNotAsItsRegistrySignedItIsNotKept(t *testing.T) {
	t.Parallel()
	file := "terraform-provider-thing_1.1.0_" + provider.Here() + ".zip"
	for what, c := range map[string]struct {
		change func(*providertest.Registry)
		taken  bool
	}{
		"the archive is changed":   {func(r *providertest.Registry) { r.Wrong[file] = true }, false},
		"the list is changed":      {func(r *providertest.Registry) { r.Wrong["SHA256SUMS"] = true }, false},
		"signed by somebody else":  {func(r *providertest.Registry) { r.Forged = true }, false},
		"a registry without a key": {func(r *providertest.Registry) { r.Unsigned = true }, true},
	} {
		r := registry(t)
		c.change(r)
		dir := t.TempDir()
		s := open(t, dir, r)
		thing := provider.Package{Name: name(t, host+"/acme/thing"), Version: "1.1.0", Platform: provider.Here()}
		f, record, err := s.Open(t.Context(), thing)
		if c.taken {
			if err != nil || record.Signed {
				t.Errorf("%s: %+v, %v", what, record, err)
				continue
			}
			f.Close()
			continue
		}
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: %v", what, err)
		}
		left, _ := filepath.Glob(filepath.Join(dir, "*", host, "acme", "thing", "*.zip"))
		parts, _ := os.ReadDir(filepath.Join(dir, "temporary"))
		if len(left)+len(parts) > 0 {
			t.Errorf("%s: %v %v is kept", what, left, parts)
		}
	}
}

func TestWhatPeopleAdd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, nil)
	thing := provider.Package{Name: name(t, host+"/acme/thing"), Version: "2.0.0", Platform: provider.Here()}
	archive := providertest.Archive(t, "thing", "2.0.0", []byte("#!/bin/sh\n"), nil)
	if _, err := s.Versions(t.Context(), thing.Name); !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "roadbed mirror add") {
		t.Errorf("before: %v", err)
	}
	first, fresh, err := s.Add(thing, bytes.NewReader(archive))
	if err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	if again, fresh, err := s.Add(thing, bytes.NewReader(archive)); err != nil || fresh || again.H1 != first.H1 {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	other := providertest.Archive(t, "thing", "2.0.0", []byte("#!/bin/sh\nother\n"), nil)
	if _, _, err := s.Add(thing, bytes.NewReader(other)); !fault.Is(err, fault.Conflict) {
		t.Errorf("another of the same name: %v", err)
	}
	// One that is put into the folder counts as one that was added.
	by := thing
	by.Version = "2.1.0"
	path := filepath.Join(dir, "packages", host, "acme", "thing", by.File())
	if err := os.WriteFile(path, archive, 0o644); err != nil {
		t.Fatal(err)
	}
	if versions, err := s.Versions(t.Context(), thing.Name); err != nil || len(versions) != 2 {
		t.Errorf("%v, %v", versions, err)
	}
	all := s.List()
	if len(all) != 2 || all[0].H1 != first.H1 || all[1].H1 != first.H1 || all[1].From != "" {
		t.Errorf("%+v", all)
	}
	// One that is changed there is refused.
	if err := os.WriteFile(path, other, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Open(t.Context(), by); !fault.Is(err, fault.Conflict) {
		t.Errorf("changed: %v", err)
	}
	if err := s.Remove(by); err != nil {
		t.Error(err)
	}
	if err := s.Remove(by); !fault.Is(err, fault.NotFound) {
		t.Errorf("removed again: %v", err)
	}
}

func TestArchivesThatAreNone(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), nil)
	made := func(names ...string) []byte {
		var out bytes.Buffer
		z := zip.NewWriter(&out)
		for _, n := range names {
			f, err := z.Create(n)
			if err == nil {
				_, err = io.WriteString(f, "x")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	link := func() []byte {
		var out bytes.Buffer
		z := zip.NewWriter(&out)
		h := &zip.FileHeader{Name: "terraform-provider-thing"}
		h.SetMode(os.ModeSymlink | 0o777)
		f, err := z.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(f, "/etc/passwd")
		}
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	many := []string{"terraform-provider-thing"}
	for i := range 10_001 {
		many = append(many, time.Duration(i).String())
	}
	thing := provider.Package{Name: name(t, host+"/acme/thing"), Version: "1.0.0", Platform: provider.Here()}
	for what, c := range map[string]struct {
		archive []byte
		want    fault.Kind
	}{
		"no archive":   {[]byte("#!/bin/sh\n"), fault.Invalid},
		"no program":   {made("README.md"), fault.Invalid},
		"out of it":    {made("terraform-provider-thing", "../x"), fault.Invalid},
		"absolute":     {made("terraform-provider-thing", "/etc/x"), fault.Invalid},
		"a link":       {link(), fault.Invalid},
		"too many":     {made(many...), fault.TooLarge},
		"half of it":   {made("terraform-provider-thing")[:40], fault.Invalid},
		"with a slash": {made("terraform-provider-thing", "a//b"), fault.Invalid},
	} {
		if _, _, err := s.Add(thing, bytes.NewReader(c.archive)); !fault.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if all := s.List(); len(all) > 0 {
		t.Errorf("kept are %v", all)
	}
}

func TestNamesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "acme/thing", "a/b/c/d", "../b/c", "h.com/../c", "h.com/b/..", "H.com/b/c", "h.com/b/c ", "h.com//c", "h.com/b/c%2f", "-h/b/c", ".h/b/c", "h.com:x/b/c"} {
		if n, err := provider.ParseName(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q is %v, %v", bad, n, err)
		}
	}
	for _, bad := range []string{"", "x.zip", "terraform-provider-x_1.0.0_linux.zip", "terraform-provider-x_../1.0.0_linux_amd64.zip", "terraform-provider-x_1_linux_amd64.zip", "terraform-provider-x_1.0.0_linux_amd64.zip/..", "terraform-provider-_1.0.0_linux_amd64.zip"} {
		if kind, version, platform, err := provider.ParseFile(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q is %s %s %s", bad, kind, version, platform)
		}
	}
	if kind, version, platform, err := provider.ParseFile("terraform-provider-google-beta_6.1.0-rc.1_darwin_arm64.zip"); err != nil || kind != "google-beta" || version != "6.1.0-rc.1" || platform != "darwin_arm64" {
		t.Errorf("%s %s %s %v", kind, version, platform, err)
	}
}

func TestFetchedPackagesTakeBoundedRoom(t *testing.T) {
	t.Parallel()
	r := registry(t)
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	s := open(t, t.TempDir(), r, func(o *provider.Options) {
		o.Room = 1 // one is kept whatever it takes
		o.Now = func() time.Time { now = now.Add(time.Second); return now }
	})
	own := provider.Package{Name: name(t, host+"/own/kept"), Version: "1.0.0", Platform: provider.Here()}
	if _, _, err := s.Add(own, bytes.NewReader(providertest.Archive(t, "kept", "1.0.0", []byte("x"), nil))); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"1.0.0", "1.1.0"} {
		f, _, err := s.Open(t.Context(), provider.Package{Name: name(t, host+"/acme/thing"), Version: v, Platform: provider.Here()})
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	var left []string
	for _, k := range s.List() {
		left = append(left, k.Type+" "+k.Version)
	}
	if got := strings.Join(left, ", "); got != "thing 1.1.0, kept 1.0.0" {
		t.Errorf("left are %s", got)
	}
	thing := name(t, host+"/acme/thing")
	if s.Hash(thing, "1.0.0") != "" {
		t.Error("what went is still shown to engines")
	}
	// What somebody takes out by hand leaves nothing behind.
	if err := os.Remove(filepath.Join(s.Dir, "packages", host, "own", "kept", own.File())); err != nil {
		t.Fatal(err)
	}
	if n := s.Tidy(); n != 2 || s.Hash(own.Name, "1.0.0") != "" || len(s.List()) != 0 {
		t.Errorf("tidied %d; left are %v", n, s.List())
	}
}

// FuzzParseFile: what is taken as a name of an archive is one file, and gives the same name again.
func FuzzParseFile(f *testing.F) {
	f.Add("terraform-provider-time_0.14.2_linux_amd64.zip")
	f.Add("terraform-provider-google-beta_6.1.0-rc.1_darwin_arm64.zip")
	f.Fuzz(func(t *testing.T, file string) {
		kind, version, platform, err := provider.ParseFile(file)
		if err != nil {
			return
		}
		p := provider.Package{Name: provider.Name{Host: host, Namespace: "a", Type: kind}, Version: version, Platform: platform}
		if p.Check() != nil || p.File() != file || !filepath.IsLocal(file) || filepath.Base(file) != file {
			t.Fatalf("%q is %v", file, p)
		}
	})
}

func TestARegistryThatDoesNotAnswerIsLeftAloneForAWhile(t *testing.T) {
	t.Parallel()
	r := registry(t)
	transport, dials, now := r.Transport(), 0, time.Now()
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		return dial(ctx, network, address)
	}
	r.Close()
	s := open(t, t.TempDir(), r, func(o *provider.Options) {
		o.HTTP, o.Now = transport, func() time.Time { return now }
	})
	for _, c := range []struct {
		after time.Duration
		dials int
		says  string
	}{{0, 1, "refused"}, {59 * time.Second, 1, "it is asked again"}, {time.Second, 2, "refused"}} {
		now = now.Add(c.after)
		_, err := s.Versions(t.Context(), name(t, host+"/acme/thing"))
		if !fault.Is(err, fault.Unavailable) || dials != c.dials || !strings.Contains(err.Error(), c.says) {
			t.Errorf("after %s, %d dials: %v", c.after, dials, err)
		}
	}
}
