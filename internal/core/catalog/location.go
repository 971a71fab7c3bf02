package catalog

import (
	"context"
	"encoding/json"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Repositories is what this room asks of core/repository. It asks for no right: this room does, by SpaceOf.
type Repositories interface {
	Head(ctx context.Context, repository, branch string) (commit string, err error) // "" for the default branch
	ReadFile(ctx context.Context, repository, commit, path string, limit int64) ([]byte, error)
	// Match lists the files that match a pattern, with their hashes.
	Match(ctx context.Context, repository, commit, pattern string) ([]git.TreeEntry, error)
	// ReadSome reads files in their order until they have total bytes together; see git.ReadSome.
	ReadSome(ctx context.Context, repository, commit string, files []string, limit, total int64) ([]git.Content, error)
	// Hashes gives those of files; what is not there is left out.
	Hashes(ctx context.Context, repository, commit string, files []string) (map[string]string, error)
	// Heads gives the commits of all default branches, by repository.
	Heads(ctx context.Context) (map[string]string, error)
	// HeadsOf gives those of branches, each with its repository; what is no branch is left out.
	HeadsOf(ctx context.Context, branches [][2]string) (map[[2]string]string, error)
	SpaceOf(ctx context.Context, repository string) (string, error)
	Home(ctx context.Context, repository string) (Home, error)
	// ByPage gives those that have their page there, at a forge; former ones had it before, and nobody is known to have it now.
	ByPage(ctx context.Context, page string) (names []string, former bool, err error)
}

const (
	locationKind   = "Location"
	locationPrefix = "location:"
	defaultFile    = "catalog-info.yaml"
	portalPages    = "/repositories/" // on which the portal shows files
)

// Target names a file, or a pattern of files, of a repository.
type Target struct {
	Repository string // NAMESPACE/NAME
	Path       string // defaultFile when empty; may be a pattern such as services/*/catalog-info.yaml
	Branch     string // the default one when empty
}

// Location is a target that the catalog reads.
type Location struct {
	ID         string
	Space      string // of what it declares
	Repository string
	Path       string
	Branch     string
	Trusted    []string       // restricted kinds that are taken from it
	Commit     string         // that was read last
	Error      string         // why it, or a part of it, could not be taken; "" when all was
	Details    []fault.Detail // what was wrong, and where
	Created    time.Time
	CreatedBy  string
	Refreshed  time.Time // zero: never
	Existed    bool      // AddLocation found it
	Home       Home      // of its repository, when it was read last
	Origin     string    // id of the location that led here, and that somebody registered; "" when it did itself
	Total      int       // of what it brought, and the reader may see; only of one that is read by its id

	Rules Rules // its own

	kept       bool // registered or trusted, not only named by Location entities
	readable   bool
	optional   bool // that there is no file is no error
	depth      int  // of locations above it, down from a registered one
	generated  string
	generation int64
}

// Etag changes with what people say of a location, its trust and its rules, and not when it is read again.
func (l Location) Etag() string {
	return etag([]byte(strings.Join([]string{strings.Join(l.Trusted, ","), strings.Join(l.Rules.Kinds, ","), l.Rules.Orphans}, "\n")))
}

// String names the target for people.
func (l Location) String() string {
	text := l.Repository + ":" + l.Path
	if l.Branch != "" {
		text = l.Repository + "@" + l.Branch + ":" + l.Path
	}
	return text
}

func (l Location) source() string { return locationPrefix + l.ID }

// Read says where the files of locations are. It comes before the first location.
func (s *Service) Read(r Repositories) { s.repositories = r }

// Addresses names the addresses under which this server is known, such as https://roadbed.example.org: a location
// under one of them is hosted and never fetched over HTTP. It comes before the first location.
func (s *Service) Addresses(base ...string) { s.addresses = base }

func (s *Service) base() string {
	if len(s.addresses) == 0 {
		return ""
	}
	return s.addresses[0]
}

// ParseTarget reads the address of a file on this server's hosted git, such as
// https://roadbed.example.org/git/NAMESPACE/NAME/PATH, or /git/NAMESPACE/NAME/PATH; ?ref= names another branch than
// the default one. The pages on which the portal shows a file name it as well. Other addresses are fault.Invalid.
func (s *Service) ParseTarget(text string) (Target, error) {
	wrong := fault.Errorf(fault.Invalid, "%q is not a file that can be read; write a path relative to the file, or /git/NAMESPACE/NAME/PATH of a hosted repository", clip(text))
	u, err := url.Parse(strings.TrimPrefix(text, "url:"))
	if err != nil {
		return Target{}, wrong
	}
	if (u.Scheme != "" || u.Host != "") && !s.own(u.Host) {
		return Target{}, wrong
	}
	rest, ok := strings.CutPrefix(u.Path, "/git/")
	if !ok {
		if rest, ok = strings.CutPrefix(u.Path, portalPages); ok {
			rest += "/" + u.Query().Get("path")
		}
	}
	parts := strings.SplitN(rest, "/", 3)
	if !ok || len(parts) < 2 {
		return Target{}, wrong
	}
	t := Target{Repository: parts[0] + "/" + strings.TrimSuffix(parts[1], ".git"), Branch: u.Query().Get("ref")}
	if len(parts) == 3 {
		t.Path = parts[2]
	}
	return t.check()
}

// own tells whether a host is this server's.
func (s *Service) own(host string) bool {
	return slices.ContainsFunc(s.addresses, func(base string) bool {
		b, err := url.Parse(base)
		return err == nil && strings.EqualFold(b.Host, host)
	})
}

// check gives the target in the one form in which it is kept.
func (t Target) check() (Target, error) {
	namespace, name, ok := strings.Cut(strings.ToLower(strings.TrimSuffix(t.Repository, ".git")), "/")
	if !ok || !ref.ValidName(namespace) || !ref.ValidName(name) {
		return t, fault.Errorf(fault.Invalid, "%q is not a repository; write NAMESPACE/NAME", clip(t.Repository))
	}
	t.Repository = namespace + "/" + name
	if t.Path == "" {
		t.Path = defaultFile
	}
	t.Path = path.Clean(strings.TrimPrefix(t.Path, "/"))
	if t.Path == "." || t.Path == ".." || strings.HasPrefix(t.Path, "../") || len(t.Path) > 500 || strings.ContainsAny(t.Path, "\x00\n") {
		return t, fault.Errorf(fault.Invalid, "%q is not the path of a file in a repository", clip(t.Path))
	}
	t.Branch = strings.TrimPrefix(t.Branch, "refs/heads/")
	if len(t.Branch) > 250 || strings.HasPrefix(t.Branch, "-") || strings.ContainsAny(t.Branch, " \x00\n~^:?*[\\") || strings.Contains(t.Branch, "..") {
		return t, fault.Errorf(fault.Invalid, "%q is not a branch", clip(t.Branch))
	}
	return t, nil
}

// waitTime is how long who registers a location, or has it read, waits for that; a job goes on with what takes longer.
const waitTime = 20 * time.Second

// AddLocation has the catalog read a target into a space, now and after each push; registering it again reads it
// again. It needs location:write in the space, and repository:read in that of the repository. What can't be read or
// taken is no error here: the location is kept with its Error, and read again when its repository is pushed.
func (s *Service) AddLocation(ctx context.Context, space string, target Target) (Location, []Entity, error) {
	if space == "" {
		space = access.Root
	}
	if err := s.access.Authorize(ctx, "location:write", space); err != nil {
		return Location{}, nil, err
	}
	if exists, err := s.access.Exists(ctx, space); err != nil || !exists {
		return Location{}, nil, orNotFound(err, "there is no space %s", space)
	}
	target, err := target.check()
	if err != nil {
		return Location{}, nil, err
	}
	readable, err := s.mayRead(ctx, target.Repository)
	if err != nil {
		return Location{}, nil, err
	}
	var l Location
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		l, err = s.register(ctx, tx, space, target, readable, true)
		return err
	})
	if err != nil {
		return Location{}, nil, err
	}
	existed := l.Existed
	soon, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	if err := s.refreshHere(soon, l.ID); err != nil {
		if soon.Err() == nil {
			s.log.Warn("a location could not be read and is tried again", "location", l.ID, "error", err)
		}
		err := s.db.Write(ctx, func(tx *store.Tx) error { return s.enqueue(ctx, tx, l.ID, whyForced) })
		if err != nil {
			return Location{}, nil, fault.Wrap(err, "read location %s", l)
		}
	}
	l, entities, err := s.location(ctx, l.ID)
	l.Existed = existed
	return l, entities, err
}

