package toolchain_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain/toolchaintest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// toolSite has versions of the programs whose makers sign no list.
func toolSite(t *testing.T) *toolchaintest.Site {
	t.Helper()
	s := toolchaintest.New(t, nil, nil)
	s.Tool(t, toolchain.Kubectl, "1.12.3", "1.31.2", "1.31.14", "1.32.9", "1.37.1")
	s.Tool(t, toolchain.Terragrunt, "0.98.0", "0.99.1", "0.99.4", "1.0.2")
	s.Tool(t, toolchain.Pulumi, "3.100.0", "3.274.0", "3.274.1")
	return s
}

// mirrors has a cache take these programs from the site.
func mirrors(s *toolchaintest.Site) func(*toolchain.Options) {
	return func(o *toolchain.Options) {
		o.Kubectl, o.Terragrunt, o.Pulumi = s.Mirror("kubectl")+"/", s.Mirror("terragrunt"), s.Mirror("pulumi")
	}
}

func wantedOf(t *testing.T, name, text string) toolchain.Wanted {
	t.Helper()
	w, err := toolchain.ParseFor(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// kept gives what is noted of a program.
func kept(t *testing.T, c *toolchain.Cache, name, version string) (r struct{ SHA256, Listed, From string }) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(filepath.Dir(c.Path(name, version)), "record.json"))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// program writes one that the machine has.
func program(t *testing.T, name, version string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, toolchaintest.Program(name, version), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestToolsAreFoundThenDownloadedAndKept(t *testing.T) {
	t.Parallel()
	s := toolSite(t)
	dir := t.TempDir()
	found := program(t, toolchain.Kubectl, "1.32.4")
	c := cache(s, dir, mirrors(s), func(o *toolchain.Options) { o.Found = []string{found} })
	for _, x := range []struct{ name, wanted, want string }{
		{"kubectl", "", "1.32.4"}, // it is here
		{"kubectl", "1.32", "1.32.4"},
		{"kubectl", "1.31", "1.31.14"}, // to be downloaded
		{"kubectl", "1.31.x", "1.31.14"},
		{"kubectl", "~1.31", "1.31.14"},
		{"kubectl", "~> 1.31.0", "1.31.14"},
		{"kubectl", "~1.12", "1.12.3"}, // older than all that is listed
		{"kubectl", "< 1.31", ""},
		{"kubectl", "v1.31.2", "1.31.2"}, // as it is, since there is no list of all
		{"kubectl", "1.30.7", "1.30.7"},
		{"kubectl", "latest", "1.37.1"},
		{"terragrunt", "", "1.0.2"},
		{"terragrunt", "0.99", "0.99.4"},
		{"terragrunt", "~0.99.2", "0.99.4"},
		{"terragrunt", ">= 0.98, < 0.99.4", "0.99.1"},
		{"terragrunt", "0.97.0", "0.97.0"},
		{"terragrunt", "99", ""}, // comes before a release
		{"pulumi", "latest", "3.274.1"},
		{"pulumi", "3", "3.274.1"},
		{"pulumi", "~> 3.100.0", "3.100.0"},
	} {
		got, err := c.Resolve(t.Context(), x.name, wantedOf(t, x.name, x.wanted))
		if x.want == "" {
			if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "to be downloaded are") {
				t.Errorf("%s %q: %s, %v", x.name, x.wanted, got, err)
			}
			continue
		}
		if err != nil || got != x.want {
			t.Errorf("%s %q: %s, %v; want %s", x.name, x.wanted, got, err, x.want)
		}
	}
	for _, x := range [][2]string{{"kubectl", "1.32.4"}, {"kubectl", "1.31.2"}, {"terragrunt", "0.99.1"}, {"pulumi", "3.274.0"}} {
		var log bytes.Buffer
		p, err := c.Get(t.Context(), x[0], x[1], &log)
		if err != nil {
			t.Fatalf("%v: %v", x, err)
		}
		if name, version, ok := toolchain.Is(t.Context(), p.Path); !ok || name != x[0] || version != x[1] {
			t.Errorf("%v says that it is %s %s", x, name, version)
		}
		if p.Found != (log.Len() == 0) || !p.Found && !strings.Contains(log.String(), "; its checksum is right\n") {
			t.Errorf("%v: found %v, and %q", x, p.Found, log.String())
		}
		if p.Found {
			continue
		}
		if r := kept(t, c, x[0], x[1]); r.SHA256 != p.Digest || len(r.Listed) != 64 || r.From != strings.TrimSuffix(s.Mirror(x[0]), "/") || (r.Listed == r.SHA256) != (x[0] != "pulumi") {
			t.Errorf("of %v is noted %+v", x, r)
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "pulumi", "3.274.0", "*"))
	if got := strings.Join(files, " "); strings.Count(got, "/pulumi-") != 1 || !strings.Contains(got, "pulumi-language-yaml") {
		t.Errorf("of Pulumi are kept %s", got)
	}
	if info, err := os.Stat(filepath.Join(dir, "pulumi", "3.274.0", "pulumi-language-yaml")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("what is beside Pulumi: %v, %v", info, err)
	}
	if n := s.Asked.Load(); n != 3 {
		t.Errorf("%d were downloaded", n)
	}
	again := cache(s, dir, mirrors(s)) // as another process later
	for _, x := range [][2]string{{"kubectl", "1.31.2"}, {"pulumi", "3.274.0"}} {
		if _, err := again.Get(t.Context(), x[0], x[1], io.Discard); err != nil || s.Asked.Load() != 3 {
			t.Errorf("later: %v, %v, %d downloads", x, err, s.Asked.Load())
		}
	}
	if got, err := again.Resolve(t.Context(), "terragrunt", wantedOf(t, "terragrunt", "0.99")); err != nil || got != "0.99.1" {
		t.Errorf("what is here comes before what is newer: %s, %v", got, err)
	}
}

// TestWhatHasAnotherChecksumIsNotKept has each of the things that a download is made of changed on the way.
func TestWhatHasAnotherChecksumIsNotKept(t *testing.T) {
	t.Parallel()
	s := toolSite(t)
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}
	for _, x := range []struct{ name, version, wrong, want string }{
		{"kubectl", "1.31.2", "kubectl", "the SHA-256 of kubectl is "},
		{"kubectl", "1.31.2", "kubectl.sha256", ""},
		{"terragrunt", "0.99.1", "terragrunt_linux_", "the SHA-256 of terragrunt_linux_"},
		{"pulumi", "3.274.1", "pulumi-v3.274.1-linux-", "the SHA-256 of pulumi-v3.274.1-linux-"},
		{"kubectl", "1.31.99", "", "answers 404"},
		{"pulumi", "3.1.0", "", "answers 404"},
	} {
		for goarch, other := range arch {
			wrong := x.wrong
			switch {
			case strings.HasSuffix(wrong, "terragrunt_linux_"):
				wrong += goarch
			case strings.HasSuffix(wrong, "-"):
				wrong += other + ".tar.gz"
			}
			if !s.Has(wrong) && wrong != "" {
				continue // of another machine
			}
			dir := t.TempDir()
			s.Wrong(wrong)
			_, err := cache(s, dir, mirrors(s)).Get(t.Context(), x.name, x.version, io.Discard)
			if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), x.want) || !strings.Contains(err.Error(), "install "+toolchain.Title(x.name)+" "+x.version+" on the machine's PATH") {
				t.Errorf("%s: %v", wrong, err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*", "[^.]*", "*")); len(left) > 0 {
				t.Errorf("%s: %v is kept", wrong, left)
			}
		}
	}
}

