package directory

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"testing/synctest"
)

// TestAServerThatIsSilentAfterStartTLS ends with an error, since its patience has an end.
func TestAServerThatIsSilentAfterStartTLS(t *testing.T) {
	t.Parallel()
	yes := []byte("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00") // the extended response of message 1: success
	for what, answer := range map[string][]byte{"the request": nil, "its answer": yes} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				go func() {
					defer there.Close()
					if _, err := there.Read(make([]byte, 1024)); err != nil {
						t.Errorf("it is not asked: %v", err)
					}
					if _, err := there.Write(answer); err != nil {
						t.Errorf("it does not answer: %v", err)
					}
					_, _ = io.Copy(io.Discard, there) // until the other side ends it
				}()
				ctx, cancel := context.WithTimeout(t.Context(), dialTime)
				defer cancel()
				conn, err := secured(ctx, here, &LDAP{URL: "ldap://ldap.example.com", StartTLS: true}, &tls.Config{ServerName: "ldap.example.com", MinVersion: tls.VersionTLS12})
				if err == nil || conn != nil {
					t.Errorf("there is a connection, %v", err)
				}
			})
		})
	}
}
