package catalog

import (
	"context"
	"encoding/json"
	"math"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

type storedVersion struct {
	Version
	document *document.Document
	space    string
}

// history gives a page of versions. An entity that lived in other spaces before shows only what the reader may see.
func history(ctx context.Context, tx *store.Tx, r ref.Entity, before int64, part page.Request, visible access.Set) (versions page.Of[Version], err error) {
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := tx.Query(ctx, `SELECT version, action, time, actor, git_commit, source, entry, document, space FROM entity_versions
WHERE ref = $1 AND version < $2 ORDER BY version DESC LIMIT $3`, r.String(), before, part.Window())
	stored, err := store.Collect(rows, err, scanVersion)
	if err != nil {
		return versions, err
	}
	seen := page.Cut(stored, part, func(v storedVersion) string { return strconv.Itoa(v.Number) })
	versions.Next = seen.Next // also when what is seen now is hidden from the reader
	for i, v := range seen.Items {
		if !visible.Has(v.space) {
			continue
		}
		var older *document.Document
		if i+1 < len(stored) && visible.Has(stored[i+1].space) {
			older = stored[i+1].document
		}
		if v.Action != Created {
			v.Diff = document.Diff(older, v.document)
		}
		versions.Items = append(versions.Items, v.Version)
	}
	return versions, nil
}

func scanVersion(r store.Row) (v storedVersion, err error) {
	var action, text string
	var at int64
	if err := r.Scan(&v.Number, &action, &at, &v.Actor, &v.Commit, &v.Source, &v.Entry, &text, &v.space); err != nil {
		return v, err
	}
	v.Action, v.Time = Action(action), store.FromMicros(at)
	if text != "" {
		d, err := document.FromJSON([]byte(text))
		if err != nil {
			return v, err
		}
		v.document = &d
	}
	return v, nil
}

const maxStatus = 64 << 10

// SetStatus writes what a product knows of an entity's real state, in the product's transaction; it asks for no right.
// condition is one word for people and filters, such as "Healthy"; only when it changes, the ledger has an entry.
// It fails with fault.NotFound for an entity that is gone and with fault.TooLarge over 64 KiB.
func (s *Service) SetStatus(ctx context.Context, tx *store.Tx, r ref.Entity, status any, condition string) error {
	data, err := json.Marshal(status)
	if err != nil {
		return fault.Wrap(err, "set the status of %s", r)
	}
	if len(data) > maxStatus || len(condition) > 200 {
		return fault.Errorf(fault.TooLarge, "the status of %s has %d bytes; at most %d are kept", r, len(data), maxStatus)
	}
	var space, had string
	err = tx.QueryRow(ctx, `SELECT e.space, COALESCE(s.condition, '') FROM entities e LEFT JOIN entity_statuses s ON s.ref = e.ref WHERE e.ref = $1`, r.String()).Scan(&space, &had)
	if fault.Is(err, fault.NotFound) {
		return fault.Errorf(fault.NotFound, "set the status of %s: there is no such entity", r)
	}
	if err != nil {
		return fault.Wrap(err, "set the status of %s", r)
	}
	_, err = tx.Exec(ctx, `INSERT INTO entity_statuses (ref, status, condition, updated) VALUES ($1, $2, $3, $4)
ON CONFLICT (ref) DO UPDATE SET status = excluded.status, condition = excluded.condition, updated = excluded.updated`,
		r.String(), string(data), condition, store.Micros(s.now()))
	if err != nil || had == condition {
		return fault.Wrap(err, "set the status of %s", r)
	}
	told, err := json.Marshal(map[string]string{"old": had, "new": condition})
	if err != nil {
		return err
	}
	subject, err := s.named(ctx, tx, r, true)
	if err != nil {
		return err
	}
	_, err = s.ledger.Append(ctx, tx, ledger.Entry{Space: space, Type: "entity.condition-changed", Subject: subject, Data: told})
	return fault.Wrap(err, "set the status of %s", r)
}
