package queue

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations gives the tables of jobs and periods.
func Migrations() store.Migrations {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return store.Migrations{Room: "queue", FS: sub}
}

// Queue holds the handlers of one server. Handle and Every come before Run.
type Queue struct {
	db       *store.DB
	now      func() time.Time
	log      *slog.Logger
	server   string // names this server in all its lives; "" when it has no name
	lease    string // names this life of this server
	handlers map[string]*handler
	periods  []period

	mu      sync.Mutex
	running map[string]int // kind → jobs in work
	held    map[attempt]hold
	freed   chan struct{} // a job ended: there may be room, or a key may be free
}

// attempt is one taking of a job.
type attempt struct {
	job    string
	number int
}

// hold is the lease of an attempt: cancel ends it when it is held no more.
type hold struct {
	until  time.Time
	cancel context.CancelFunc
}

type handler struct {
	HandleOptions
	work func(ctx context.Context, args []byte) error
}

type period struct {
	kind     string
	interval time.Duration
	args     any
}

// HandleOptions say how jobs of a kind are done; a zero field means its default.
type HandleOptions struct {
	MaxAttempts int           // then the job is dead; 20, which is most of a day: see Lasts
	Timeout     time.Duration // of one attempt; 5 minutes
	Concurrency int           // of this kind on this server; 4
}

// InsertOptions say when a job is done.
type InsertOptions struct {
	RunAt time.Time // not before; zero means at once
	// Unique, when not empty, is a key of which at most one job of the kind waits. A second one changes nothing
	// but that the job is done at the earlier of the two times. A running one does not count: the new job waits
	// for its end and then sees what has changed meanwhile.
	Unique string
}

const (
	channel       = "queue.jobs"
	maxArgs       = 64 << 10
	leaseTime     = 30 * time.Second
	heartbeat     = 10 * time.Second
	pollInterval  = 20 * time.Second // the safety net under the wakes
	keepDead      = 7 * 24 * time.Hour
	firstBackoff  = time.Second
	longestPause  = 3 * time.Hour
	settleTimeout = 10 * time.Second // to write what became of a job, also while the server stops
)

// New gives a queue on db.
func New(db *store.DB, log *slog.Logger) *Queue { return NewAt(db, time.Now, log) }

// NewAt is New with a clock of the caller's.
func NewAt(db *store.DB, now func() time.Time, log *slog.Logger) *Queue {
	return &Queue{
		db: db, now: now, log: log, lease: ref.NewID(ref.Lease, now()),
		handlers: map[string]*handler{}, running: map[string]int{}, held: map[attempt]hold{}, freed: make(chan struct{}, 1),
	}
}

// As names the server, by a name that it keeps when it is started anew and shares with no other server of this
// database. Its Run then takes up at once what its earlier life had in work. Call it before Run.
func (q *Queue) As(server string) { q.server, q.lease = server, server+"/"+q.lease }

// Handle says what does the jobs of a kind. An error has the job done again after a pause that grows, Final ends
// it, and Again has it done again without counting as a failure. fn runs as nobody: it takes the actor that it
// needs.
func Handle[T any](q *Queue, kind string, opts HandleOptions, fn func(ctx context.Context, args T) error) {
	if opts.MaxAttempts <= 0 {
		opts.MaxAttempts = 20
	}
	if opts.Timeout <= 0 {
		opts.Timeout = 5 * time.Minute
	}
	if opts.Concurrency <= 0 {
		opts.Concurrency = 4
	}
	if _, twice := q.handlers[kind]; twice || kind == "" {
		panic(fmt.Sprintf("queue: kind %q has two handlers, or no name", kind))
	}
	q.handlers[kind] = &handler{opts, func(ctx context.Context, data []byte) error {
		var args T
		if err := json.Unmarshal(data, &args); err != nil {
			return Final(fmt.Errorf("read the arguments: %w", err))
		}
		return fn(ctx, args)
	}}
}

// Every has a job of a kind inserted each interval, by whichever server is first; the first one at once on a new
// installation. Times that passed while no server ran count as one.
func (q *Queue) Every(kind string, interval time.Duration, args any) {
	q.periods = append(q.periods, period{kind, interval, args})
}

// Insert writes a job in tx; it is taken up at once after the commit, or at its time. args is stored as JSON and
// holds no secrets.
func (q *Queue) Insert(ctx context.Context, tx *store.Tx, kind string, args any, opts InsertOptions) error {
	data, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("insert job %s: %w", kind, err)
	}
	if len(data) > maxArgs || len(opts.Unique) > 500 {
		return fault.Errorf(fault.Internal, "insert job %s: its arguments have %d bytes, at most %d are kept; store a reference", kind, len(data), maxArgs)
	}
	now := q.now()
	at := now
	if opts.RunAt.After(now) {
		at = opts.RunAt
	}
	if err := insert(ctx, tx, job{ID: ref.NewID("job", now), Kind: kind, Unique: opts.Unique, Args: data, RunAt: at}, now); err != nil {
		return fault.Wrap(err, "insert job %s", kind)
	}
	q.db.Notify(tx, channel)
	return nil
}

type final struct{ error }

func (f final) Unwrap() error { return f.error }

// Final marks an error that no later attempt can mend: the job is dead at once.
func Final(err error) error { return final{err} }

type again struct{ after time.Duration }

func (a again) Error() string { return "again after " + a.after.String() }

// Again has the job done again after a time, without counting as a failure.
func Again(after time.Duration) error { return again{after} }

// outcome is what becomes of a job.
type outcome struct {
	done  bool
	dead  bool
	count bool // the attempt counts
	pause time.Duration
	err   string
}

func decide(err error, attempt, maxAttempts int, stopping bool) outcome {
	var later again
	var last final
	switch {
	case err == nil:
		return outcome{done: true}
	case errors.As(err, &later):
		return outcome{pause: later.after}
	case errors.As(err, &last):
		return outcome{dead: true, err: err.Error()}
	case stopping:
		return outcome{err: "the server stopped"}
	case attempt >= maxAttempts:
		return outcome{dead: true, count: true, err: err.Error()}
	}
	return outcome{count: true, pause: backoff(attempt), err: err.Error()}
}

// backoff doubles from a second up to three hours, and adds up to a fifth so that jobs that failed together
// don't come back together.
func backoff(attempt int) time.Duration {
	pause := leastPause(attempt)
	return pause + rand.N(pause/5)
}

func leastPause(attempt int) time.Duration {
	if attempt >= 15 {
		return longestPause
	}
	return min(longestPause, firstBackoff<<(max(attempt, 1)-1))
}

// Lasts gives for how long, at least, a job that fails each time is tried before it is dead.
func Lasts(maxAttempts int) (least time.Duration) {
	for attempt := 1; attempt < maxAttempts; attempt++ {
		least += leastPause(attempt)
	}
	return least
}
