package repository

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// mirrors are the folders of outside repositories: the cache of clones. One that is not there is filled when it is read.
type mirrors struct {
	mu     sync.Mutex
	uses   map[string]int // by id: who reads it now
	used   map[string]time.Time
	bytes  map[string]int64
	grown  atomic.Bool // since they were trimmed last
	remote locks       // held by whoever speaks with the forge about a repository: a fetch, or a change that is pushed there
}

func newMirrors() *mirrors {
	m := &mirrors{uses: map[string]int{}, used: map[string]time.Time{}, bytes: map[string]int64{}, remote: locks{byID: map[string]*turn{}}}
	m.grown.Store(true)
	return m
}

// state tells whether a mirror is there, and how large it is as far as that is known.
func (m *mirrors) state(folder, id string) (cached bool, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return isFolder(folder), m.bytes[id]
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// take notes that a mirror is in use, so that it is not dropped; false when it is not there.
func (m *mirrors) take(folder, id string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !isFolder(folder) {
		return false
	}
	m.uses[id]++
	if now.Sub(m.used[id]) > time.Minute {
		_ = os.Chtimes(folder, now, now) // for the next life of the server; without it another one goes first
	}
	m.used[id] = now
	return true
}

func (m *mirrors) give(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.uses[id]--; m.uses[id] == 0 {
		delete(m.uses, id)
	}
}

// use has the folder of a repository there until release: a mirror that was dropped, or never fetched, is fetched. Who
// asks at the same time shares that.
func (s *Service) use(ctx context.Context, r Repository) (release func(), err error) {
	if r.Outside == nil {
		return func() {}, nil
	}
	for range 3 {
		if s.mirrors.take(s.folder(r.ID), r.ID, s.now()) {
			return sync.OnceFunc(func() { s.mirrors.give(r.ID) }), nil
		}
		if err := s.look(ctx, r.ID, ask{mirror: true}); err != nil {
			return nil, fault.Wrap(err, "repository %s", r.FullName())
		}
	}
	return nil, fault.Errorf(fault.Unavailable, "the mirror of %s is dropped as soon as it is fetched; give the cache of clones more room", r.FullName())
}

// reach gives the folder of a repository in which revisions are read, which is there until done. A mirror that lacks one of
// them is fetched once; when it is not there then either, who reads it finds that out.
func (s *Service) reach(ctx context.Context, r Repository, revisions ...string) (dir string, done func(), err error) {
	done, err = s.use(ctx, r)
	if err != nil || r.Outside == nil {
		return s.folder(r.ID), done, err
	}
	lacks := ask{}
	for _, rev := range revisions {
		if rev == "" || rev == Zero || rev == r.Head || rev == r.DefaultBranch || s.isAbsent(r.ID, rev) {
			continue
		}
		if _, missing := s.git.Resolve(ctx, s.folder(r.ID), rev); !fault.Is(missing, fault.NotFound) {
			continue
		}
		if git.IsHash(rev) {
			lacks.commits = append(lacks.commits, rev)
		} else {
			lacks.forced = true
			s.setAbsent(r.ID, rev) // for a moment it isn't looked for again
		}
	}
	if lacks.none() {
		return s.folder(r.ID), done, nil
	}
	if err := s.look(ctx, r.ID, lacks); err != nil {
		done()
		return "", nil, fault.Wrap(err, "repository %s", r.FullName())
	}
	return s.folder(r.ID), done, nil
}

// reading runs fn where revisions of a repository are read; see reach.
func (s *Service) reading(ctx context.Context, r Repository, revisions []string, fn func(dir string) error) error {
	dir, done, err := s.reach(ctx, r, revisions...)
	if err != nil {
		return err
	}
	defer done()
	return fn(dir)
}

// atCommit runs fn with the folder of a repository and the commit that rev names; see atOf.
func (s *Service) atCommit(ctx context.Context, r Repository, rev string, fn func(dir, commit string) error) error {
	dir, commit, done, err := s.atOf(ctx, r, rev)
	if err != nil {
		return err
	}
	defer done()
	return fn(dir, commit)
}

// isAbsent tells whether a forge was found not to have a commit or a name, a moment ago.
func (s *Service) isAbsent(id, rev string) (absent bool) {
	s.watches.with(id, func(w *watch) { absent = w.absent[rev].After(s.now()) })
	return absent
}

const absentKept = 1000

func (s *Service) setAbsent(id, rev string) {
	now := s.now()
	s.watches.with(id, func(w *watch) {
		if len(w.absent) >= absentKept {
			clear(w.absent)
		}
		w.absent[rev] = now.Add(absentFor)
	})
}

// fill makes the folder of a repository whose mirror is not there: apart, and whole before it is in its place, so that it
// never looks like a repository whose branches were deleted.
func (s *Service) fill(ctx context.Context, r Repository, remote git.Remote, q git.FetchRequest) (git.Fetched, error) {
	draft := filepath.Join(s.dir, draftPrefix+r.ID+"-"+rand.Text())
	defer os.RemoveAll(draft)
	if err := s.git.Init(ctx, draft); err != nil {
		return git.Fetched{}, err
	}
	if err := s.git.SetHead(ctx, draft, r.DefaultBranch); err != nil {
		return git.Fetched{}, err
	}
	got, err := s.git.Fetch(ctx, draft, remote, q)
	if err != nil {
		return got, err
	}
	if _, err := s.byID(ctx, r.ID); err != nil {
		return got, err // it was disconnected meanwhile
	}
	if err := os.Rename(draft, s.folder(r.ID)); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return got, fault.Wrap(err, "make the mirror of %s", r.FullName())
	}
	return got, nil
}

