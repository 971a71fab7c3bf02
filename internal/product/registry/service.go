package registry

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Repositories is what this room asks of core/repository, unauthorised: the module's document has said what it reads.
type Repositories interface {
	// Tags gives the tags that begin so, by name, at most limit.
	Tags(ctx context.Context, repository, prefix string, limit int) ([]repository.Ref, error)
	Head(ctx context.Context, repository, branch string) (commit string, err error)
	ReadFiles(ctx context.Context, repository, commit string, files []string, limit int64) (map[string][]byte, error)
	ArchiveAt(ctx context.Context, repository, commit, subpath string) (io.ReadCloser, error)
	SpaceOf(ctx context.Context, repository string) (string, error)
	// Pusher gives the principal that made a commit the head of a reference; NotFound when it is not known.
	Pusher(ctx context.Context, repository, ref, commit string) (string, error)
	CommitAt(ctx context.Context, repository, commit string) (git.Commit, error)
	ChangedPaths(ctx context.Context, repository, from, to string) ([]string, error)
	// IsAncestor tells whether a commit has ancestor among its ancestors, or is it.
	IsAncestor(ctx context.Context, repository, ancestor, commit string) (bool, error)
}

// Deps are the rooms this one stands on.
type Deps struct {
	DB           *store.DB
	Ledger       *ledger.Ledger
	Queue        *queue.Queue
	Blob         blob.Store
	Access       *access.Service
	Runs         *run.Service
	Repositories Repositories
	Policy       *policy.Service // nil: no push policies are asked
	Engine       Engine
	Now          func() time.Time
	Log          *slog.Logger
}

// Service keeps modules and providers. It is safe for concurrent use.
type Service struct{ Deps }

// New builds the room and registers its jobs, its kind of run and its subscriptions.
func New(d Deps) *Service {
	s := &Service{d}
	s.Runs.Register(s.kind())
	s.subscribe()
	return s
}

// Rights of this room. Who reads may take them from a space that a thing is shared with.
const (
	mayReadModules   = "module:read"
	mayReadProviders = "provider:read"
)

// sight is where the principal of a request may read.
type sight struct {
	s      *Service
	spaces access.Set
}

func (s *Service) sight(ctx context.Context, right string) (sight, error) {
	spaces, err := s.Access.Spaces(ctx, right)
	return sight{s, spaces}, err
}

// sees tells whether a thing may be read: in its space, in one that it is shared with, or in one below that inherits.
func (l sight) sees(ctx context.Context, space string, shared []string) (bool, error) {
	if l.spaces.Has(space) {
		return true, nil
	}
	for _, with := range shared {
		if l.spaces.Has(with) {
			return true, nil
		}
		for _, own := range l.spaces.List() {
			if below, err := l.s.Access.MayUse(ctx, own, with); below || err != nil {
				return below, err
			}
		}
	}
	return false, nil
}

// Overview is a module with its newest versions.
type Overview struct {
	Module
	Latest   string // the greatest that engines may choose, a release before any other
	Newest   string // the greatest of all
	State    State  // of that
	Versions int
}

// overview tells of a module by its versions.
func overview(m Module, versions []Version) Overview {
	o := Overview{Module: m, Versions: len(versions)}
	for _, v := range versions {
		if o.Newest == "" || CompareVersions(v.Version, o.Newest) > 0 {
			o.Newest, o.State = v.Version, v.State
		}
		if !v.Offered() {
			continue
		}
		release, best := !strings.Contains(v.Version, "-"), !strings.Contains(o.Latest, "-")
		if o.Latest == "" || release && !best || release == best && CompareVersions(v.Version, o.Latest) > 0 {
			o.Latest = v.Version
		}
	}
	return o
}

// Modules gives the modules that the reader may see, by reference. Permission: module:read, as doc.go says; others are left out.
func (s *Service) Modules(ctx context.Context, search string, part page.Request) (page.Of[Overview], error) {
	var none page.Of[Overview]
	eyes, err := s.sight(ctx, mayReadModules)
	if err != nil {
		return none, err
	}
	var all []Module
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err = allModules(ctx, tx)
		return err
	})
	if err != nil {
		return none, fault.Wrap(err, "list modules")
	}
	var seen []Module
	for _, m := range all {
		if !strings.Contains(strings.ToLower(m.Address().String()+" "+m.Title+" "+m.Description), strings.ToLower(search)) {
			continue
		}
		may, err := eyes.sees(ctx, m.Space, m.Spec.ShareWith)
		if err != nil {
			return none, err
		}
		if may {
			seen = append(seen, m)
		}
	}
	cut := page.From(seen, part, func(m Module) string { return m.Ref.String() })
	list := page.Of[Overview]{Next: cut.Next}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		list.Items = nil
		for _, m := range cut.Items {
			versions, err := versionsOf(ctx, tx, m.Ref)
			if err != nil {
				return err
			}
			list.Items = append(list.Items, overview(m, versions))
		}
		return nil
	})
	return list, err
}

