package stack

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Repositories is what this room asks of core/repository, unauthorised: the stack's document has said what it reads.
type Repositories interface {
	Head(ctx context.Context, repository, branch string) (commit string, err error)
	ChangedPaths(ctx context.Context, repository, from, to string) ([]string, error)
	// ReadFiles gives those of some files that a commit has; TooLarge when one has more than limit bytes.
	ReadFiles(ctx context.Context, repository, commit string, files []string, limit int64) (map[string][]byte, error)
	// Glob lists the files of a commit that match a pattern: * within a folder's name, ** for any folders.
	Glob(ctx context.Context, repository, commit, pattern string) ([]string, error)
	// IsAncestor tells whether a commit has ancestor among its ancestors, or is it.
	IsAncestor(ctx context.Context, repository, ancestor, commit string) (bool, error)
	SpaceOf(ctx context.Context, repository string) (string, error)
	// Pusher gives the principal that made a commit the head of a branch; NotFound when it is not known.
	Pusher(ctx context.Context, repository, ref, commit string) (string, error)
	// Pushers gives those who pushed to a branch between two of its heads; whole is false when there may be others.
	Pushers(ctx context.Context, repository, ref, from, to string) (who []string, whole bool, err error)
	Commits
}

// Documents tells of the catalog's sources, and is one, unauthorised.
type Documents interface {
	// RepositoryOf gives the repository that a source of documents reads; "" for one that reads none.
	RepositoryOf(ctx context.Context, tx *store.Tx, source string) (repository string, err error)
	// Bring makes what a source has brought what it says now.
	Bring(ctx context.Context, set catalog.Set) (catalog.Brought, error)
	// MayGiveRights tells whether what a source brings may give rights to anybody.
	MayGiveRights(ctx context.Context, tx *store.Tx, source string) (bool, error)
	// Delete takes a document away, unless a file or a source outside declares it: then it is Conflict.
	Delete(ctx context.Context, r ref.Entity, ifMatch string) error
}

// Sealer encrypts states at rest, and opens the plans that core/run has sealed; core/secret does.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
	Sealing(plain io.Reader) io.ReadCloser
	Opening(sealed io.Reader) (io.Reader, error)
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
	Documents    Documents
	People       People // nil: policies see nobody's groups
	Pools        Pools
	Proposals    Proposals // nil: push policies are not asked about proposals
	Outbox       Outbox    // nil: nothing is sent outside
	Modules      Modules   // nil: notification policies hear of no modules
	BaseURL      string    // by which people reach the portal
	Seal         Sealer
	Engines      Engines        // nil: the pool's engine runs everything
	Providers    Providers      // nil: engines take providers from their registries
	Images       Images         // nil: steps are processes, and no stack names an image
	PoolImages   Images         // the same for stacks of worker pools, whose agents may run containers
	Most         execute.Limits // memory and time that a step may ask for; 0 for any
	PushRuns     int            // that one push, or one head of a proposal, may begin; 0 for any number
	Now          func() time.Time
	Log          *slog.Logger
}

// Service keeps stacks.
type Service struct {
	Deps
	states *semaphore.Weighted // bytes of states that are looked into at a time
	briefs briefs
}

// New builds the room and registers its kind of run, its jobs and its subscriptions.
func New(d Deps) *Service {
	s := &Service{Deps: d, states: semaphore.NewWeighted(StateLimit)}
	kind := Kind()
	kind.Retrier, kind.BeforeRetry = s.retried, s.beforeRetry
	kind.Ended = func(ctx context.Context, tx *store.Tx, r run.Run) error {
		if err := s.holdUnsaved(ctx, tx, r); err != nil {
			return err
		}
		if err := s.supersedes(ctx, tx, r); err != nil {
			return err
		}
		return noteConfiguration(ctx, tx, r)
	}
	d.Runs.Register(kind)
	s.subscribe()
	s.subscribePushes()
	s.subscribeMarks()
	s.subscribeEnds()
	s.subscribeNews()
	s.subscribeBoard()
	return s
}

// read gives a stack that the caller may see; otherwise NotFound.
func (s *Service) read(ctx context.Context, r ref.Entity) (stack Stack, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		stack, err = getStack(ctx, tx, r, "")
		return err
	})
	if err != nil {
		return stack, err
	}
	return stack, s.Access.ReadOrNotFound(ctx, "stack:read", stack.Space, "stack "+r.String())
}

