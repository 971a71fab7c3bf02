package toolchain_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain/toolchaintest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// cache gives one in a folder, which may download from the site.
func cache(s *toolchaintest.Site, dir string, change ...func(*toolchain.Options)) *toolchain.Cache {
	o := toolchain.Options{
		Dir: dir, Download: true, OpenTofu: s.URL + "/", Terraform: s.URL, OpenTofuKey: s.OpenTofuKey, TerraformKey: s.TerraformKey,
		HTTP: s.Transport(),
	}
	for _, c := range change {
		c(&o)
	}
	return toolchain.New(o)
}

// site has these versions of Terraform, and of OpenTofu.
func site(t *testing.T) *toolchaintest.Site {
	t.Helper()
	return toolchaintest.New(t, []string{"1.5.7", "1.9.0", "1.9.8", "1.11.4"}, []string{"1.10.0", "1.11.1", "1.11.5", "1.12.6"})
}

func wanted(t *testing.T, text string) toolchain.Wanted {
	t.Helper()
	w, err := toolchain.ParseWanted(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestVersionsAreFoundThenDownloadedAndKept(t *testing.T) {
	t.Parallel()
	s := site(t)
	dir := t.TempDir()
	found := filepath.Join(t.TempDir(), "tofu")
	if err := os.WriteFile(found, toolchaintest.Program(toolchain.OpenTofu, "1.10.0"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := cache(s, dir, func(o *toolchain.Options) { o.Found = []string{found, "/nonexistent"} })
	for _, x := range []struct{ name, wanted, want string }{
		{"tofu", "", "1.10.0"}, // it is here
		{"tofu", "~> 1.10", "1.10.0"},
		{"tofu", "~> 1.11.0", "1.11.5"}, // to be downloaded
		{"tofu", "latest", "1.12.6"},
		{"tofu", ">= 1.11, < 1.11.5", "1.11.1"},
		{"terraform", "", "1.11.4"},
		{"terraform", "< 1.6", "1.5.7"},
		{"terraform", "1.9.0", "1.9.0"},
	} {
		got, err := c.Resolve(t.Context(), x.name, wanted(t, x.wanted))
		if err != nil || got != x.want {
			t.Errorf("%s %q: %s, %v; want %s", x.name, x.wanted, got, err, x.want)
		}
	}
	for _, x := range [][2]string{{"tofu", "1.10.0"}, {"tofu", "1.11.5"}, {"terraform", "1.5.7"}} {
		var log bytes.Buffer
		p, err := c.Get(t.Context(), x[0], x[1], &log)
		if err != nil {
			t.Fatalf("%v: %v", x, err)
		}
		if says := toolchain.Says(t.Context(), p.Path); says != p.String() || p.Version != x[1] {
			t.Errorf("%v says %q and is %s", x, says, p)
		}
		if p.Found != (log.Len() == 0) {
			t.Errorf("%v: found %v, and %q", x, p.Found, log.String())
		}
	}
	if n := s.Asked.Load(); n != 2 {
		t.Errorf("%d archives were downloaded", n)
	}
	again := cache(s, dir) // as another process later
	if p, err := again.Get(t.Context(), "terraform", "1.5.7", io.Discard); err != nil || p.From != s.URL || s.Asked.Load() != 2 {
		t.Errorf("later: %+v, %v, %d downloads", p, err, s.Asked.Load())
	}
	if got, err := again.Resolve(t.Context(), "terraform", wanted(t, "")); err != nil || got != "1.5.7" {
		t.Errorf("what is here comes before what is newer: %s, %v", got, err)
	}
	_, err := c.Resolve(t.Context(), "terraform", wanted(t, "~> 7.0"))
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "Terraform ~> 7.0") || !strings.Contains(err.Error(), "1.11.4, 1.9.8, 1.9.0, 1.5.7") {
		t.Errorf("a version that there is not: %v", err)
	}
	if _, err := c.Get(t.Context(), "tofu", "../../x", io.Discard); !fault.Is(err, fault.Invalid) {
		t.Errorf("a version that is a path: %v", err)
	}
}

// TestWhatIsNotAsItWasSignedIsNotKept has each of the things that a download is made of changed on the way.
func TestWhatIsNotAsItWasSignedIsNotKept(t *testing.T) {
	t.Parallel()
	platform := runtime.GOOS + "_" + runtime.GOARCH
	s, other := site(t), toolchaintest.New(t, nil, nil)
	for _, x := range []struct{ what, name, version, wrong string }{
		{"Terraform's archive", "terraform", "1.9.8", "terraform_1.9.8_" + platform + ".zip"},
		{"Terraform's checksums", "terraform", "1.9.8", "terraform_1.9.8_SHA256SUMS"},
		{"their signature", "terraform", "1.9.8", "terraform_1.9.8_SHA256SUMS.sig"},
		{"OpenTofu's archive", "tofu", "1.11.5", "tofu_1.11.5_" + platform + ".tar.gz"},
		{"OpenTofu's checksums", "tofu", "1.11.5", "tofu_1.11.5_SHA256SUMS"},
		{"Terraform, signed by another", "terraform", "1.9.8", ""},
		{"OpenTofu, signed by another", "tofu", "1.11.5", ""},
	} {
		dir := t.TempDir()
		s.Wrong(x.wrong)
		c := cache(s, dir, func(o *toolchain.Options) {
			if x.wrong == "" {
				o.TerraformKey, o.OpenTofuKey = other.TerraformKey, other.OpenTofuKey
			}
		})
		p, err := c.Get(t.Context(), x.name, x.version, io.Discard)
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), x.version) || !strings.Contains(err.Error(), "make tools") {
			t.Errorf("%s: %+v, %v", x.what, p, err)
		}
		left, _ := filepath.Glob(filepath.Join(dir, "*", "[^.]*", "*"))
		if parts, _ := filepath.Glob(filepath.Join(dir, "*", ".part-*")); len(left)+len(parts) > 0 {
			t.Errorf("%s: %v %v is kept", x.what, left, parts)
		}
	}
}

// TestWhatWasChangedSinceIsRemoved: a program that somebody has changed is not run; it is downloaded again.
func TestWhatWasChangedSinceIsRemoved(t *testing.T) {
	t.Parallel()
	s := site(t)
	dir := t.TempDir()
	p, err := cache(s, dir).Get(t.Context(), "tofu", "1.11.1", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	damage := func() {
		t.Helper()
		if err := os.WriteFile(p.Path, toolchaintest.Program(toolchain.OpenTofu, "6.6.6"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	damage()
	var log bytes.Buffer
	got, err := cache(s, dir).Get(t.Context(), "tofu", "1.11.1", &log)
	if err != nil || toolchain.Says(t.Context(), got.Path) != "OpenTofu v1.11.1" || !strings.Contains(log.String(), "was changed since it was kept") {
		t.Errorf("%+v, %v, %s", got, err, log.String())
	}
	c := cache(s, dir, func(o *toolchain.Options) { o.Download = false })
	if _, err := c.Get(t.Context(), "tofu", "1.11.1", io.Discard); err != nil {
		t.Fatal(err)
	}
	damage() // within the same life
	if _, err := c.Get(t.Context(), "tofu", "1.11.1", io.Discard); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), p.Path) {
		t.Errorf("without a download: %v", err)
	}
	// One that is carried there by hand counts, and from then on as it is.
	if err := os.MkdirAll(filepath.Dir(p.Path), 0o755); err != nil {
		t.Fatal(err)
	}
	damage()
	if got, err := c.Get(t.Context(), "tofu", "1.11.1", io.Discard); err != nil || got.Digest == "" {
		t.Errorf("carried there: %+v, %v", got, err)
	}
}

// TestAVersionIsDownloadedOnce by two caches of one folder, as two servers have, which many ask at the same time.
func TestAVersionIsDownloadedOnce(t *testing.T) {
	t.Parallel()
	s := site(t)
	dir := t.TempDir()
	caches := []*toolchain.Cache{cache(s, dir), cache(s, dir)}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			p, err := caches[i%2].Get(t.Context(), "terraform", "1.11.4", io.Discard)
			if err != nil || p.Digest == "" {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
	all.Wait()
	if n := s.Asked.Load(); n != 1 {
		t.Errorf("it was downloaded %d times", n)
	}
}

func TestWhatWasUsedLongestAgoGoes(t *testing.T) {
	t.Parallel()
	s := site(t)
	dir := t.TempDir()
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	c := cache(s, dir, func(o *toolchain.Options) {
		o.Room = int64(len(toolchaintest.Program(toolchain.Terraform, "1.9.0"))) * 5 / 2
		o.Now = func() time.Time { now = now.Add(time.Minute); return now }
	})
	carried := filepath.Join(dir, "tofu", "1.0.0", "tofu")
	if err := os.MkdirAll(filepath.Dir(carried), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(carried, toolchaintest.Program(toolchain.OpenTofu, "1.0.0"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"1.5.7", "1.9.0", "1.5.7", "1.9.8"} {
		if _, err := c.Get(t.Context(), "terraform", version, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	var left []string
	for _, p := range c.Local(t.Context()) {
		left = append(left, p.String())
	}
	if got := strings.Join(left, ", "); got != "OpenTofu v1.0.0, Terraform v1.9.8, Terraform v1.5.7" {
		t.Errorf("left is %s", got)
	}
}

// TestWhoDownloadsNothingSaysWhy: nothing at all, or no Terraform, which nobody gets without having asked for it.
func TestWhoDownloadsNothingSaysWhy(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name, want string
		options    toolchain.Options
	}{
		{"tofu", "--download-engine=false", toolchain.Options{}},
		{"terraform", "--terraform-releases", toolchain.Options{Download: true}},
	} {
		x.options.Dir = t.TempDir()
		c := toolchain.New(x.options)
		if _, err := c.Get(t.Context(), x.name, "1.9.0", io.Discard); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", x.name, err)
		}
		if _, err := c.Resolve(t.Context(), x.name, wanted(t, "1.9.0")); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

// TestALastListCounts when the site is away.
func TestALastListCounts(t *testing.T) {
	t.Parallel()
	s := site(t)
	now := time.Now()
	c := cache(s, t.TempDir(), func(o *toolchain.Options) { o.Now = func() time.Time { return now } })
	before, err := c.Available(t.Context(), "terraform")
	if err != nil || strings.Join(before, " ") != "1.11.4 1.9.8 1.9.0 1.5.7" {
		t.Fatalf("%v, %v", before, err)
	}
	s.Close()
	now = now.Add(2 * time.Hour)
	if after, err := c.Available(t.Context(), "terraform"); err != nil || len(after) != len(before) {
		t.Errorf("%v, %v", after, err)
	}
	if _, err := c.Available(t.Context(), "tofu"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a list that nobody has seen: %v", err)
	}
}

func TestConstraints(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		wanted, version string
		want            bool
	}{
		{"", "1.2.3", true}, {"", "1.2.3-rc1", false}, {"latest", "1.2.3", true}, {"latest", "1.3.0-beta1", false}, {"~> 1.2", "1.9.0", true}, {"~> 1.2", "2.0.0", false},
		{"~> 1.2.0", "1.3.0", false}, {"1.2.3", "1.2.3", true}, {"!= 1.2.3", "1.2.3", false}, {">= 1.2, < 1.4", "1.3.9", true}, {"1.3.0-beta1", "1.3.0-beta1", true},
		{"", "x", false},
	} {
		if got := wanted(t, x.wanted).Allows(x.version); got != x.want {
			t.Errorf("%q allows %s: %v", x.wanted, x.version, got)
		}
	}
	for _, bad := range []string{"newest", "1.x", "=> 1", strings.Repeat("1", 300)} {
		if _, err := toolchain.ParseWanted(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for text, want := range map[string]string{"OpenTofu v1.12.6": "tofu 1.12.6", "Terraform v1.11.4": "terraform 1.11.4", "Terraform v1.6.0-beta1": "terraform 1.6.0-beta1", "Pulumi v3.0.0": " ", "OpenTofu v1.1": " "} {
		if name, version, _ := toolchain.Parse(text); name+" "+version != want {
			t.Errorf("%q is %s %s", text, name, version)
		}
	}
}

// FuzzWanted: what is read as a constraint never allows what is no version.
func FuzzWanted(f *testing.F) {
	f.Add("~> 1.2", "1.2.3")
	f.Add(">= 1, < 2", "1.0.0-rc1")
	f.Add("~1.31", "1.31.2")
	f.Add("v1.x", "1.0.0")
	f.Fuzz(func(t *testing.T, text, version string) {
		for _, name := range []string{toolchain.OpenTofu, toolchain.Kubectl} {
			w, err := toolchain.ParseFor(name, text)
			if err != nil {
				if !fault.Is(err, fault.Invalid) {
					t.Fatal(err)
				}
				continue
			}
			if got := w.Newest([]string{version}); got != "" && (got != version || !w.Allows(version)) {
				t.Fatalf("%q of %q", got, version)
			}
			if one := w.Exact(); one != "" && !w.Allows(one) {
				t.Fatalf("%q does not allow itself", one)
			}
		}
	})
}