// Module gives a module. Permission: module:read, as doc.go says; otherwise NotFound.
func (s *Service) Module(ctx context.Context, r ref.Entity) (o Overview, err error) {
	err = s.reading(ctx, r, func(tx *store.Tx, m Module) error {
		versions, err := versionsOf(ctx, tx, r)
		o = overview(m, versions)
		return err
	})
	return o, err
}

// reading runs fn for a module that the reader may see.
func (s *Service) reading(ctx context.Context, r ref.Entity, fn func(tx *store.Tx, m Module) error) error {
	eyes, err := s.sight(ctx, mayReadModules)
	if err != nil {
		return err
	}
	none := access.NotFound("module " + r.Namespace + "/" + r.Name)
	return s.DB.Read(ctx, func(tx *store.Tx) error {
		m, err := getModule(ctx, tx, r, "")
		if fault.Is(err, fault.NotFound) {
			return none
		}
		if err != nil {
			return err
		}
		may, err := eyes.sees(ctx, m.Space, m.Spec.ShareWith)
		if err != nil {
			return err
		}
		if !may {
			return none
		}
		return fn(tx, m)
	})
}

// Versions gives the versions of a module without their content, newest first. Permission: as Module.
func (s *Service) Versions(ctx context.Context, r ref.Entity, part page.Request) (list page.Of[Version], err error) {
	err = s.reading(ctx, r, func(tx *store.Tx, _ Module) error {
		if part.Cursor != "" && !ref.IsID(part.Cursor, versionID) {
			return fault.Errorf(fault.Invalid, "cursor %q is not one that a list gave", part.Cursor)
		}
		w := &store.Where{}
		w.Equal("module", r.String())
		w.Before("id", part.Cursor)
		rows, err := tx.Query(ctx, "SELECT "+lightColumns+" FROM registry_versions"+w.String()+"ORDER BY id DESC LIMIT "+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scanVersion)
		list = page.Cut(all, part, func(v Version) string { return v.ID })
		return err
	})
	return list, err
}

// Detail is a version with its tests.
type Detail struct {
	Version
	Tests []Test
}

// Version gives one version of a module, with its tests. Permission: as Module; run:read in the module's space to see which runs they are.
func (s *Service) Version(ctx context.Context, r ref.Entity, version string) (d Detail, err error) {
	space := ""
	err = s.reading(ctx, r, func(tx *store.Tx, m Module) error {
		space = m.Space
		if d.Version, err = getVersion(ctx, tx, r, version, ""); err != nil {
			return err
		}
		d.Tests, err = testsOf(ctx, tx, d.ID, d.Round)
		return err
	})
	if err == nil && !s.Access.May(ctx, "run:read", space) {
		for i := range d.Tests {
			d.Tests[i].Run, d.Tests[i].Environment = "", nil
		}
	}
	return d, err
}

// changing runs fn for a version that the caller may change. Permission: module:write in the module's space. Who may not see the module
// gets NotFound.
func (s *Service) changing(ctx context.Context, r ref.Entity, version string, fn func(tx *store.Tx, m Module, v Version) error) error {
	space := ""
	if err := s.reading(ctx, r, func(_ *store.Tx, m Module) error { space = m.Space; return nil }); err != nil {
		return err
	}
	if err := s.Access.Authorize(ctx, "module:write", space); err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		m, err := getModule(ctx, tx, r, "")
		if err != nil {
			return err
		}
		if m.Space != space {
			return fault.Errorf(fault.Conflict, "module %s/%s has changed its space meanwhile; try again", r.Namespace, r.Name)
		}
		v, err := getVersion(ctx, tx, r, version, tx.ForUpdate())
		if err != nil {
			return err
		}
		return fn(tx, m, v)
	})
}

// reasonOf bounds why something is taken back.
func reasonOf(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > 1000 || strings.ContainsRune(text, 0) {
		return "", fault.Errorf(fault.Invalid, "say why, in at most 1000 characters; whoever uses the version reads it")
	}
	return text, nil
}

// Yank takes a version back: engines are not offered it any more. Permission: module:write in the module's space.
func (s *Service) Yank(ctx context.Context, r ref.Entity, version, reason string) error {
	return s.changing(ctx, r, version, func(tx *store.Tx, m Module, v Version) error {
		if v.Yanked.Reason != "" {
			return fault.Errorf(fault.Conflict, "version %s is yanked already: %s", version, v.Yanked.Reason)
		}
		reason, err := reasonOf(reason)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE registry_versions SET yanked = $2, yanked_by = $3, yanked_at = $4 WHERE id = $1", v.ID, reason, actor.From(ctx).ID, store.Micros(s.Now()))
		if err != nil {
			return fault.Wrap(err, "yank version %s", version)
		}
		return s.noteIn(ctx, tx, m.Space, m.Ref, "module.version-yanked", map[string]any{"version": version, "reason": reason})
	})
}

