package forge_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// far is a forge that answers as a test says.
type far struct {
	*httptest.Server
	t       *testing.T
	tr      *forge.Transport
	now     time.Time
	asked   atomic.Int32
	answers func(w http.ResponseWriter, r *http.Request, n int)
}

func newFar(t *testing.T, answers func(w http.ResponseWriter, r *http.Request, n int)) *far {
	t.Helper()
	f := &far{t: t, now: noon, answers: answers}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.answers(w, r, int(f.asked.Add(1)))
	}))
	t.Cleanup(f.Close)
	tr, err := forge.NewTransport(forge.TransportOptions{
		URL: f.URL, Now: func() time.Time { return f.now }, Pause: time.Millisecond, Keep: 64 << 10,
		Authorize: func(context.Context) (string, string, error) { return "Authorization", "token secret", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	f.tr = tr
	return f
}

func (f *far) do(method, path string) (string, error) {
	f.t.Helper()
	return f.doAt(f.t.Context(), method, f.URL+path)
}

func (f *far) doAt(ctx context.Context, method, address string) (string, error) {
	f.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(""))
	if err != nil {
		f.t.Fatal(err)
	}
	answer, err := (&http.Client{Transport: f.tr}).Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

// Who remembers the mark of an answer is told that it still holds, and nothing is kept for that.
func TestTransportAsksForWhatIsKnown(t *testing.T) {
	t.Parallel()
	mark := `"1"`
	f := newFar(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/there", http.StatusMovedPermanently)
			return
		}
		w.Header().Set("ETag", mark)
		if r.Header.Get("If-None-Match") == mark {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, "as of ", mark)
	})
	var k forge.Known
	ask := func(want string, unchanged bool) {
		t.Helper()
		k = forge.Known{Mark: k.Mark}
		ctx := forge.Conditional(t.Context(), &k)
		got, err := f.doAt(ctx, http.MethodGet, f.URL+"/moved")
		if got != want || k.Unchanged != unchanged || k.Mark != mark || unchanged != (err != nil) {
			t.Errorf("%q, %+v, %v", got, k, err)
		}
		// What is read beside it is another thing.
		if beside, err := f.doAt(ctx, http.MethodGet, f.URL+"/beside"); err != nil || beside != "as of "+mark || k.Mark != mark {
			t.Errorf("beside it there is %q, %v", beside, err)
		}
	}
	ask(`as of "1"`, false)
	ask("", true)
	mark = `"2"`
	ask(`as of "2"`, false)
	ask("", true)
}

// noise gives bytes that can't be compressed.
func noise(size int) []byte {
	out := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(out) // it does not fail
	return out
}

// What says the same again and again takes little room: a long list is kept with all its pages.
func TestTransportKeepsLongLists(t *testing.T) {
	t.Parallel()
	page := strings.Repeat(`{"id":1,"full_name":"acme/shop","html_url":"https://forge.example/acme/shop"},`, 500)
	sent := 0
	f := newFar(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		w.Header().Set("ETag", `"v1"`)
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		sent++
		fmt.Fprint(w, page)
	})
	for range 3 {
		for number := range 20 {
			if body, err := f.do("GET", fmt.Sprint("/repos?page=", number)); err != nil || body != page {
				t.Fatalf("page %d has %d bytes, %v", number, len(body), err)
			}
		}
	}
	if sent != 20 {
		t.Errorf("20 pages of %d bytes were sent %d times", len(page), sent)
	}
}

// What has not changed is asked for by its mark and not sent again; what is too large or was seen long ago, anew.
func TestTransportAsksConditionally(t *testing.T) {
	t.Parallel()
	var marks []string
	f := newFar(t, func(w http.ResponseWriter, r *http.Request, n int) {
		marks = append(marks, r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since"))
		size := 10
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &size)
		if r.URL.Path == "/dated" {
			w.Header().Set("Last-Modified", "Mon, 04 May 2026 12:00:00 GMT")
		} else {
			w.Header().Set("ETag", `"v1"`)
		}
		if r.Header.Get("If-None-Match") == `"v1"` || r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(noise(size))
	})
	for i, c := range []struct{ path, mark string }{
		{"/10", ""}, {"/10", `"v1"`}, {"/dated", ""}, {"/dated", "Mon, 04 May 2026 12:00:00 GMT"},
		{"/30000", ""}, {"/30000", ""}, // too large to be kept
		{"/15001", ""}, {"/15002", ""}, {"/15003", ""}, {"/15004", ""}, {"/10", ""}, // the others took its place
		{"/15004", `"v1"`},
	} {
		size := 10
		_, _ = fmt.Sscanf(c.path, "/%d", &size)
		if body, err := f.do("GET", c.path); err != nil || len(body) != size || marks[len(marks)-1] != c.mark {
			t.Errorf("%d: GET %s gives %d bytes, asked with %q, %v", i, c.path, len(body), marks[len(marks)-1], err)
		}
	}
}

