package repository

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/leak"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Service is the one door to the repositories. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	access  *access.Service
	ledger  *ledger.Ledger
	git     *git.Git
	dir     string
	now     func() time.Time
	log     *slog.Logger
	portal  string
	large   blob.Store // of Git LFS; nil for none
	limits  Limits
	leaks   *leak.Finder
	touched Touched // nil where nothing is known of entities
	gate    Gate    // nil lets every push through that the repository's own rules do
	grace   time.Duration

	outside OutsideOptions

	beside      func(ctx context.Context, id string) error
	besideEvery time.Duration

	watches   *watches
	mirrors   *mirrors
	elsewhere Reach
	exchanges *exchanges
	changes   recent[string]        // paths between two commits
	listings  recent[git.TreeEntry] // files below a folder of a commit
	recall    recall                // what steps of runs are given of commits

	started time.Time // by the clock of the file system, whose files it is compared with
	locks   locks
	wake    chan struct{}
	uploads uploads
	mu      sync.Mutex
	pushes  map[string]int                               // since the repository was last packed, by id
	served  map[string]map[*context.CancelCauseFunc]bool // ends what is being served, by id of the repository
}

// New gives the service over a folder of repositories, which is made when absent. It needs the tables of Migrations;
// Run records what was pushed before a crash.
func New(db *store.DB, access *access.Service, ledger *ledger.Ledger, g *git.Git, dir string, now func() time.Time, log *slog.Logger) (*Service, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fault.Wrap(err, "open the folder of repositories")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(err, "open the folder of repositories")
	}
	return &Service{
		watches: newWatches(), mirrors: newMirrors(),
		db: db, access: access, ledger: ledger, git: g, dir: dir, now: now, log: log, grace: DefaultGrace, exchanges: newExchanges(), started: time.Now(),
		limits: defaults(), leaks: leak.New(),
		locks: locks{byID: map[string]*turn{}, clean: map[string]bool{}}, wake: make(chan struct{}, 1), pushes: map[string]int{}, served: map[string]map[*context.CancelCauseFunc]bool{},
	}, nil
}

// Create makes an empty repository. It needs repository:create in the space and fails with fault.Conflict when the name
// is taken, fault.Invalid when it is none, and fault.NotFound when there is no such space.
func (s *Service) Create(ctx context.Context, n NewRepository) (Repository, error) {
	if err := n.check(); err != nil {
		return Repository{}, err
	}
	now := s.now()
	id := n.ID
	if id == "" {
		id = NewID(now)
	}
	if !ref.IsID(id, idPrefix) {
		return Repository{}, fault.Errorf(fault.Invalid, "%q is not the id of a repository", id)
	}
	r := Repository{
		ID: id, Namespace: n.Namespace, Name: n.Name, Space: n.Space, Description: n.Description,
		DefaultBranch: n.DefaultBranch, Protected: true, SecretCheck: true, Created: now, CreatedBy: actor.From(ctx).ID, Updated: now,
	}
	if err := s.mayMake(ctx, r.Space, r.FullName()); err != nil {
		return Repository{}, err
	}
	if err := s.checkFree(ctx, r.FullName()); err != nil {
		return Repository{}, err
	}
	sealed := ""
	if n.Import != nil {
		var err error
		if sealed, err = s.sealed(ctx, r.Space, n.Import.URL, n.Import.Credentials); err != nil {
			return Repository{}, err
		}
	}
	if n.ID != "" {
		if err := s.clearEarlier(ctx, r); err != nil {
			return Repository{}, err
		}
	}
	if err := s.makeFolder(ctx, r); err != nil {
		return Repository{}, err
	}
	administers := s.access.AuthorizeObject(ctx, Manage, r.Space, r.FullName()) == nil
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		if err := s.checkFormer(ctx, tx, r, administers); err != nil {
			return err
		}
		if err := insert(ctx, tx, r); err != nil {
			return err
		}
		data := map[string]string{"repository": r.FullName(), "default_branch": r.DefaultBranch}
		if n.Import != nil {
			data["import"] = n.Import.URL
			if err := insertImport(ctx, tx, r.ID, *n.Import, sealed, now); err != nil {
				return err
			}
		}
		return s.tell(ctx, tx, "repository.created", r, data)
	})
	if err != nil {
		s.dropUnlessKept(ctx, r.ID)
		return Repository{}, fault.Wrap(err, "create repository %s", r.FullName())
	}
	if n.Import != nil {
		s.exchanges.poke()
		return s.byID(ctx, r.ID)
	}
	return r, nil
}

