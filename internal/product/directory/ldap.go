package directory

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Bounds of one look at a server.
const (
	mostEntries  = 100_000
	mostValues   = 50_000 // members of one group
	mostRead     = 256 << 20
	dialTime     = 15 * time.Second
	requestTime  = time.Minute // of one page
	serverSlack  = 10 * time.Second
	mostGroupsIn = 1000 // that a person or a group is named in
)

// lookLDAP reads a server and has the catalog say what it says. The caller has the turn.
func (s *Service) lookLDAP(ctx context.Context, d Directory) error {
	entries, problems, err := s.readServer(ctx, d)
	if err != nil {
		return s.keep(ctx, d, func(now *Directory) error {
			now.Looked = s.Now()
			return failed(ctx, now, err)
		})
	}
	digest, err := digestOf(entries)
	if err != nil {
		return err
	}
	found := Found{Problems: problems}
	for _, e := range entries {
		if e.kept != "" {
			found.Problems = append(found.Problems, Problem{e.what, e.kept})
		}
		if e.kind == User {
			found.People++
		} else {
			found.Groups++
		}
	}
	found.Wrong = len(found.Problems)
	if digest == d.digest && d.State == Healthy { // as it was when all of it was taken
		found.Last.Unchanged = len(entries)
		return s.keep(ctx, d, func(now *Directory) error {
			now.Looked, now.Found = s.Now(), found.bounded()
			return nil
		})
	}
	return s.bringServer(ctx, d, entries, found, digest)
}

func (s *Service) bringServer(ctx context.Context, d Directory, entries []entry, found Found, digest string) error {
	err := s.DB.Write(ctx, func(tx *store.Tx) error { // what another server has under way ends
		if err := d.still(ctx, tx); err != nil {
			return err
		}
		d.generation++
		_, err := tx.Exec(ctx, "UPDATE directories SET generation = $2 WHERE name = $1", d.Name, d.generation)
		return err
	})
	if errors.Is(err, errOvertaken) {
		return nil // who has changed it has asked for a look
	}
	if err != nil {
		return err
	}
	out, refused, err := s.bring(ctx, d, entries, nil, nil, true, d.Spec.MostGone)
	if errors.Is(err, errOvertaken) {
		return nil
	}
	return s.keep(ctx, d, func(now *Directory) error {
		now.Looked = s.Now()
		if err != nil {
			return failed(ctx, now, err)
		}
		found.Last = counts(out)
		taken := true
		for _, e := range entries {
			if why := refused[e.ref(d)]; why != "" && e.kept == "" {
				taken = false
				found.Wrong++
				found.Problems = append(found.Problems, Problem{e.what, why})
			}
		}
		now.Found, now.digest = found.bounded(), ""
		if out.Held > 0 {
			now.State = Failing
			now.Reason = fmt.Sprintf("%d of its people and groups are not on the server any more, which is more than %d percent; nothing of it was taken away. If that is right, set spec.mostGone to 100", out.Held, d.Spec.MostGone)
			return nil
		}
		now.State, now.Reason = Healthy, ""
		if taken {
			now.digest = digest
		}
		return nil
	})
}

func (f Found) bounded() Found {
	f.Problems = f.Problems[:min(len(f.Problems), mostProblems)]
	return f
}