// Overview is a stack as its page and its list show it.
type Overview struct {
	Stack
	Message string
	Last    *run.Run // newest tracked or destroy run
	Lock    string   // the engine's LockInfo; "" when the state is not locked
	State   *StateVersion
	Drift   Drifts
	Next    time.Time // when the first of its schedules is due; zero for never
	Queued  int       // runs that wait for the stack, or for a worker
}

// Get gives one stack. Permission: stack:read in its space; otherwise NotFound.
func (s *Service) Get(ctx context.Context, r ref.Entity) (o Overview, err error) {
	stack, err := s.read(ctx, r)
	if err != nil {
		return o, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		o, err = s.overview(ctx, tx, stack)
		return err
	})
	return o, err
}

// States gives the versions of a stack's state, newest first.
// Permission: stack:read in its space; otherwise NotFound.
func (s *Service) States(ctx context.Context, r ref.Entity, part page.Request) (list page.Of[StateVersion], err error) {
	if _, err := s.read(ctx, r); err != nil {
		return list, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w := &store.Where{}
		w.Equal("stack", r.String())
		w.Before("id", part.Cursor)
		rows, err := tx.Query(ctx, "SELECT "+stateColumns+" FROM stack_states"+w.String()+" ORDER BY id DESC LIMIT "+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scanState)
		list = page.Cut(all, part, func(v StateVersion) string { return v.ID })
		return err
	})
	return list, err
}

// Right gives what it takes to begin a run of a type; "" for a type that is unknown.
func Right(kind string) string {
	switch kind {
	case Proposed:
		return "stack:plan"
	case Tracked:
		return "stack:apply"
	case Destroy:
		return "stack:destroy"
	case Drift:
		return "stack:plan"
	case Task:
		return "stack:task"
	}
	return ""
}

// begins gives a stack of which the caller may begin a run. Who may do that needs no right to read more of it.
func (s *Service) begins(ctx context.Context, r ref.Entity, kind string) (Stack, error) {
	right := Right(kind)
	if right == "" {
		return Stack{}, fault.Errorf(fault.Invalid, "run type %q is unknown; write tracked, proposed, destroy, drift or task", kind)
	}
	var stack Stack
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		stack, err = getStack(ctx, tx, r, "")
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return stack, access.NotFound("stack " + r.String())
	}
	if err != nil {
		return stack, err
	}
	err = s.Access.Authorize(ctx, right, stack.Space)
	if fault.Is(err, fault.Denied) && !s.Access.May(ctx, "stack:read", stack.Space) {
		return stack, access.NotFound("stack " + r.String())
	}
	return stack, err
}

// Start begins a run of a stack at a commit, or at the head of its branch when commit is "".
// Permission: that of the run's type, see Right, in the stack's space. Who may not even see the stack gets NotFound. A stack
// on which others with resources depend is not destroyed: Conflict; see DestroyAll.
func (s *Service) Start(ctx context.Context, r ref.Entity, kind, commit string) (run.Run, error) {
	return s.Begin(ctx, r, Order{Type: kind, Commit: commit})
}

// Order is what a run is to do.
type Order struct {
	Type      string
	Commit    string // "" for the head of the branch; none for drift
	Command   string // of a task
	Reconcile bool   // of drift: what is found is followed by a tracked run
	SkipInit  bool   // of a task: the engine's init is left out, with its hooks
}