// A forge that fails is asked again where that does no harm, and not for ever.
func TestTransportRepeats(t *testing.T) {
	t.Parallel()
	f := newFar(t, func(w http.ResponseWriter, r *http.Request, n int) {
		switch {
		case r.URL.Path == "/soon" && n < 3:
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Path == "/never":
			http.Error(w, `{"message": "we are\n down", "errors": [{"message": "disk"}]}`, http.StatusInternalServerError)
		case r.URL.Path == "/half":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half a page")
		default:
			fmt.Fprint(w, "good")
		}
	})
	for _, c := range []struct {
		method, path, want string
		asked              int32
	}{
		{"GET", "/soon", "", 3}, {"GET", "/never", "500 Internal Server Error we are  down; disk", 4}, {"POST", "/never", "we are", 1},
		{"GET", "/half", "in the middle of its answer", 4},
	} {
		f.asked.Store(0)
		body, err := f.do(c.method, c.path)
		switch {
		case f.asked.Load() != c.asked:
			t.Errorf("%s %s was asked %d times, want %d", c.method, c.path, f.asked.Load(), c.asked)
		case c.want == "" && (err != nil || body != "good"):
			t.Errorf("%s %s gives %q, %v", c.method, c.path, body, err)
		case c.want != "" && (!fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s %s gives %v", c.method, c.path, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.doAt(ctx, "GET", f.URL+"/never"); err == nil {
		t.Error("an ended context has an answer")
	}
	f.Close()
	if _, err := f.do("GET", "/soon"); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("a forge that is not there: %v", err)
	}
}

// Answers become the contract's faults, with the forge's words.
func TestTransportTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := newFar(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		w.Header().Set("X-Accepted-OAuth-Scopes", "repo")
		var code int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &code)
		w.WriteHeader(code)
		fmt.Fprint(w, r.URL.Query().Get("says"))
	})
	for query, want := range map[string]struct {
		kind fault.Kind
		says string
	}{
		"/401": {fault.Unauthenticated, "have ended"}, "/403?says={\"message\":\"no\"}": {fault.Denied, "no; it takes a token with one of the scopes repo"},
		"/404": {fault.NotFound, "404"}, "/405": {fault.Conflict, ""}, "/409": {fault.Conflict, ""}, "/412": {fault.Stale, ""}, "/413": {fault.TooLarge, ""},
		"/422?says={\"message\":{\"name\":[\"is+taken\"]}}": {fault.Invalid, `{"name":["is taken"]}`}, "/400?says=<html>": {fault.Invalid, "400 Bad Request"},
		"/422?says={\"error\":\"a\",\"error_description\":\"b\",\"errors\":[\"c\"]}": {fault.Invalid, "a; b; c"},
		"/422?says={\"message\":\"" + strings.Repeat("é", 400) + "\"}":               {fault.Invalid, "é…"},
	} {
		_, err := f.do("GET", query)
		if !fault.Is(err, want.kind) || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%.60s: %v %v", query, fault.KindOf(err), err)
		}
		if status := forge.Status(err); fmt.Sprintf("/%d", status) != query[:4] {
			t.Errorf("%.60s: the status is %d", query, status)
		}
	}
}