func digestOf(entries []entry) (string, error) {
	sum := sha256.New()
	for _, e := range entries {
		raw, err := json.Marshal([]any{e.kind, e.name, e.what, e.display, e.email, e.description, e.memberOf, e.children, e.annotations, e.kept})
		if err != nil {
			return "", err
		}
		sum.Write(append(raw, '\n'))
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// readServer gives all people and groups of a server, sorted, and what of them can't be taken. What is not read to its end is
// an error.
func (s *Service) readServer(ctx context.Context, d Directory) (entries []entry, problems []Problem, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	l := d.Spec.LDAP
	conn, err := s.connect(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close() //nolint:errcheck // all was read
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	r := reader{conn: conn, page: l.PageSize}
	people, err := r.search(l.Users)
	if err != nil {
		return nil, nil, answered(ctx, l, err)
	}
	var teams []*ldap.Entry
	if l.Groups.Base != "" {
		if teams, err = r.search(l.Groups); err != nil {
			return nil, nil, answered(ctx, l, err)
		}
	}
	return relate(d, people, teams, func() (map[ref.Entity]map[string]string, error) {
		return s.Catalog.Annotations(ctx, d.source(), annotationDN, annotationID)
	})
}

// answered makes a fault of what a server, or the way to it, said.
func answered(ctx context.Context, l *LDAP, err error) error {
	address, _ := l.host()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.Errorf(fault.Unavailable, "%s has not told all within %s", address, lookTime)
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return known
	}
	var said *ldap.Error
	if errors.As(err, &said) {
		text := plain(said.Err.Error())
		switch said.ResultCode {
		case ldap.LDAPResultInvalidCredentials:
			return fault.Errorf(fault.Denied, "%s does not take the credentials: look at spec.ldap.bindDN and its password", address)
		case ldap.LDAPResultInsufficientAccessRights:
			return fault.Errorf(fault.Denied, "%s does not let %s read: %s", address, l.BindDN, text)
		case ldap.LDAPResultNoSuchObject:
			return fault.Errorf(fault.NotFound, "%s has no such base, or does not show it: %s", address, text)
		case ldap.LDAPResultSizeLimitExceeded:
			return fault.Errorf(fault.TooLarge, "%s gives no more than a part: raise its limit for %s, or set spec.ldap.pageSize below it", address, l.BindDN)
		}
		return fault.Errorf(fault.Unavailable, "%s: %s", address, text)
	}
	return fault.Errorf(fault.Unavailable, "%s: %s", address, plain(err.Error()))
}

// connect gives a connection on which the directory has signed in, in TLS.
func (s *Service) connect(ctx context.Context, d Directory) (*ldap.Conn, error) {
	l := d.Spec.LDAP
	password := ""
	if l.Password != nil {
		err := s.DB.Read(ctx, func(tx *store.Tx) error {
			values, err := s.Secrets.Resolve(ctx, tx, d.Space, l.refsOf())
			password = strings.TrimRight(values[l.Password.SecretRef], "\r\n")
			return err
		})
		if err != nil {
			return nil, err
		}
		if password == "" { // which a server would take for nobody
			return nil, fault.Errorf(fault.Conflict, "the secret %s is empty", l.Password.SecretRef)
		}
	}
	address, name := l.host()
	trust := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}
	if l.CA != "" {
		trust.RootCAs = x509.NewCertPool()
		trust.RootCAs.AppendCertsFromPEM([]byte(l.CA)) // complete has tried it
	}
	dial, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	plainly, err := s.Dial(dial, "tcp", address)
	if err != nil {
		return nil, answered(ctx, l, err)
	}
	conn, err := secured(dial, &bounded{Conn: plainly, left: mostRead}, l, trust)
	if err != nil {
		_ = plainly.Close()
		return nil, answered(ctx, l, err)
	}
	conn.SetTimeout(requestTime)
	if l.BindDN == "" {
		err = conn.UnauthenticatedBind("")
	} else {
		err = conn.Bind(l.BindDN, password)
	}
	if err != nil {
		_ = conn.Close()
		return nil, answered(ctx, l, err)
	}
	return conn, nil
}

// secured gives a connection in TLS: from the first byte on, or after the server was asked to.
func secured(ctx context.Context, to net.Conn, l *LDAP, trust *tls.Config) (*ldap.Conn, error) {
	if !l.StartTLS {
		inner := tls.Client(to, trust)
		if err := inner.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn := ldap.NewConn(inner, true)
		conn.Start()
		return conn, nil
	}
	conn := ldap.NewConn(to, false)
	conn.Start()
	conn.SetTimeout(dialTime)
	stop := context.AfterFunc(ctx, func() { _ = to.Close() }) // its handshake knows no end
	defer stop()
	if err := conn.StartTLS(trust); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// bounded is a connection on which no more than so many bytes are read.
type bounded struct {
	net.Conn
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fault.Errorf(fault.TooLarge, "the server tells more than %d MiB; narrow the base or the filter", mostRead>>20)
	}
	n, err := b.Conn.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// reader reads entries, page by page.
type reader struct {
	conn *ldap.Conn
	page int
	read int
}

func (r *reader) search(s Search) ([]*ldap.Entry, error) {
	var attributes []string
	for _, a := range []string{s.Name, s.DisplayName, s.Email, s.Description, s.ID, s.Members} {
		if a != "" && !slices.Contains(attributes, a) {
			attributes = append(attributes, a)
		}
	}
	paging := ldap.NewControlPaging(uint32(r.page))
	var all []*ldap.Entry
	for {
		request := ldap.NewSearchRequest(s.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, int((requestTime-serverSlack)/time.Second), false, s.Filter, attributes, []ldap.Control{paging})
		answer, err := r.conn.Search(request)
		if err != nil {
			return nil, err
		}
		all = append(all, answer.Entries...)
		if r.read += len(answer.Entries); r.read > mostEntries {
			return nil, fault.Errorf(fault.TooLarge, "the server has more than %d people and groups; narrow the base or the filter", mostEntries)
		}
		next, _ := ldap.FindControl(answer.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if next == nil || len(next.Cookie) == 0 {
			break
		}
		paging.SetCookie(next.Cookie)
	}
	for _, e := range all {
		if err := r.rest(s, e); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// rest reads the members of a group of which the server gives ranges, as Active Directory does.
func (r *reader) rest(s Search, e *ldap.Entry) error {
	if s.Members == "" {
		return nil
	}
	values, from, more := ranged(e, s.Members)
	for more {
		if len(values) > mostValues {
			return fault.Errorf(fault.TooLarge, "%s has more than %d members", e.DN, mostValues)
		}
		request := ldap.NewSearchRequest(e.DN, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, int((requestTime-serverSlack)/time.Second), false,
			"(objectClass=*)", []string{fmt.Sprintf("%s;range=%d-*", s.Members, from)}, nil)
		answer, err := r.conn.Search(request)
		if err != nil {
			return err
		}
		if len(answer.Entries) != 1 {
			return fault.Errorf(fault.Unavailable, "%s went while it was read", e.DN)
		}
		var some []string
		if some, from, more = ranged(answer.Entries[0], s.Members); len(some) == 0 && more {
			return fault.Errorf(fault.Unavailable, "the server gives no end of the members of %s", e.DN)
		}
		values = append(values, some...)
	}
	if len(values) > mostValues {
		return fault.Errorf(fault.TooLarge, "%s has more than %d members", e.DN, mostValues)
	}
	e.Attributes = slices.DeleteFunc(e.Attributes, func(a *ldap.EntryAttribute) bool {
		return isRange(a.Name, s.Members) || strings.EqualFold(a.Name, s.Members)
	})
	e.Attributes = append(e.Attributes, ldap.NewEntryAttribute(s.Members, values))
	return nil
}

func isRange(name, attribute string) bool {
	return len(name) > len(attribute) && strings.EqualFold(name[:len(attribute)], attribute) && strings.HasPrefix(strings.ToLower(name[len(attribute):]), ";range=")
}

// ranged gives the values of an attribute, and where the rest of them begins when there is one.
func ranged(e *ldap.Entry, attribute string) (values []string, next int, more bool) {
	values = e.GetEqualFoldAttributeValues(attribute)
	for _, a := range e.Attributes {
		if !isRange(a.Name, attribute) {
			continue
		}
		values = append(values, a.Values...)
		var from, to int
		if _, err := fmt.Sscanf(strings.ToLower(a.Name[len(attribute):]), ";range=%d-%d", &from, &to); err == nil {
			next, more = to+1, true
		}
	}
	return values, next, more
}