// mayRead tells whether the caller may read a repository. A repository that does not exist, or that may not be seen,
// is the same to the caller: the location waits for it.
func (s *Service) mayRead(ctx context.Context, repository string) (bool, error) {
	if s.repositories == nil {
		return false, nil
	}
	space, err := s.repositories.SpaceOf(ctx, repository)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = s.access.AuthorizeObject(ctx, "repository:read", space, repository)
	if fault.Is(err, fault.Denied) {
		return false, nil
	}
	return err == nil, err
}

// register writes a location, or finds it. The ledger has location.added for a new one.
func (s *Service) register(ctx context.Context, tx *store.Tx, space string, t Target, readable, kept bool) (Location, error) {
	l, err := findLocation(ctx, tx, space, t)
	if err == nil {
		l.Existed = true
		l.readable, l.kept, l.optional = l.readable || readable, l.kept || kept, l.optional && !kept
		return l, s.saveLocation(ctx, tx, l)
	}
	if !fault.Is(err, fault.NotFound) {
		return l, err
	}
	l = Location{
		ID: ref.NewID("loc", s.now()), Space: space, Repository: t.Repository, Path: t.Path, Branch: t.Branch,
		Created: s.now(), CreatedBy: actorID(ctx), readable: readable, kept: kept,
	}
	if err := s.saveLocation(ctx, tx, l); err != nil {
		return l, err
	}
	return l, s.tellLocation(ctx, tx, "location.added", l, nil)
}

