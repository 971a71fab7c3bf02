package discovery

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations gives the tables of this room.
func Migrations() store.Migrations {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return store.Migrations{Room: "discovery", FS: files}
}

// errSuperseded ends a look when a later one has begun, or the document has changed.
var errSuperseded = errors.New("a later look has taken over")

const columns = `SELECT name, space, spec, ended, generation, state, reason, counts, since, looked, next FROM discoveries`

func scan(row store.Row) (d Discovery, err error) {
	var spec, counts string
	var ended, since, looked, next int64
	if err := row.Scan(&d.Name, &d.Space, &spec, &ended, &d.generation, &d.State, &d.Reason, &counts, &since, &looked, &next); err != nil {
		return d, err
	}
	d.ended, d.Since, d.Looked, d.Next = ended == 1, store.FromMicros(since), store.FromMicros(looked), store.FromMicros(next)
	if err := json.Unmarshal([]byte(spec), &d.Spec); err != nil {
		return d, fault.Wrap(err, "read discovery %s", d.Name)
	}
	return d, fault.Wrap(json.Unmarshal([]byte(counts), &d.Counts), "read the counts of discovery %s", d.Name)
}

func byName(ctx context.Context, tx *store.Tx, name string) (Discovery, error) {
	return store.One(tx.QueryRow(ctx, columns+` WHERE name = $1`, name), scan, "discovery %s", name)
}

// held gives a Discovery at the generation of a look, and holds its row.
func held(ctx context.Context, tx *store.Tx, of Discovery) (Discovery, error) {
	d, err := store.One(tx.QueryRow(ctx, columns+` WHERE name = $1`+tx.ForUpdate(), of.Name), scan, "discovery %s", of.Name)
	if fault.Is(err, fault.NotFound) || err == nil && d.generation != of.generation {
		return d, errSuperseded
	}
	return d, err
}

func dueNames(ctx context.Context, tx *store.Tx, now time.Time) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT name FROM discoveries WHERE next <= $1 ORDER BY next, name LIMIT 100`, store.Micros(now))
	return store.Collect(rows, err, func(r store.Row) (name string, err error) { return name, r.Scan(&name) })
}

// claim begins a look: its one write when nothing has changed. False when it is not due any more.
func claim(ctx context.Context, tx *store.Tx, name string, now time.Time, next func(Discovery) time.Time) (d Discovery, due bool, err error) {
	d, err = store.One(tx.QueryRow(ctx, columns+` WHERE name = $1`+tx.ForUpdate(), name), scan, "discovery %s", name)
	if err != nil || d.Next.After(now) {
		return d, false, err
	}
	d.generation++
	d.Looked, d.Next = now, next(d)
	_, err = tx.Exec(ctx, `UPDATE discoveries SET generation = $2, looked = $3, next = $4 WHERE name = $1`, name, d.generation, store.Micros(d.Looked), store.Micros(d.Next))
	return d, true, err
}

func setOutcome(ctx context.Context, tx *store.Tx, d Discovery) error {
	counts, err := json.Marshal(d.Counts)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE discoveries SET state = $2, reason = $3, counts = $4, since = $5 WHERE name = $1`,
		d.Name, string(d.State), d.Reason, string(counts), store.Micros(d.Since))
	return err
}

