package secret

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"regexp"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
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
	return store.Migrations{Room: "secret", FS: files}
}

// MaxValue bounds a secret, in bytes.
const MaxValue = 64 << 10

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$`)

// Info is what people see of a secret.
type Info struct {
	Space, Name string
	Checksum    string // equal for equal values of one secret
	Actor       string // who set it last
	Updated     time.Time
}

// Service keeps secrets. It is safe for concurrent use.
type Service struct {
	db     *store.DB
	access *access.Service
	ledger *ledger.Ledger
	keeper *Keeper
	now    func() time.Time
}

// New gives the service. It needs the tables of Migrations.
func New(db *store.DB, access *access.Service, ledger *ledger.Ledger, keeper *Keeper, now func() time.Time) *Service {
	return &Service{db, access, ledger, keeper, now}
}

// Put sets a secret's value. It needs secret:write in the space. ifMatch is the checksum of the value that it replaces,
// for fault.IfMatch. Errors: Invalid (the name, an empty value), TooLarge, Stale.
func (s *Service) Put(ctx context.Context, space, name string, value []byte, ifMatch string) error {
	if err := s.access.Authorize(ctx, "secret:write", space); err != nil {
		return err
	}
	if _, err := s.access.Ancestors(ctx, space); err != nil {
		return err
	}
	switch {
	case !namePattern.MatchString(name):
		return fault.Errorf(fault.Invalid, "%q can't be the name of a secret; use letters, digits, '.', '_' and '-'", name)
	case len(value) == 0:
		return fault.Errorf(fault.Invalid, "the value of secret %s is empty; delete the secret instead", name)
	case len(value) > MaxValue:
		return fault.Errorf(fault.TooLarge, "the value of secret %s is larger than %d bytes", name, MaxValue)
	}
	sealed, err := s.keeper.Seal(value)
	if err != nil {
		return fault.Wrap(err, "seal secret %s", name)
	}
	sum := s.keeper.checksum(space, name, value)
	return s.db.Write(ctx, func(tx *store.Tx) error {
		if err := unchanged(ctx, tx, space, name, ifMatch); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO secrets (space, name, sealed, checksum, actor, updated) VALUES ($1,$2,$3,$4,$5,$6)
 ON CONFLICT (space, name) DO UPDATE SET sealed=excluded.sealed, checksum=excluded.checksum, actor=excluded.actor, updated=excluded.updated`,
			space, name, sealed, sum, actor.From(ctx).ID, store.Micros(s.now()))
		if err != nil {
			return fault.Wrap(err, "keep secret %s", name)
		}
		return s.note(ctx, tx, "secret.set", space, name)
	})
}

// List gives the secrets of a space without their values, by name. It needs secret:read there; otherwise NotFound.
func (s *Service) List(ctx context.Context, space string, part page.Request) (list page.Of[Info], err error) {
	if err := s.access.ReadOrNotFound(ctx, "secret:read", space, "space "+space); err != nil {
		return list, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		w := &store.Where{}
		w.Equal("space", space)
		w.After("name", part.Cursor)
		rows, err := tx.Query(ctx, "SELECT space, name, checksum, actor, updated FROM secrets"+w.String()+" ORDER BY name LIMIT "+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, func(row store.Row) (Info, error) {
			var i Info
			var updated int64
			err := row.Scan(&i.Space, &i.Name, &i.Checksum, &i.Actor, &updated)
			i.Updated = store.FromMicros(updated)
			return i, err
		})
		list = page.Cut(all, part, func(i Info) string { return i.Name })
		return err
	})
	return list, fault.Wrap(err, "list the secrets of space %s", space)
}

// unchanged refuses with Stale to replace another value than the one that was seen.
func unchanged(ctx context.Context, tx *store.Tx, space, name, ifMatch string) error {
	if ifMatch == "" {
		return nil
	}
	var sum string
	err := tx.QueryRow(ctx, "SELECT checksum FROM secrets WHERE space = $1 AND name = $2"+tx.ForUpdate(), space, name).Scan(&sum)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return fault.Wrap(err, "read secret %s", name)
	}
	return fault.IfMatch(ifMatch, sum, "secret "+space+"/"+name)
}