func (s *Service) tellLocation(ctx context.Context, tx *store.Tx, kind string, l Location, more map[string]any) error {
	data := map[string]any{"repository": l.Repository, "path": l.Path, "branch": l.Branch}
	for key, value := range more {
		data[key] = value
	}
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	_, err = s.ledger.Append(ctx, tx, ledger.Entry{Space: l.Space, Type: kind, Subject: l.ID, Refs: []string{"repository:" + l.Repository}, Data: text})
	return fault.Wrap(err, "note %s of %s", kind, l)
}

// LocationQuery narrows a list of locations. What is empty narrows nothing.
type LocationQuery struct {
	Space      string
	Repository string
	Text       string // a part of NAMESPACE/NAME:PATH, in any case
	Failed     bool   // only those of which something could not be taken
}

// Locations gives the locations of the spaces in which the reader may see entities, the newest first.
func (s *Service) Locations(ctx context.Context, q LocationQuery, part page.Request) (list page.Of[Location], err error) {
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil || visible.Empty() || q.Space != "" && !visible.Has(q.Space) {
		return list, err
	}
	w := &store.Where{}
	if !visible.All {
		w.Add(w.In("space", visible.List()))
	}
	w.Equal("space", q.Space)
	w.Equal("repository", strings.ToLower(q.Repository))
	if text := strings.TrimSpace(q.Text); text != "" {
		w.Add(w.Finds("repository || ':' || path", text))
	}
	if q.Failed {
		w.Add("error <> ''")
	}
	w.Before("id", part.Cursor)
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+locationColumns+` FROM locations`+w.String()+` ORDER BY id DESC LIMIT `+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scanLocation)
		list = page.Cut(all, part, func(l Location) string { return l.ID })
		return err
	})
	return list, fault.Wrap(err, "list locations")
}

// GeneratedFrom gives the newest registered location for whose address Backstage makes the Location entity of a name; see
// File.Generated. It needs entity:read in its space; otherwise NotFound.
func (s *Service) GeneratedFrom(ctx context.Context, name string) (l Location, err error) {
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil {
		return l, err
	}
	w := &store.Where{}
	if !visible.All {
		w.Add(w.In("space", visible.List()))
	}
	w.Add("generated = " + w.Arg(name))
	w.Add("kept = 1")
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		row := tx.QueryRow(ctx, `SELECT `+locationColumns+` FROM locations`+w.String()+` ORDER BY id DESC LIMIT 1`, w.Args...)
		l, err = store.One(row, scanLocation, "location %s", clip(name))
		return err
	})
	return l, err
}

// GetLocation gives a location. It needs entity:read in its space; otherwise NotFound.
func (s *Service) GetLocation(ctx context.Context, id string) (l Location, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		l, err = locationByID(ctx, tx, id)
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return l, access.NotFound("location " + clip(id))
	}
	if err != nil {
		return l, err
	}
	return l, s.access.ReadOrNotFound(ctx, "entity:read", l.Space, "location "+id)
}

// ReadLocation is GetLocation with what came from it, at most 500, and how many there are.
func (s *Service) ReadLocation(ctx context.Context, id string) (Location, []Entity, error) {
	l, err := s.GetLocation(ctx, id)
	if err != nil {
		return l, nil, err
	}
	page, err := s.List(ctx, Query{Source: l.source(), Limit: maxLimit})
	l.Total = page.Total
	return l, page.Items, err
}

