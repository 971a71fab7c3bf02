package outbound_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/outbound"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func guard(t *testing.T, o outbound.Options) *outbound.Guard {
	t.Helper()
	g, err := outbound.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func hello(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("the proxy's password goes on")
		}
		fmt.Fprint(w, "hello")
	}))
	t.Cleanup(s.Close)
	return s
}

func ask(t *testing.T, rt http.RoundTripper, address string) (int, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := (&http.Client{Transport: rt}).Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSpace(string(text)), nil
}

func TestTheServersOwnServicesAreOutOfReach(t *testing.T) {
	t.Parallel()
	s := hello(t)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	open, shut := guard(t, outbound.Options{Allow: "127.0.0.0/8,::1"}), guard(t, outbound.Options{})
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "2130706433", "0x7f000001", "127.1"} {
		_, _, err := ask(t, shut.Transport(), "http://"+host+":"+port+"/")
		if err == nil {
			t.Errorf("%s was reached", host)
		}
		if (host == "127.0.0.1" || host == "localhost") && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "loopback") || !strings.Contains(err.Error(), "--allow-private")) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, text, err := ask(t, open.Transport(), s.URL); err != nil || text != "hello" {
		t.Errorf("what is allowed: %q, %v", text, err)
	}
	if err := shut.Check(t.Context(), "localhost:"+port); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("check: %v", err)
	}
	if err := open.Check(t.Context(), "localhost:"+port); err != nil {
		t.Errorf("check what is allowed: %v", err)
	}
	if _, err := open.DialContext(t.Context(), "unix", "/run/x:1"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a socket: %v", err)
	}
}

// A redirect leads nowhere else.
func TestARedirectIsLookedAtToo(t *testing.T) {
	t.Parallel()
	inside := hello(t)
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.RedirectHandler("http://127.0.0.2:"+port+"/", http.StatusFound))
	t.Cleanup(s.Close)
	if _, _, err := ask(t, guard(t, outbound.Options{Allow: "127.0.0.1"}).Transport(), s.URL); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
}

// names answers for DNS: the n-th question for an IPv4 address has the n-th answer, and the last one from then on.
func names(t *testing.T, answers ...[4]byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	var asked atomic.Int64
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			end := 12
			for end < n && buffer[end] != 0 {
				end += int(buffer[end]) + 1
			}
			question := buffer[12 : end+5]
			header := []byte{buffer[0], buffer[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}
			answer := append(header, question...)
			if question[len(question)-3] == 1 { // an A record
				a := answers[min(int(asked.Add(1))-1, len(answers)-1)]
				answer[7] = 1
				answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, a[0], a[1], a[2], a[3])
			}
			if _, err := conn.WriteTo(answer, from); err != nil {
				return
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// A name that leads outside when it is looked at and inside when it is dialled is refused where it is dialled.
func TestANameThatIsBoundAnew(t *testing.T) {
	t.Parallel()
	s := hello(t)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	at := "rebound.example.com:" + port
	g := guard(t, outbound.Options{Resolver: names(t, [4]byte{93, 184, 216, 34}, [4]byte{127, 0, 0, 1})})
	if err := g.Check(t.Context(), at); err != nil {
		t.Fatalf("when it is looked at: %v", err)
	}
	if _, _, err := ask(t, g.Transport(), "http://"+at); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("when it is dialled: %v", err)
	}
	named := guard(t, outbound.Options{Allow: "rebound.example.com", Resolver: names(t, [4]byte{127, 0, 0, 1})})
	if _, _, err := ask(t, named.Transport(), "http://"+at); !fault.Is(err, fault.Invalid) {
		t.Errorf("a name that is allowed opens loopback: %v", err)
	}
}

func proxy(t *testing.T, g *outbound.Guard) (p *outbound.Proxy, address *url.URL) {
	t.Helper()
	p, err := g.Proxy(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the proxy ended with %v", err)
		}
	})
	for _, variable := range p.Environment() {
		if text, ok := strings.CutPrefix(variable, "https_proxy="); ok {
			if address, err = url.Parse(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	return p, address
}

func TestTheProxyDialsByTheGuard(t *testing.T) {
	t.Parallel()
	plain := hello(t)
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "safe") }))
	t.Cleanup(secure.Close)
	through := func(address *url.URL) *http.Transport {
		t := secure.Client().Transport.(*http.Transport).Clone()
		t.Proxy = http.ProxyURL(address)
		return t
	}
	_, open := proxy(t, guard(t, outbound.Options{Allow: "127.0.0.1"}))
	_, shut := proxy(t, guard(t, outbound.Options{}))
	if _, text, err := ask(t, through(open), plain.URL); err != nil || text != "hello" {
		t.Errorf("plain: %q, %v", text, err)
	}
	if _, text, err := ask(t, through(open), secure.URL); err != nil || text != "safe" {
		t.Errorf("by a tunnel: %q, %v", text, err)
	}
	if status, text, err := ask(t, through(shut), plain.URL); err != nil || status != http.StatusForbidden || !strings.Contains(text, "loopback") {
		t.Errorf("plain to what is refused: %d %q, %v", status, text, err)
	}
	if _, _, err := ask(t, through(shut), secure.URL); err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("by a tunnel to what is refused: %v", err)
	}
	for _, user := range []*url.Userinfo{nil, url.UserPassword("roadbed", "guess")} {
		stranger := *open
		stranger.User = user
		if status, _, err := ask(t, through(&stranger), plain.URL); err != nil || status != http.StatusProxyAuthRequired {
			t.Errorf("as %v: %d, %v", user, status, err)
		}
		if _, _, err := ask(t, through(&stranger), secure.URL); err == nil {
			t.Errorf("a tunnel as %v", user)
		}
	}
	direct := *open
	direct.User = nil
	if status, _, err := ask(t, http.DefaultTransport, direct.String()); err != nil || status != http.StatusProxyAuthRequired {
		t.Errorf("asked as a server: %d, %v", status, err)
	}
}

