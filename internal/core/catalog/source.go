package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// PushRight is what it takes to push to a source; a token may be narrowed to one: source:push=NAME.
const PushRight = "source:push"

const sourcePrefix = "push:"

// DirectorySource begins the sources of people and groups that a directory brings: directory:NAMESPACE/NAME.
const DirectorySource = "directory:"

// Bounds of a push.
const (
	PushBytes   = 16 << 20
	maxPushed   = 20_000 // documents
	maxPushGone = 20_000 // references to delete
)

var sourceName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Source is an outside system that pushes what it knows.
type Source struct {
	Name      string
	Space     string // of what it brings
	Created   time.Time
	CreatedBy string
	Pushed    time.Time // the last push began; zero before the first
	PushedBy  string
	Ended     time.Time // the last push ended; zero while one is under way, or was cut off
	Last      Brought   // of the last push
	Details   []fault.Detail
	Entities  int // that it has brought

	generation int64
	digest     string // of the last whole set, while nothing else has come since
}

// Etag changes with each push that is taken.
func (s Source) Etag() string {
	return etag(fmt.Appendf(nil, "%s %d %d", s.Name, store.Micros(s.Created), s.generation))
}

func (s Source) source() string { return sourcePrefix + s.Name }

// Push is what an outside system says.
type Push struct {
	Name      string
	Space     string // of a new source; "" is the root space
	Documents []document.Document
	Remove    []ref.Entity // of a delta
	Whole     bool         // the documents are all that the source has
	IfMatch   string       // etag of the source
}

// Push takes in what an outside system pushes: a whole set, or a delta. The first push makes the source. It needs
// source:push in the source's space, and for restricted kinds the right that they take. A document that is wrong, or that
// belongs to another source, keeps its last good entity and is told in the outcome; the others are taken. A whole set that
// is as the last one writes nothing. Stale when another push has come since IfMatch.
func (s *Service) Push(ctx context.Context, in Push) (Source, Brought, error) {
	src, err := s.mayPush(ctx, &in)
	if err != nil {
		return src, Brought{}, err
	}
	digest := digestOf(in)
	if in.Whole && src.digest == digest {
		if err := fault.IfMatch(in.IfMatch, src.Etag(), "source "+in.Name); err != nil {
			return src, Brought{}, err
		}
		src, err = s.counted(ctx, src)
		return src, Brought{Unchanged: len(in.Documents)}, err
	}
	if src, err = s.beginPush(ctx, in); err != nil {
		return src, Brought{}, err
	}
	out, err := s.Bring(ctx, Set{
		Space: src.Space, Source: src.source(), Documents: in.Documents, Remove: in.Remove, Whole: in.Whole,
		May: func(kind document.Kind) error { return s.access.Authorize(ctx, kind.Takes(), src.Space) },
		Still: func(ctx context.Context, tx *store.Tx) error {
			now, err := sourceByName(ctx, tx, src.Name)
			if fault.Is(err, fault.NotFound) || err == nil && now.generation != src.generation {
				return errSuperseded
			}
			return err
		},
	})
	if err != nil {
		if errors.Is(err, errSuperseded) {
			err = fault.Errorf(fault.Conflict, "another push to %s has come meanwhile; send the newest state again", in.Name)
		}
		return src, out, err
	}
	src, err = s.endPush(ctx, src, out, digest, in.Whole && out.Wrong == 0)
	return src, out, err
}

func digestOf(in Push) string {
	sum := sha256.New()
	for _, d := range in.Documents {
		sum.Write(d.JSON())
		sum.Write([]byte{0})
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// mayPush asks for the rights, before anything is looked at that may be costly; the source is as the database has it, or
// new.
func (s *Service) mayPush(ctx context.Context, in *Push) (Source, error) {
	if !sourceName.MatchString(in.Name) {
		return Source{}, fault.Errorf(fault.Invalid, "%q is not the name of a source; use small letters, digits, '.', '_' and '-', at most 63", clip(in.Name))
	}
	src, err := s.MayPush(ctx, in.Name, in.Space)
	if err != nil {
		return src, err
	}
	switch {
	case in.Space != "" && in.Space != src.Space:
		return src, fault.Errorf(fault.Conflict, "source %s is of space %s; delete it first, or take another name", in.Name, src.Space)
	case len(in.Documents) > maxPushed || len(in.Remove) > maxPushGone:
		return src, fault.Errorf(fault.TooLarge, "at most %d documents are taken in one push; send the rest as a delta, or use several sources", maxPushed)
	case in.Whole && len(in.Remove) > 0:
		return src, fault.Errorf(fault.Invalid, "a whole set has nothing to delete: what is not in it goes")
	}
	return src, nil
}

// MayPush gives a source to whoever may push to it; one that is not there yet is of the space.
func (s *Service) MayPush(ctx context.Context, name, space string) (Source, error) {
	var src Source
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		src, err = sourceByName(ctx, tx, name)
		return err
	})
	if fault.Is(err, fault.NotFound) {
		src, err = Source{Name: name, Space: space}, nil
		if src.Space == "" {
			src.Space = access.Root
		}
	}
	if err != nil {
		return src, err
	}
	if err := s.access.AuthorizeObject(ctx, PushRight, src.Space, name); err != nil {
		return Source{}, err
	}
	if exists, err := s.access.Exists(ctx, src.Space); err != nil || !exists {
		return Source{}, orNotFound(err, "there is no space %s", src.Space)
	}
	return src, nil
}