// RemoveLocation forgets a location and deletes what came from it. It needs location:write in its space, and
// space:admin when a restricted kind goes with it. ifMatch is for fault.IfMatch. One that Location entities name gives
// fault.Conflict.
func (s *Service) RemoveLocation(ctx context.Context, id, ifMatch string) error {
	l, err := s.GetLocation(ctx, id)
	if err != nil {
		return err
	}
	if err := s.access.Authorize(ctx, "location:write", l.Space); err != nil {
		return err
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		if l, err = locationByID(ctx, tx, id); err != nil {
			return err
		}
		if err := fault.IfMatch(ifMatch, l.Etag(), "location "+l.String()); err != nil {
			return err
		}
		parents, err := holders(ctx, tx, id, map[string]bool{})
		if err != nil {
			return err
		}
		if len(parents) > 0 {
			return fault.Errorf(fault.Conflict, "location %s is named by %s; remove it there first", l, parents[0])
		}
		return s.forget(ctx, tx, l, false, func(kind document.Kind) error {
			if kind.Restricted {
				return fault.Wrap(s.access.Authorize(ctx, kind.Takes(), l.Space), "delete a %s", kind.Name)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	return s.clear(ctx, clearArgs{l.Space, l.source(), l.Repository, false}) // should this end half way, the job goes on
}

// forget removes a location with all that came from it, or keeps what may be an orphan.
func (s *Service) forget(ctx context.Context, tx *store.Tx, l Location, keep bool, may func(document.Kind) error) error {
	// First the row: a refresh that runs sees that it is gone, and stops.
	for _, statement := range []string{`DELETE FROM locations WHERE id = $1`, `DELETE FROM location_parents WHERE location = $1`, `DELETE FROM location_files WHERE location = $1`, `DELETE FROM location_inputs WHERE location = $1`} {
		if _, err := tx.Exec(ctx, statement, l.ID); err != nil {
			return fault.Wrap(err, "remove location %s", l)
		}
	}
	if err := s.distrust(ctx, tx, l, nil); err != nil {
		return err
	}
	if keep {
		if err := s.orphan(ctx, tx, l); err != nil {
			return err
		}
	}
	if err := s.clearSoon(ctx, tx, clearArgs{l.Space, l.source(), l.Repository, keep}, may); err != nil {
		return err
	}
	return s.tellLocation(ctx, tx, "location.removed", l, nil)
}

// TrustLocation has restricted kinds taken from a location; no kinds take the trust back, and what they brought stays.
// It needs space:admin in the location's space.
func (s *Service) TrustLocation(ctx context.Context, id string, kinds []string, ifMatch string) error {
	l, err := s.GetLocation(ctx, id)
	if err != nil {
		return err
	}
	if err := s.access.Authorize(ctx, "space:admin", l.Space); err != nil {
		return err
	}
	var names []string
	for _, name := range kinds {
		kind, ok := s.registry.ByName(name)
		if !ok || !kind.Restricted {
			return fault.Errorf(fault.Invalid, "%q is not a restricted kind, so it needs no trust", clip(name))
		}
		names = append(names, kind.Name)
	}
	slices.Sort(names)
	if len(names) > 0 {
		// Trust is in those who may push to a repository, so it comes after them.
		if _, err := s.repositories.SpaceOf(ctx, l.Repository); fault.Is(err, fault.NotFound) {
			return fault.Errorf(fault.Conflict, "there is no repository %s to be trusted; make it first", l.Repository)
		} else if err != nil {
			return err
		}
	}
	return s.db.Write(ctx, func(tx *store.Tx) error {
		l, err := locationByID(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := fault.IfMatch(ifMatch, l.Etag(), "location "+l.String()); err != nil {
			return err
		}
		names = slices.Compact(names)
		if err := s.distrust(ctx, tx, l, names); err != nil {
			return err
		}
		l.Trusted = names
		l.kept = true  // whoever may write the file that named it must not be able to take it away
		l.generation++ // a refresh that goes by the trust of before ends
		if err := s.saveLocation(ctx, tx, l); err != nil {
			return err
		}
		if err := s.tellLocation(ctx, tx, "location.trusted", l, map[string]any{"kinds": l.Trusted}); err != nil {
			return err
		}
		return s.enqueue(ctx, tx, id, whyForced)
	})
}

// RefreshLocation reads a location now. It needs location:write in its space. What is wrong is in the location.
func (s *Service) RefreshLocation(ctx context.Context, id string) (Location, []Entity, error) {
	l, err := s.GetLocation(ctx, id)
	if err != nil {
		return l, nil, err
	}
	if err := s.access.Authorize(ctx, "location:write", l.Space); err != nil {
		return l, nil, err
	}
	soon, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	if err := s.refreshHere(soon, id); err != nil && soon.Err() != nil && ctx.Err() == nil {
		err = s.db.Write(ctx, func(tx *store.Tx) error { return s.enqueue(ctx, tx, id, whyForced) })
		if err != nil {
			return l, nil, fault.Wrap(err, "read location %s", l)
		}
	} else if err != nil {
		return l, nil, fault.Wrap(err, "read location %s", l)
	}
	return s.location(ctx, id)
}

// location is ReadLocation for somebody who has written it: who may not read still learns what became of the call.
func (s *Service) location(ctx context.Context, id string) (Location, []Entity, error) {
	l, entities, err := s.ReadLocation(ctx, id)
	if fault.Is(err, fault.NotFound) {
		err = s.db.Read(ctx, func(tx *store.Tx) error {
			l, err = locationByID(ctx, tx, id)
			return err
		})
	}
	return l, entities, err
}
