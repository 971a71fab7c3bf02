package repository

import (
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Reach is what repositories elsewhere are reached by, for imports and mirrors.
type Reach struct {
	// Check tells why an address (HOST:PORT) may not be reached. May be nil.
	Check func(ctx context.Context, address string) error
	Proxy string            // that git goes through, which refuses what Check does; "" for none
	CA    string            // file with the certificates that are trusted, in place of the system's; "" for those
	HTTP  http.RoundTripper // that files of Git LFS go through, and refuses what Check does; nil for no files

	Secrets interface {
		Resolve(ctx context.Context, tx *store.Tx, space string, refs []string) (map[string]string, error)
	}
	Seal interface {
		Seal(plain []byte) ([]byte, error)
		Open(sealed []byte) ([]byte, error)
	}
}

// Reaches lets repositories be imported and mirrored. Call it before Run.
func (s *Service) Reaches(r Reach) { s.elsewhere = r }

// Credentials are what an address elsewhere asks for. Secret names one (SPACE/NAME or SPACE/NAME#KEY) that is read each
// time; Password is kept sealed and never told.
type Credentials struct{ Username, Password, Secret string }

// branchesAndTags are what is imported and mirrored.
var branchesAndTags = []string{"refs/heads/", "refs/tags/"}

const (
	importTime  = time.Hour // of one import or mirroring
	leastEvery  = time.Minute
	mostEvery   = 31 * 24 * time.Hour
	userLimit   = 200
	secretLimit = 1000 // bytes of a password
)

// checkURL refuses what is not the address of a repository elsewhere.
func checkURL(address string) error {
	u, err := url.Parse(address)
	hint := "write it like https://git.example.com/OWNER/NAME.git"
	switch {
	case err != nil || len(address) > 1000 || strings.ContainsFunc(address, func(c rune) bool { return c <= ' ' || c == 0x7f }):
		return fault.Errorf(fault.Invalid, "that is not the address of a repository; %s", hint)
	case u.Scheme != "https" && u.Scheme != "http":
		return fault.Errorf(fault.Invalid, "the address of a repository elsewhere begins with https:// or http://; %s", hint)
	case u.User != nil:
		return fault.Errorf(fault.Invalid, "an address holds no user name and no password; give them beside it")
	case u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "":
		return fault.Errorf(fault.Invalid, "that is not the address of a repository; %s", hint)
	}
	return nil
}

func checkEvery(every time.Duration) error {
	if every < leastEvery || every > mostEvery {
		return fault.Errorf(fault.Invalid, "%s is not a time between looks; choose from %s to %s", every, leastEvery, mostEvery)
	}
	return nil
}

// hostPort gives whom an address connects to.
func hostPort(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" && u.Scheme == "http" {
		port = "80"
	}
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// reachable refuses an address that the server does not connect to, in words; git only learns that it was refused.
func (s *Service) reachable(ctx context.Context, address string) error {
	if s.elsewhere.Check == nil {
		return nil
	}
	return s.elsewhere.Check(ctx, hostPort(address))
}

// sealed takes credentials for work in a space: it asks for the right to use the secret that they name, and gives the
// password as it is kept.
func (s *Service) sealed(ctx context.Context, space, address string, c Credentials) (string, error) {
	if s.elsewhere.Seal == nil || s.elsewhere.Secrets == nil {
		return "", fault.Errorf(fault.Unavailable, "this server reaches no repositories elsewhere")
	}
	if err := s.reachable(ctx, address); err != nil {
		return "", err
	}
	switch {
	case c.Password != "" && c.Secret != "":
		return "", fault.Errorf(fault.Invalid, "give a password or a secret that holds it, and not both")
	case len(c.Username) > userLimit || len(c.Password) > secretLimit || strings.ContainsAny(c.Username+c.Password, "\x00\r\n"):
		return "", fault.Errorf(fault.Invalid, "the user name or the password is none: it is too long, or has a line break")
	case c.Secret != "":
		from, _, _ := strings.Cut(c.Secret, "/")
		if err := s.access.Authorize(ctx, "secret:write", from); err != nil {
			return "", fault.Wrap(err, "use secret %s", c.Secret)
		}
		_, err := s.secret(ctx, space, c.Secret)
		return "", err
	case c.Password == "":
		return "", nil
	}
	sealed, err := s.elsewhere.Seal.Seal([]byte(c.Password))
	return base64.StdEncoding.EncodeToString(sealed), fault.Wrap(err, "seal the password")
}

// secret gives the value of a secret for work in a space.
func (s *Service) secret(ctx context.Context, space, name string) (value string, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		values, err := s.elsewhere.Secrets.Resolve(ctx, tx, space, []string{name})
		value = strings.TrimRight(values[name], "\r\n")
		return err
	})
	if fault.Is(err, fault.NotFound) { // which would say that there is no such repository
		err = fault.Errorf(fault.Conflict, "%s", fault.Message(err))
	}
	return value, err
}

// remote gives how git reaches an address, for work in a space.
func (s *Service) remote(ctx context.Context, space, address, username, sealed, secret string) (git.Remote, error) {
	r := git.Remote{URL: address, Username: username, HTTP: true, Proxy: s.elsewhere.Proxy, CA: s.elsewhere.CA}
	if err := s.reachable(ctx, address); err != nil {
		return r, err
	}
	switch {
	case secret != "":
		value, err := s.secret(ctx, space, secret)
		r.Password = value
		return r, err
	case sealed != "":
		raw, err := base64.StdEncoding.DecodeString(sealed)
		if err == nil {
			raw, err = s.elsewhere.Seal.Open(raw)
		}
		r.Password = string(raw)
		return r, fault.Wrap(err, "open the password")
	}
	return r, nil
}

// again tells whether what failed may succeed when nothing is changed.
func again(err error) bool {
	return fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Exhausted) || fault.Is(err, fault.Internal) || fault.Is(err, fault.Canceled)
}

// backoff is how long something waits that failed so often.
func backoff(attempts int) time.Duration {
	return min(30*time.Second<<min(attempts-1, 8), time.Hour)
}
