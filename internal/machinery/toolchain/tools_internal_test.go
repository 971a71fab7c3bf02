package toolchain

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestAnOldMinorVersionIsAskedForOnce, whether there is one or not, and none any more where too many were.
func TestAnOldMinorVersionIsAskedForOnce(t *testing.T) {
	t.Parallel()
	asked := map[string]int{}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		if r.URL.Path != "/stable-1.12.txt" {
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Fprint(w, "v1.12.3")
	}))
	defer s.Close()
	now := time.Now()
	c := New(Options{Dir: t.TempDir(), Download: true, Kubectl: s.URL, HTTP: s.Client().Transport.(*http.Transport), Now: func() time.Time { return now }})
	for range 3 {
		if got, err := c.newestOf(t.Context(), "1.12"); err != nil || len(got) != 1 || got[0] != "1.12.3" {
			t.Errorf("%v, %v", got, err)
		}
		if got, err := c.newestOf(t.Context(), "0.1"); got != nil || err != nil {
			t.Errorf("%v, %v", got, err)
		}
	}
	now = now.Add(2 * keptFor)
	for range 2 {
		if got, err := c.newestOf(t.Context(), "1.12"); err != nil || len(got) != 1 {
			t.Errorf("%v, %v", got, err)
		}
		if got, err := c.newestOf(t.Context(), "0.1"); got != nil || err != nil {
			t.Errorf("%v, %v", got, err)
		}
	}
	if asked["/stable-1.12.txt"] != 2 || asked["/stable-0.1.txt"] != 2 {
		t.Errorf("asked are %v", asked)
	}
	refused := 0
	for n := range 2 * mostLists {
		if _, err := c.newestOf(t.Context(), fmt.Sprintf("2.%d", n)); fault.Is(err, fault.Unavailable) && strings.Contains(err.Error(), "write this one in full") {
			refused++
		}
	}
	if len(asked) != mostLists || refused != mostLists+2 {
		t.Errorf("%d were asked for, and %d refused", len(asked), refused)
	}
	now = now.Add(2 * keptFor) // what was invented counts no more
	if got, err := c.newestOf(t.Context(), "3.1"); got != nil || err != nil || asked["/stable-3.1.txt"] != 1 {
		t.Errorf("%v, %v", got, err)
	}
	if len(c.lists) != 1 {
		t.Errorf("%d lists are remembered", len(c.lists))
	}
}

// TestASiteThatHasFailedIsLeftAlone for a minute, by whatever is asked for; what could not be read is told, and what was read stays.
func TestASiteThatHasFailedIsLeftAlone(t *testing.T) {
	t.Parallel()
	var lock sync.Mutex
	asked, away := 0, false
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		asked++
		word := map[string]string{"/stable.txt": "v1.37.1", "/stable-1.36.txt": "v1.36.4", "/stable-1.12.txt": "v1.12.3"}[r.URL.Path]
		switch {
		case away:
			http.Error(w, "away", http.StatusBadGateway)
		case word == "":
			http.NotFound(w, r)
		default:
			_, _ = fmt.Fprint(w, word)
		}
	}))
	defer s.Close()
	now := time.Now()
	c := New(Options{Dir: t.TempDir(), Download: true, Kubectl: s.URL, HTTP: s.Client().Transport.(*http.Transport), Now: func() time.Time { return now }})
	resolve := func(text string) (string, error) {
		w, err := ParseFor(Kubectl, text)
		if err != nil {
			t.Fatal(err)
		}
		return c.Resolve(t.Context(), Kubectl, w)
	}
	if got, err := resolve("1.36"); got != "1.36.4" || err != nil {
		t.Fatalf("%s, %v", got, err)
	}
	lock.Lock()
	away, asked = true, 0
	lock.Unlock()
	for n := range 5 {
		_, err := resolve(fmt.Sprintf("1.%d", n))
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "to be downloaded are 1.37.1, 1.36.4, as far as is known: read which versions of kubectl 1.0 there are at "+s.URL) || !strings.Contains(err.Error(), "502") {
			t.Errorf("1.%d: %v", n, err)
		}
	}
	lock.Lock()
	if asked != 1 {
		t.Errorf("it was asked %d times", asked)
	}
	away = false
	lock.Unlock()
	now = now.Add(2 * awayFor)
	if got, err := resolve("1.12"); got != "1.12.3" || err != nil {
		t.Errorf("later: %s, %v", got, err)
	}
}

