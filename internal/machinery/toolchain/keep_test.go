package toolchain_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain/toolchaintest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// telling passes on what is written to a log.
type telling chan string

func (l telling) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// before has a handler asked before the site answers.
func before(t *testing.T, s *toolchaintest.Site, ask func(w http.ResponseWriter, r *http.Request) bool) (address string, transport *http.Transport) {
	t.Helper()
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ask(w, r) {
			s.Config.Handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	return front.URL, front.Client().Transport.(*http.Transport)
}

// TestDownloadsTakeTurns: another version waits until the one is there, and says so; whoever waits may leave.
func TestDownloadsTakeTurns(t *testing.T) {
	t.Parallel()
	s := toolSite(t)
	asked, answer := make(chan string, 10), make(chan struct{})
	front, transport := before(t, s, func(_ http.ResponseWriter, r *http.Request) bool {
		if filepath.Base(r.URL.Path) == "kubectl" {
			asked <- r.URL.Path
			<-answer
		}
		return true
	})
	c := cache(s, t.TempDir(), func(o *toolchain.Options) { o.Kubectl, o.HTTP = front+"/kubectl", transport })
	done := make(chan error, 3)
	get := func(ctx context.Context, version string, log io.Writer) {
		_, err := c.Get(ctx, "kubectl", version, log)
		done <- err
	}
	go get(t.Context(), "1.31.2", io.Discard)
	<-asked
	leaving, leave := context.WithCancel(t.Context())
	for version, ctx := range map[string]context.Context{"1.32.9": t.Context(), "1.37.1": leaving} {
		log := make(telling, 10)
		go get(ctx, version, log)
		select {
		case line := <-log:
			if line != "roadbed: kubectl "+version+" is downloaded as soon as another download is done\n" {
				t.Errorf("told is %q", line)
			}
		case path := <-asked:
			t.Fatalf("%s is asked for at the same time", path)
		}
	}
	leave()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("whoever left: %v", err)
	}
	close(answer)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if local := c.Local(t.Context()); len(local) != 2 {
		t.Errorf("here are %v", local)
	}
}

// TestDownloadsAreNotHeldInMemory, nor what is unpacked of them. It runs alone: what is allocated is counted for all.
func TestDownloadsAreNotHeldInMemory(t *testing.T) { //nolint:paralleltest // as above
	const size = 48 << 20
	s := toolchaintest.New(t, nil, nil)
	large := append(toolchaintest.Program("kubectl", "1.31.2"), bytes.Repeat([]byte("\n# some words"), size/13)...)
	s.Release(t, "kubectl", "1.31.2", map[string][]byte{"kubectl": large})
	s.Release(t, "pulumi", "3.274.1", map[string][]byte{"pulumi": toolchaintest.Program("pulumi", "3.274.1"), "pulumi-language-go": large})
	c := cache(s, t.TempDir(), mirrors(s))
	for _, x := range [][2]string{{"kubectl", "1.31.2"}, {"pulumi", "3.274.1"}} {
		var was, is runtime.MemStats
		runtime.ReadMemStats(&was)
		p, err := c.Get(t.Context(), x[0], x[1], io.Discard)
		runtime.ReadMemStats(&is)
		if err != nil || p.Size < size-13 {
			t.Fatalf("%+v, %v", p, err)
		}
		if took := is.TotalAlloc - was.TotalAlloc; took > size/2 {
			t.Errorf("%s took %d MiB", x[0], took>>20)
		}
	}
}

