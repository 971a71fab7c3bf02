package scaffold

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Kinds of things that golden paths make outside their workspace.
const (
	MadeRepository = "repository" // Name is NAMESPACE/NAME
	MadeLocation   = "location"   // Name is NAMESPACE/NAME:PATH
)

// Made is one thing that a run made. It is stored as JSON and shown in the run's output.
type Made struct {
	Kind     string   `json:"kind"`
	Name     string   `json:"name"`
	URL      string   `json:"url,omitempty"`
	Step     string   `json:"step,omitempty"`
	ID       string   `json:"id,omitempty"`       // of a location that was made, of a repository from its intention on
	Branch   string   `json:"branch,omitempty"`   // of a repository
	Commit   string   `json:"commit,omitempty"`   // the first one of a repository, on its branch
	Entities []string `json:"entities,omitempty"` // that a location brought
	State    string   `json:"state,omitempty"`    // intended: perhaps made; made; undone
}

// splitLocation reads the name of a location.
func splitLocation(name string) (repository, path string, ok bool) { return strings.Cut(name, ":") }

// States of a thing that was made.
const (
	stateIntended = "intended"
	stateMade     = "made"
	stateUndone   = "undone"
)

// tableKeeper keeps what a run makes in this room's table.
type tableKeeper struct {
	s    *Service
	task *task
	step string
}

func (k tableKeeper) state(ctx context.Context, m Made) (state, id string, err error) {
	var data string
	err = k.s.DB.Read(ctx, func(tx *store.Tx) error {
		err := tx.QueryRow(ctx, "SELECT state, data FROM scaffold_made WHERE run = $1 AND kind = $2 AND name = $3", k.task.Run, m.Kind, m.Name).Scan(&state, &data)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		return err
	})
	if state == stateUndone {
		state = ""
	}
	if err == nil && state != "" {
		var was Made
		err = json.Unmarshal([]byte(data), &was)
		id = was.ID
	}
	return state, id, fault.Wrap(err, "look for %s %s of run %s", m.Kind, m.Name, k.task.Run)
}

func (k tableKeeper) intend(ctx context.Context, m Made) error {
	m.Step, m.State = k.step, ""
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode %s: %w", m.Name, err)
	}
	err = k.s.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO scaffold_made (run, kind, name, position, step, state, data, created)
			VALUES ($1, $2, $3, (SELECT COUNT(*) FROM scaffold_made WHERE run = $1), $4, $5, $6, $7)
			ON CONFLICT (run, kind, name) DO NOTHING`,
			k.task.Run, m.Kind, m.Name, k.step, stateIntended, string(data), store.Micros(k.s.Now()))
		return err
	})
	return fault.Wrap(err, "write down that %s %s will be made", m.Kind, m.Name)
}

// made also tells the ledger, once, so that the history of what was made names its template and run.
func (k tableKeeper) made(ctx context.Context, m Made) error {
	m.Step, m.State = k.step, ""
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode %s: %w", m.Name, err)
	}
	err = k.s.DB.Write(ctx, func(tx *store.Tx) error {
		fresh, err := tx.Exec(ctx, "UPDATE scaffold_made SET state = $1 WHERE run = $2 AND kind = $3 AND name = $4 AND state <> $1",
			stateMade, k.task.Run, m.Kind, m.Name)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE scaffold_made SET data = $1 WHERE run = $2 AND kind = $3 AND name = $4",
			string(data), k.task.Run, m.Kind, m.Name); err != nil || fresh == 0 {
			return err
		}
		return k.s.tell(ctx, tx, k.task, k.task.worksFor(), "scaffold.made", m)
	})
	return fault.Wrap(err, "write down that %s %s was made", m.Kind, m.Name)
}

func (k tableKeeper) forget(ctx context.Context, m Made) error {
	err := k.s.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM scaffold_made WHERE run = $1 AND kind = $2 AND name = $3 AND state = $4", k.task.Run, m.Kind, m.Name, stateIntended)
		return err
	})
	return fault.Wrap(err, "take back that %s %s will be made", m.Kind, m.Name)
}

// tell appends what happened to a thing of a run, and by whom.
func (s *Service) tell(ctx context.Context, tx *store.Tx, t *task, by principal, kind string, m Made) error {
	data, err := json.Marshal(map[string]string{"kind": m.Kind, "name": m.Name, "template": t.Template, "commit": t.Commit})
	if err != nil {
		return err
	}
	subject := m.Name
	if m.Kind == MadeRepository {
		subject = "repository:" + m.Name // as core/repository's own entries name it
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{
		Actor: by.ID, Space: t.Space, Type: kind, Subject: subject, Refs: append([]string{t.Template}, m.Entities...), Run: t.Run, Data: data,
	})
	return err
}

// madeBy gives what a run has made or may have made, the oldest first.
func madeBy(ctx context.Context, tx *store.Tx, run string) ([]Made, error) {
	rows, err := tx.Query(ctx, "SELECT data, state FROM scaffold_made WHERE run = $1 ORDER BY position, created", run)
	return store.Collect(rows, err, func(row store.Row) (m Made, err error) {
		var data, state string
		if err := row.Scan(&data, &state); err != nil {
			return m, err
		}
		err = json.Unmarshal([]byte(data), &m)
		m.State = state
		return m, err
	})
}

// noKeeper is for dry runs, in which nothing is made.
type noKeeper struct{}

func (noKeeper) state(context.Context, Made) (state, id string, err error) { return "", "", nil }
func (noKeeper) intend(context.Context, Made) error                        { return errDry() }
func (noKeeper) made(context.Context, Made) error                          { return errDry() }
func (noKeeper) forget(context.Context, Made) error                        { return nil }

func errDry() error { return fault.Errorf(fault.Internal, "a dry run makes nothing") }