// sooner has a Discovery looked at no later than a time.
func sooner(ctx context.Context, tx *store.Tx, name string, at time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE discoveries SET next = $2 WHERE name = $1 AND next > $2`, name, store.Micros(at))
	return err
}

func listed(ctx context.Context, tx *store.Tx, visible access.Set, space string, part page.Request) ([]Discovery, error) {
	w := &store.Where{}
	if !visible.All {
		w.Add(w.In("space", visible.List()))
	}
	w.Add("ended = 0")
	w.Equal("space", space)
	w.After("name", part.Cursor)
	rows, err := tx.Query(ctx, columns+w.String()+"ORDER BY name LIMIT "+w.Arg(part.Window()), w.Args...)
	return store.Collect(rows, err, scan)
}

// ofIntegration gives the Discoveries that are by an integration.
func ofIntegration(ctx context.Context, tx *store.Tx, integration string) (out []Discovery, err error) {
	rows, err := tx.Query(ctx, columns+` WHERE ended = 0 ORDER BY name`)
	all, err := store.Collect(rows, err, scan)
	for _, d := range all {
		if d.Spec.Integration == integration {
			out = append(out, d)
		}
	}
	return out, err
}

const foundColumns = `SELECT id, integration, space, name, url, state, reason, seen, target, repository, made, location FROM discovered`

func scanFound(r store.Row) (f Found, err error) {
	var made int64
	err = r.Scan(&f.ID, &f.integration, &f.space, &f.Name, &f.URL, &f.State, &f.Reason, &f.seen, &f.target, &f.repository, &made, &f.Location)
	f.made = made == 1
	return f, err
}

// spot names a repository: two forges may have the same id.
type spot struct{ integration, id string }

func (f Found) spot() spot { return spot{f.integration, f.ID} }

func (a spot) compare(b spot) int {
	return cmp.Or(strings.Compare(a.integration, b.integration), strings.Compare(a.id, b.id))
}

func allFound(ctx context.Context, tx *store.Tx, discovery string) (map[spot]Found, error) {
	rows, err := tx.Query(ctx, foundColumns+` WHERE discovery = $1`, discovery)
	all, err := store.Collect(rows, err, scanFound)
	out := make(map[spot]Found, len(all))
	for _, f := range all {
		out[f.spot()] = f
	}
	return out, err
}

func listedFound(ctx context.Context, tx *store.Tx, discovery, state string, part page.Request) ([]Found, error) {
	w := &store.Where{}
	w.Equal("discovery", discovery)
	w.Equal("state", state)
	w.After("name || ' ' || id || ' ' || integration", part.Cursor)
	rows, err := tx.Query(ctx, foundColumns+w.String()+`ORDER BY name || ' ' || id || ' ' || integration LIMIT `+w.Arg(part.Window()), w.Args...)
	return store.Collect(rows, err, scanFound)
}

func putFound(ctx context.Context, tx *store.Tx, discovery string, f Found) error {
	made := 0
	if f.made {
		made = 1
	}
	_, err := tx.Exec(ctx, `INSERT INTO discovered (discovery, id, integration, space, name, url, state, reason, seen, target, repository, made, location)
 VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13) ON CONFLICT (discovery, integration, id) DO UPDATE SET space=excluded.space,
 name=excluded.name, url=excluded.url, state=excluded.state, reason=excluded.reason, seen=excluded.seen, target=excluded.target,
 repository=excluded.repository, made=excluded.made, location=excluded.location`,
		discovery, f.ID, f.integration, f.space, f.Name, f.URL, f.State, f.Reason, f.seen, f.target, f.repository, made, f.Location)
	return fault.Wrap(err, "keep what was found of %s", f.Name)
}

func dropFound(ctx context.Context, tx *store.Tx, discovery string, at spot) error {
	_, err := tx.Exec(ctx, `DELETE FROM discovered WHERE discovery = $1 AND integration = $2 AND id = $3`, discovery, at.integration, at.id)
	return err
}

// inherit gives a repository that a Discovery has connected to another one that found it, too. False when there is none.
func inherit(ctx context.Context, tx *store.Tx, discovery, repository string) (bool, error) {
	n, err := tx.Exec(ctx, `UPDATE discovered SET made = 1 WHERE repository = $1 AND discovery <> $2`, repository, discovery)
	return n > 0, err
}

// asked is what the forge told of one person.
type asked struct {
	id, name, email string
	at              time.Time
}

func askedPeople(ctx context.Context, tx *store.Tx, discovery string) (map[string]asked, error) {
	rows, err := tx.Query(ctx, `SELECT id, name, email, asked FROM discovered_people WHERE discovery = $1`, discovery)
	all, err := store.Collect(rows, err, func(r store.Row) (a asked, err error) {
		var at int64
		err = r.Scan(&a.id, &a.name, &a.email, &at)
		a.at = store.FromMicros(at)
		return a, err
	})
	out := make(map[string]asked, len(all))
	for _, a := range all {
		out[a.id] = a
	}
	return out, err
}

func putAsked(ctx context.Context, tx *store.Tx, discovery string, a asked) error {
	_, err := tx.Exec(ctx, `INSERT INTO discovered_people (discovery, id, name, email, asked) VALUES ($1,$2,$3,$4,$5)
 ON CONFLICT (discovery, id) DO UPDATE SET name=excluded.name, email=excluded.email, asked=excluded.asked`, discovery, a.id, a.name, a.email, store.Micros(a.at))
	return err
}

func dropAsked(ctx context.Context, tx *store.Tx, discovery, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM discovered_people WHERE discovery = $1 AND id = $2`, discovery, id)
	return err
}

// end forgets a Discovery whose document is gone.
func end(ctx context.Context, tx *store.Tx, name string) error {
	for _, statement := range []string{`DELETE FROM discovered_people WHERE discovery = $1`, `DELETE FROM discovered WHERE discovery = $1`, `DELETE FROM discoveries WHERE name = $1`} {
		if _, err := tx.Exec(ctx, statement, name); err != nil {
			return fault.Wrap(err, "forget discovery %s", name)
		}
	}
	return nil
}
