package scaffold

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations gives the tables of this room.
func Migrations() store.Migrations {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return store.Migrations{Room: "scaffold", FS: files}
}

// task is what a run of a golden path works from.
type task struct {
	Run        string
	Template   string // its reference
	Space      string
	Repository string // of the template's file; "" when it was applied by hand
	Commit     string
	Path       string
	Document   document.Document
	Values     map[string]any // of the form, without what is secret
	Hidden     hidden
	Principal  principal
	Retrier    principal // who continued the run last; zero when nobody has
	Undoer     principal // who asked to undo; zero when nobody has
	Pins       pins
	Created    time.Time
	Finished   time.Time // when its secrets were dropped; zero while the run may go on

	sealed []byte
	files  *workspace // of a dry run of files that are in no repository
}

// principal is who a run works for, stored as JSON: the rights are asked anew at each step, as far as the token or session
// that was presented still stands, and its narrowing stays.
type principal struct {
	ID       string   `json:"id,omitempty"`
	Narrowed bool     `json:"narrowed,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
	Token    string   `json:"token,omitempty"` // id of the token or session
}

// caller gives whoever acts in ctx as a run keeps it.
func caller(ctx context.Context) principal {
	who := actor.From(ctx)
	return principal{ID: who.ID, Narrowed: who.Scopes != nil, Scopes: who.Scopes, Token: who.Token}
}

// worksFor gives who a run works for: who continued it last, else who started it.
func (t *task) worksFor() principal {
	if t.Retrier.ID != "" {
		return t.Retrier
	}
	return t.Principal
}

const taskColumns = "run, template, space, repository, commit_hash, path, document, form, sealed, principal, undo_principal, created, retry_principal, pins, finished"

func scanTask(row store.Row) (*task, error) {
	var t task
	var doc, form, who, undoer, retrier, pinned string
	var created, finished int64
	err := row.Scan(&t.Run, &t.Template, &t.Space, &t.Repository, &t.Commit, &t.Path, &doc, &form, &t.sealed, &who, &undoer, &created, &retrier, &pinned, &finished)
	if err != nil {
		return nil, err
	}
	t.Created, t.Finished = store.FromMicros(created), store.FromMicros(finished)
	if t.Document, err = document.FromJSON([]byte(doc)); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		text string
		into any
	}{{form, &t.Values}, {who, &t.Principal}, {undoer, &t.Undoer}, {retrier, &t.Retrier}, {pinned, &t.Pins}} {
		if part.text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(part.text), part.into); err != nil {
			return nil, fmt.Errorf("read the task of run %s: %w", t.Run, err)
		}
	}
	return &t, nil
}

// getTask gives a run's task with what is sealed opened.
func (s *Service) getTask(ctx context.Context, run string) (t *task, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		t, err = store.One(tx.QueryRow(ctx, "SELECT "+taskColumns+" FROM scaffold_tasks WHERE run = $1", run), scanTask, "golden path run %s", run)
		return err
	})
	if err != nil || len(t.sealed) == 0 {
		return t, err
	}
	plain, err := s.Seal.Open(t.sealed)
	if err == nil {
		err = json.Unmarshal(plain, &t.Hidden)
	}
	if err != nil {
		return nil, fmt.Errorf("open the secrets of run %s: %w", run, err)
	}
	return t, nil
}

// insertTask writes the task and the lineage that stays after it.
func (s *Service) insertTask(ctx context.Context, tx *store.Tx, t *task, actor string) error {
	form, err := json.Marshal(t.Values)
	if err != nil {
		return err
	}
	who, err := json.Marshal(t.Principal)
	if err != nil {
		return err
	}
	created := store.Micros(t.Created)
	_, err = tx.Exec(ctx, "INSERT INTO scaffold_tasks ("+taskColumns+") VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,'','',0)",
		t.Run, t.Template, t.Space, t.Repository, t.Commit, t.Path, string(t.Document.JSON()), string(form), t.sealed, string(who), "", created)
	if err != nil {
		return fault.Wrap(err, "write the task of run %s", t.Run)
	}
	_, err = tx.Exec(ctx, `INSERT INTO scaffold_lineage (run, template, space, repository, commit_hash, path, form, actor, created, finished)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,0)`,
		t.Run, t.Template, t.Space, t.Repository, t.Commit, t.Path, string(form), actor, created)
	return fault.Wrap(err, "write the lineage of run %s", t.Run)
}

// Lineage says what came from which template.
type Lineage struct {
	Run        string
	Template   string // its reference
	Space      string
	Repository string // of the template
	Commit     string // at which the template was used
	Path       string
	Values     map[string]any // of the form, without secrets
	Actor      string         // principal
	Created    time.Time
	Finished   time.Time // zero while the run has not come to its end
	Made       []Made
}

const lineageColumns = "l.run, l.template, l.space, l.repository, l.commit_hash, l.path, l.form, l.actor, l.created, l.finished"

func scanLineage(row store.Row) (l Lineage, err error) {
	var form string
	var created, finished int64
	if err := row.Scan(&l.Run, &l.Template, &l.Space, &l.Repository, &l.Commit, &l.Path, &form, &l.Actor, &created, &finished); err != nil {
		return l, err
	}
	l.Created, l.Finished = store.FromMicros(created), store.FromMicros(finished)
	return l, json.Unmarshal([]byte(form), &l.Values)
}
