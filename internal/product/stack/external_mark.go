package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// A marking is of a name within a space. It holds for all runs of that space and of those below that wait for the name, also
// for those that begin to within a week. Of several that a run sees the newest counts, until the run has gone on. So what comes
// first, the push or the marking, makes no difference.

const (
	jobMarked     = "stack.marked"
	markedNow     = 20  // runs that go on before whoever marks has an answer
	markedShown   = 100 // runs of an answer
	markNoteBytes = 1 << 10
	mostMarkings  = 20_000 // of a space; the oldest are forgotten
	markingsSweep = 500    // markings that are forgotten at a time
)

type markedArgs struct {
	Space string `json:"space"`
	Name  string `json:"name"`
}

// Marking is what somebody has said of an external dependency.
type Marking struct {
	Space, Name, Status, Note, Actor string

	Marked  time.Time
	Said    time.Time // when it was last said
	Changed bool      // nobody had said the same before
	Runs    []Told    // that wait for it, or did, and that the caller may read, the newest first
	More    bool
}

// Told is what a marking means for a run.
type Told struct {
	Run  run.Run
	Says string // for people
}

// Until is when a marking is forgotten.
func (m Marking) Until() time.Time { return m.Said.Add(externalLife) }

func (s *Service) subscribeMarks() {
	queue.Handle(s.Queue, jobMarked, queue.HandleOptions{Timeout: 10 * time.Minute}, func(ctx context.Context, a markedArgs) error {
		return s.tellMarked(asSystem(ctx), a, 0)
	})
}

// Mark says of an external dependency that it is finished, skipped or failed. Saying the same twice changes nothing but how long
// it is kept; saying something else counts for the runs that still wait.
// Permission: stack:apply in the space: what waits for it may begin then.
func (s *Service) Mark(ctx context.Context, m Marking) (Marking, error) {
	if err := s.Access.Authorize(ctx, Right(Tracked), m.Space); err != nil {
		return Marking{}, err
	}
	if wrong := badExternal(m.Name); wrong != "" {
		return Marking{}, fault.Errorf(fault.Invalid, "the name %s; write the one that the push policy gives", wrong)
	}
	if len(m.Note) > markNoteBytes {
		return Marking{}, fault.Errorf(fault.TooLarge, "the note is longer than %d bytes; shorten it", markNoteBytes)
	}
	switch m.Status {
	case MarkFinished, MarkSkipped, MarkFailed:
	default:
		return Marking{}, fault.Errorf(fault.Invalid, "%q is no status; write finished, skipped or failed", clipTo(m.Status, 100))
	}
	if _, err := s.Access.Ancestors(ctx, m.Space); err != nil {
		return Marking{}, err
	}
	m.Actor = actorID(ctx)
	args := markedArgs{m.Space, m.Name}
	err := s.DB.Write(ctx, func(tx *store.Tx) error {
		m.Said = store.FromMicros(store.Micros(s.Now()))
		m.Marked = m.Said
		if err := inTurn(ctx, tx); err != nil {
			return err
		}
		before, err := markingOf(ctx, tx, m.Space, m.Name)
		if err != nil {
			return err
		}
		m.Changed = before == nil || before.Status != m.Status || before.Note != m.Note || !before.Until().After(m.Said)
		if !m.Changed {
			m.Marked, m.Actor = before.Marked, before.Actor
		}
		if err := s.keepMarking(ctx, tx, m); err != nil {
			return err
		}
		if !m.Changed {
			return nil
		}
		data, err := json.Marshal(map[string]string{"dependency": m.Name, "status": m.Status, "note": m.Note})
		if err != nil {
			return err
		}
		if _, err := s.Ledger.Append(ctx, tx, ledger.Entry{Type: "stack.dependency-marked", Space: m.Space, Data: data}); err != nil {
			return err
		}
		return s.Queue.Insert(ctx, tx, jobMarked, args, queue.InsertOptions{Unique: m.Space + " " + m.Name})
	})
	if err != nil {
		return Marking{}, err
	}
	if err := s.tellMarked(asSystem(ctx), args, markedNow); err != nil { // the queue does it again
		s.Log.WarnContext(ctx, "a marking has not reached every run yet", "dependency", m.Name, "space", m.Space, "error", err)
	}
	return m, s.tellWhom(ctx, &m)
}

