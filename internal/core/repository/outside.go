package repository

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Outside is where a repository lives that is not hosted here, and how it does.
type Outside struct {
	Integration  string // NAMESPACE/NAME
	Remote       string // OWNER/NAME at the forge
	RemoteID     string // at the forge; stays when it is renamed there
	URL          string // of its page there
	Private      bool
	Content      string    // how it is read: ContentClone or ContentAPI
	Fetched      time.Time // when something was found to have moved last; zero until it was fetched for the first time
	Trouble      string    // why it can't be fetched; "" when it can
	TroubleKind  string    // the fault's: unauthenticated, denied, not found, …
	TroubleSince time.Time

	complete bool // its rows have had all references, and not only those that were asked for
	view     view
}

// view is what was seen of a repository at its forge. It outlives a restart, so that a look at many in which nothing has
// changed costs a conditional request each, and neither a transaction nor a process of git. Its times are microseconds, 0 for
// none.
type view struct {
	mark    string // of the forge's answer; "" for none
	changed int64  // what the forge said with it of its last change
	quiet   int64  // a last change that was said so long after the references were compared that nothing older is missing
	listed  int64  // when that was
}

// Forges gives the forges that integrations are of.
type Forges interface {
	// Forge gives the forge of an integration (NAMESPACE/NAME). It asks for no right.
	Forge(ctx context.Context, integration string) (forge.Forge, error)
	// Use fails unless the principal of ctx may reach the integration's forge by what is made here: NotFound for who may not
	// read it, Denied for who may not use it.
	Use(ctx context.Context, integration string) error
	// Terms gives what an integration is for. It asks for no right.
	Terms(ctx context.Context, integration string) (Terms, error)
}

// Terms are what an integration is for.
type Terms struct {
	Forge    string        // github, gitlab or gitea
	Owners   []string      // whose repositories; none: all that the credentials see
	Interval time.Duration // between looks at a repository of which no webhook tells; 0: OutsideOptions.Poll
}

// lag is how much later than a change the forge may tell of it: GitLab notes activity once an hour.
func (t Terms) lag() time.Duration {
	if t.Forge == "gitlab" {
		return 65 * time.Minute
	}
	return 0
}

// Covers tells whether they are for a repository (OWNER/NAME).
func (t Terms) Covers(remote string) bool { return t.check(remote) == nil }

// check refuses a repository (OWNER/NAME) that an integration is not for.
func (t Terms) check(remote string) error {
	for _, owner := range t.Owners {
		if strings.HasPrefix(strings.ToLower(remote), strings.ToLower(owner)+"/") {
			return nil
		}
	}
	if len(t.Owners) == 0 {
		return nil
	}
	return fault.Errorf(fault.Denied, "the integration is for the repositories of %s, and not for %s; its spec.owners says so", strings.Join(t.Owners, ", "), remote)
}

// Accounts tells who of here an account of a forge is.
type Accounts interface {
	// Account gives the id of the principal; "" when nobody is known to be it.
	Account(ctx context.Context, tx *store.Tx, host, login string) (string, error)
}

// OutsideOptions are what outside repositories stand on.
type OutsideOptions struct {
	Forges   Forges
	Accounts Accounts
	Proxy    string        // git reaches forges through; "" for none
	Poll     time.Duration // where an integration says nothing of it; DefaultPoll when 0
	Cache    int64         // bytes that the mirrors may take together; DefaultCache when 0
}

// What holds when nothing else is said.
const (
	DefaultPoll  = 5 * time.Minute
	DefaultCache = 20 << 30
)

// Join lets repositories live at forges. Call it before Run.
func (s *Service) Join(o OutsideOptions) {
	if o.Poll <= 0 {
		o.Poll = DefaultPoll
	}
	if o.Cache <= 0 {
		o.Cache = DefaultCache
	}
	s.outside = o
}

