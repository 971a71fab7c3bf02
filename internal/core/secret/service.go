package secret

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"regexp"
	"slices"
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
	Use
}

// Use says who is given a secret. Runs of its own space are, unless it is the platform's.
type Use struct {
	Shared   bool // work in the spaces below is given it too
	Platform bool // no run is given it: only what the platform itself connects to, such as a forge
}

// Change is what to set of a secret; what is nil stays as it is.
type Change struct {
	Value    []byte
	Shared   *bool
	Platform *bool
	IfMatch  string // checksum of the value that is replaced, for fault.IfMatch
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

// Put sets a secret's value, or who is given it. It needs secret:write in the space. Errors: Invalid (the name, no value),
// TooLarge, Stale, NotFound for another use of a secret that is not there.
func (s *Service) Put(ctx context.Context, space, name string, c Change) error {
	if err := s.access.Authorize(ctx, "secret:write", space); err != nil {
		return err
	}
	if _, err := s.access.Ancestors(ctx, space); err != nil {
		return err
	}
	switch {
	case !namePattern.MatchString(name):
		return fault.Errorf(fault.Invalid, "%q can't be the name of a secret; use letters, digits, '.', '_' and '-'", name)
	case len(c.Value) == 0 && (c.Value != nil || c.Shared == nil && c.Platform == nil):
		return fault.Errorf(fault.Invalid, "the value of secret %s is empty; delete the secret instead", name)
	case len(c.Value) > MaxValue:
		return fault.Errorf(fault.TooLarge, "the value of secret %s is larger than %d bytes", name, MaxValue)
	}
	return s.db.Write(ctx, func(tx *store.Tx) error {
		if err := unchanged(ctx, tx, space, name, c.IfMatch); err != nil {
			return err
		}
		use, there, err := useOf(ctx, tx, space, name)
		if err != nil {
			return err
		}
		if c.Shared != nil {
			use.Shared = *c.Shared
		}
		if c.Platform != nil {
			use.Platform = *c.Platform
		}
		if c.Value != nil {
			err = s.putValue(ctx, tx, space, name, c.Value)
		} else if !there {
			err = noSuch(space, name)
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE secrets SET shared = $3, platform = $4, actor = $5, updated = $6 WHERE space = $1 AND name = $2",
			space, name, use.Shared, use.Platform, actor.From(ctx).ID, store.Micros(s.now()))
		if err != nil {
			return fault.Wrap(err, "keep secret %s", name)
		}
		return s.note(ctx, tx, "secret.set", space, name, use)
	})
}

func (s *Service) putValue(ctx context.Context, tx *store.Tx, space, name string, value []byte) error {
	sealed, err := s.keeper.Seal(value)
	if err != nil {
		return fault.Wrap(err, "seal secret %s", name)
	}
	_, err = tx.Exec(ctx, `INSERT INTO secrets (space, name, sealed, checksum, shared, platform, actor, updated) VALUES ($1,$2,$3,$4,0,0,'',0)
 ON CONFLICT (space, name) DO UPDATE SET sealed=excluded.sealed, checksum=excluded.checksum`, space, name, sealed, s.keeper.checksum(space, name, value))
	return fault.Wrap(err, "keep secret %s", name)
}

func useOf(ctx context.Context, tx *store.Tx, space, name string) (use Use, there bool, err error) {
	err = tx.QueryRow(ctx, "SELECT shared, platform FROM secrets WHERE space = $1 AND name = $2"+tx.ForUpdate(), space, name).Scan(&use.Shared, &use.Platform)
	if fault.Is(err, fault.NotFound) {
		return Use{}, false, nil
	}
	return use, err == nil, fault.Wrap(err, "read secret %s", name)
}

func noSuch(space, name string) error {
	return fault.Errorf(fault.NotFound, "secret %s/%s: no such secret", space, name)
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
		rows, err := tx.Query(ctx, "SELECT space, name, checksum, actor, updated, shared, platform FROM secrets"+w.String()+" ORDER BY name LIMIT "+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, func(row store.Row) (Info, error) {
			var i Info
			var updated int64
			err := row.Scan(&i.Space, &i.Name, &i.Checksum, &i.Actor, &updated, &i.Shared, &i.Platform)
			i.Updated = store.FromMicros(updated)
			return i, err
		})
		list = page.Cut(all, part, func(i Info) string { return i.Name })
		return err
	})
	return list, fault.Wrap(err, "list the secrets of space %s", space)
}