// A limit that is reached is kept to without asking.
func TestTransportKeepsToLimits(t *testing.T) {
	t.Parallel()
	var header http.Header
	code := 200
	f := newFar(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(code)
		if code == 403 && w.Header().Get("Retry-After") == "" {
			fmt.Fprint(w, `{"message": "You have exceeded a secondary rate limit."}`)
		}
	})
	at := func(d time.Duration) string { return fmt.Sprint(noon.Add(d).Unix()) }
	for what, c := range map[string]struct {
		code   int
		header http.Header
		until  time.Duration
	}{
		"429 with Retry-After":         {429, http.Header{"Retry-After": {"30"}}, 30 * time.Second},
		"429 alone":                    {429, nil, time.Minute},
		"403 with Retry-After":         {403, http.Header{"Retry-After": {"7"}}, 7 * time.Second},
		"403 with nothing left":        {403, http.Header{"X-Ratelimit-Limit": {"60"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {at(time.Hour)}}, time.Hour},
		"429 as GitLab tells it":       {429, http.Header{"Ratelimit-Limit": {"60"}, "Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {at(2 * time.Minute)}}, 2 * time.Minute},
		"403 of GitHub's second limit": {403, http.Header{"X-Ratelimit-Limit": {"60"}, "X-Ratelimit-Remaining": {"9"}, "X-Ratelimit-Reset": {at(time.Hour)}}, time.Minute},
		"Retry-After out of mind":      {429, http.Header{"Retry-After": {"999999999"}}, 24 * time.Hour},
	} {
		g := newFar(t, f.answers)
		code, header = c.code, c.header
		_, err := g.do("GET", "/")
		until, ok := forge.Until(err)
		if !fault.Is(err, fault.Exhausted) || !ok || !until.Equal(noon.Add(c.until)) {
			t.Errorf("%s: %v until %s", what, err, until)
		}
		if _, err := g.do("POST", "/"); g.asked.Load() != 1 || !fault.Is(err, fault.Exhausted) { // it is left alone until then
			t.Errorf("%s: asked %d times, %v", what, g.asked.Load(), err)
		}
		g.now = noon.Add(c.until)
		if _, _ = g.do("POST", "/"); g.asked.Load() != 2 {
			t.Errorf("%s: afterwards it is not asked", what)
		}
	}
	code, header = 200, http.Header{"X-Ratelimit-Limit": {"60"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {at(time.Minute)}}
	if _, err := f.do("GET", "/"); err != nil {
		t.Errorf("the last that is allowed: %v", err)
	}
	asked := f.asked.Load()
	if _, err := f.do("GET", "/"); !fault.Is(err, fault.Exhausted) || f.asked.Load() != asked {
		t.Errorf("one too many: %v, asked %d times more", err, f.asked.Load()-asked)
	}
	if r := f.tr.Rate(); r.Limit != 60 || r.Left != 0 {
		t.Errorf("the rate is %+v", r)
	}
	f.now = noon.Add(time.Minute)
	if _, err := f.do("GET", "/"); err != nil {
		t.Errorf("after the reset: %v", err)
	}
}

// Credentials go to the forge alone, also when it leads elsewhere.
func TestTransportKeepsCredentialsToTheForge(t *testing.T) {
	t.Parallel()
	var got string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = "other " + r.Header.Get("Authorization") }))
	defer other.Close()
	f := newFar(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		got = "forge " + r.Header.Get("Authorization")
		if r.URL.Path == "/away" {
			http.Redirect(w, r, other.URL, http.StatusFound)
		}
	})
	for path, want := range map[string]string{"/here": "forge token secret", "/away": "other "} {
		if _, err := f.do("GET", path); err != nil || got != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	refuses, err := forge.NewTransport(forge.TransportOptions{URL: f.URL, Authorize: func(context.Context) (string, string, error) {
		return "", "", fault.Errorf(fault.Unauthenticated, "the key is gone")
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&http.Client{Transport: refuses}).Get(f.URL); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("without credentials: %v", err)
	}
	for _, bad := range []string{"", "github.com", "ftp://x", "https://user:pass@x", "https://", "://"} {
		if _, err := forge.NewTransport(forge.TransportOptions{URL: bad}); !fault.Is(err, fault.Invalid) {
			t.Errorf("the address %q: %v", bad, err)
		}
	}
}

// What is streamed is neither read at once nor kept.
func TestTransportStreams(t *testing.T) {
	t.Parallel()
	begin, sent := make(chan bool), make(chan bool)
	f := newFar(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, "first")
		_ = http.NewResponseController(w).Flush()
		close(sent)
		<-begin
		fmt.Fprint(w, "second")
	})
	client := &http.Client{Transport: f.tr}
	r, err := http.NewRequestWithContext(forge.Streamed(t.Context()), "GET", f.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	<-sent
	close(begin)
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "firstsecond" {
		t.Errorf("%q, %v", body, err)
	}
	if _, err := f.doAt(forge.Streamed(t.Context()), "GET", f.URL+"/gone"); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
}
