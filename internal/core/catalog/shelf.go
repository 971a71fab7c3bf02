package catalog

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// shelf has entities as they are stored, compressed, so that a list of documents asks no database for them. What was read
// of one counts while the index has it at the revision that it had before it was read: each version, error and move is
// another one. It is filled while nothing else is to be done, and holds the first that fit.
type shelf struct {
	mu   sync.RWMutex
	dict *s2.Dict // of what entities here have in common; nil while there are few
	all  map[string]shelved
	size int // bytes

	looked uint64 // the index's revision at which all that was missing had been put there
}

type shelved struct {
	text     []byte
	revision uint64
}

const (
	mostShelf     = 64 << 20  // bytes of compressed entities: about 150,000
	shelvedCost   = 80        // of one, beside its text
	largeShelved  = 256 << 10 // an entity that is larger is read each time
	shelfAtOnce   = 200       // entities that are read together
	shelfRest     = 5         // how many times as long as it reads it rests, so that others have the processor
	shelfAgain    = 2 * time.Second
	dictSamples   = 64
	dictFrom      = 500 // entities, from which on it is worth one
	mostDictBytes = 64 << 10
)

// pack writes a row: whether it is an orphan, how long its fields are, the fields, and the document. unpack reads it.
func (e *row) pack(to []byte) []byte {
	orphan := byte(0)
	if e.Orphan {
		orphan = 1
	}
	to = append(to, orphan)
	fields := [...]string{e.Ref.String(), e.UID, e.Space, e.Source, e.path, e.Etag, e.Error, e.stored}
	for _, field := range fields {
		to = binary.AppendUvarint(to, uint64(len(field)))
	}
	for _, field := range fields {
		to = append(to, field...)
	}
	return append(to, e.document...)
}

func cutOff() error { return fault.Errorf(fault.Internal, "an entity on the shelf is cut off") }

// unpack gives a row whose document is a part of text. Its relations are put behind others.
func unpack(text []byte, relations []document.Relation) (e row, _ []document.Relation, err error) {
	if len(text) == 0 {
		return e, nil, cutOff()
	}
	e.Orphan, text = text[0] == 1, text[1:]
	var name string
	fields := [...]*string{&name, &e.UID, &e.Space, &e.Source, &e.path, &e.Etag, &e.Error, &e.stored}
	var long [len(fields)]int
	whole := 0
	for i := range fields {
		n, size := binary.Uvarint(text)
		if size <= 0 || n > uint64(len(text)) {
			return e, nil, cutOff()
		}
		long[i], text = int(n), text[size:]
		whole += long[i]
	}
	if whole > len(text) {
		return e, nil, cutOff()
	}
	head := string(text[:whole]) // once for all
	for i, field := range fields {
		*field, head = head[:long[i]], head[long[i]:]
	}
	e.Ref, e.document = parseStored(name), text[whole:]
	from := len(relations)
	if relations, err = appendRelations(relations, e.stored); err != nil {
		return e, nil, err
	}
	e.Relations = slices.Clip(sort(relations[from:]))
	return e, relations, nil
}

// take gives the entities of hits that are there, and the places of those that are not.
func (s *shelf) take(l *Raws, hits []index.Hit) error {
	l.texts = slices.Grow(l.texts, len(hits))[:len(hits)]
	s.mu.RLock()
	dict := s.dict
	for i, hit := range hits {
		if one, ok := s.all[hit.Ref]; ok && one.revision == hit.Revision {
			l.texts[i] = one.text
		}
	}
	s.mu.RUnlock()
	for i, text := range l.texts {
		switch {
		case text != nil:
			plain, err := unfold(dict, text, l.plain)
			if err != nil {
				return err
			}
			from := len(l.plain)
			l.plain = plain
			var e row
			if e, l.relations, err = unpack(plain[from:], l.relations); err != nil {
				return err
			}
			l.rows, l.at = append(l.rows, e), append(l.at, i)
		case hits[i].Ref != "":
			l.missing = append(l.missing, i)
		}
	}
	return nil
}

// Before a text stands whether it needs the dictionary.
const (
	plainly  = 0
	withDict = 1
)

func fold(dict *s2.Dict, plain []byte) []byte {
	if dict == nil {
		return append([]byte{plainly}, s2.Encode(nil, plain)...)
	}
	return append([]byte{withDict}, dict.Encode(nil, plain)...)
}

// unfold appends what was folded.
func unfold(dict *s2.Dict, text, to []byte) ([]byte, error) {
	n, err := s2.DecodedLen(text[1:])
	if err != nil {
		return nil, fault.Wrap(err, "read an entity from the shelf")
	}
	from := len(to)
	to = slices.Grow(to, n)[:from+n]
	var plain []byte
	if text[0] == withDict {
		plain, err = dict.Decode(to[from:], text[1:])
	} else {
		plain, err = s2.Decode(to[from:], text[1:])
	}
	if err == nil && n > 0 && &plain[0] != &to[from] {
		copy(to[from:], plain)
	}
	return to, fault.Wrap(err, "read an entity from the shelf")
}

