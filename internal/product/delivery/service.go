package delivery

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Repositories is what this room asks of core/repository, unauthorised: the application's document has said what it reads.
type Repositories interface {
	Head(ctx context.Context, repository, branch string) (commit string, err error)
	// Files lists the files below a folder at a commit, by path.
	Files(ctx context.Context, repository, commit, folder string) ([]string, error)
	ReadFile(ctx context.Context, repository, commit, path string, limit int64) ([]byte, error)
	SpaceOf(ctx context.Context, repository string) (string, error)
	// Commit commits as the platform itself; Conflict when the branch has moved.
	Commit(ctx context.Context, repository string, r git.CommitRequest) (commit string, err error)
	IsPlatformCommit(ctx context.Context, repository, commit string) (bool, error)
	// Parents gives the parents of a commit.
	Parents(ctx context.Context, repository, commit string) ([]string, error)
}

// StackOutput is one output of a stack.
type StackOutput struct {
	Value     json.RawMessage
	Sensitive bool
}

// Stacks is what this room asks of product/stack, unauthorised. The version is "" while the stack has never been applied.
type Stacks interface {
	// SpaceOf gives the space of a stack. NotFound.
	SpaceOf(ctx context.Context, stack ref.Entity) (string, error)
	// Outputs gives those of a version, the newest for "". NotFound when the version is no longer kept.
	Outputs(ctx context.Context, stack ref.Entity, want string) (outputs map[string]StackOutput, version string, err error)
}

// PipelineState is how the pipelines of a commit stand.
type PipelineState string

const (
	PipelineNone    PipelineState = "none"    // the commit has no pipeline
	PipelineRunning PipelineState = "running" // one runs, or will
	PipelinePassed  PipelineState = "passed"
	PipelineFailed  PipelineState = "failed"
)

// Pipelines is what this room asks of product/trigger: whether the pipelines of a pushed commit have passed.
type Pipelines interface {
	Pipeline(ctx context.Context, repository, ref, commit string) (state PipelineState, run string, err error)
}

// Deps are the rooms this one stands on.
type Deps struct {
	DB           *store.DB
	Ledger       *ledger.Ledger
	Queue        *queue.Queue
	Blob         blob.Store
	Access       *access.Service
	Policy       *policy.Service
	Runs         *run.Service
	Repositories Repositories
	Stacks       Stacks
	Pipelines    Pipelines
	Clusters     map[string]cluster.Cluster // by the name that a destination gives
	Addresses    []string                   // under which this server is known, such as https://roadbed.example.org
	Now          func() time.Time
	Log          *slog.Logger
}

// Service keeps applications.
type Service struct{ Deps }

// New builds the room and registers its kind of run, its jobs and its subscriptions.
func New(d Deps) *Service {
	s := &Service{d}
	d.Runs.Register(Kind())
	s.subscribe()
	return s
}

func (s *Service) cluster(d Destination) cluster.Cluster {
	if d.Name != "" {
		return s.Clusters[d.Name]
	}
	if d.Server == "https://kubernetes.default.svc" { // Argo CD: the cluster it runs in
		return s.Clusters[LocalCluster]
	}
	return nil
}

// clusterOf gives the cluster that an application goes to. Conflict when it is gone.
func (s *Service) clusterOf(a Application) (cluster.Cluster, error) {
	if c := s.cluster(a.Spec.Destination); c != nil {
		return c, nil
	}
	return nil, fault.Errorf(fault.Conflict, "%s goes to cluster %q, which is unknown here", a.Ref, a.Spec.Destination.Name+a.Spec.Destination.Server)
}

// read gives an application that the caller may see; otherwise NotFound.
func (s *Service) read(ctx context.Context, r ref.Entity) (a Application, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		a, err = getApplication(ctx, tx, r.String(), "")
		return err
	})
	if err == nil && a.Deleted {
		err = fault.Errorf(fault.NotFound, "application %s", r)
	}
	if err != nil {
		return a, err
	}
	return a, s.Access.ReadOrNotFound(ctx, "application:read", a.Space, "application "+r.String())
}

