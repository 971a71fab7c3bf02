package directory

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Spec is what a Directory document says.
type Spec struct {
	SCIM *SCIM `json:"scim,omitempty"`
	LDAP *LDAP `json:"ldap,omitempty"`
	// Namespace is the catalog namespace of the people and groups; "default" when "".
	Namespace string `json:"namespace,omitempty"`
	// Space is that of the people and groups, the document's own or one below; the document's own when "".
	Space string `json:"space,omitempty"`
	// Names says how entities are called: FullNames or LocalNames.
	Names string `json:"names,omitempty"`
	// MostGone is how many percent of what an LDAP server had may be gone at once; 25 when 0.
	MostGone int `json:"mostGone,omitempty"`
}

// SCIM has people and groups written to the directory. It has no fields: the token says who may.
type SCIM struct{}

// LDAP has people and groups read from a server.
type LDAP struct {
	URL      string        `json:"url"`                // ldaps://HOST, or ldap://HOST with StartTLS
	StartTLS bool          `json:"startTLS,omitempty"` // needed for ldap://
	CA       string        `json:"ca,omitempty"`       // certificates in PEM that are trusted in place of the machine's
	BindDN   string        `json:"bindDN,omitempty"`   // "" reads as nobody
	Password *Reference    `json:"password,omitempty"`
	Users    Search        `json:"users"`
	Groups   Search        `json:"groups,omitzero"` // no base: no groups
	Interval time.Duration `json:"interval,omitempty"`
	PageSize int           `json:"pageSize,omitempty"`
}

// Reference names a secret.
type Reference struct {
	SecretRef string `json:"secretRef"` // SPACE/NAME or SPACE/NAME#KEY
}

// Search says where entries are and what their attributes are called.
type Search struct {
	Base        string `json:"base"`
	Filter      string `json:"filter,omitempty"`
	Name        string `json:"name,omitempty"` // attribute that the entity is called by
	DisplayName string `json:"displayName,omitempty"`
	Email       string `json:"email,omitempty"`
	Description string `json:"description,omitempty"`
	ID          string `json:"id,omitempty"`      // entryUUID, objectGUID
	Members     string `json:"members,omitempty"` // of groups: member, uniqueMember, memberUid
}

// Bounds of a document.
const (
	leastInterval, usualInterval, mostInterval = time.Minute, 15 * time.Minute, 24 * time.Hour
	usualPage, mostPage                        = 500, 2000
	mostAddress                                = 500
	mostBase                                   = 1000
	mostFilter                                 = 2000
	mostCA                                     = 64 << 10
	usualGone                                  = 25
)

// Kinds gives the documents of this room.
func Kinds(s *Service) []document.Kind {
	return []document.Kind{{
		APIVersions: []string{"roadbed.dev/v1"}, Name: "Directory", Plural: "directories", Restricted: true,
		Description: "Where people and groups come from: an identity provider by SCIM, or an LDAP server.",
		Validate: func(d document.Document) []fault.Detail {
			_, wrong := read(d)
			return wrong
		},
		Changed: s.documentChanged,
	}}
}