// first tells whether a repository is at a forge and was never fetched.
func (r Repository) first() bool { return r.Outside != nil && r.Outside.Fetched.IsZero() }

// announces tells whether a reference that moved is told in the ledger. What a repository had when it was connected was
// not pushed then, nor when it was seen for the first time later; the head of its default branch is told all the same, for those
// who look at what is on it.
func (r Repository) announces(p Push) bool {
	return !r.met(p) || p.Ref == "refs/heads/"+r.DefaultBranch
}

// met tells whether a reference is only seen for the first time: nobody is known to have pushed it just now.
func (r Repository) met(p Push) bool {
	return r.partial() && p.Old == Zero && !p.told
}

// partial tells whether the rows have never had all references.
func (r Repository) partial() bool { return r.Outside != nil && !r.Outside.complete }

// belongs refuses to change here what belongs to the forge.
func (r Repository) belongs(c Change) error {
	if r.Outside == nil {
		return nil
	}
	var what string
	switch {
	case c.Space != nil && *c.Space != r.Space:
		return fault.Errorf(fault.Conflict, "%s was connected for the space %s; disconnect it, and connect it in the other one", r.FullName(), r.Space)
	case c.Name != nil && *c.Name != r.FullName():
		what = "name"
	case c.DefaultBranch != nil && *c.DefaultBranch != r.DefaultBranch:
		what = "default branch"
	case c.Protected != nil && *c.Protected != r.Protected:
		what = "protection"
	case c.Archived != nil && *c.Archived != r.Archived:
		what = "archive"
	default:
		return nil
	}
	return fault.Errorf(fault.Conflict, "%s lives at its forge, where its %s is changed: %s", r.FullName(), what, r.Outside.URL)
}

// NewOutside says which repository of a forge is to be connected.
type NewOutside struct {
	Space       string // "" is the root space
	Namespace   string // "" is "default"
	Name        string // "" is its name at the forge
	Integration string // NAMESPACE/NAME
	Remote      string // OWNER/NAME at the forge
	Content     string // "" is ContentClone
}

// ErrConnected is why a repository can't be connected that is already, by whatever name.
var ErrConnected = errors.New("is connected already")