// put keeps an entity as it was read at a revision, or after it.
func (s *shelf) put(hit index.Hit, e *row) {
	if len(e.document) > largeShelved {
		return
	}
	s.mu.RLock()
	dict, full := s.dict, s.size >= mostShelf
	s.mu.RUnlock()
	if full {
		return
	}
	text := slices.Clip(fold(dict, e.pack(nil)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]shelved{}
	}
	if old, ok := s.all[hit.Ref]; ok {
		s.size -= len(old.text) + shelvedCost
	}
	s.all[hit.Ref] = shelved{text, hit.Revision}
	s.size += len(text) + shelvedCost
}

// lacks tells whether an entity is not there as the index has it, and there is room.
func (s *shelf) lacks(hit index.Hit) bool {
	one, ok := s.all[hit.Ref]
	return !ok || one.revision != hit.Revision
}

// drop takes away what the index does not have.
func (s *shelf) drop(has func(ref string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, old := range s.all {
		if !has(name) {
			s.size -= len(old.text) + shelvedCost
			delete(s.all, name)
		}
	}
}

// stock fills the shelf until ctx ends.
func (s *Service) stock(ctx context.Context) {
	for {
		select {
		case <-time.After(shelfAgain):
		case <-ctx.Done():
			return
		}
		if !s.follower.following.Load() {
			continue
		}
		if err := s.stockOnce(ctx, shelfRest); err != nil && ctx.Err() == nil {
			s.log.Warn("entities can't be kept in memory; lists of them take longer", "error", err)
		}
	}
}

// stockOnce puts on the shelf what is missing there.
func (s *Service) stockOnce(ctx context.Context, rest float64) error {
	x, shelf := s.follower.index, &s.shelf
	revision := x.Revision()
	if shelf.looked == revision || s.bringing.Load() > 0 {
		return nil
	}
	if x.Len() >= dictFrom && shelf.dict == nil {
		if err := s.learn(ctx); err != nil {
			return err
		}
	}
	for from, more := uint32(0), true; more; {
		var some []index.Hit
		shelf.mu.RLock()
		full := shelf.size >= mostShelf
		from, more = x.Some(from, shelfAtOnce, func(hit index.Hit) bool {
			if lacks := shelf.lacks(hit); lacks {
				some = append(some, hit)
				return true
			}
			return false
		})
		shelf.mu.RUnlock()
		if full || s.bringing.Load() > 0 {
			return nil
		}
		began := time.Now()
		if err := s.shelve(ctx, some); err != nil {
			return err
		}
		if len(some) == 0 {
			continue
		}
		select {
		case <-time.After(time.Duration(float64(time.Since(began)) * rest)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	shelf.drop(func(name string) bool { return x.Version(name) > 0 })
	shelf.looked = revision
	return nil
}

// shelve reads entities and puts them on the shelf.
func (s *Service) shelve(ctx context.Context, hits []index.Hit) error {
	rows, err := s.rawRows(ctx, refsOf(hits))
	if err != nil {
		return err
	}
	at := make(map[string]*row, len(rows))
	for _, e := range rows {
		at[e.Ref.String()] = e
	}
	for _, hit := range hits {
		if e := at[hit.Ref]; e != nil {
			s.shelf.put(hit, e)
		}
	}
	return nil
}

// learn makes the dictionary out of some entities from everywhere.
func (s *Service) learn(ctx context.Context) error {
	x := s.follower.index
	step := max(x.Len()/dictSamples, 1)
	var sample []index.Hit
	for from, more, n := uint32(0), true, 0; more; {
		from, more = x.Some(from, 1000, func(hit index.Hit) bool {
			if n++; n%step == 0 && len(sample) < dictSamples {
				sample = append(sample, hit)
			}
			return true
		})
	}
	rows, err := s.rawRows(ctx, refsOf(sample))
	if err != nil {
		return err
	}
	var text []byte
	for _, e := range rows {
		if packed := e.pack(nil); len(text)+len(packed) <= mostDictBytes {
			text = append(text, packed...)
		}
	}
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	if dict := s2.MakeDict(text, nil); dict != nil {
		s.shelf.dict, s.shelf.all, s.shelf.size = dict, nil, 0
	}
	return nil
}

func refsOf(hits []index.Hit) []string {
	names := make([]string, len(hits))
	for i, hit := range hits {
		names[i] = hit.Ref
	}
	return names
}

// rawRows reads entities as lists of documents need them; those that are there.
func (s *Service) rawRows(ctx context.Context, names []string) (all []*row, err error) {
	err = among(s.db.Dialect(), nil, names, func(in string, args []any) error {
		return s.db.ReadOne(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, `SELECT ref, uid, space, source, path, etag, error, orphan, document, relations FROM entities WHERE ref `+in, args...)
			found, err := store.Collect(rows, err, scanRaw)
			all = append(all, found...)
			return err
		})
	})
	return all, fault.Wrap(err, "read entities")
}
