package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

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
	ref      ref.Entity
	uid      string
	document *document.Document // nil for one that is deleted or forgotten
	space    string
	declared []document.Relation // nil until they are asked for
}

// HistoryQuery narrows a history.
type HistoryQuery struct {
	Since, Until time.Time // zero for no bound
	Actor        string    // id of a principal
}

// History gives versions of an entity, the newest first. It is there for deleted entities too. It needs entity:read in
// the entity's last space; otherwise NotFound. Of spaces where it lived before it shows what the reader may see.
func (s *Service) History(ctx context.Context, r ref.Entity, q HistoryQuery, part page.Request) (versions page.Of[Version], err error) {
	before, err := part.Number()
	if err != nil {
		return versions, err
	}
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil {
		return versions, err
	}
	var space string
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		err := tx.QueryRow(ctx, `SELECT space FROM entity_versions WHERE ref = $1 ORDER BY version DESC LIMIT 1`, r.String()).Scan(&space)
		if err != nil || !visible.Has(space) {
			return err
		}
		versions, err = history(ctx, tx, r, q, before, part, visible)
		return err
	})
	if fault.Is(err, fault.NotFound) || err == nil && !visible.Has(space) {
		return page.Of[Version]{}, access.NotFound("entity " + r.String())
	}
	return versions, fault.Wrap(err, "read the history of %s", r)
}

// versionColumns come with what they need of other tables: the repository of the source, and the one before.
const (
	versionColumns = `v.version, v.action, v.time, v.actor, v.git_commit, v.source, v.entry, v.document, v.space, v.ref, v.uid, COALESCE(l.repository, '')`
	versionTables  = `entity_versions v LEFT JOIN locations l ON l.id = CASE WHEN substr(v.source, 1, 9) = 'location:' THEN substr(v.source, 10) END`
)

func history(ctx context.Context, tx *store.Tx, r ref.Entity, q HistoryQuery, before int64, part page.Request, visible access.Set) (versions page.Of[Version], err error) {
	c := conditions{args: []any{r.String()}, parts: []string{"v.ref = $1"}}
	if before > 0 {
		c.add("v.version < $%d", before)
	}
	if !q.Since.IsZero() {
		c.add("v.time >= $%d", store.Micros(q.Since))
	}
	if !q.Until.IsZero() {
		c.add("v.time <= $%d", store.Micros(q.Until))
	}
	if q.Actor != "" {
		c.add("v.actor = $%d", q.Actor)
	}
	c.visible("v.space", visible)
	limit := c.arg(part.Window())
	rows, err := tx.Query(ctx, `SELECT `+versionColumns+` FROM `+versionTables+` WHERE `+c.String()+` ORDER BY v.version DESC LIMIT `+limit, c.args...)
	stored, err := store.Collect(rows, err, scanVersion)
	if err != nil {
		return versions, err
	}
	seen := page.Cut(stored, part, func(v storedVersion) string { return strconv.Itoa(v.Number) })
	versions.Next = seen.Next
	for _, v := range seen.Items {
		if v.Action != Created {
			older, err := oneBefore(ctx, tx, v, visible)
			if err != nil {
				return versions, err
			}
			v.Diff = document.Diff(older, v.document)
		}
		versions.Items = append(versions.Items, v.Version)
	}
	return versions, nil
}

// oneBefore gives the document of the version before; nil where it is forgotten or may not be seen.
func oneBefore(ctx context.Context, tx *store.Tx, v storedVersion, visible access.Set) (*document.Document, error) {
	rows, err := tx.Query(ctx, `SELECT `+versionColumns+` FROM `+versionTables+` WHERE v.ref = $1 AND v.version < $2 ORDER BY v.version DESC LIMIT 1`, v.ref.String(), v.Number)
	found, err := store.Collect(rows, err, scanVersion)
	if err != nil || len(found) == 0 || !visible.Has(found[0].space) {
		return nil, err
	}
	return found[0].document, nil
}

// conditions are those of a statement, with their arguments.
type conditions struct {
	parts []string
	args  []any
}

func (c *conditions) arg(value any) string {
	c.args = append(c.args, value)
	return "$" + strconv.Itoa(len(c.args))
}

// add takes a condition with one %d for the number of its argument.
func (c *conditions) add(format string, value any) {
	c.args = append(c.args, value)
	c.parts = append(c.parts, fmt.Sprintf(format, len(c.args)))
}

func (c *conditions) visible(column string, visible access.Set) {
	if !visible.All {
		c.parts = append(c.parts, c.among(column, visible.List()))
	}
}

// among is met where a column has one of the values; with none, nowhere.
func (c *conditions) among(column string, values []string) string {
	if len(values) == 0 {
		return "1 = 0"
	}
	in, args := numbered(len(c.args)+1, values)
	c.args = append(c.args, args...)
	return column + " IN (" + in + ")"
}

func (c *conditions) String() string { return strings.Join(c.parts, " AND ") }

func scanVersion(r store.Row) (v storedVersion, err error) {
	var action, text, name string
	var at int64
	if err := r.Scan(&v.Number, &action, &at, &v.Actor, &v.Commit, &v.Source, &v.Entry, &text, &v.space, &name, &v.uid, &v.Repository); err != nil {
		return v, err
	}
	v.ref, v.Action, v.Time = parseStored(name), Action(action), store.FromMicros(at)
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