// Connect makes a repository that lives at a forge: it is read and followed from here, and pushed to there. Nothing is
// changed at the forge. It is looked at soon, by Run: then its mirror is fetched, or with ContentAPI it is asked where its default
// branch is. It needs repository:create in the space and integration:use for the integration; it fails with fault.Conflict when the
// name is taken or the remote is connected already (ErrConnected), and as the forge does.
func (s *Service) Connect(ctx context.Context, n NewOutside) (Repository, error) {
	if s.outside.Forges == nil {
		return Repository{}, fault.Errorf(fault.Unavailable, "this server reaches no forges")
	}
	n.Integration = strings.ToLower(strings.TrimSpace(n.Integration))
	if n.Name == "" {
		n.Name = localName(n.Remote)
	}
	if n.Content = cmp.Or(n.Content, ContentClone); n.Content != ContentClone && n.Content != ContentAPI {
		return Repository{}, fault.Errorf(fault.Invalid, "%.50q is no way to read a repository; write %s or %s", n.Content, ContentClone, ContentAPI)
	}
	made := NewRepository{Space: n.Space, Namespace: n.Namespace, Name: n.Name}
	if err := made.check(); err != nil {
		return Repository{}, err
	}
	if err := s.mayMake(ctx, made.Space, made.Namespace+"/"+made.Name); err != nil {
		return Repository{}, err
	}
	if err := s.outside.Forges.Use(ctx, n.Integration); err != nil {
		return Repository{}, err
	}
	f, terms, err := s.forge(ctx, n.Integration)
	if err != nil {
		return Repository{}, err
	}
	if err := terms.check(n.Remote); err != nil {
		return Repository{}, err
	}
	there, err := f.GetRepository(ctx, n.Remote)
	if err == nil {
		err = terms.check(there.Name) // it may have been renamed
	}
	if err != nil {
		return Repository{}, fault.Wrap(err, "ask the forge for %s", n.Remote)
	}
	branch := there.DefaultBranch
	if git.CheckBranch(branch) != nil {
		branch = "main" // an empty one
	}
	now := s.now()
	r := Repository{
		ID: NewID(now), Namespace: made.Namespace, Name: made.Name, Space: made.Space, Description: clip(there.Description, 1000), DefaultBranch: branch,
		Archived: there.Archived, Created: now, CreatedBy: actor.From(ctx).ID, Updated: now,
		Outside: &Outside{Integration: n.Integration, Remote: there.Name, RemoteID: there.ID, URL: pageOf(there.URL), Private: there.Private, Content: n.Content},
	}
	administers := s.access.AuthorizeObject(ctx, Manage, r.Space, r.FullName()) == nil
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		switch _, err := byRemote(ctx, tx, n.Integration, there.ID, there.Name); {
		case err == nil: // it is not told as what: it may be in a space that the caller doesn't see
			return fault.Errorf(fault.Conflict, "%s of %s %w", there.Name, n.Integration, ErrConnected)
		case !fault.Is(err, fault.NotFound):
			return err
		}
		if err := s.checkFormer(ctx, tx, r, administers); err != nil {
			return err
		}
		if err := insert(ctx, tx, r); err != nil {
			return err
		}
		if err := insertOutside(ctx, tx, r.ID, *r.Outside); err != nil {
			return err
		}
		return s.tell(ctx, tx, "repository.connected", r, map[string]string{
			"repository": r.FullName(), "default_branch": r.DefaultBranch, "integration": n.Integration, "remote": there.Name,
		}, "integration:"+n.Integration)
	})
	if err != nil {
		return Repository{}, fault.Wrap(err, "connect %s", there.Name)
	}
	s.watches.soon(r.ID, r.Outside.Integration, now)
	return r, nil
}

// forge gives the forge of an integration, and what it is for.
func (s *Service) forge(ctx context.Context, integration string) (forge.Forge, Terms, error) {
	f, err := s.outside.Forges.Forge(ctx, integration)
	if err != nil {
		return nil, Terms{}, err
	}
	terms, err := s.outside.Forges.Terms(ctx, integration)
	return f, terms, err
}

// localName makes a name of the last part of a remote's.
func localName(remote string) string {
	name := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
			return c
		}
		return '-'
	}, strings.ToLower(path.Base(remote)))
	return strings.Trim(name, "-_.")
}

func clip(s string, n int) string {
	s = strings.ReplaceAll(s, "\x00", "")
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// Offer is a repository that an integration can connect.
type Offer struct {
	forge.Repository
	Connected string // NAMESPACE/NAME of the repository that it is here, when the caller may read that; "" otherwise
	Taken     bool   // it is connected, whatever the caller may read
}

// Offers lists the repositories of an owner at a forge, or with "" all that the integration's credentials are for. It
// needs integration:use.
func (s *Service) Offers(ctx context.Context, integration, owner string, part page.Request) (list page.Of[Offer], err error) {
	if s.outside.Forges == nil {
		return list, fault.Errorf(fault.Unavailable, "this server reaches no forges")
	}
	integration = strings.ToLower(integration)
	if err := s.outside.Forges.Use(ctx, integration); err != nil {
		return list, err
	}
	f, terms, err := s.forge(ctx, integration)
	if err != nil {
		return list, err
	}
	there, err := offered(ctx, f, terms, owner, part)
	if err != nil {
		return list, fault.Wrap(err, "list the repositories of %s", integration)
	}
	var ids []string
	for _, r := range there.Items {
		ids = append(ids, r.ID)
	}
	var here map[string]Repository
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		here, err = connected(ctx, tx, integration, ids)
		return err
	})
	list.Next = there.Next
	for _, r := range there.Items {
		o := Offer{Repository: r}
		if known, ok := here[r.ID]; ok {
			o.Taken = true
			if s.access.AuthorizeObject(ctx, Read, known.Space, known.FullName()) == nil {
				o.Connected = known.FullName()
			}
		}
		list.Items = append(list.Items, o)
	}
	return list, fault.Wrap(err, "list the repositories of %s", integration)
}

