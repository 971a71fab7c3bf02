// Package slapdtest gives tests an LDAP server of their own: OpenLDAP's slapd, with TLS, on a loopback port.
package slapdtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// What a server is made with.
const (
	Suffix   = "dc=example,dc=com"
	Admin    = "cn=admin," + Suffix
	Password = "a-password-for-tests"
)

// Server is a slapd that ends with its test.
type Server struct {
	Address string // HOST:PORT, in TLS
	Plain   string // HOST:PORT, for StartTLS
	CA      string // its certificate in PEM
	t       testing.TB
}

// Start makes a server with the base and two units, people and groups. Without slapd the test is skipped; where CI is set it
// fails.
func Start(t testing.TB) *Server {
	t.Helper()
	program, err := exec.LookPath("slapd")
	if err != nil {
		program = "/usr/sbin/slapd"
	}
	if _, err := os.Stat(program); err != nil {
		lacktest.Skip(t, "no slapd: %v", err)
	}
	lacktest.Programs()
	dir, err := os.MkdirTemp("", "roadbed-slapd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{Address: free(t), Plain: free(t), t: t}
	s.CA = certificate(t, dir)
	config := fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
pidfile %[1]s/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile %[1]s/cert.pem
TLSCertificateKeyFile %[1]s/key.pem
sizelimit size.soft=20 size.hard=20 size.pr=unlimited size.prtotal=unlimited
database mdb
suffix "%[2]s"
rootdn "%[3]s"
rootpw %[4]s
directory %[1]s/data
access to attrs=userPassword by * auth
access to * by users read by anonymous auth
`, dir, Suffix, Admin, Password)
	if err := os.WriteFile(filepath.Join(dir, "slapd.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.run(program, dir)
	s.Add(Suffix, map[string][]string{"objectClass": {"dcObject", "organization"}, "dc": {"example"}, "o": {"Example"}})
	for _, unit := range []string{"people", "groups"} {
		s.Add("ou="+unit+","+Suffix, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {unit}})
	}
	return s
}

func (s *Server) run(program, dir string) {
	s.t.Helper()
	c := exec.Command(program, "-f", filepath.Join(dir, "slapd.conf"), "-h", "ldaps://"+s.Address+" ldap://"+s.Plain, "-d", "0")
	c.Env = []string{"PATH=/usr/bin:/bin"}
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	s.t.Cleanup(func() {
		_ = c.Process.Kill() // it may have ended by itself
		if err := <-ended; err == nil {
			s.t.Error("slapd has ended by itself")
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Address); err == nil {
			_ = conn.Close() // it was but a knock
			return
		}
		select {
		case <-tick.C:
		case err := <-ended:
			ended <- err
			s.t.Fatalf("slapd has ended: %v", err)
		case <-ctx.Done():
			s.t.Fatal("slapd does not answer")
		}
	}
}

// do works as the administrator.
func (s *Server) do(what string, fn func(*ldap.Conn) error) {
	s.t.Helper()
	trust := x509.NewCertPool()
	trust.AppendCertsFromPEM([]byte(s.CA))
	conn, err := ldap.DialURL("ldaps://"+s.Address, ldap.DialWithTLSConfig(&tls.Config{RootCAs: trust, MinVersion: tls.VersionTLS12}))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // all is done
	if err := conn.Bind(Admin, Password); err != nil {
		s.t.Fatal(err)
	}
	if err := fn(conn); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// Add adds an entry.
func (s *Server) Add(dn string, attributes map[string][]string) {
	s.t.Helper()
	s.do("add "+dn, func(c *ldap.Conn) error {
		r := ldap.NewAddRequest(dn, nil)
		for name, values := range attributes {
			r.Attribute(name, values)
		}
		return c.Add(r)
	})
}

// Person adds somebody below people.
func (s *Server) Person(uid, name string) string {
	s.t.Helper()
	dn := "uid=" + uid + ",ou=people," + Suffix
	s.Add(dn, map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {uid}, "cn": {name}, "sn": {name}, "mail": {uid + "@example.com"}})
	return dn
}

// Group adds a group below groups.
func (s *Server) Group(name string, members ...string) string {
	s.t.Helper()
	dn := "cn=" + name + ",ou=groups," + Suffix
	s.Add(dn, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {name}, "member": members})
	return dn
}

// Replace sets an attribute of an entry.
func (s *Server) Replace(dn, attribute string, values ...string) {
	s.t.Helper()
	s.do("change "+dn, func(c *ldap.Conn) error {
		r := ldap.NewModifyRequest(dn, nil)
		r.Replace(attribute, values)
		return c.Modify(r)
	})
}

// Delete deletes an entry.
func (s *Server) Delete(dn string) {
	s.t.Helper()
	s.do("delete "+dn, func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest(dn, nil)) })
}

func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func certificate(t testing.TB, dir string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "slapd"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return string(cert)
}
