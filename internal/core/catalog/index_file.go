package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	indexBehind   = 200_000 // entries that are looked through for what has changed since, at most; beyond, all is read
	entriesBehind = 10_000  // of those, the ones that tell of entities
	changesBehind = 20_000  // versions that they made
	indexFileMost = 8 << 30 // bytes
	indexFileTime = 30 * time.Second

	keepLooks   = time.Minute
	keepPause   = 10 * time.Minute  // between two writes
	keepChanged = changesBehind / 2 // changes after which the index is kept anew
	keepFor     = time.Hour         // until it is, when anything has happened: what somebody has deleted is in the file until then
)

// keptIndex says of a saved index what it was made of.
type keptIndex struct {
	Position int64  `json:"position"` // in the ledger, of which it knows all up to there
	Hash     []byte `json:"hash"`     // of the entry there, so that it is not taken for that of another database
	Until    int64  `json:"until"`    // in the ledger, of which it knows nothing beyond
	Last     []byte `json:"last"`     // the hash there, so that it is not taken for that of a past without what it knows
	Program  string `json:"program"`  // another one may take entities apart in another way
}

// KeepIndex has the index be read from a path, if one was left there, so that a start need not read all entities.
// It comes before Run and the first question.
func (s *Service) KeepIndex(path string) {
	s.follower.path = path
	opened := sync.OnceValues(func() (openedIndex, error) { return s.openIndex(path) })
	s.follower.opened = opened
	go func() { _, _ = opened() }() // while the rest of the server is set up; whoever needs it is told of the error
}

// openedIndex is an index as it was kept.
type openedIndex struct {
	of    keptIndex
	index *index.Index
}

func (s *Service) openIndex(path string) (o openedIndex, err error) {
	file, err := os.Open(path)
	if err != nil {
		return o, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return o, err
	}
	if info.Size() > indexFileMost {
		return o, errors.New("it is too large")
	}
	var text strings.Builder
	text.Grow(int(info.Size()))
	if _, err := io.Copy(&text, file); err != nil {
		return o, err
	}
	saved, err := index.Open(text.String())
	if err != nil {
		return o, err
	}
	if err := json.Unmarshal([]byte(saved.Note), &o.of); err != nil {
		return o, err
	}
	this, err := program()
	if err != nil {
		return o, err
	}
	if o.of.Program != this {
		return o, errors.New("another program has kept it")
	}
	o.index, err = index.Restore(s.registry, saved)
	return o, err
}

// program tells this program from others, by what it consists of.
var program = sync.OnceValues(func() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli)) // it needs to be quick, and nobody gains by another that is the same
	size, err := io.Copy(sum, file)
	return fmt.Sprintf("%d %08x", size, sum.Sum32()), err
})

// restoreIndex has the index be what was kept, and tells whether it is. It fails when the database can't be asked; then it may
// be tried again. It is called with the follower held.
func (s *Service) restoreIndex(ctx context.Context) (restored bool, err error) {
	f := &s.follower
	if f.opened == nil {
		return false, nil
	}
	kept, err := f.opened()
	why := ""
	if err == nil {
		if why, err = s.strange(ctx, kept.of); err != nil {
			return false, fault.Wrap(err, "check the kept index")
		}
	}
	f.opened = nil
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil || why != "":
		s.log.Info("the kept index of the catalog is not used: all entities are read", "why", why, "error", err)
		if gone := os.Remove(f.path); gone != nil {
			s.log.Warn("a kept index of the catalog that is of no use can't be removed", "error", gone)
		}
		return false, nil
	}
	f.index.Become(kept.index)
	f.disown() // what the index was told before is not in what it is now
	f.position, f.kept = kept.of.Position, kept.index.Revision()
	return true, nil
}