// TestWhatWasDownloadedOnceMayBeCarried: a version that had to go, whose checksum is known, may come back by hand, with what
// belongs to it or without; another program may not, and stays where it is for whoever carried it.
func TestWhatWasDownloadedOnceMayBeCarried(t *testing.T) {
	t.Parallel()
	s := toolSite(t)
	dir := t.TempDir()
	c := cache(s, dir, mirrors(s), func(o *toolchain.Options) { o.Room = 1 })
	for _, version := range []string{"3.274.0", "3.274.1"} { // the one takes the other's place
		if _, err := c.Get(t.Context(), "pulumi", version, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	was := kept(t, c, "pulumi", "3.274.0")
	path := c.Path("pulumi", "3.274.0")
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Fatalf("it is still there: %v", err)
	}
	carry := func(program []byte) {
		t.Helper()
		if err := os.WriteFile(path, program, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	carry(toolchaintest.Program("pulumi", "3.274.0"))
	offline := cache(s, dir, func(o *toolchain.Options) { o.Download = false })
	for _, o := range []*toolchain.Cache{offline, cache(s, dir, mirrors(s)), c} {
		if p, err := o.Get(t.Context(), "pulumi", "3.274.0", io.Discard); err != nil || p.From != "" || p.Digest != was.SHA256 {
			t.Errorf("carried there: %+v, %v", p, err)
		}
	}
	if now := kept(t, c, "pulumi", "3.274.0"); now.Listed != was.Listed || now.From != was.From {
		t.Errorf("noted is %+v; want %+v", now, was)
	}
	if _, err := c.Get(t.Context(), "pulumi", "3.100.0", io.Discard); err != nil { // what was carried does not make room
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	carry(toolchaintest.Program("pulumi", "6.6.6")) // it is changed, and goes
	if _, err := offline.Get(t.Context(), "pulumi", "3.274.0", io.Discard); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "is not here") {
		t.Errorf("what was changed: %v", err)
	}
	carry(toolchaintest.Program("pulumi", "6.6.6")) // by hand, again
	for range 2 {
		_, err := offline.Get(t.Context(), "pulumi", "3.274.0", io.Discard)
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "is not what was first downloaded as Pulumi 3.274.0, on "+time.Now().UTC().Format(time.DateOnly)+" from "+s.Mirror("pulumi")) || !strings.Contains(err.Error(), "record.json") {
			t.Errorf("another one: %v", err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// TestCredentialsOfAMirrorAreNotTold: the mirror gets the name and password of its address; no log, message or record has them.
func TestCredentialsOfAMirrorAreNotTold(t *testing.T) {
	t.Parallel()
	s := toolchaintest.New(t, []string{"1.9.0"}, []string{"1.11.1"})
	s.Tool(t, toolchain.Kubectl, "1.31.2")
	s.Tool(t, toolchain.Terragrunt, "0.99.1")
	s.Tool(t, toolchain.Pulumi, "3.274.1")
	front, transport := before(t, s, func(w http.ResponseWriter, r *http.Request) bool {
		name, password, _ := r.BasicAuth()
		if name != "al@ice" || password != "s3cret" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return false
		}
		return true
	})
	secret := strings.Replace(front, "https://", "https://al%40ice:s3cret@", 1)
	at := func(address string) func(*toolchain.Options) {
		return func(o *toolchain.Options) {
			o.HTTP, o.OpenTofu, o.Terraform = transport, address, address+"/"
			o.Kubectl, o.Terragrunt, o.Pulumi = address+"/kubectl", address+"/terragrunt", address+"/pulumi"
		}
	}
	dir := t.TempDir()
	c := cache(s, dir, at(secret))
	var told strings.Builder
	tell := func(err error) {
		if err == nil {
			t.Error("there is no error")
			return
		}
		told.WriteString(err.Error() + "\n")
	}
	versions := map[string]string{"tofu": "1.11.1", "terraform": "1.9.0", "kubectl": "1.31.2", "terragrunt": "0.99.1", "pulumi": "3.274.1"}
	broken := cache(s, t.TempDir(), at("https://alice:s3cret%zz@"+strings.TrimPrefix(front, "https://")))
	nowhere := cache(s, t.TempDir(), at("https://s3cret@127.0.0.1:1"))
	for name, version := range versions {
		if all, err := c.Available(t.Context(), name); err != nil || len(all) != 1 {
			t.Errorf("%s: %v, %v", name, all, err)
		}
		p, err := c.Get(t.Context(), name, version, &told)
		if err != nil || !strings.HasPrefix(p.From, front) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		for _, o := range []*toolchain.Cache{c, broken, nowhere} {
			_, err = o.Get(t.Context(), name, "0.0.1", &told)
			tell(err)
			_, err = o.Resolve(t.Context(), name, wantedOf(t, name, "< 0.0.1"))
			tell(err)
		}
	}
	for _, pattern := range []string{"*/*/record.json", "*/versions.json"} {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		if len(files) != len(versions) {
			t.Errorf("%s are %v", pattern, files)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			told.Write(data)
		}
	}
	for _, word := range []string{"s3cret", "ice:", "alice", "%40"} {
		if strings.Contains(told.String(), word) {
			t.Errorf("%s is told:\n%s", word, told.String())
		}
	}
	// A list that was kept with them counts, and so does one that was kept before the password was another.
	file := filepath.Join(dir, "terraform", "versions.json")
	data, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, bytes.Replace(data, []byte(front), []byte(strings.Replace(front, "https://", "https://al:former@", 1)), 1), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	for address, name := range map[string]string{secret: "terraform", strings.Replace(secret, "s3cret", "other", 1): "kubectl"} {
		o := cache(s, dir, at(address), func(o *toolchain.Options) {
			o.HTTP = &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("nobody is asked") }}
		})
		if all, err := o.Available(t.Context(), name); err != nil || len(all) != 1 {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
}
