package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

const (
	indexBehind   = 2_000   // entries that are made up for, at most; beyond, all is read
	indexFileMost = 8 << 30 // bytes
	indexFileTime = 30 * time.Second
)

// keptIndex says of a saved index what it was made of.
type keptIndex struct {
	Position int64  `json:"position"` // in the ledger, of which it knows all up to there
	Hash     []byte `json:"hash"`     // of the entry there, so that it is not taken for that of another database
	Program  string `json:"program"`  // another one may take entities apart in another way
}

// KeepIndex has the index be kept at a path from the end of Run to the next start, which then need not read all entities.
// It comes before Run and the first question.
func (s *Service) KeepIndex(path string) {
	s.follower.path = path
	opened := sync.OnceValues(func() (index.Saved, error) { return openIndex(path) })
	s.follower.opened = opened
	go func() { _, _ = opened() }() // while the rest of the server is set up; whoever needs it is told of the error
}

func openIndex(path string) (saved index.Saved, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return saved, err
	}
	if info.Size() > indexFileMost {
		return saved, errors.New("it is too large")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return saved, err
	}
	return index.Open(text)
}

// program tells this program from others.
func program() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	of := fmt.Sprint(info.Size(), " ", info.ModTime().UTC())
	if built, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range built.Settings {
			if setting.Key == "vcs.revision" {
				of += " " + setting.Value
			}
		}
	}
	return of, nil
}

// restoreIndex has the index be what was kept, and tells whether it is. It is called with the follower held.
func (s *Service) restoreIndex(ctx context.Context) bool {
	f := &s.follower
	if f.opened == nil {
		return false
	}
	position, err := s.readIndex(ctx)
	switch {
	case err == nil:
		f.position, f.kept = position, position
		return true
	case !errors.Is(err, fs.ErrNotExist):
		s.log.Info("the kept index of the catalog is not used: all entities are read", "why", err)
	}
	return false
}

func (s *Service) readIndex(ctx context.Context) (position int64, err error) {
	saved, err := s.follower.opened()
	s.follower.opened = nil // it is large
	if err != nil {
		return 0, err
	}
	var of keptIndex
	if err := json.Unmarshal([]byte(saved.Note), &of); err != nil {
		return 0, err
	}
	if err := s.checkIndex(ctx, of); err != nil {
		return 0, err
	}
	return of.Position, s.follower.index.Restore(saved)
}

// checkIndex tells why an index is not one of this program and of this database.
func (s *Service) checkIndex(ctx context.Context, of keptIndex) error {
	this, err := program()
	if err != nil {
		return err
	}
	if of.Program != this {
		return errors.New("another program has kept it")
	}
	return s.db.Read(ctx, func(tx *store.Tx) error {
		head, _, err := s.ledger.Head(ctx, tx)
		if err != nil {
			return err
		}
		at, err := s.ledger.List(ctx, tx, ledger.Query{After: of.Position - 1, Limit: 1})
		switch {
		case err != nil:
			return err
		case len(at) != 1 || at[0].Position != of.Position || string(at[0].Hash) != string(of.Hash):
			return errors.New("it is of another database, or of what this one was before it was restored")
		case head-of.Position > indexBehind:
			return errors.New("much has changed since")
		}
		return nil
	})
}

// keepIndex saves the index for the next start, unless it is there already.
func (s *Service) keepIndex(ctx context.Context) {
	f := &s.follower
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path == "" || !f.loaded || f.position == 0 || f.position == f.kept || f.untold.Load() != 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, indexFileTime)
	defer cancel()
	if err := s.writeIndex(ctx); err != nil {
		s.log.Warn("the index of the catalog is not kept: the next start reads all entities", "error", err)
		return
	}
	f.kept = f.position
}

func (s *Service) writeIndex(ctx context.Context) error {
	of := keptIndex{Position: s.follower.position}
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
