package listen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

const (
	authorityLife   = 10 * 365 * 24 * time.Hour
	certificateLife = 90 * 24 * time.Hour
	// leeway is how far clocks may differ, and how long before its end a certificate is replaced.
	leeway = 24 * time.Hour
)

// Own serves certificates for the hosts (names and addresses) that an authority of this server's own signs. The
// authority is made once and kept: its certificate in file, to be trusted by clients (SSL_CERT_FILE), its key in
// keyFile. It can sign for these hosts and what lies below the names, and for nothing else, so that who trusts it
// doesn't trust it for the rest of the world. It is made anew when it doesn't cover the hosts, or has ended.
func Own(file, keyFile string, hosts []string, now func() time.Time) (*tls.Config, error) {
	o := &own{hosts: hosts, now: now}
	var err error
	if o.authority, err = readPair(file, keyFile); err == nil {
		err = o.renew()
	}
	if err != nil { // none yet, damaged, over, or for other hosts
		if o.authority, err = newAuthority(hosts, now()); err != nil {
			return nil, err
		}
		if err := o.renew(); err != nil {
			return nil, err
		}
		if err := errors.Join(writePEM(keyFile, 0o600, "PRIVATE KEY", o.authority.key), writePEM(file, 0o644, "CERTIFICATE", o.authority.certificate.Raw)); err != nil {
			return nil, err
		}
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return o.current() }}, nil
}

type own struct {
	authority signer
	hosts     []string
	now       func() time.Time

	lock sync.Mutex
	leaf *tls.Certificate
}

type signer struct {
	certificate *x509.Certificate
	private     *ecdsa.PrivateKey
	key         []byte // private in PKCS #8
}

func (o *own) current() (*tls.Certificate, error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	if now := o.now(); now.Add(leeway).After(o.leaf.Leaf.NotAfter) || now.Before(o.leaf.Leaf.NotBefore) {
		if err := o.renew(); err != nil {
			return nil, err
		}
	}
	return o.leaf, nil
}

// renew signs a certificate for the hosts, and makes sure that clients will take it.
func (o *own) renew() error {
	now := o.now()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: nil, Subject: pkix.Name{CommonName: "Roadbed"},
		NotBefore: now.Add(-leeway), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range o.hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, h, "*."+h)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, o.authority.certificate, &private.PublicKey, o.authority.private)
	if err != nil {
		return fmt.Errorf("sign the server's certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(o.authority.certificate)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); err != nil {
		return fmt.Errorf("the server's certificate: %w", err)
	}
	o.leaf = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}
	return nil
}

func newAuthority(hosts []string, now time.Time) (s signer, err error) {
	if s.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return s, err
	}
	if s.key, err = x509.MarshalPKCS8PrivateKey(s.private); err != nil {
		return s, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Roadbed on " + hosts[0]},
		NotBefore: now.Add(-leeway), NotAfter: now.Add(authorityLife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true,
	}
	for _, h := range hosts {
		ip := net.ParseIP(h)
		if ip == nil {
			template.PermittedDNSDomains = append(template.PermittedDNSDomains, h)
			continue
		}
		if short := ip.To4(); short != nil {
			ip = short
		}
		template.PermittedIPRanges = append(template.PermittedIPRanges, &net.IPNet{IP: ip, Mask: net.CIDRMask(len(ip)*8, len(ip)*8)})
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &s.private.PublicKey, s.private)
	if err != nil {
		return s, fmt.Errorf("make an authority: %w", err)
	}
	s.certificate, err = x509.ParseCertificate(der)
	return s, err
}

func readPair(file, keyFile string) (s signer, err error) {
	pair, err := tls.LoadX509KeyPair(file, keyFile)
	if err != nil {
		return s, err
	}
	private, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return s, fmt.Errorf("%s holds a key of another kind", keyFile)
	}
	return signer{certificate: pair.Leaf, private: private}, nil
}

// writePEM replaces a file in one move.
func writePEM(path string, mode os.FileMode, kind string, data []byte) error {
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(part, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), mode); err != nil {
		return err
	}
	return os.Rename(part, path)
}
