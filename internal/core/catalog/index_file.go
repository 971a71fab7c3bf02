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
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	indexBehind   = 10_000  // entries that are made up for, at most; beyond, all is read
	changesBehind = 20_000  // versions that they made, at most
	indexFileMost = 8 << 30 // bytes
	indexFileTime = 30 * time.Second

	keepLooks = time.Minute
	keepMoved = 2_000     // entries after which the index is kept anew
	keepFor   = time.Hour // until it is, when anything has changed: what somebody has deleted is in the file until then
)

// keptIndex says of a saved index what it was made of.
type keptIndex struct {
	Position int64  `json:"position"` // in the ledger, of which it knows all up to there
	Hash     []byte `json:"hash"`     // of the entry there, so that it is not taken for that of another database
	Program  string `json:"program"`  // another one may take entities apart in another way
}

// KeepIndex has the index be read from a path, if SaveIndex has left one there, so that a start need not read all entities.
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
	info, err := os.Stat(path)
	if err != nil {
		return o, err
	}
	if info.Size() > indexFileMost {
		return o, errors.New("it is too large")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return o, err
	}
	saved, err := index.Open(text)
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
	f.position = kept.of.Position
	return true, nil
}

// strange tells why an index is not one of this database, or too far behind; "" when it is.
func (s *Service) strange(ctx context.Context, of keptIndex) (why string, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		head, _, err := s.ledger.Head(ctx, tx)
		if err != nil {
			return err
		}
		at, err := s.ledger.List(ctx, tx, ledger.Query{After: of.Position - 1, Limit: 1})
		switch {
		case err != nil:
			return err
		case len(at) != 1 || at[0].Position != of.Position || string(at[0].Hash) != string(of.Hash):
			why = "it is of another database, or of what this one was before it was restored"
			return nil
		case head-of.Position > indexBehind:
			why = "much has changed since"
			return nil
		}
		entries, err := s.ledger.List(ctx, tx, ledger.Query{After: of.Position, Types: changeTypes, Limit: indexBehind})
		if err != nil {
			return err
		}
		changes := 0
		return inParts(idsOf(entries), func(part []string) error {
			if changes > changesBehind {
				why = "many entities have changed since"
				return nil
			}
			in, args := numbered(1, part)
			var n int
			err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM entity_versions WHERE entry IN (`+in+`)`, args...).Scan(&n)
			changes += n
			return err
		})
	})
	return why, err
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
	looks := time.NewTicker(keepLooks)
	defer looks.Stop()
	var k keeper
	for {
		select {
		case <-looks.C:
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
	before int64 // where in the ledger the index was at the last look: what led there has reached it by now
	kept   int64 // where it was when it was kept
	at     time.Time
}

// look keeps the index if enough has changed.
func (k *keeper) look(ctx context.Context, s *Service) error {
	s.follower.mu.Lock()
	position := s.follower.position
	s.follower.mu.Unlock()
	before := k.before
	k.before = position
	if moved := before - k.kept; moved == 0 || moved < keepMoved && s.now().Sub(k.at) < keepFor {
		return nil
	}
	if err := s.writeIndex(ctx, before); err != nil {
		return err
	}
	k.kept, k.at = before, s.now()
	return nil
}

// SaveIndex keeps the index for the next start, where KeepIndex has said, when nothing runs any more. When it fails, the next
// start reads all entities. It asks for no right.
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
		s.log.Warn("the index of the catalog is not kept: the next start reads all entities", "error", err)
	}
}

// saveIndex brings the index up to the ledger's end, so that it knows nothing that comes after its position.
func (s *Service) saveIndex(ctx context.Context) error {
	for {
		n, err := s.ledger.Seal(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	s.follower.disown()
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	s.follower.mu.Lock()
	defer s.follower.mu.Unlock()
	if s.follower.position == 0 {
		return nil
	}
	return s.writeIndex(ctx, s.follower.position)
}

// writeIndex keeps the index, which knows all up to a position.
func (s *Service) writeIndex(ctx context.Context, position int64) error {
	of := keptIndex{Position: position}
	var err error
	if of.Program, err = program(); err != nil {
		return err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		at, err := s.ledger.List(ctx, tx, ledger.Query{After: of.Position - 1, Limit: 1})
		if err == nil && len(at) == 1 {
			of.Hash = at[0].Hash
		}
		return err
	})
	if err != nil {
		return err
	}
	note, err := json.Marshal(of)
	if err != nil {
		return err
	}
	folder := filepath.Dir(s.follower.path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(s.follower.path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = s.follower.index.Save(file, string(note))
	if worse := file.Close(); err == nil {
		err = worse
	}
	if err == nil {
		err = os.Rename(file.Name(), s.follower.path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the error that led here says more
	}
	return err
}