// Delete forgets a secret. It needs secret:write in the space; NotFound when there is none. ifMatch is as in Put.
func (s *Service) Delete(ctx context.Context, space, name, ifMatch string) error {
	if err := s.access.Authorize(ctx, "secret:write", space); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *store.Tx) error {
		if err := unchanged(ctx, tx, space, name, ifMatch); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, "DELETE FROM secrets WHERE space = $1 AND name = $2", space, name)
		if err != nil {
			return fault.Wrap(err, "delete secret %s", name)
		}
		if n == 0 {
			return fault.Errorf(fault.NotFound, "secret %s/%s: no such secret", space, name)
		}
		return s.note(ctx, tx, "secret.deleted", space, name)
	})
}

func (s *Service) note(ctx context.Context, tx *store.Tx, kind, space, name string) error {
	data, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		return err
	}
	_, err = s.ledger.Append(ctx, tx, ledger.Entry{Space: space, Type: kind, Subject: "secret:" + space + "/" + name, Data: data})
	return fault.Wrap(err, "note %s", kind)
}

// Stamp gives a text that differs when one of the secrets that references name is set anew. It fails as Resolve does.
func (s *Service) Stamp(ctx context.Context, tx *store.Tx, space string, refs []string) (string, error) {
	var all strings.Builder
	err := s.each(ctx, tx, space, refs, func(r, _, _ string, _ []byte, sum string) error {
		all.WriteString(r + " " + sum + "\n")
		return nil
	})
	return all.String(), err
}

// Resolve gives the values that references (SPACE/NAME or SPACE/NAME#KEY) name, to the platform alone, for work in a
// space: the secret must belong to that space or to one above it. With a key, the value is a JSON object and the key
// chooses from it. NotFound names the first reference that can't be resolved, in the same words whether the secret is
// missing or out of reach.
func (s *Service) Resolve(ctx context.Context, tx *store.Tx, space string, refs []string) (map[string]string, error) {
	values := make(map[string]string, len(refs))
	err := s.each(ctx, tx, space, refs, func(r, where, key string, sealed []byte, _ string) error {
		plain, err := s.keeper.Open(sealed)
		if err != nil {
			return fault.Wrap(err, "secret %s", where)
		}
		values[r], err = choose(where, key, plain)
		return err
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// each reads the secrets that references name for work in a space.
func (s *Service) each(ctx context.Context, tx *store.Tx, space string, refs []string, take func(r, where, key string, sealed []byte, sum string) error) error {
	up, err := s.access.Ancestors(ctx, space)
	if err != nil {
		return err
	}
	reach := map[string]bool{}
	for _, a := range up {
		reach[a] = true
	}
	for _, r := range refs {
		where, key, _ := strings.Cut(r, "#")
		from, name, ok := strings.Cut(where, "/")
		gone := fault.Errorf(fault.NotFound, "secret %s is not in space %s or above it; set it with `roadbed secret put`", where, space)
		if !ok || !reach[from] {
			return gone
		}
		var sealed []byte
		var sum string
		err := tx.QueryRow(ctx, "SELECT sealed, checksum FROM secrets WHERE space = $1 AND name = $2", from, name).Scan(&sealed, &sum)
		if fault.Is(err, fault.NotFound) {
			return gone
		}
		if err != nil {
			return fault.Wrap(err, "read secret %s", where)
		}
		if err := take(r, where, key, sealed, sum); err != nil {
			return err
		}
	}
	return nil
}

func choose(where, key string, plain []byte) (string, error) {
	if key == "" {
		return string(plain), nil
	}
	var object map[string]string
	if err := json.Unmarshal(plain, &object); err != nil {
		return "", fault.Errorf(fault.Invalid, "secret %s is not a JSON object of texts, so it has no key %s", where, key)
	}
	value, ok := object[key]
	if !ok {
		return "", fault.Errorf(fault.NotFound, "secret %s has no key %s", where, key)
	}
	return value, nil
}
