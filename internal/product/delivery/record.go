package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// States of revisions.
const (
	revisionGood       = "succeeded"
	revisionFailed     = "failed"
	revisionRolledBack = "rolled-back"
)

// messageLimit bounds what is kept of a reason, in bytes; the log of the step has all of it.
const messageLimit = 2000

// clip shortens text to what is kept of a reason, at a character's border.
func clip(text string) string {
	if len(text) <= messageLimit {
		return text
	}
	return strings.ToValidUTF8(text[:messageLimit], "") + "…"
}

// record keeps what a sync came to: history, what is deployed, and what is not tried again. A step that is done twice
// finds what it has recorded first, and that stands.
func (s *Service) record(ctx context.Context, w work, digest, state, why string) (stands Revision, err error) {
	why = clip(why)
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		stands, err = revisionOf(ctx, tx, w.run.ID)
		if err != nil || stands.ID != "" {
			return err
		}
		now := s.Now()
		way, err := json.Marshal(w.in.Way)
		if err != nil {
			return fault.Wrap(err, "encode the way of %s", w.app.Ref)
		}
		stands = Revision{ID: ref.NewID("rvn", now), Commit: w.in.Commit, Mark: w.in.Mark, Manifests: digest, Way: string(way), Run: w.run.ID, State: state, Message: why, Created: now}
		_, err = tx.Exec(ctx, `INSERT INTO application_revisions (id, application, commit_id, mark, manifests, way, run, state, message, created)
 VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)`, stands.ID, w.app.Ref.String(), stands.Commit, stands.Mark, digest, stands.Way, w.run.ID, state, why, store.Micros(now))
		if err != nil {
			return fault.Wrap(err, "record the sync of %s", w.app.Ref)
		}
		if err := trim(ctx, tx, w.app); err != nil {
			return fault.Wrap(err, "trim the history of %s", w.app.Ref)
		}
		held, message := w.in.Mark, why
		switch {
		case state != revisionGood:
		case w.in.Manifests == "":
			held = ""
		case w.app.Failed == w.in.Mark && w.app.Message != "": // the head was held back already
			message = w.app.Message
		case w.app.Spec.automatic():
			message = "rolled back to " + short(w.in.Commit) + "; " + w.app.Branch + " is followed again when it moves"
		}
		_, err = tx.Exec(ctx, "UPDATE applications SET synced = $2, failed = $3, message = $4 WHERE ref = $1", w.app.Ref.String(), w.in.Commit, held, message)
		if err != nil {
			return fault.Wrap(err, "record the state of %s", w.app.Ref)
		}
		kind := "application.synced"
		if state != revisionGood {
			kind = "application.sync-failed"
		}
		return s.note(ctx, tx, w.app, kind, w.run.ID, map[string]any{"commit": w.in.Commit, "why": why})
	})
	return stands, err
}

func (s *Service) rolledBack(ctx context.Context, w work, rev Revision) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(ctx, "UPDATE application_revisions SET state = $2 WHERE run = $1 AND state = $3", w.run.ID, revisionRolledBack, revisionFailed)
		if err != nil || n == 0 {
			return err
		}
		message := fmt.Sprintf("%s did not become healthy and was rolled back to %s", short(w.in.Commit), short(rev.Commit))
		if _, err := tx.Exec(ctx, "UPDATE applications SET synced = $2, message = $3 WHERE ref = $1", w.app.Ref.String(), rev.Commit, message); err != nil {
			return err
		}
		return s.note(ctx, tx, w.app, "application.rolled-back", w.run.ID, map[string]any{"from": w.in.Commit, "to": rev.Commit})
	})
}

// ended keeps why a sync ended that never applied anything, so that the same is not tried again by itself. It takes
// the entry of the run's end, so that no crash and no broken step passes it by.
func (s *Service) ended(ctx context.Context, tx *store.Tx, r run.Run) error {
	var in Input
	if err := json.Unmarshal(r.Input, &in); err != nil {
		return nil // nothing that this room has made
	}
	a, err := getApplication(ctx, tx, r.Subject, tx.ForUpdate())
	if fault.Is(err, fault.NotFound) || r.State == succeeded || a.Deleted {
		return nil
	}
	if err != nil {
		return err
	}
	if recorded, err := revisionOf(ctx, tx, r.ID); err != nil || recorded.ID != "" {
		return err
	}
	// What has ended since knows better; syncs of one application end one after the other.
	page, err := s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Subject: r.Subject, Limit: 20})
	if err != nil || slices.ContainsFunc(page.Runs, func(other run.Run) bool { return other.Terminal && other.ID > r.ID }) {
		return err
	}
	why := clip(r.Reason)
	if r.State == canceled {
		why = "the sync to " + short(in.Commit) + " was canceled"
	}
	held := in.Mark
	if in.Manifests != "" || a.Synced == in.Commit && r.State == canceled {
		held = a.Failed // the head has not been tried
	}
	if _, err := tx.Exec(ctx, "UPDATE applications SET failed = $2, message = $3 WHERE ref = $1", r.Subject, held, why); err != nil {
		return fault.Wrap(err, "record the end of run %s", r.ID)
	}
	return s.note(ctx, tx, a, "application.sync-failed", r.ID, map[string]any{"commit": in.Commit, "why": why})
}

func (s *Service) note(ctx context.Context, tx *store.Tx, a Application, kind, runID string, data map[string]any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	var refs []string
	if !a.Component.IsZero() {
		refs = append(refs, a.Component.String())
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Space: a.Space, Type: kind, Subject: a.Ref.String(), Refs: refs, Run: runID, Data: raw})
	return fault.Wrap(err, "note %s of %s", kind, a.Ref)
}