// Restore takes a yank back. Permission: module:write in the module's space.
func (s *Service) Restore(ctx context.Context, r ref.Entity, version string) error {
	return s.changing(ctx, r, version, func(tx *store.Tx, m Module, v Version) error {
		if v.Yanked.Reason == "" {
			return fault.Errorf(fault.Conflict, "version %s is not yanked", version)
		}
		if _, err := tx.Exec(ctx, "UPDATE registry_versions SET yanked = '', yanked_by = '', yanked_at = 0 WHERE id = $1", v.ID); err != nil {
			return fault.Wrap(err, "restore version %s", version)
		}
		return s.noteIn(ctx, tx, m.Space, m.Ref, "module.version-restored", map[string]any{"version": version})
	})
}

// Retest runs the tests of a version that failed once more. Permission: module:write in the module's space. Conflict unless it
// failed, and has an archive.
func (s *Service) Retest(ctx context.Context, r ref.Entity, version string) error {
	return s.changing(ctx, r, version, func(tx *store.Tx, m Module, v Version) error {
		if v.State != Failed || v.Archive == "" {
			return fault.Errorf(fault.Conflict, "version %s is %s; only one whose tests failed is tested again", version, v.State)
		}
		tests, err := testsOf(ctx, tx, v.ID, v.Round)
		if err != nil {
			return err
		}
		v.Round++
		v.State, v.Message = Testing, ""
		for i := range tests {
			tests[i] = Test{TestSpec: tests[i].TestSpec, State: TestWaiting}
		}
		if err := setState(ctx, tx, v); err != nil {
			return err
		}
		if err := s.noteIn(ctx, tx, m.Space, m.Ref, "module.version-retested", map[string]any{"version": version}); err != nil {
			return err
		}
		return s.settle(ctx, tx, v, tests)
	})
}

// Offered gives the versions that engines may choose of a module, the greatest first. Permission: as Module.
func (s *Service) Offered(ctx context.Context, a Address) (versions []string, err error) {
	err = s.addressed(ctx, a, func(tx *store.Tx, m Module) error {
		all, err := versionsOf(ctx, tx, m.Ref)
		versions = nil
		for _, v := range all {
			if v.Offered() {
				versions = append(versions, v.Version)
			}
		}
		return err
	})
	sortVersions(versions)
	return versions, err
}

// Download gives the archive of a version: one that is ready, whether it is yanked or not. Permission: as Module.
func (s *Service) Download(ctx context.Context, a Address, version string) (digest string, size int64, err error) {
	err = s.addressed(ctx, a, func(tx *store.Tx, m Module) error {
		v, err := getVersion(ctx, tx, m.Ref, version, "")
		if err != nil || v.State != Ready {
			return fault.Errorf(fault.NotFound, "module %s has no version %s that passed its tests", a, version)
		}
		digest, size = v.Archive, v.Size
		return nil
	})
	return digest, size, err
}

// addressed is reading by the address of a module.
func (s *Service) addressed(ctx context.Context, a Address, fn func(tx *store.Tx, m Module) error) error {
	eyes, err := s.sight(ctx, mayReadModules)
	if err != nil {
		return err
	}
	return s.DB.Read(ctx, func(tx *store.Tx) error {
		m, err := store.One(tx.QueryRow(ctx, "SELECT "+moduleColumns+" FROM registry_modules WHERE space = $1 AND name = $2 AND system = $3", a.Space, a.Name, a.System), scanModule, "module %s", a)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		may := false
		if err == nil {
			if may, err = eyes.sees(ctx, m.Space, m.Spec.ShareWith); err != nil {
				return err
			}
		}
		if !may {
			return access.NotFound("module " + a.String())
		}
		return fn(tx, m)
	})
}

// Open gives content by the digest that Download or ProviderArchive gave.
func (s *Service) Open(ctx context.Context, digest string) (io.ReadSeekCloser, int64, error) {
	return s.Blob.Open(ctx, digest)
}

func (s *Service) note(ctx context.Context, tx *store.Tx, module ref.Entity, kind string, data map[string]any) error {
	m, err := getModule(ctx, tx, module, "")
	if err != nil {
		return err
	}
	return s.noteIn(ctx, tx, m.Space, module, kind, data)
}

func (s *Service) noteIn(ctx context.Context, tx *store.Tx, space string, subject ref.Entity, kind string, data map[string]any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Space: space, Type: kind, Subject: subject.String(), Data: raw})
	return fault.Wrap(err, "note %s of %s", kind, subject)
}

func itoa(n int) string { return strconv.Itoa(n) }
