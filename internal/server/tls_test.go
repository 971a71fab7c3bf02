package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/listen"
)

// running starts the whole server, as the command does, until the test ends.
func running(t *testing.T, o Options) (address string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.Listen = free.Addr().String()
	free.Close()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, o, "test") }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	deadline := time.After(time.Minute)
	for {
		answer, err := http.Get("http://" + o.Listen + "/readyz")
		if err == nil {
			answer.Body.Close()
			return o.Listen
		}
		if strings.Contains(err.Error(), "certificate") { // it was sent on to HTTPS, whose authority nobody knows here
			return o.Listen
		}
		select {
		case err := <-ended:
			t.Fatalf("the server ended with %v", err)
		case <-deadline:
			t.Fatalf("not ready: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// trusting is an HTTP client that trusts an authority's file, and follows nothing.
func trusting(t *testing.T, file string) *http.Client {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		t.Fatalf("%s holds no certificate", file)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// TestAServerForTryingOutSpeaksHTTPSToo uses one port by HTTP and HTTPS: the API, git, and a browser's session.
func TestAServerForTryingOutSpeaksHTTPSToo(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Dev, o.Isolation = true, preferIsolation
	address := running(t, o)
	authority := filepath.Join(o.Data, "ca.pem")
	for _, scheme := range []string{"http", "https"} {
		c := client.New(scheme+"://"+address, o.AdminToken)
		c.HTTP = trusting(t, authority)
		if _, err := client.Post[client.Repository](t.Context(), c, "/repositories", map[string]any{"namespace": "default", "name": "over-" + scheme}); err != nil {
			t.Fatalf("over %s: %v", scheme, err)
		}
		clone := exec.CommandContext(t.Context(), "git", "clone", "--quiet", scheme+"://any:"+o.AdminToken+"@"+address+"/git/default/over-"+scheme+".git", filepath.Join(t.TempDir(), "clone"))
		clone.Env = append(os.Environ(), "GIT_SSL_CAINFO="+authority, "GIT_TERMINAL_PROMPT=0")
		if out, err := clone.CombinedOutput(); err != nil {
			t.Errorf("git clone over %s: %v\n%s", scheme, err, out)
		}
		link, err := client.Post[client.SignInLink](t.Context(), c, "/signin-links", map[string]any{"user": "user:default/admin"})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := c.HTTP.Post(scheme+"://"+address+"/api/v1/session", "application/json", strings.NewReader(`{"code":"`+link.Code+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if cookies := answer.Cookies(); len(cookies) != 1 || cookies[0].Secure != (scheme == "https") {
			body, _ := io.ReadAll(answer.Body)
			t.Errorf("over %s a session has the cookies %v: %s %s", scheme, cookies, answer.Status, body)
		}
	}
}

// issue writes an authority, and a certificate for 127.0.0.1 with its key.
func issue(t *testing.T, authority, certificate, key string) {
	t.Helper()
	config, err := listen.Own(authority, authority+".key", []string{"127.0.0.1"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := config.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWithACertificateThePortSpeaksHTTPSAlone sends who comes in clear on, and takes nothing from them.
func TestWithACertificateThePortSpeaksHTTPSAlone(t *testing.T) {
	t.Parallel()
	o := options(t)
	dir := t.TempDir()
	authority := filepath.Join(dir, "ca.pem")
	o.TLSCert, o.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	issue(t, authority, o.TLSCert, o.TLSKey)
	address := running(t, o)
	c := trusting(t, authority)
	get := func(url string) *http.Response {
		t.Helper()
		answer, err := c.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer
	}
	if answer := get("http://" + address + "/catalog?kind=api"); answer.StatusCode != http.StatusPermanentRedirect || answer.Header.Get("Location") != "https://"+address+"/catalog?kind=api" {
		t.Errorf("in clear: %s to %q", answer.Status, answer.Header.Get("Location"))
	}
	if answer := get("https://" + address + "/readyz"); answer.StatusCode != http.StatusOK || answer.ProtoMajor != 2 || answer.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("over HTTPS: %s %s %v", answer.Proto, answer.Status, answer.Header)
	}
	answer, err := c.Post("http://"+address+"/api/v1/session", "application/json", strings.NewReader(`{"code":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("a change in clear: %s", answer.Status)
	}
}
