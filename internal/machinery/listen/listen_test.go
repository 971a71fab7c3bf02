package listen_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/listen"
)

// pair is an authority's files in a folder of their own.
type pair struct{ ca, key string }

func newPair(t *testing.T) pair {
	dir := t.TempDir()
	return pair{filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key")}
}

func (p pair) own(t *testing.T, hosts ...string) *tls.Config {
	t.Helper()
	config, err := listen.Own(p.ca, p.key, hosts, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func (p pair) authority(t *testing.T) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(p.ca)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// client trusts the authority alone.
func (p pair) client(t *testing.T) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(p.authority(t))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func serve(t *testing.T, config *tls.Config) (address string) {
	t.Helper()
	l, err := listen.Open(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.Proto+" "+map[bool]string{true: "tls", false: "clear"}[r.TLS != nil]+" "+string(body))
	})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listen.Both(l, config)) }()
	t.Cleanup(func() {
		if err := server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("shut down: %v", err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve ended with %v", err)
		}
		if conn, err := net.Dial("tcp", l.Addr().String()); err == nil {
			conn.Close()
			t.Error("the address still answers")
		}
	})
	return l.Addr().String()
}

func post(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	answer, err := c.Post(url, "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestOnePortSpeaksBoth meets HTTP/1.1 in clear, HTTP/2 over TLS, and a client that never says anything.
func TestOnePortSpeaksBoth(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	address := serve(t, p.own(t, "localhost", "127.0.0.1"))
	silent, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	if got := post(t, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, "http://"+address); got != "HTTP/1.1 clear hello" {
		t.Errorf("in clear: %q", got)
	}
	if got := post(t, p.client(t), "https://"+address); got != "HTTP/2.0 tls hello" {
		t.Errorf("over TLS: %q", got)
	}
	if _, err := http.Get("https://" + address); err == nil {
		t.Error("a client that doesn't know the authority takes its certificate")
	}
	silent.Close()
}

// TestTheAuthorityIsKeptAndSignsForItsHostsAlone starts twice over the same files, then for another host.
func TestTheAuthorityIsKeptAndSignsForItsHostsAlone(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.own(t, "localhost", "127.0.0.1", "::1")
	first := p.authority(t)
	if info, err := os.Stat(p.key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
	p.own(t, "localhost", "127.0.0.1", "::1")
	if !p.authority(t).Equal(first) {
		t.Error("the authority was made anew though it was good")
	}

	// What its key signs for another host isn't taken by who trusts it.
	loaded, err := tls.LoadX509KeyPair(p.ca, p.key)
	if err != nil {
		t.Fatal(err)
	}
	private := loaded.PrivateKey.(*ecdsa.PrivateKey)
	roots := x509.NewCertPool()
	roots.AddCert(first)
	for host, good := range map[string]bool{"app.localhost": true, "localhost": true, "example.com": false, "10.1.2.3": false, "127.0.0.1": true} {
		template := &x509.Certificate{NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = []net.IP{ip}
		} else {
			template.DNSNames = []string{host}
		}
		der, err := x509.CreateCertificate(rand.Reader, template, first, &private.PublicKey, private)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); (err == nil) != good {
			t.Errorf("a certificate for %s: %v", host, err)
		}
	}

	p.own(t, "roadbed.example.com")
	if p.authority(t).Equal(first) {
		t.Error("the authority was kept though it can't sign for the host")
	}
	if err := os.WriteFile(p.ca, []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.own(t, "roadbed.example.com")
	p.authority(t)
}

// TestACertificateIsRenewedBeforeItEnds moves the clock.
func TestACertificateIsRenewedBeforeItEnds(t *testing.T) {
	t.Parallel()
	p, now := newPair(t), time.Now()
	config, err := listen.Own(p.ca, p.key, []string{"localhost"}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	current := func() *x509.Certificate {
		c, err := config.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf
	}
	first := current()
	if !current().Equal(first) {
		t.Error("a certificate that is good was replaced")
	}
	now = first.NotAfter.Add(-time.Minute)
	if second := current(); !second.NotAfter.After(now.Add(24 * time.Hour)) {
		t.Errorf("at %v the certificate ends at %v", now, second.NotAfter)
	}
}

// TestFilesAreReadAgain replaces a certificate while it is served; a half-written pair leaves the earlier one.
func TestFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.own(t, "localhost")
	first := p.authority(t)
	complaints := make(chan error, 100)
	config, err := listen.Files(p.ca, p.key, func(err error) { complaints <- err })
	if err != nil {
		t.Fatal(err)
	}
	served := func() *x509.Certificate {
		c, err := config.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf
	}
	if !served().Equal(first) {
		t.Fatal("another certificate is served")
	}
	other := newPair(t)
	other.own(t, "localhost", "other.example.com")
	replace := func(from, to string) {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replace(other.ca, p.ca)
	deadline := time.After(time.Minute)
	for len(complaints) == 0 {
		if !served().Equal(first) {
			t.Fatal("a certificate without its key is served")
		}
		select {
		case <-deadline:
			t.Fatal("nobody was told of a certificate without its key")
		case <-time.After(10 * time.Millisecond):
		}
	}
	replace(other.key, p.key)
	for !served().Equal(other.authority(t)) {
		select {
		case <-deadline:
			t.Fatal("the new certificate is never served")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if _, err := listen.Files(p.ca, filepath.Join(t.TempDir(), "missing"), nil); err == nil {
		t.Error("a key that isn't there is taken")
	}
}