// measure notes how large a mirror is.
func (s *Service) measure(id string) {
	var bytes int64
	_ = filepath.WalkDir(s.folder(id), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				bytes += info.Size()
			}
		}
		return nil
	})
	s.mirrors.mu.Lock()
	defer s.mirrors.mu.Unlock()
	s.mirrors.bytes[id] = bytes
	s.mirrors.grown.Store(true)
}

// trim drops the mirrors that were used least recently, until the others take no more than they may.
func (s *Service) trim(ctx context.Context) error {
	var all []outsider
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		all, err = outsiders(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	type one struct {
		id    string
		used  time.Time
		bytes int64
	}
	var there []one
	var total int64
	for _, o := range all {
		info, err := os.Stat(s.folder(o.id))
		if err != nil {
			continue
		}
		if s.mirrors.size(o.id) == 0 {
			s.measure(o.id)
		}
		m := one{o.id, info.ModTime(), s.mirrors.size(o.id)}
		if used := s.mirrors.lastUsed(o.id); used.After(m.used) {
			m.used = used
		}
		there = append(there, m)
		total += m.bytes
	}
	for total > s.outside.Cache && len(there) > 0 {
		oldest := 0
		for i := range there {
			if there[i].used.Before(there[oldest].used) {
				oldest = i
			}
		}
		m := there[oldest]
		there = append(there[:oldest], there[oldest+1:]...)
		dropped, err := s.drop(ctx, m.id)
		if err != nil {
			return err
		}
		if dropped {
			total -= m.bytes
		}
	}
	return nil
}

func (m *mirrors) size(id string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes[id]
}

func (m *mirrors) lastUsed(id string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used[id]
}

// drop removes a mirror that nobody uses and all of which is recorded; its rows stay. It gives false when it is in use.
func (s *Service) drop(ctx context.Context, id string) (dropped bool, err error) {
	if s.locks.busy(id) || s.mirrors.remote.busy(id) {
		return false, nil
	}
	leave, err := s.mirrors.remote.enter(ctx, id) // no fetch begins
	if err != nil {
		return false, err
	}
	defer leave()
	draft := filepath.Join(s.dir, draftPrefix+id+"-"+rand.Text())
	err = s.locked(ctx, id, func(*git.Git) error {
		objects, err := s.openLock(id, objectsFile)
		if err != nil {
			return err
		}
		defer objects.Close()
		if alone, err := lock(objects, syscall.LOCK_EX); err != nil || !alone {
			return err
		}
		if settled, err := s.isSettled(ctx, id); err != nil || !settled || onlyHere(s.folder(id)) {
			return err
		}
		s.mirrors.mu.Lock()
		defer s.mirrors.mu.Unlock()
		if s.mirrors.uses[id] > 0 {
			return nil
		}
		if err := os.Rename(s.folder(id), draft); err != nil {
			return fault.Wrap(err, "drop the mirror of repository %s", id)
		}
		delete(s.mirrors.bytes, id)
		dropped = true
		return nil
	})
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	if dropped {
		s.log.Info("drop a mirror to make room", "repository", id)
	}
	return dropped, errors.Join(err, os.RemoveAll(draft)) // what is left goes as an orphan
}

// onlyHere tells whether a mirror has references of the platform's own, which the forge does not have.
func onlyHere(folder string) bool {
	for _, own := range []string{"refs/roadbed/", git.ProposalPrefix} {
		if entries, err := os.ReadDir(filepath.Join(folder, own)); err == nil && len(entries) > 0 {
			return true
		}
		if packed, err := os.ReadFile(filepath.Join(folder, "packed-refs")); err == nil && strings.Contains(string(packed), " "+own) {
			return true
		}
	}
	return false
}

// closing is a stream that holds a mirror until it is closed.
type closing struct {
	io.ReadCloser
	done func()
}

func (c closing) Close() error {
	defer c.done()
	return c.ReadCloser.Close()
}

// until gives a stream whose end is done, and ends it at once when there is none.
func until(stream io.ReadCloser, done func(), err error) (io.ReadCloser, error) {
	if err != nil {
		done()
		return nil, err
	}
	return closing{stream, done}, nil
}
