package pool

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations gives the room's tables.
func Migrations() store.Migrations {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return store.Migrations{Room: "pool", FS: sub}
}

const (
	poolColumns = "name, space, description, shared, drained, image, title, created"
	columns     = "SELECT " + poolColumns + " FROM pools"
)

func scan(row store.Row) (p Pool, err error) {
	var shared, drained int
	var created int64
	err = row.Scan(&p.Name, &p.Space, &p.Description, &shared, &drained, &p.Image, &p.Title, &created)
	p.Shared, p.Drained, p.Created = shared == 1, drained == 1, store.FromMicros(created)
	return p, err
}

func byName(ctx context.Context, tx *store.Tx, name string) (Pool, error) {
	return store.One(tx.QueryRow(ctx, columns+" WHERE name = $1", name), scan, "worker pool %s", name)
}

const agentColumns = "SELECT pool, name, home, life, about, drained, leaving, joined, seen, ending FROM pool_agents"

func scanAgent(row store.Row) (a Agent, err error) {
	var about string
	var drained, leaving int
	var joined, seen int64
	if err := row.Scan(&a.Pool, &a.Name, &a.home, &a.life, &about, &drained, &leaving, &joined, &seen, &a.ending); err != nil {
		return a, err
	}
	a.Drained, a.Leaving, a.Joined, a.Seen = drained == 1, leaving == 1, store.FromMicros(joined), store.FromMicros(seen)
	return a, fault.Wrap(json.Unmarshal([]byte(about), &a.About), "read what agent %s told of itself", a.Name)
}

func agentByName(ctx context.Context, tx *store.Tx, pool, name, lock string) (Agent, error) {
	return store.One(tx.QueryRow(ctx, agentColumns+" WHERE pool = $1 AND name = $2"+lock, pool, name), scanAgent, "agent %s of worker pool %s", name, pool)
}

func agentsOf(ctx context.Context, tx *store.Tx, pool string) ([]Agent, error) {
	rows, err := tx.Query(ctx, agentColumns+" WHERE pool = $1 ORDER BY name", pool)
	return store.Collect(rows, err, scanAgent)
}

func saveAgent(ctx context.Context, tx *store.Tx, a Agent) error {
	about, err := json.Marshal(a.About)
	if err != nil {
		return err
	}
	leaving := 0
	if a.Leaving {
		leaving = 1
	}
	_, err = tx.Exec(ctx, `INSERT INTO pool_agents (pool, name, home, life, about, drained, leaving, joined, seen, ending) VALUES ($1,$2,$3,$4,$5,0,$6,$7,$8,'')
 ON CONFLICT (pool, name) DO UPDATE SET home=excluded.home, life=excluded.life, about=excluded.about, leaving=excluded.leaving, seen=excluded.seen`,
		a.Pool, a.Name, a.home, a.life, string(about), leaving, store.Micros(a.Joined), store.Micros(a.Seen))
	return err
}

const tokenColumns = "SELECT id, pool, name, lookup, hash, created, created_by, expires, used, revoked FROM pool_tokens"

func scanToken(row store.Row) (t Token, err error) {
	var created, expires, used, revoked int64
	err = row.Scan(&t.ID, &t.Pool, &t.Name, &t.lookup, &t.hash, &created, &t.CreatedBy, &expires, &used, &revoked)
	t.Created, t.Expires, t.Used, t.Revoked = store.FromMicros(created), store.FromMicros(expires), store.FromMicros(used), store.FromMicros(revoked)
	return t, err
}

// forget drops the agents that have been gone for long.
func forget(ctx context.Context, tx *store.Tx, before time.Time) error {
	_, err := tx.Exec(ctx, "DELETE FROM pool_agents WHERE seen < $1", store.Micros(before))
	return err
}