// Checksums gives the checksums of the secrets that references (SPACE/NAME) name, as far as the caller has secret:read where
// they are; the others are left out.
func (s *Service) Checksums(ctx context.Context, refs []string) (map[string]string, error) {
	sums := map[string]string{}
	var readable []string
	for _, r := range refs {
		if space, _, ok := strings.Cut(r, "/"); ok && s.access.May(ctx, "secret:read", space) && !slices.Contains(readable, r) {
			readable = append(readable, r)
		}
	}
	if len(readable) == 0 {
		return sums, nil
	}
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		for _, r := range readable {
			space, name, _ := strings.Cut(r, "/")
			var sum string
			err := tx.QueryRow(ctx, "SELECT checksum FROM secrets WHERE space = $1 AND name = $2", space, name).Scan(&sum)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return fault.Wrap(err, "read secret %s", r)
			}
			if err == nil {
				sums[r] = sum
			}
		}
		return nil
	})
	return sums, err
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
			return noSuch(space, name)
		}
		return s.note(ctx, tx, "secret.deleted", space, name, Use{})
	})
}

func (s *Service) note(ctx context.Context, tx *store.Tx, kind, space, name string, use Use) error {
	data, err := json.Marshal(struct {
		Name     string `json:"name"`
		Shared   bool   `json:"shared,omitempty"`
		Platform bool   `json:"platform,omitempty"`
	}{name, use.Shared, use.Platform})
	if err != nil {
		return err
	}
	_, err = s.ledger.Append(ctx, tx, ledger.Entry{Space: space, Type: kind, Subject: "secret:" + space + "/" + name, Data: data})
	return fault.Wrap(err, "note %s", kind)
}

// Stamp gives a text that differs when one of the secrets that references name is set anew. It fails as Resolve does.
func (s *Service) Stamp(ctx context.Context, tx *store.Tx, space string, refs []string) (string, error) {
	var all strings.Builder
	err := s.each(ctx, tx, space, refs, func(k kept) error {
		all.WriteString(k.ref + " " + k.checksum + "\n")
		return nil
	})
	return all.String(), err
}

// Resolve gives the values that references (SPACE/NAME or SPACE/NAME#KEY) name, to the platform alone, for its own work for
// a space: the secret must be of that space, or shared by one above it. With a key, the value is a JSON object and the key
// chooses from it. NotFound names the first reference that can't be resolved, in the same words whether the secret is
// missing or out of reach.
func (s *Service) Resolve(ctx context.Context, tx *store.Tx, space string, refs []string) (map[string]string, error) {
	return s.values(ctx, tx, space, refs, false)
}

// Hand is Resolve for what is given to a run of the space, which may tell it to everybody: Denied for a secret that is the
// platform's.
func (s *Service) Hand(ctx context.Context, tx *store.Tx, space string, refs []string) (map[string]string, error) {
	return s.values(ctx, tx, space, refs, true)
}

func (s *Service) values(ctx context.Context, tx *store.Tx, space string, refs []string, toRun bool) (map[string]string, error) {
	values := make(map[string]string, len(refs))
	err := s.each(ctx, tx, space, refs, func(k kept) error {
		if toRun && k.Platform {
			return fault.Errorf(fault.Denied, "secret %s is for the platform's own connections, and no run is given it; take another one", k.where)
		}
		plain, err := s.keeper.Open(k.sealed)
		if err != nil {
			return fault.Wrap(err, "secret %s", k.where)
		}
		values[k.ref], err = choose(k.where, k.key, plain)
		return err
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// kept is a secret that a reference names.
type kept struct {
	ref, where, key string // where is the reference without its key
	sealed          []byte
	checksum        string
	Use
}

// each reads the secrets that references name for work in a space.
func (s *Service) each(ctx context.Context, tx *store.Tx, space string, refs []string, take func(k kept) error) error {
	up, err := s.access.Inherited(ctx, space)
	if err != nil {
		return err
	}
	for _, r := range refs {
		k := kept{ref: r}
		k.where, k.key, _ = strings.Cut(r, "#")
		from, name, ok := strings.Cut(k.where, "/")
		gone := fault.Errorf(fault.NotFound, "secret %s is not in space %s, and no space above that it inherits from shares it; set it with `roadbed secret put`", k.where, space)
		if !ok || !slices.Contains(up, from) {
			return gone
		}
		err := tx.QueryRow(ctx, "SELECT sealed, checksum, shared, platform FROM secrets WHERE space = $1 AND name = $2", from, name).Scan(&k.sealed, &k.checksum, &k.Shared, &k.Platform)
		if fault.Is(err, fault.NotFound) || err == nil && from != space && !k.Shared {
			return gone
		}
		if err != nil {
			return fault.Wrap(err, "read secret %s", k.where)
		}
		if err := take(k); err != nil {
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
