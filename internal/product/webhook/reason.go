package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// reasonOf says why nothing was answered, in fixed words: what an error says may be the address, which may be a secret, what
// a name leads to, or what was answered by something that no message was meant for.
func reasonOf(err error) string {
	var name *net.DNSError
	var network *net.OpError
	var slow net.Error
	switch {
	case fault.Is(err, fault.Invalid):
		return "its address is not a public one, or can't be used"
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout():
		return fmt.Sprintf("it did not answer within %s", sendTime)
	case errors.As(err, &name):
		return "its host is not found"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case isTLS(err):
		return "it can't be trusted: TLS failed"
	case fault.Is(err, fault.Unavailable):
		return "the proxy to the outside does not reach it"
	case errors.As(err, &network) && network.Op == "dial":
		return "it can't be reached"
	}
	return "it gave no answer in HTTP"
}

func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var verify *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &verify) || errors.As(err, &unknown) ||
		errors.As(err, &host) || errors.As(err, &invalid) || errors.Is(err, http.ErrSchemeMismatch)
}