// strange tells why an index is not one of this database, or too far behind; "" when it is.
func (s *Service) strange(ctx context.Context, of keptIndex) (why string, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		head, _, err := s.ledger.Head(ctx, tx)
		if err != nil {
			return err
		}
		from, err := s.hashAt(ctx, tx, of.Position)
		if err != nil {
			return err
		}
		until, err := s.hashAt(ctx, tx, of.Until)
		switch {
		case err != nil:
			return err
		case from == "" || from != string(of.Hash) || until != string(of.Last):
			why = "it is of another database, or of what this one was before it was restored"
			return nil
		case head-of.Position > indexBehind:
			why = "much has happened since"
			return nil
		}
		entries, err := s.ledger.List(ctx, tx, ledger.Query{After: of.Position, Types: changeTypes, Limit: entriesBehind})
		if err != nil {
			return err
		}
		if len(entries) == entriesBehind {
			why = "much has changed since"
			return nil
		}
		changes := 0
		return inParts(idsOf(entries), func(part []string) error {
			if why != "" {
				return nil
			}
			in, args := numbered(1, part)
			var n int
			err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM entity_versions WHERE entry IN (`+in+`)`, args...).Scan(&n)
			if changes += n; changes > changesBehind {
				why = "many entities have changed since"
			}
			return err
		})
	})
	return why, err
}

// hashAt gives the hash of the entry at a position, "" where there is none.
func (s *Service) hashAt(ctx context.Context, tx *store.Tx, position int64) (string, error) {
	at, err := s.ledger.List(ctx, tx, ledger.Query{After: position - 1, Limit: 1})
	if err != nil || len(at) != 1 || at[0].Position != position {
		return "", err
	}
	return string(at[0].Hash), nil
}

func idsOf(entries []ledger.Entry) []string {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	return ids
}

// keep saves the index now and then, so that after a kill the next start need not read all entities either.
func (s *Service) keep(ctx context.Context) {
	if s.follower.path == "" {
		return
	}
	k := keeper{at: s.now()}
	for {
		select {
		case <-time.After(keepLooks): // and no ticker, which would make up for a look that took long
		case <-ctx.Done():
			return
		}
		switch err := k.look(ctx, s); {
		case errors.Is(err, index.ErrChanging):
			s.log.Debug("the index of the catalog is kept later", "why", err)
		case err != nil && ctx.Err() == nil:
			s.log.Warn("the index of the catalog is not kept just now", "error", err)
		}
	}
}

// keeper is what is known of the file from one look to the next.
type keeper struct {
	before int64     // where in the ledger the index was at the last look: what led there has reached it by now
	kept   int64     // where it was when it was kept
	at     time.Time // when it was tried, or the start
	tried  bool
}

// look keeps the index if enough has changed.
func (k *keeper) look(ctx context.Context, s *Service) error {
	f := &s.follower
	f.mu.Lock()
	position, changed := f.position, f.index.Revision()-f.kept
	if !f.loaded { // what is there of it may be a part
		position = 0
	}
	f.mu.Unlock()
	before := k.before
	k.before = position
	waited := s.now().Sub(k.at)
	due := changed >= keepChanged && (!k.tried || waited >= keepPause)
	switch {
	case before == 0 || position == 0:
		return nil
	case before-k.kept >= indexBehind/2 && waited >= keepPause, before > k.kept && waited >= keepFor:
		due = true
	}
	if !due {
		return nil
	}
	k.at, k.tried = s.now(), true
	if err := s.writeIndex(ctx, before); err != nil {
		return err
	}
	k.kept = before
	return nil
}

// SaveIndex keeps the index for the next start, where KeepIndex has said, when nothing runs any more. When it fails, the next
// start takes what was kept before, or reads all entities. It asks for no right.
func (s *Service) SaveIndex(ctx context.Context) {
	f := &s.follower
	f.mu.Lock()
	loaded := f.loaded
	f.mu.Unlock()
	if f.path == "" || !loaded {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, indexFileTime)
	defer cancel()
	if err := s.saveIndex(ctx); err != nil {
		s.log.Warn("the index of the catalog is not kept: the next start may read all entities", "error", err)
	}
}

// saveIndex brings the index up to the ledger's end, so that it knows nothing that comes after its position.
func (s *Service) saveIndex(ctx context.Context) error {
	if err := s.sealAll(ctx); err != nil {
		return err
	}
	s.follower.disown()
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	s.follower.mu.Lock()
	position := s.follower.position
	s.follower.mu.Unlock()
	if position == 0 {
		return nil
	}
	return s.writeIndex(ctx, position)
}

func (s *Service) sealAll(ctx context.Context) error {
	for {
		if n, err := s.ledger.Seal(ctx); err != nil || n == 0 {
			return err
		}
	}
}

// writeIndex keeps the index, which knows all up to a position.
func (s *Service) writeIndex(ctx context.Context, position int64) error {
	f := &s.follower
	revision := f.index.Revision()
	note := func() (string, error) {
		of := keptIndex{Position: position}
		var err error
		if of.Program, err = program(); err != nil {
			return "", err
		}
		if err := s.sealAll(ctx); err != nil { // what it knows by now
			return "", err
		}
		err = s.db.Read(ctx, func(tx *store.Tx) error {
			from, err := s.hashAt(ctx, tx, position)
			if err != nil {
				return err
			}
			of.Hash = []byte(from)
			of.Until, of.Last, err = s.ledger.Head(ctx, tx)
			return err
		})
		if err != nil {
			return "", err
		}
		text, err := json.Marshal(of)
		return string(text), err
	}
	folder := filepath.Dir(f.path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(f.path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = f.index.Save(untilDone{ctx, file}, note)
	if worse := file.Close(); err == nil {
		err = worse
	}
	if err == nil {
		err = os.Rename(file.Name(), f.path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the error that led here says more
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = revision
	return nil
}

// untilDone writes until a context has ended: who stops a server need not wait for a file that is written anew then.
type untilDone struct {
	ctx context.Context
	to  io.Writer
}

func (u untilDone) Write(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.to.Write(p)
}