// List gives the applications that the caller may read, by reference.
// Permission: application:read; others are left out.
func (s *Service) List(ctx context.Context, part page.Request) (list page.Of[Status], err error) {
	readable, err := s.Access.Spaces(ctx, "application:read")
	if err != nil || readable.Empty() {
		return list, err
	}
	var seen page.Of[Application]
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := listApplications(ctx, tx, part, readable)
		seen = page.Cut(all, part, func(a Application) string { return a.Ref.String() })
		return err
	})
	if err != nil {
		return list, fault.Wrap(err, "list applications")
	}
	list.Next = seen.Next
	for _, a := range seen.Items {
		st, err := s.status(ctx, a, false)
		if err != nil {
			return page.Of[Status]{}, err
		}
		list.Items = append(list.Items, st)
	}
	return list, nil
}

// Get gives one application with its objects. Permission: application:read in its space; otherwise NotFound.
func (s *Service) Get(ctx context.Context, r ref.Entity) (Status, error) {
	a, err := s.read(ctx, r)
	if err != nil {
		return Status{}, err
	}
	return s.status(ctx, a, true)
}

// Diff gives what a sync of the branch's head would change. Permission: application:read in its space.
func (s *Service) Diff(ctx context.Context, r ref.Entity) ([]cluster.Change, error) {
	a, err := s.read(ctx, r)
	if err != nil {
		return nil, err
	}
	head, err := s.Repositories.Head(ctx, a.Repository, a.Branch)
	if err != nil {
		return nil, err
	}
	return s.compare(ctx, a, head)
}

// compare gives what a sync of a commit would change. What is deployed already is not rendered anew.
func (s *Service) compare(ctx context.Context, a Application, commit string) ([]cluster.Change, error) {
	if err := s.permitted(ctx, a); err != nil {
		return nil, err
	}
	mark, _, err := s.mark(ctx, a, commit)
	if err != nil {
		return nil, err
	}
	var last Revision
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		last, err = latest(ctx, tx, a.Ref.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	if last.Commit == commit && last.Mark == mark {
		return s.compareKept(ctx, a, "", last.Manifests)
	}
	list, err := s.render(ctx, a, commit)
	if err != nil {
		return nil, err
	}
	return s.dryRun(ctx, a, "", list)
}

func (s *Service) compareKept(ctx context.Context, a Application, outputs, digest string) ([]cluster.Change, error) {
	list, err := s.openManifests(ctx, digest)
	if err != nil {
		return nil, err
	}
	return s.dryRun(ctx, a, outputs, list)
}

func (s *Service) dryRun(ctx context.Context, a Application, outputs string, list []manifest) ([]cluster.Change, error) {
	objects, err := s.objects(ctx, a, outputs, list)
	if err != nil {
		return nil, err
	}
	c, err := s.clusterOf(a)
	if err != nil {
		return nil, err
	}
	return s.applyAll(ctx, c, a, objects, true)
}

// applyAll applies an application's objects, and with prune takes away what it has besides them, wherever that is.
func (s *Service) applyAll(ctx context.Context, c cluster.Cluster, a Application, objects []cluster.Object, dry bool) ([]cluster.Change, error) {
	changes, err := c.Apply(ctx, objects, s.applyOptions(a, dry))
	if err != nil || !a.Spec.prune() {
		return changes, err
	}
	gone, err := s.pruneElsewhere(ctx, a, dry)
	return append(changes, gone...), err
}

func (s *Service) applyOptions(a Application, dry bool) cluster.ApplyOptions {
	return cluster.ApplyOptions{Owner: a.owner(), DryRun: dry, Prune: a.Spec.prune(), CreateNamespaces: !a.Spec.option("CreateNamespace=false")}
}

// History gives what was deployed, newest first, at most limit. Permission: application:read in its space.
func (s *Service) History(ctx context.Context, r ref.Entity, limit int) (list []Revision, err error) {
	if _, err := s.read(ctx, r); err != nil {
		return nil, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT "+revisionColumns+" FROM application_revisions WHERE application = $1 ORDER BY id DESC LIMIT $2", r.String(), min(max(limit, 1), 200))
		list, err = store.Collect(rows, err, scanRevision)
		return err
	})
	return list, err
}