// TestAReleaseDoesNotChange: the checksum of the first download holds for good, whatever becomes of the program.
func TestAReleaseDoesNotChange(t *testing.T) {
	t.Parallel()
	s := toolSite(t)
	dir := t.TempDir()
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	c := cache(s, dir, mirrors(s), func(o *toolchain.Options) {
		o.Room = 1 // that of the newest alone
		o.Now = func() time.Time { now = now.Add(time.Minute); return now }
	})
	get := func(c *toolchain.Cache, name, version string) error {
		_, err := c.Get(t.Context(), name, version, io.Discard)
		return err
	}
	for _, x := range [][2]string{{"kubectl", "1.31.2"}, {"pulumi", "3.274.0"}, {"terragrunt", "0.99.4"}} {
		if err := get(c, x[0], x[1]); err != nil {
			t.Fatal(err)
		}
	}
	if local := c.Local(t.Context()); len(local) != 1 || local[0].Name != "terragrunt" {
		t.Fatalf("left is %v", local)
	}
	was := kept(t, c, "kubectl", "1.31.2")
	if err := get(c, "kubectl", "1.31.2"); err != nil { // as it was
		t.Fatal(err)
	}
	if err := get(c, "kubectl", "1.31.14"); err != nil { // which takes the other's place
		t.Fatal(err)
	}
	s.Release(t, "kubectl", "1.31.2", map[string][]byte{"kubectl": toolchaintest.Program("kubectl", "6.6.6")})
	s.Release(t, "pulumi", "3.274.0", map[string][]byte{"pulumi": toolchaintest.Program("pulumi", "3.274.0"), "pulumi-language-yaml": []byte("#!/bin/sh\necho other\n")})
	for _, c := range []*toolchain.Cache{c, cache(s, dir, mirrors(s))} {
		err := get(c, "kubectl", "1.31.2")
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "and was "+was.Listed+" when it was first downloaded, on 2026-11-01") || !strings.Contains(err.Error(), filepath.Join(dir, "kubectl", "1.31.2", "record.json")) {
			t.Errorf("another program as the same release: %v", err)
		}
		if err := get(c, "pulumi", "3.274.0"); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "a release does not change") {
			t.Errorf("another archive as the same release: %v", err)
		}
	}
	if err := os.RemoveAll(filepath.Dir(c.Path("kubectl", "1.31.2"))); err != nil { // as the message says
		t.Fatal(err)
	}
	if err := get(c, "kubectl", "1.31.2"); err != nil {
		t.Error(err)
	}
}