// inTurn has those who mark and those who begin to wait go one after the other: neither could see the other else.
func inTurn(ctx context.Context, tx *store.Tx) error {
	_, err := tx.Exec(ctx, "UPDATE stack_marking SET edit = edit + 1")
	return fault.Wrap(err, "take the markings")
}

const markingColumns = "space, name, status, note, actor, marked, said"

func scanMarking(row store.Row) (m Marking, err error) {
	var marked, said int64
	err = row.Scan(&m.Space, &m.Name, &m.Status, &m.Note, &m.Actor, &marked, &said)
	m.Marked, m.Said = store.FromMicros(marked), store.FromMicros(said)
	return m, err
}

func markingOf(ctx context.Context, tx *store.Tx, space, name string) (*Marking, error) {
	m, err := store.One(tx.QueryRow(ctx, "SELECT "+markingColumns+" FROM stack_markings WHERE space = $1 AND name = $2", space, name), scanMarking, "marking of %s", name)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return &m, err
}

// keepMarking keeps what was said, and forgets what was said long ago or is too much.
func (s *Service) keepMarking(ctx context.Context, tx *store.Tx, m Marking) error {
	_, err := tx.Exec(ctx, `INSERT INTO stack_markings (`+markingColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7)
 ON CONFLICT (space, name) DO UPDATE SET status=excluded.status, note=excluded.note, actor=excluded.actor, marked=excluded.marked, said=excluded.said`,
		m.Space, m.Name, m.Status, m.Note, m.Actor, store.Micros(m.Marked), store.Micros(m.Said))
	if err != nil {
		return fault.Wrap(err, "keep the marking of %s", m.Name)
	}
	_, err = tx.Exec(ctx, `DELETE FROM stack_markings WHERE (space, name) IN
 (SELECT space, name FROM stack_markings WHERE said < $1 ORDER BY said LIMIT $2)`, store.Micros(m.Said.Add(-externalLife)), markingsSweep)
	if err != nil {
		return fault.Wrap(err, "forget markings")
	}
	_, err = tx.Exec(ctx, `DELETE FROM stack_markings WHERE space = $1 AND name IN
 (SELECT name FROM stack_markings WHERE space = $1 ORDER BY said DESC, name LIMIT $2 OFFSET $3)`, m.Space, markingsSweep, mostMarkings)
	return fault.Wrap(err, "forget the oldest markings of %s", m.Space)
}

// tellMarked lets runs that wait for a name see what was said of it; at most some of them, 0 for all. It can be called at any
// time.
func (s *Service) tellMarked(ctx context.Context, a markedArgs, most int) error {
	below, err := s.Access.Below(ctx, a.Space)
	if err != nil {
		return err
	}
	at := markedShown
	if most > 0 {
		at = most
	}
	for after := ""; ; {
		var waiting []string
		err := s.DB.Read(ctx, func(tx *store.Tx) error {
			w := &store.Where{}
			w.Add("name = " + w.Arg(a.Name))
			w.Add("queued = 1")
			w.Add("run > " + w.Arg(after))
			onlyIn(w, below)
			rows, err := tx.Query(ctx, fmt.Sprintf("SELECT run FROM stack_external%sORDER BY run LIMIT %d", w, at), w.Args...)
			waiting, err = store.Collect(rows, err, func(r store.Row) (id string, err error) { return id, r.Scan(&id) })
			return fault.Wrap(err, "find what waits for %s", a.Name)
		})
		if err != nil {
			return err
		}
		for _, id := range waiting {
			if err := s.DB.Write(ctx, func(tx *store.Tx) error { return s.letIn(ctx, tx, id) }); err != nil {
				return err
			}
		}
		if most > 0 || len(waiting) < at {
			return nil
		}
		after = waiting[len(waiting)-1]
	}
}

// onlyIn holds a query of what waits to runs of some spaces.
func onlyIn(w *store.Where, spaces access.Set) {
	if !spaces.All {
		w.Add(w.In("space", spaces.List()))
	}
}

// letIn has a run that is queued see what was said of all that it waits for. It can be called at any time.
func (s *Service) letIn(ctx context.Context, tx *store.Tx, id string) error {
	r, err := s.Runs.GetTx(ctx, tx, id)
	if err != nil {
		return err
	}
	var in Input
	if err := json.Unmarshal(r.Input, &in); err != nil || len(in.External) == 0 {
		return nil //nolint:nilerr // one that can't be read is failed as it advances
	}
	if err := inTurn(ctx, tx); err != nil {
		return err
	}
	if r, err = s.Runs.TakeTx(ctx, tx, id); err != nil {
		return err
	}
	if r.State != queued {
		_, err := tx.Exec(ctx, "UPDATE stack_external SET queued = 0 WHERE run = $1 AND queued = 1", id)
		return fault.Wrap(err, "end the waiting of run %s", id)
	}
	for _, name := range in.External {
		_, err := tx.Exec(ctx, "INSERT INTO stack_external (run, name, space, stack, locks, queued) VALUES ($1,$2,$3,$4,$5,1) ON CONFLICT (run, name) DO UPDATE SET queued = 1", id, name, r.Space, r.Subject, btoi(r.Lock != ""))
		if err != nil {
			return fault.Wrap(err, "have run %s wait", id)
		}
	}
	said, err := s.saidOf(ctx, tx, r.Space, in.External)
	if err != nil {
		return err
	}
	return s.Runs.Change(ctx, tx, id, func(v *run.View) error {
		settleExternal(v, said)
		return nil
	})
}

// saidOf gives what was said of names that a run of a space sees, by the names: the newest of its space and of those above.
func (s *Service) saidOf(ctx context.Context, tx *store.Tx, space string, names []string) (map[string]External, error) {
	up, err := s.Access.Ancestors(ctx, space)
	if err != nil {
		return nil, err
	}
	w := &store.Where{}
	w.Add(w.In("space", up))
	w.Add(w.In("name", names))
	w.Add("said > " + w.Arg(store.Micros(s.Now().Add(-externalLife))))
	rows, err := tx.Query(ctx, "SELECT "+markingColumns+" FROM stack_markings"+w.String()+" ORDER BY marked", w.Args...)
	all, err := store.Collect(rows, err, scanMarking)
	said := map[string]External{}
	for _, m := range all {
		said[m.Name] = External{Name: m.Name, Status: m.Status, Note: m.Note, By: m.Actor, Marked: m.Marked}
	}
	return said, fault.Wrap(err, "read the markings of %s", space)
}

// tellWhom gives whoever has marked a dependency the runs that wait for it, or did.
func (s *Service) tellWhom(ctx context.Context, m *Marking) error {
	readable, err := s.Access.Spaces(ctx, "run:read")
	if err != nil {
		return err
	}
	below, err := s.Access.Below(ctx, m.Space)
	if err != nil {
		return err
	}
	return s.DB.Read(ctx, func(tx *store.Tx) error {
		w := &store.Where{}
		w.Add("name = " + w.Arg(m.Name))
		onlyIn(w, below)
		onlyIn(w, readable)
		rows, err := tx.Query(ctx, fmt.Sprintf("SELECT run FROM stack_external%sORDER BY run DESC LIMIT %d", w, markedShown+1), w.Args...)
		ids, err := store.Collect(rows, err, func(r store.Row) (id string, err error) { return id, r.Scan(&id) })
		if err != nil {
			return fault.Wrap(err, "find what waits for %s", m.Name)
		}
		if m.More = len(ids) > markedShown; m.More {
			ids = ids[:markedShown]
		}
		for _, id := range ids {
			r, err := s.Runs.GetTx(ctx, tx, id)
			if err != nil {
				return err
			}
			steps, err := s.Runs.StepsTx(ctx, tx, id)
			if err != nil {
				return err
			}
			m.Runs = append(m.Runs, Told{r, m.meansFor(r, steps)})
		}
		return nil
	})
}

// meansFor says to people what a marking does for a run.
func (m *Marking) meansFor(r run.Run, steps []run.Step) string {
	all := ExternalsOf(r, steps)
	at := slices.IndexFunc(all, func(d External) bool { return d.Name == m.Name })
	took := at >= 0 && all[at].Status == m.Status && all[at].Marked.Equal(m.Marked)
	switch {
	case MayMark(r, steps):
		return "still waits for " + some(externals{Dependencies: all}.names(markWaiting))
	case took && r.State == failed:
		return "has failed by it"
	case r.Terminal:
		return fmt.Sprintf("had ended (%s): this changes nothing of it; retry it, or start another", r.State)
	case took:
		return "goes on"
	}
	return "had gone on already: this changes nothing of it"
}

// supersedes ends the runs that wait aside, or have just done so, for which it is too late: a run that was begun after them, of
// their commit or a newer one, has changed the stack, or the stack was destroyed. It is done in the transaction that ends that
// run, before its lock is free.
func (s *Service) supersedes(ctx context.Context, tx *store.Tx, r run.Run) error {
	var in Input
	if r.State != finished || r.Lock == "" || json.Unmarshal(r.Input, &in) != nil || in.Type != Tracked && in.Type != Destroy || replanOf(&r).partial() {
		return nil
	}
	aside, err := waitingAside(ctx, tx, r.Subject)
	if err != nil {
		return err
	}
	for _, id := range aside {
		if id >= r.ID || in.Type == Tracked && !slices.Contains(in.Given.Takes, id) {
			continue
		}
		if err := s.Runs.Change(ctx, tx, id, func(v *run.View) error {
			supersede(v, r.ID)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// mostAside bounds the runs of a stack that wait outside and are looked at: the newest.
const mostAside = 100

// waitingAside gives the runs of a stack that wait outside and will change it.
func waitingAside(ctx context.Context, tx *store.Tx, stack string) ([]string, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf("SELECT DISTINCT run FROM stack_external WHERE stack = $1 AND queued = 1 AND locks = 1 ORDER BY run DESC LIMIT %d", mostAside), stack)
	aside, err := store.Collect(rows, err, func(r store.Row) (id string, err error) { return id, r.Scan(&id) })
	return aside, fault.Wrap(err, "find what waits aside of %s", stack)
}

// aside gives the runs of a stack that wait outside, and those whose place a run at a commit takes: they are of that commit or
// one before it. Where the commit is the branch's head, that is so of all but those of a commit after it, as of what was taken
// out of the branch since.
func (s *Service) aside(ctx context.Context, stack Stack, commit string) (aside, takes []string, err error) {
	var commits []string
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if aside, err = waitingAside(ctx, tx, stack.Ref.String()); err != nil {
			return err
		}
		for _, id := range aside {
			r, err := s.Runs.GetTx(ctx, tx, id)
			if err != nil {
				return err
			}
			commits = append(commits, r.Source.Commit)
		}
		return nil
	})
	if err != nil || len(aside) == 0 || commit == "" {
		return aside, nil, err
	}
	head, err := s.Repositories.Head(ctx, stack.Repository, stack.Branch)
	if err != nil {
		return nil, nil, err
	}
	for i, id := range aside {
		after, err := s.isBefore(ctx, stack, commit, commits[i])
		if err != nil {
			return nil, nil, err
		}
		before := !after && commit == head
		if !after && !before {
			if before, err = s.isBefore(ctx, stack, commits[i], commit); err != nil {
				return nil, nil, err
			}
		}
		if before || commits[i] == commit {
			takes = append(takes, id)
		}
	}
	return aside, takes, nil
}

// isBefore tells whether a commit is among the ancestors of another one; a commit that is gone is not.
func (s *Service) isBefore(ctx context.Context, stack Stack, one, other string) (bool, error) {
	if one == other {
		return false, nil
	}
	is, err := s.Repositories.IsAncestor(ctx, stack.Repository, one, other)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return is, err
}

// replaced tells whether a run ended because another, that has applied its stack, took its place.
func (s *Service) replaced(ctx context.Context, tx *store.Tx, r run.Run) (bool, error) {
	if r.State != canceled {
		return false, nil
	}
	steps, err := s.Runs.StepsTx(ctx, tx, r.ID)
	if err != nil {
		return false, err
	}
	step := externalStepOf(r, steps)
	if step == nil || externalsOf(step).Superseded == "" {
		return false, nil
	}
	by, err := s.Runs.GetTx(ctx, tx, externalsOf(step).Superseded)
	var in Input
	if err != nil || json.Unmarshal(by.Input, &in) != nil {
		return false, ignoreGone(err)
	}
	return in.Type == Tracked, nil
}

// externalWait tells for what a run that is queued waits outside; nil for nothing.
func externalWait(r run.Run, steps []run.Step) *Wait {
	if !MayMark(r, steps) {
		return nil
	}
	names := externals{Dependencies: ExternalsOf(r, steps)}.names(markWaiting)
	return &Wait{For: "external", Reason: "waits for " + some(names) + ", which nobody has marked as finished yet"}
}