// checkFormer refuses a name that another repository had before. Images, locations with their trust, stacks and triggers
// still mean that one, so its name is only for who made it and for administrators, in its space.
func (s *Service) checkFormer(ctx context.Context, tx *store.Tx, r Repository, administers bool) error {
	space, creator, err := former(ctx, tx, r.Namespace, r.Name)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil || space == r.Space && (administers || creator != "" && creator == actor.From(ctx).ID) {
		return err
	}
	return fault.Errorf(fault.Conflict, "the name %s belonged to another repository, which others may still mean; choose another one, "+
		"or have an administrator of that repository's space make it", r.FullName())
}

// mayMake asks for repository:create in a space that exists.
func (s *Service) mayMake(ctx context.Context, space, fullName string) error {
	if err := s.access.AuthorizeObject(ctx, Make, space, fullName); err != nil {
		return err
	}
	exists, err := s.access.Exists(ctx, space)
	if err == nil && !exists {
		return fault.Errorf(fault.NotFound, "there is no space %s", space)
	}
	return err
}

// dropUnlessKept removes the folder of a repository whose row could not be written. A commit whose answer was lost may
// have written it all the same.
func (s *Service) dropUnlessKept(ctx context.Context, id string) {
	ctx = context.WithoutCancel(ctx)
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		_, err := rowByID(ctx, tx, id)
		return err
	})
	if !fault.Is(err, fault.NotFound) {
		return // there, or unknown: an orphan is removed later
	}
	if err := s.dropFolder(id); err != nil {
		s.log.Error("remove the folder of a repository that was not created", "repository", id, "error", err)
	}
}

// tell appends an entry about a repository; others are what else it touches.
func (s *Service) tell(ctx context.Context, tx *store.Tx, kind string, r Repository, data any, others ...string) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fault.Wrap(err, "write entry %s", kind)
	}
	_, err = s.ledger.Append(ctx, tx, ledger.Entry{Space: r.Space, Type: kind, Subject: r.Subject(), Refs: append([]string{r.ID}, others...), Data: raw})
	return err
}

// find gives a repository by NAMESPACE/NAME, without asking for rights.
func (s *Service) find(ctx context.Context, fullName string) (r Repository, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		r, err = byName(ctx, tx, fullName)
		return err
	})
	return r, err
}

// open gives a repository in which the principal of ctx may do an action. Whoever may not read it learns nothing of it.
func (s *Service) open(ctx context.Context, action, fullName string) (Repository, error) {
	what := "repository " + fullName
	r, err := s.find(ctx, fullName)
	if fault.Is(err, fault.NotFound) {
		if actor.From(ctx).Kind == actor.Anonymous {
			return Repository{}, s.access.Authorize(ctx, action, "") // says that nobody is signed in
		}
		return Repository{}, access.NotFound(what)
	}
	if err != nil {
		return Repository{}, err
	}
	err = s.access.AuthorizeObject(ctx, action, r.Space, r.FullName())
	if fault.Is(err, fault.Denied) || fault.Is(err, fault.NotFound) {
		if action == Read || s.access.AuthorizeObject(ctx, Read, r.Space, r.FullName()) != nil {
			return Repository{}, access.NotFound(what)
		}
	}
	if err != nil {
		return Repository{}, err
	}
	return r, nil
}

// Get gives a repository by NAMESPACE/NAME. It needs repository:read.
func (s *Service) Get(ctx context.Context, fullName string) (Repository, error) {
	return s.open(ctx, Read, fullName)
}

// Authorize gives a repository in which the caller may do an action. Whoever may not read it gets NotFound.
func (s *Service) Authorize(ctx context.Context, action, fullName string) (Repository, error) {
	return s.open(ctx, action, fullName)
}

// Moved gives what a repository is called now that had a name before. It needs repository:read; NotFound when it is gone,
// or when another one has the name.
func (s *Service) Moved(ctx context.Context, fullName string) (now string, err error) {
	namespace, name, err := ParseName(fullName)
	if err != nil {
		return "", err
	}
	var r Repository
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		id, err := movedTo(ctx, tx, namespace, name)
		if err == nil {
			r, err = byID(ctx, tx, id)
		}
		return err
	})
	if fault.Is(err, fault.NotFound) || err == nil && r.FullName() == namespace+"/"+name {
		return "", access.NotFound("repository " + fullName)
	}
	if err != nil {
		return "", err
	}
	_, err = s.open(ctx, Read, r.FullName())
	return r.FullName(), err
}