// TestWhatIsBesidePulumiIsLookedAtToo: one of its programs that was changed, or that came, is not run.
func TestWhatIsBesidePulumiIsLookedAtToo(t *testing.T) {
	t.Parallel()
	s := toolSite(t)
	dir := t.TempDir()
	p, err := cache(s, dir, mirrors(s)).Get(t.Context(), "pulumi", "3.274.1", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	language := filepath.Join(filepath.Dir(p.Path), "pulumi-language-yaml")
	c := cache(s, dir, mirrors(s))
	for i, damage := range []func() error{
		func() error { return os.WriteFile(language, []byte("#!/bin/sh\necho other\n"), 0o755) },
		func() error { return os.Remove(language) },
		func() error { return os.WriteFile(language+"-more", []byte("#!/bin/sh\n"), 0o755) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		if _, err := c.Get(t.Context(), "pulumi", "3.274.1", &log); err != nil || !strings.Contains(log.String(), "was changed since it was kept (what is beside it is something else)") {
			t.Errorf("damage %d: %v, %s", i, err, log.String())
		}
		if data, err := os.ReadFile(language); err != nil || !strings.Contains(string(data), "of 3.274.1") {
			t.Errorf("damage %d: %q, %v", i, data, err)
		}
	}
	if n := s.Asked.Load(); n != 4 {
		t.Errorf("it was downloaded %d times", n)
	}
}

// TestWithoutDownloadsAToolIsToBeInstalled names what, and where.
func TestWithoutDownloadsAToolIsToBeInstalled(t *testing.T) {
	t.Parallel()
	found := program(t, toolchain.Kubectl, "1.32.4")
	c := toolchain.New(toolchain.Options{Dir: t.TempDir(), Found: []string{found}})
	_, err := c.Resolve(t.Context(), "kubectl", wantedOf(t, "kubectl", "1.31"))
	if !fault.Is(err, fault.Conflict) {
		t.Fatal(err)
	}
	for _, want := range []string{"there is no kubectl 1.31 here: this server has 1.32.4", "--download-engine=false", "install kubectl 1.31 on the machine's PATH", c.Path("kubectl", "VERSION")} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
	if _, err := c.Resolve(t.Context(), "pulumi", wantedOf(t, "pulumi", "3.1.2")); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "install Pulumi 3.1.2") {
		t.Error(err)
	}
	if _, err := c.Get(t.Context(), "terragrunt", "0.99.1", io.Discard); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "install Terragrunt 0.99.1 on the machine's PATH") {
		t.Error(err)
	}
	// What is carried there by hand counts, with what is beside it.
	path := c.Path("pulumi", "3.1.2")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{"pulumi": toolchaintest.Program("pulumi", "3.1.2"), "pulumi-language-go": []byte("#!/bin/sh\n")} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), file), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := c.Resolve(t.Context(), "pulumi", wantedOf(t, "pulumi", "3.1.2")); err != nil || got != "3.1.2" {
		t.Errorf("carried there: %s, %v", got, err)
	}
	if p, err := c.Get(t.Context(), "pulumi", "3.1.2", io.Discard); err != nil || p.Digest == "" {
		t.Errorf("carried there: %+v, %v", p, err)
	}
}