// Begin is Start with all that can be said. A task runs a command beside the configuration of the stack, with its state,
// under its lock: no plan policy judges what it does and nobody reviews it, so that it takes stack:task. Drift that is
// reconciled takes stack:apply too.
func (s *Service) Begin(ctx context.Context, r ref.Entity, o Order) (run.Run, error) {
	kind, commit := o.Type, o.Commit
	stack, err := s.begins(ctx, r, kind)
	if err == nil && o.Reconcile {
		_, err = s.begins(ctx, r, Tracked)
	}
	if err == nil {
		err = o.check()
	}
	if err == nil {
		err = stack.Spec.Vendor.can(kind)
	}
	if err == nil && o.SkipInit && !stack.Spec.Vendor.inits() {
		err = fault.Errorf(fault.Invalid, "%s is of %s, which has no init that could be skipped; leave skipInit out", r, stack.Spec.Vendor.Word())
	}
	if err != nil {
		return run.Run{}, err
	}
	if stack.Remote() && commit != "" {
		return run.Run{}, fault.Errorf(fault.Invalid, "%s has no repository, so that it has no commits; upload a folder", r)
	}
	if stack.Remote() && kind != Drift && kind != Task { // of what was uploaded last to be applied
		return s.StartUpload(ctx, r, UploadRun{Type: kind})
	}
	if stack.Deleted {
		return run.Run{}, fault.Errorf(fault.Conflict, "the document of %s is deleted; apply it again first", r)
	}
	if err := s.mayRead(ctx, stack); err != nil {
		return run.Run{}, err
	}
	if kind == Destroy {
		if err := s.free(ctx, stack); err != nil {
			return run.Run{}, err
		}
	}
	from := origin{}
	if stack.Remote() {
		from, err = s.originOf(ctx, stack, kind)
	} else {
		from.commit, err = s.commit(ctx, stack, kind, commit)
	}
	if err != nil {
		return run.Run{}, err
	}
	ready, err := s.prepareOrigin(ctx, stack, from)
	if err != nil {
		return run.Run{}, err
	}
	if err := s.mayBegin(ctx, stack, kind, from.commit, o.Command); err != nil {
		return run.Run{}, err
	}
	var created run.Run
	err = s.DB.Write(ctx, func(tx *store.Tx) (err error) {
		created, _, err = s.startOrigin(ctx, tx, stack, kind, from, "", "", ready, func(_ *run.New, in *Input) {
			in.Command, in.Reconcile, in.SkipInit = o.Command, o.Reconcile, o.SkipInit
		})
		if err == nil && !onlyPlans(kind) {
			err = s.letGoOn(ctx, tx, r, "")
		}
		return err
	})
	return created, err
}

// commit gives the commit at which a run is to be. What changes infrastructure is on the stack's branch: what lies beside
// it was reviewed by nobody.
func (s *Service) commit(ctx context.Context, stack Stack, kind, asked string) (string, error) {
	head, err := s.Repositories.Head(ctx, stack.Repository, stack.Branch)
	if kind == Drift {
		if asked != "" {
			return "", fault.Errorf(fault.Invalid, "drift is looked for at the commit that is applied; leave the commit out")
		}
		return s.appliedCommit(stack)
	}
	if asked == "" || err != nil && kind != Proposed {
		return head, fault.Wrap(err, "find the head of %s", stack.Branch)
	}
	commit, err := s.Repositories.Head(ctx, stack.Repository, asked)
	if err != nil || kind == Proposed || commit == head {
		return commit, fault.Wrap(err, "find commit")
	}
	on, err := s.Repositories.IsAncestor(ctx, stack.Repository, commit, head)
	if err == nil && !on {
		err = fault.Errorf(fault.Invalid, "commit %s is not on branch %s, which %s follows; preview it with a run of type proposed, or merge it first", commit, stack.Branch, stack.Ref)
	}
	return commit, err
}

// mayRead holds a stack to repositories of its own space and those below: a document must not open to its readers
// what they could not read otherwise.
func (s *Service) mayRead(ctx context.Context, stack Stack) error {
	if stack.Remote() {
		return nil
	}
	space, err := s.Repositories.SpaceOf(ctx, stack.Repository)
	if err != nil {
		return fault.Wrap(err, "find repository %s", stack.Repository)
	}
	within, err := s.Access.Within(ctx, space, stack.Space)
	if err != nil {
		return err
	}
	if !within {
		return fault.Errorf(fault.Denied, "%s is in space %s and may not use repository %s, which is in space %s; move one of them", stack.Ref, stack.Space, stack.Repository, space)
	}
	return nil
}