// beginPush writes that a push has begun, which ends one that is still under way.
func (s *Service) beginPush(ctx context.Context, in Push) (src Source, err error) {
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		src, err = sourceByName(ctx, tx, in.Name)
		fresh := fault.Is(err, fault.NotFound)
		if fresh {
			src, err = Source{Name: in.Name, Space: in.Space, Created: s.now(), CreatedBy: actorID(ctx)}, nil
			if src.Space == "" {
				src.Space = access.Root
			}
		}
		if err != nil {
			return err
		}
		have := ""
		if !fresh {
			have = src.Etag()
		}
		if err := fault.IfMatch(in.IfMatch, have, "source "+in.Name); err != nil {
			return err
		}
		if err := s.access.AuthorizeObject(ctx, PushRight, src.Space, src.Name); err != nil {
			return err // it was made in another space meanwhile
		}
		src.generation++
		src.digest, src.Pushed, src.PushedBy, src.Ended = "", s.now(), actorID(ctx), time.Time{}
		if err := saveSource(ctx, tx, src); err != nil || !fresh {
			return err
		}
		return s.tellSource(ctx, tx, "source.added", src, nil)
	})
	return src, fault.Wrap(err, "push to %s", in.Name)
}

// endPush writes how a push went. A push that changed something, or of which something is wrong that was not before, is told
// in the ledger.
func (s *Service) endPush(ctx context.Context, src Source, out Brought, digest string, whole bool) (Source, error) {
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		now, err := sourceByName(ctx, tx, src.Name)
		if err != nil {
			return err
		}
		if now.generation != src.generation {
			return fault.Errorf(fault.Conflict, "another push to %s has come meanwhile; send the newest state again", src.Name)
		}
		before := now.Last.Wrong
		now.Ended, now.Last, now.Details = s.now(), out, out.Details
		if whole {
			now.digest = digest
		}
		src = now
		if err := saveSource(ctx, tx, now); err != nil || out.Created+out.Updated+out.Deleted == 0 && out.Wrong == before {
			return err
		}
		return s.tellSource(ctx, tx, "source.pushed", now, out)
	})
	if err != nil {
		return src, err
	}
	return s.counted(ctx, src)
}

func (s *Service) tellSource(ctx context.Context, tx *store.Tx, kind string, src Source, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if data == nil {
		text = []byte("{}")
	}
	_, err = s.ledger.Append(ctx, tx, ledger.Entry{Space: src.Space, Type: kind, Subject: "source:" + src.Name, Data: text})
	return fault.Wrap(err, "note %s of %s", kind, src.Name)
}

// count fills in how many entities sources have.
func (s *Service) count(ctx context.Context, list []Source) error {
	if len(list) == 0 {
		return nil
	}
	names := make([]string, len(list))
	for i, src := range list {
		names[i] = src.source()
	}
	counts := map[[2]string]int{}
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		in, args := numbered(1, names)
		rows, err := tx.Query(ctx, `SELECT source, space, COUNT(*) FROM entities WHERE source IN (`+in+`) GROUP BY source, space`, args...)
		_, err = store.Collect(rows, err, func(r store.Row) (none struct{}, err error) {
			var key [2]string
			var n int
			err = r.Scan(&key[0], &key[1], &n)
			counts[key] = n
			return none, err
		})
		return err
	})
	for i, src := range list {
		list[i].Entities = counts[[2]string{src.source(), src.Space}]
	}
	return fault.Wrap(err, "count the entities of sources")
}

func (s *Service) counted(ctx context.Context, src Source) (Source, error) {
	one := []Source{src}
	err := s.count(ctx, one)
	return one[0], err
}