// TestNoChecksumComesInTheClear: a mirror that leads from HTTPS to HTTP is not followed.
func TestNoChecksumComesInTheClear(t *testing.T) {
	t.Parallel()
	s := toolSite(t)
	clear := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "v1.31.2") }))
	defer clear.Close()
	s.Leads("kubectl/stable.txt", clear.URL)
	c := cache(s, t.TempDir(), mirrors(s))
	if _, err := c.Available(t.Context(), "kubectl"); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "which is not HTTPS") {
		t.Error(err)
	}
}

func TestVersionsOfToolsByTheirFirstNumbers(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		wanted, version string
		want            bool
	}{
		{"1.31", "1.31.0", true}, {"1.31", "1.31.14", true}, {"1.31", "1.32.0", false}, {"1.31", "1.3.1", false}, {"1", "1.99.0", true}, {"1", "2.0.0", false},
		{"1.x", "1.5.0", true}, {"v1.31.x", "1.31.2", true}, {"~1.31.2", "1.31.1", false}, {"~1.31.2", "1.31.9", true}, {"~ 1.31", "1.31.0", true}, {"0", "0.99.4", true}, {"0", "1.0.0", false},
		{"~> 1.31", "1.37.0", true}, {"1.31.2", "1.31.2", true}, {"v1.31.2", "1.31.3", false}, {"", "1.0.0", true}, {"1.31", "1.31.0-rc1", false},
	} {
		if got := wantedOf(t, "kubectl", x.wanted).Allows(x.version); got != x.want {
			t.Errorf("%q allows %s: %v", x.wanted, x.version, got)
		}
	}
	for _, bad := range []string{"newest", "1.x.2", "~", "1.31; rm", "../x", strings.Repeat("1", 300)} {
		if _, err := toolchain.ParseFor("kubectl", bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if w := wantedOf(t, "tofu", "1.9"); w.Allows("1.9.3") {
		t.Error("an engine's constraint is Terraform's")
	}
}

// TestWhatDistributorsAddIsNoOtherVersion: k3s and clouds add to kubectl's version; what comes before a release is none.
func TestWhatDistributorsAddIsNoOtherVersion(t *testing.T) {
	t.Parallel()
	for says, want := range map[string]string{"1.29.3+k3s1": "1.29.3", "1.29.3-eks-ae9a62a": "1.29.3", "1.33.0-alpha.1": "", "1.33.0-rc1": "1.33.0-rc1"} {
		if _, version, ok := toolchain.Is(t.Context(), program(t, "kubectl", says)); ok != (want != "") || ok && version != want {
			t.Errorf("%s is %q, %v", says, version, ok)
		}
	}
}
