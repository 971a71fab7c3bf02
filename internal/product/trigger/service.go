package trigger

import (
	"context"
	"log/slog"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Repositories is what this room asks of core/repository, unauthorised: the trigger's document has said what it reads.
type Repositories interface {
	Head(ctx context.Context, repository, branch string) (commit string, err error)
	ReadFile(ctx context.Context, repository, commit, path string, limit int64) ([]byte, error)
	ChangedPaths(ctx context.Context, repository, from, to string) ([]string, error)
	SpaceOf(ctx context.Context, repository string) (string, error)
	// IsPlatformCommit tells whether the platform itself made a commit.
	IsPlatformCommit(ctx context.Context, repository, commit string) (bool, error)
	// Pusher gives the principal that made a commit the head of a branch; NotFound when it is not known.
	Pusher(ctx context.Context, repository, ref, commit string) (string, error)
	// Pushed gives when a commit became the head of a branch; zero when nobody knows any more.
	Pushed(ctx context.Context, repository, ref, commit string) (time.Time, error)
	// Parents gives the parents of a commit.
	Parents(ctx context.Context, repository, commit string) ([]string, error)
}

// Submission is a workflow to start.
type Submission struct {
	Space     string
	File      string // for errors
	Document  []byte
	Arguments map[string]string
	Source    run.Source
	Subject   string
	Refs      []string
	Key       string // one run for one key
	Cause     string // ledger entry
	Actor     string // principal
}

// Workflows is what this room asks of product/workflow. Submitting the same key twice gives the first run.
type Workflows interface {
	SubmitFile(ctx context.Context, s Submission) (run string, err error)
}

// Deps are the rooms this one stands on.
type Deps struct {
	DB           *store.DB
	Ledger       *ledger.Ledger
	Queue        *queue.Queue
	Access       *access.Service
	Runs         Runs
	Repositories Repositories
	Workflows    Workflows
	Now          func() time.Time
	Log          *slog.Logger
}

// Service keeps triggers.
type Service struct{ Deps }

// New builds the room and registers its jobs and subscriptions.
func New(d Deps) *Service {
	s := &Service{d}
	s.subscribe()
	return s
}

// Events gives what pushes did to a trigger, newest first.
// Permission: entity:read in the trigger's space; otherwise NotFound.
func (s *Service) Events(ctx context.Context, r ref.Entity, part page.Request) (events page.Of[Event], err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		t, err := getTrigger(ctx, tx, r.String())
		if err != nil {
			return err
		}
		if err := s.Access.ReadOrNotFound(ctx, "entity:read", t.Space, "trigger "+r.String()); err != nil {
			return err
		}
		w := &store.Where{}
		w.Equal("trigger_ref", r.String())
		w.Before("id", part.Cursor)
		rows, err := tx.Query(ctx, `SELECT id, trigger_ref, repository, ref, commit_id, outcome, message, run, created
 FROM trigger_events`+w.String()+` ORDER BY id DESC LIMIT `+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scanEvent)
		events = page.Cut(all, part, func(e Event) string { return e.ID })
		return err
	})
	return events, err
}