// git goes through the proxy, over a real repository.
func TestGitGoesThroughTheProxy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	git := func(environment []string, args ...string) (string, error) {
		c := exec.CommandContext(t.Context(), "git", args...)
		c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}, environment...)
		text, err := c.CombinedOutput()
		return string(text), err
	}
	repository := filepath.Join(dir, "r.git")
	for _, args := range [][]string{{"init", "-q", "--bare", repository}, {"--git-dir=" + repository, "update-server-info"}} {
		if text, err := git(nil, args...); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	var asked atomic.Int64
	files := http.FileServer(http.Dir(dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	open, _ := proxy(t, guard(t, outbound.Options{Allow: "127.0.0.1"}))
	shut, _ := proxy(t, guard(t, outbound.Options{}))
	if text, err := git(open.Environment(), "ls-remote", s.URL+"/r.git"); err != nil || asked.Load() == 0 {
		t.Errorf("%v: %s", err, text)
	}
	had := asked.Load()
	if text, err := git(shut.Environment(), "ls-remote", s.URL+"/r.git"); err == nil || !strings.Contains(text, "403") || asked.Load() != had {
		t.Errorf("what is refused: %v: %s", err, text)
	}
}

// Where the operator names a proxy for the way out, connections are made through that.
func TestTheOperatorsProxy(t *testing.T) {
	t.Parallel()
	s := hello(t)
	saw := make(chan string, 10)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				from := bufio.NewReader(conn)
				r, err := http.ReadRequest(from)
				if err != nil {
					return
				}
				saw <- r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization")
				if strings.HasPrefix(r.Host, "refused") {
					fmt.Fprint(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
					return
				}
				far, err := net.Dial("tcp", s.Listener.Addr().String())
				if err != nil {
					return
				}
				defer far.Close()
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
				go func() { _, _ = io.Copy(far, from) }()
				_, _ = io.Copy(conn, far)
			}()
		}
	}()
	g := guard(t, outbound.Options{Upstream: func(*http.Request) (*url.URL, error) {
		return url.Parse("http://me:secret@" + listener.Addr().String())
	}})
	if _, text, err := ask(t, g.Transport(), "http://git.example.com/"); err != nil || text != "hello" {
		t.Fatalf("%q, %v", text, err)
	}
	if got, want := <-saw, "CONNECT git.example.com:80 Basic "+base64.StdEncoding.EncodeToString([]byte("me:secret")); got != want {
		t.Errorf("the proxy saw %q, want %q", got, want)
	}
	if _, _, err := ask(t, g.Transport(), "http://refused.example.com/"); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "502") || strings.Contains(err.Error(), "secret") {
		t.Errorf("what the proxy refuses: %v", err)
	}
	<-saw
	if _, _, err := ask(t, g.Transport(), "http://169.254.169.254/"); !fault.Is(err, fault.Invalid) {
		t.Errorf("an address: %v", err)
	}
	if len(saw) > 0 {
		t.Errorf("the proxy was asked for %s", <-saw)
	}
}