var (
	secretRef  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[A-Za-z0-9][A-Za-z0-9._-]{0,126}(#[A-Za-z0-9][A-Za-z0-9._-]{0,126})?$`)
	attribute  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,62}$`)
	usualUsers = Search{Filter: "(objectClass=person)", Name: "uid", DisplayName: "cn", Email: "mail", Description: "description", ID: "entryUUID"}
	usualTeams = Search{Filter: "(objectClass=groupOfNames)", Name: "cn", DisplayName: "cn", Email: "mail", Description: "description", ID: "entryUUID", Members: "member"}
)

type complain func(message, hint string, at ...string)

// read gives what a document says, completed, and what is wrong with it.
func read(d document.Document) (Spec, []fault.Detail) {
	var spec Spec
	if err := document.Decode(d, &spec); err != nil {
		return spec, fault.Details(err)
	}
	var wrong []fault.Detail
	bad := func(message, hint string, at ...string) {
		wrong = append(wrong, d.At(message, hint, append([]string{"spec"}, at...)...))
	}
	if (spec.SCIM == nil) == (spec.LDAP == nil) {
		bad("says not which of scim and ldap it is", "write scim: {} to have an identity provider write to it, or ldap: {url: …} to read a server")
	}
	if spec.Namespace == "" {
		spec.Namespace = ref.DefaultNamespace
	}
	if !ref.ValidName(spec.Namespace) {
		bad(fmt.Sprintf("%.100q can't name a namespace", spec.Namespace), "use letters, digits, '-', '_' and '.'", "namespace")
	}
	if spec.Space != "" && !access.ValidSpaceName(spec.Space) {
		bad(fmt.Sprintf("%.100q is not the name of a space", spec.Space), "use lower-case letters, digits and dashes", "space")
	}
	if spec.Names == "" {
		spec.Names = FullNames
	}
	if spec.Names != FullNames && spec.Names != LocalNames {
		bad(fmt.Sprintf("%.100q is not a way to make names", spec.Names), "write full (alice_example.com) or local (alice)", "names")
	}
	if spec.MostGone == 0 {
		spec.MostGone = usualGone
	}
	if spec.MostGone < 1 || spec.MostGone > 100 {
		bad(fmt.Sprintf("%d is not a share", spec.MostGone), "write 1 to 100, in percent", "mostGone")
	}
	if spec.LDAP != nil {
		spec.LDAP.complete(bad)
	}
	return spec, wrong
}

func (l *LDAP) complete(bad complain) {
	l.address(bad)
	if l.CA != "" && (len(l.CA) > mostCA || !x509.NewCertPool().AppendCertsFromPEM([]byte(l.CA))) {
		bad("has no certificates in PEM", "write the certificates of the authority, from BEGIN to END CERTIFICATE", "ldap", "ca")
	}
	if _, err := ldap.ParseDN(l.BindDN); err != nil && !strings.Contains(l.BindDN, "@") || len(l.BindDN) > mostBase {
		bad(fmt.Sprintf("%.200q is not a DN", l.BindDN), "write it like cn=reader,dc=example,dc=com", "ldap", "bindDN")
	}
	switch {
	case (l.BindDN == "") != (l.Password == nil):
		bad("bindDN and password go together", "write both, or neither to read as nobody", "ldap", "password")
	case l.Password != nil && !secretRef.MatchString(l.Password.SecretRef): // which may be the secret itself, so it is not repeated
		bad("does not name a secret", "write SPACE/NAME of a secret, which `roadbed secret put` sets", "ldap", "password", "secretRef")
	}
	l.Users.complete(usualUsers, bad, "users")
	if l.Groups != (Search{}) {
		l.Groups.complete(usualTeams, bad, "groups")
	}
	if l.Users.Members != "" {
		bad("only groups have members", "write it under groups", "ldap", "users", "members")
	}
	if l.Interval == 0 {
		l.Interval = usualInterval
	}
	if l.Interval < leastInterval || l.Interval > mostInterval {
		bad(fmt.Sprintf("%s is out of range", l.Interval), "write 1m to 24h", "ldap", "interval")
	}
	if l.PageSize == 0 {
		l.PageSize = usualPage
	}
	if l.PageSize < 1 || l.PageSize > mostPage {
		bad(fmt.Sprintf("%d is out of range", l.PageSize), fmt.Sprintf("write 1 to %d", mostPage), "ldap", "pageSize")
	}
}

func (l *LDAP) address(bad complain) {
	u, err := url.Parse(l.URL)
	if err != nil || u.Scheme != "ldaps" && u.Scheme != "ldap" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || strings.ContainsAny(l.URL, "?#") || len(l.URL) > mostAddress {
		bad(fmt.Sprintf("%.200q is not the address of an LDAP server", l.URL), "write it like ldaps://ldap.example.com", "ldap", "url")
		return
	}
	switch {
	case u.Scheme == "ldap" && !l.StartTLS:
		bad("passwords and people would go in the clear", "write ldaps://, or startTLS: true", "ldap", "url")
	case u.Scheme == "ldaps" && l.StartTLS:
		bad("ldaps:// is TLS already", "leave startTLS out", "ldap", "startTLS")
	}
}

// host gives HOST:PORT of the server, and the name that its certificate has.
func (l *LDAP) host() (address, name string) {
	u, err := url.Parse(l.URL)
	if err != nil {
		return "", "" // complete has read it
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ldaps": "636", "ldap": "389"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port), u.Hostname()
}

func (s *Search) complete(usual Search, bad complain, at string) {
	if _, err := ldap.ParseDN(s.Base); err != nil || s.Base == "" || len(s.Base) > mostBase {
		bad(fmt.Sprintf("%.200q is not a DN", s.Base), "write where the entries are, such as ou="+at+",dc=example,dc=com", "ldap", at, "base")
	}
	for _, x := range []struct {
		name string
		have *string
		want string
	}{
		{"name", &s.Name, usual.Name}, {"displayName", &s.DisplayName, usual.DisplayName}, {"email", &s.Email, usual.Email},
		{"description", &s.Description, usual.Description}, {"id", &s.ID, usual.ID}, {"members", &s.Members, usual.Members},
	} {
		if *x.have == "" {
			*x.have = x.want
		}
		if *x.have != "" && !attribute.MatchString(*x.have) {
			bad(fmt.Sprintf("%.100q is not an attribute", *x.have), "write its name, such as "+x.want, "ldap", at, x.name)
		}
	}
	if s.Filter == "" {
		s.Filter = usual.Filter
	}
	if _, err := ldap.CompileFilter(s.Filter); err != nil || len(s.Filter) > mostFilter {
		bad(fmt.Sprintf("%.200q is not a filter", s.Filter), "write it like "+usual.Filter, "ldap", at, "filter")
	}
}

// documentChanged keeps the row of a directory, in the transaction of its document, and has it looked at. What was brought
// into another space before goes from there.
func (s *Service) documentChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	name := c.Ref.Namespace + "/" + c.Ref.Name
	before, err := byName(ctx, tx, name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	had := err == nil
	if c.New == nil {
		if !had {
			return nil
		}
		if err := forget(ctx, tx, name); err != nil {
			return err
		}
		return s.clearSoon(ctx, tx, before)
	}
	spec, wrong := read(*c.New)
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("Directory %s is not valid", c.New.Metadata.Name), wrong...)
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return fault.Wrap(err, "encode directory %s", name)
	}
	sum := sha256.Sum256([]byte(c.Space + "\n" + string(raw)))
	now := Directory{Name: name, Space: c.Space, Spec: spec, version: hex.EncodeToString(sum[:]), Status: Status{State: Waiting, Since: s.Now()}}
	if had {
		now.Status, now.generation, now.written, now.held = before.Status, before.generation, before.written, before.held
		if now.Protocol() != before.Protocol() {
			now.Status, now.written = Status{State: Waiting, Since: s.Now()}, time.Time{}
			if err := forget(ctx, tx, name); err != nil {
				return err
			}
		}
	}
	now.generation++
	if err := save(ctx, tx, now); err != nil {
		return err
	}
	if had && before.Target() != now.Target() {
		if err := s.clearSoon(ctx, tx, before); err != nil {
			return err
		}
	}
	return s.lookSoon(ctx, tx, name)
}

const (
	jobLook  = "directory.look"
	jobClear = "directory.clear"
)

type lookArgs struct {
	Name string `json:"name"`
}

type clearArgs struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Space  string `json:"space"`
}

func (s *Service) lookSoon(ctx context.Context, tx *store.Tx, name string) error {
	return s.Queue.Insert(ctx, tx, jobLook, lookArgs{name}, queue.InsertOptions{Unique: name})
}

// clearSoon has what a directory has brought into its space deleted there.
func (s *Service) clearSoon(ctx context.Context, tx *store.Tx, d Directory) error {
	a := clearArgs{d.Name, d.source(), d.Target()}
	return s.Queue.Insert(ctx, tx, jobClear, a, queue.InsertOptions{Unique: strings.Join([]string{a.Name, a.Space}, " ")})
}

// refsOf gives the secrets that a directory needs.
func (l *LDAP) refsOf() []string {
	if l.Password == nil {
		return nil
	}
	return slices.Clone([]string{l.Password.SecretRef})
}