func TestAnArchiveWithoutPulumiIsNone(t *testing.T) {
	t.Parallel()
	var empty, cut bytes.Buffer
	z := gzip.NewWriter(&empty)
	if err := errors.Join(tar.NewWriter(z).Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	z = gzip.NewWriter(&cut)
	w := tar.NewWriter(z)
	err := w.WriteHeader(&tar.Header{Name: "pulumi/pulumi", Typeflag: tar.TypeReg, Size: 100, Mode: 0o755})
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	for want, archive := range map[string][]byte{"has no pulumi/pulumi": empty.Bytes(), "can't be read: unexpected EOF": cut.Bytes(), "can't be read": []byte("words")} {
		if _, _, err := pulumiOf(bytes.NewReader(archive), t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
}

// TestMakersSitesAreReachedAsTheirNamesLead, by what dials public addresses alone; mirrors are wherever an operator says.
func TestMakersSitesAreReachedAsTheirNamesLead(t *testing.T) {
	t.Parallel()
	dials := func(word string) *http.Transport {
		return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New(word) }}
	}
	c := New(Options{Dir: t.TempDir(), Download: true, Public: dials("guarded")})
	for _, name := range []string{Kubectl, Terragrunt, Pulumi} {
		if _, err := c.Available(t.Context(), name); err == nil || !strings.Contains(err.Error(), "guarded") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.Get(t.Context(), name, "1.2.3", io.Discard); err == nil || !strings.Contains(err.Error(), "guarded") {
			t.Errorf("%s: %v", name, err)
		}
	}
	c = New(Options{Dir: t.TempDir(), Download: true, Public: dials("guarded"), Kubectl: "https://127.0.0.1:1"})
	if _, err := c.Available(t.Context(), Kubectl); err == nil || strings.Contains(err.Error(), "guarded") {
		t.Errorf("a mirror: %v", err)
	}
}

// TestAListOfReleasesIsReadPageByPage as GitHub gives it, and no further than it goes, or than is bounded.
func TestAListOfReleasesIsReadPageByPage(t *testing.T) {
	t.Parallel()
	asked, all, fails := 0, 230, 0
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		page := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("page"), &page)
		if page == fails {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		list := []map[string]any{}
		for n := (page - 1) * pageOf; n < min(page*pageOf, all); n++ {
			list = append(list, map[string]any{"tag_name": fmt.Sprintf("v0.%d.0", n), "draft": n == 1, "prerelease": n == 2})
		}
		_ = json.NewEncoder(w).Encode(list)
	}))
	defer s.Close()
	got, err := listReleases(t.Context(), s.Client(), s.URL, perPage)
	if err != nil || len(got) != all-2 || asked != 3 || strings.Contains(strings.Join(got, " ")+" ", "0.1.0 ") {
		t.Errorf("%d of %d pages, %v", len(got), asked, err)
	}
	fails = 2
	if got, err := listReleases(t.Context(), s.Client(), s.URL, perPage); err == nil || len(got) != pageOf-2 {
		t.Errorf("of a list whose second page fails: %d, %v", len(got), err)
	}
	asked, all, fails = 0, 100*pageOf, 0
	if got, err := listReleases(t.Context(), s.Client(), s.URL, perPage); err != nil || asked != mostPages || len(got) != mostPages*pageOf-2 {
		t.Errorf("%d of %d pages, %v", len(got), asked, err)
	}
}