// Sync deploys the branch's head now, whatever failed before. Permission: application:sync in its space.
// Conflict when what it waits for is not there.
func (s *Service) Sync(ctx context.Context, r ref.Entity) (run.Run, error) {
	a, err := s.read(ctx, r)
	if err != nil {
		return run.Run{}, err
	}
	if err := s.Access.Authorize(ctx, "application:sync", a.Space); err != nil {
		return run.Run{}, err
	}
	head, err := s.Repositories.Head(ctx, a.Repository, a.Branch)
	if err != nil {
		return run.Run{}, err
	}
	if wait, err := s.waitsFor(ctx, a, head); err != nil || wait != "" {
		if err == nil {
			err = fault.Errorf(fault.Conflict, "%s %s", r, wait)
		}
		return run.Run{}, err
	}
	mark, way, err := s.mark(ctx, a, head)
	if err != nil {
		return run.Run{}, err
	}
	return s.start(ctx, a, Input{Way: way, Commit: head, Mark: mark, Reason: "asked for"})
}

// Rollback deploys an earlier revision again. The branch's head is not synced by itself until it moves.
// Permission: application:sync in its space.
func (s *Service) Rollback(ctx context.Context, r ref.Entity, revision string) (run.Run, error) {
	a, err := s.read(ctx, r)
	if err != nil {
		return run.Run{}, err
	}
	if err := s.Access.Authorize(ctx, "application:sync", a.Space); err != nil {
		return run.Run{}, err
	}
	var rev Revision
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		rev, err = getRevision(ctx, tx, r.String(), revision)
		return err
	})
	if err != nil {
		return run.Run{}, err
	}
	head, err := s.Repositories.Head(ctx, a.Repository, a.Branch)
	if err != nil {
		return run.Run{}, err
	}
	mark, way, err := s.mark(ctx, a, head)
	if err != nil {
		return run.Run{}, err
	}
	if way, err = way.back(rev); err != nil {
		return run.Run{}, err
	}
	return s.start(ctx, a, Input{Way: way, Commit: rev.Commit, Manifests: rev.Manifests, Mark: mark, Reason: "rollback to " + short(rev.Commit)})
}

func (s *Service) start(ctx context.Context, a Application, in Input) (run.Run, error) {
	return s.startIf(ctx, a, in, func(context.Context, *store.Tx, Application) (bool, error) { return true, nil })
}

// startByItself starts one that nobody asked for, unless a sync is open or has ended since the application was read: with a
// slow database it may have failed meanwhile, and is not to be tried again. Its end asks for another look.
func (s *Service) startByItself(ctx context.Context, a Application, in Input) error {
	_, err := s.startIf(ctx, a, in, func(ctx context.Context, tx *store.Tx, now Application) (bool, error) {
		open, err := s.hasOpenSync(ctx, tx, a)
		return !open && now.Synced == a.Synced && now.Failed == a.Failed, err
	})
	return err
}

// startIf starts a sync if what fn says holds in its transaction.
func (s *Service) startIf(ctx context.Context, a Application, in Input, fn func(ctx context.Context, tx *store.Tx, now Application) (bool, error)) (created run.Run, err error) {
	in.Application = a.Ref.String()
	n := run.New{
		Kind: RunKind, Space: a.Space, Subject: a.Ref.String(), Title: "Sync " + a.Ref.Name + " to " + short(in.Commit), Input: in,
		Lock: "application:" + a.Ref.String(), Source: run.Source{Repository: a.Repository, Commit: in.Commit, Ref: a.reference()},
	}
	if !a.Component.IsZero() {
		n.Refs = []string{a.Component.String()}
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := getApplication(ctx, tx, a.Ref.String(), tx.ForUpdate())
		if err == nil && now.Deleted {
			err = fault.Errorf(fault.NotFound, "application %s", a.Ref)
		}
		if err != nil {
			return err
		}
		if may, err := fn(ctx, tx, now); err != nil || !may {
			return err
		}
		created, _, err = s.Runs.Create(ctx, tx, n)
		return err
	})
	return created, err
}

// system is the context in which this room's jobs act.
func system(ctx context.Context) context.Context { return actor.AsSystem(ctx) }