// offered lists the repositories of an owner, or of all whom an integration is for: one owner after the other, each part
// being of one of them.
func offered(ctx context.Context, f forge.Forge, terms Terms, owner string, part page.Request) (list page.Of[forge.Repository], err error) {
	owners := terms.Owners
	if owner != "" {
		if err := terms.check(owner + "/"); err != nil {
			return list, err
		}
		owners = []string{owner}
	}
	if len(owners) == 0 {
		return f.ListRepositories(ctx, "", part)
	}
	at := 0
	if number, rest, ok := strings.Cut(part.Cursor, "@"); ok {
		if at, err = strconv.Atoi(number); err != nil || at < 0 || at >= len(owners) {
			return list, fault.Errorf(fault.Invalid, "cursor %q is not one that a list gave", part.Cursor)
		}
		part.Cursor = rest
	}
	for ; at < len(owners); at++ {
		if list, err = f.ListRepositories(ctx, owners[at], part); err != nil {
			return list, err
		}
		switch {
		case list.Next != "":
			list.Next = strconv.Itoa(at) + "@" + list.Next
		case at+1 < len(owners):
			list.Next = strconv.Itoa(at+1) + "@"
		}
		if len(list.Items) > 0 {
			break
		}
		part.Cursor = ""
	}
	return list, nil
}

// Following tells how an outside repository does now, beside what its row says.
type Following struct {
	Looked   time.Time    // when the forge was asked last with success; zero when not since the server started
	Next     time.Time    // when it is asked next
	Busy     bool         // it is being asked or fetched
	Progress git.Progress // of the fetch
	Behind   int          // branches and tags that are known to have moved there and could not be fetched
	Cached   bool         // its mirror is there
	Bytes    int64        // of the mirror, as far as it is known
}

// Following tells how it stands with an outside repository at this moment. Its zero value is that of a hosted one.
func (s *Service) Following(r Repository) Following {
	if r.Outside == nil {
		return Following{}
	}
	f := s.watches.state(r.ID)
	f.Cached, f.Bytes = s.mirrors.state(s.folder(r.ID), r.ID)
	return f
}

// Fetch asks the forge now whether something has moved, and fetches it. It needs repository:read, and fails as the forge
// does. Conflict for a hosted repository.
func (s *Service) Fetch(ctx context.Context, fullName string) (Repository, error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return Repository{}, err
	}
	if r.Outside == nil {
		return Repository{}, fault.Errorf(fault.Conflict, "%s is hosted here: there is nothing to fetch", r.FullName())
	}
	if err := s.look(ctx, r.ID, ask{forced: true}); err != nil {
		return Repository{}, err
	}
	return s.byID(ctx, r.ID)
}

// pageOf gives the address of a page when it is one that people may be led to.
func pageOf(address string) string {
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" || len(address) > 2000 {
		return ""
	}
	return address
}

// FetchSoon is Fetch that does not wait: Following tells how it goes. What others follow there is asked for too; see Beside.
func (s *Service) FetchSoon(ctx context.Context, fullName string) (Repository, error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return Repository{}, err
	}
	if r.Outside == nil {
		return Repository{}, fault.Errorf(fault.Conflict, "%s is hosted here: there is nothing to fetch", r.FullName())
	}
	s.watches.with(r.ID, func(w *watch) { w.asks.forced, w.beside = true, time.Time{} })
	s.watches.soon(r.ID, r.Outside.Integration, s.now())
	return r, nil
}

// host gives the host of a forge's address.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