// start makes a run of what prepare has given; with an author it is theirs, else the caller's. Options change what is made.
// Conflict when what was prepared has moved, or the stack was deleted since it was read: what deletes it cancels the runs that it
// finds, so that none may come after it.
func (s *Service) start(ctx context.Context, tx *store.Tx, stack Stack, kind, commit, key, author string, ready prepared, options ...func(*run.New, *Input)) (run.Run, bool, error) {
	now, err := getStack(ctx, tx, stack.Ref, tx.ForUpdate())
	if err == nil {
		err = now.standsIn(stack.Space)
	}
	if err == nil {
		err = s.unmoved(ctx, tx, stack, ready)
	}
	if err != nil {
		return run.Run{}, false, err
	}
	if kind == Tracked {
		if err := s.noneAside(ctx, tx, stack, ready); err != nil {
			return run.Run{}, false, err
		}
	}
	in := Input{
		Authors: ready.authors, Edit: stack.Edit,
		Type: kind, Stack: stack.Ref.String(), Path: stack.Path, Autodeploy: stack.Spec.Autodeploy,
		Env: map[string]string{}, SecretEnv: map[string]string{}, Limits: stack.Spec.Limits, Engine: stack.Spec.Engine.Name,
		Vendor: stack.Spec.Vendor, Network: stack.Spec.Network || stack.Spec.Vendor.needsNetwork(),
		DependsOn: stack.Spec.DependsOn, Pool: stack.Spec.WorkerPool, OIDC: stack.Spec.OIDC, Drift: kind == Drift,
	}
	if author == "" {
		in.TriggeredBy = byHand(ctx)
	}
	in.take(ready)
	n := run.New{
		Kind: RunKind, Space: stack.Space, Subject: stack.Ref.String(), Input: in, Key: key, Actor: author,
		Title:  title(kind, stack.Ref),
		Source: run.Source{Repository: stack.Repository, Commit: commit, Ref: "refs/heads/" + stack.Branch},
	}
	if stack.Spec.Component != "" {
		if c, err := ref.Parse(stack.Spec.Component, "component", stack.Ref.Namespace); err == nil {
			n.Refs = []string{c.String()}
		}
	}
	n.Priority = priority(kind)
	if !onlyPlans(kind) {
		n.Lock = LockName(stack.Ref)
	}
	for _, option := range options {
		option(&n, &in)
	}
	n.Input = in
	r, existed, err := s.Runs.Create(ctx, tx, n)
	if err == nil && !existed && kind == Tracked && len(in.DependsOn) > 0 {
		_, err = s.await(ctx, tx, r)
	}
	if err == nil && !existed && len(in.External) > 0 {
		if err = s.letIn(ctx, tx, r.ID); err == nil {
			r, err = s.Runs.GetTx(ctx, tx, r.ID)
		}
	}
	return r, existed, err
}

// byHand gives who acts, where that is not the platform.
func byHand(ctx context.Context) string {
	if p := actor.From(ctx); p.Kind != actor.System {
		return p.ID
	}
	return ""
}

func title(kind string, r ref.Entity) string {
	switch kind {
	case Proposed:
		return "Preview of " + r.Name
	case Destroy:
		return "Destroy " + r.Name
	case Drift:
		return "Drift of " + r.Name
	case Task:
		return "Task of " + r.Name
	}
	return "Change " + r.Name
}

// ReadPlan gives the plan of a run, with sensitive values taken out.
// Permission: run:read in the run's space; otherwise NotFound. NotFound while there is no plan.
func (s *Service) ReadPlan(ctx context.Context, runID string) (Plan, error) {
	r, err := s.Runs.Get(ctx, runID)
	if err != nil {
		return Plan{}, err
	}
	var out Output
	if r.Kind == RunKind && len(r.Output) > 0 {
		if err := json.Unmarshal(r.Output, &out); err != nil {
			return Plan{}, fault.Wrap(err, "read output of run %s", runID)
		}
	}
	if out.Plan == "" {
		return Plan{}, fault.Errorf(fault.NotFound, "run %s has no plan", runID)
	}
	data, err := s.readBlob(ctx, out.Plan)
	if err != nil {
		return Plan{}, err
	}
	p, err := ReadPlan(data)
	if err != nil {
		return p, err
	}
	p.Cost, err = s.costOf(ctx, out.Cost)
	return p, err
}

func (s *Service) readBlob(ctx context.Context, digest string) ([]byte, error) {
	f, _, err := s.Blob.Open(ctx, digest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	plain, err := s.Seal.Opening(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(plain, StateLimit))
}