// Sources gives the sources of the spaces in which the reader may see entities, by name.
func (s *Service) Sources(ctx context.Context, space string, part page.Request) (list page.Of[Source], err error) {
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil || visible.Empty() || space != "" && !visible.Has(space) {
		return list, err
	}
	w := &store.Where{}
	if !visible.All {
		w.Add(w.In("space", visible.List()))
	}
	w.Equal("space", space)
	if part.Cursor != "" {
		w.Add("name > " + w.Arg(part.Cursor))
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, sourceColumns+w.String()+` ORDER BY name LIMIT `+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scanSource)
		list = page.Cut(all, part, func(src Source) string { return src.Name })
		return err
	})
	if err != nil {
		return list, fault.Wrap(err, "list sources")
	}
	return list, s.count(ctx, list.Items)
}

// GetSource gives a source. It needs entity:read in its space; otherwise NotFound.
func (s *Service) GetSource(ctx context.Context, name string) (src Source, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		src, err = sourceByName(ctx, tx, name)
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return src, access.NotFound("source " + clip(name))
	}
	if err != nil {
		return src, err
	}
	if err := s.access.ReadOrNotFound(ctx, "entity:read", src.Space, "source "+name); err != nil {
		return Source{}, err
	}
	return s.counted(ctx, src)
}

// DeleteSource forgets a source and deletes what it has brought. It needs source:push and entity:delete in its space, and for
// restricted kinds the right that they take.
func (s *Service) DeleteSource(ctx context.Context, name, ifMatch string) error {
	src, err := s.GetSource(ctx, name)
	if err != nil {
		return err
	}
	if err := s.access.AuthorizeObject(ctx, PushRight, src.Space, name); err != nil {
		return err
	}
	if err := s.access.Authorize(ctx, "entity:delete", src.Space); err != nil {
		return err
	}
	of := clearArgs{Space: src.Space, Source: src.source()}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		now, err := sourceByName(ctx, tx, name)
		if err != nil {
			return err
		}
		if err := fault.IfMatch(ifMatch, now.Etag(), "source "+name); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM catalog_sources WHERE name = $1`, name); err != nil {
			return fault.Wrap(err, "delete source %s", name)
		}
		err = s.clearSoon(ctx, tx, of, func(kind document.Kind) error {
			if kind.Restricted {
				return fault.Wrap(s.access.Authorize(ctx, kind.Takes(), src.Space), "delete a %s", kind.Name)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return s.tellSource(ctx, tx, "source.removed", src, nil)
	})
	if err != nil {
		return err
	}
	return s.clear(ctx, of) // should this end half way, the job goes on
}

const sourceColumns = `SELECT name, space, created, created_by, generation, digest, pushed, pushed_by, ended, outcome, details FROM catalog_sources`

func scanSource(r store.Row) (src Source, err error) {
	var created, pushed, ended int64
	var outcome, details string
	if err := r.Scan(&src.Name, &src.Space, &created, &src.CreatedBy, &src.generation, &src.digest, &pushed, &src.PushedBy, &ended, &outcome, &details); err != nil {
		return src, err
	}
	src.Created, src.Pushed, src.Ended = store.FromMicros(created), store.FromMicros(pushed), store.FromMicros(ended)
	if err := json.Unmarshal([]byte(outcome), &src.Last); err != nil {
		return src, err
	}
	return src, json.Unmarshal([]byte(details), &src.Details)
}

func sourceByName(ctx context.Context, tx *store.Tx, name string) (Source, error) {
	return store.One(tx.QueryRow(ctx, sourceColumns+` WHERE name = $1`+tx.ForUpdate(), name), scanSource, "source %s", clip(name))
}

func saveSource(ctx context.Context, tx *store.Tx, src Source) error {
	outcome, err := json.Marshal(src.Last)
	if err != nil {
		return err
	}
	details, err := json.Marshal(src.Details)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO catalog_sources (name, space, created, created_by, generation, digest, pushed, pushed_by, ended, outcome, details)
 VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)
 ON CONFLICT (name) DO UPDATE SET generation=excluded.generation, digest=excluded.digest, pushed=excluded.pushed, pushed_by=excluded.pushed_by,
 ended=excluded.ended, outcome=excluded.outcome, details=excluded.details`,
		src.Name, src.Space, store.Micros(src.Created), src.CreatedBy, src.generation, src.digest, store.Micros(src.Pushed), src.PushedBy, store.Micros(src.Ended), string(outcome), string(details))
	return fault.Wrap(err, "write source %s", src.Name)
}
