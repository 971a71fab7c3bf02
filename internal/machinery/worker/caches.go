package worker

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// defaultCacheBytes is what all caches may hold together; the least lately used go first.
const defaultCacheBytes = 20 << 30

var cacheName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// pruneEvery is how often, at most, a worker looks at the size of its caches while it runs.
const pruneEvery = 10 * time.Minute

// mountCaches shows the caches of a job. Each space has its own, and so has each scope in it, so that nobody can put
// anything into what steps of others will run. release says that they are not in use any more.
func (w *Worker) mountCaches(space string, j Job, s *execute.Spec) (release func(), err error) {
	w.caches.Lock()
	defer w.caches.Unlock()
	var used []string
	release = func() {
		w.caches.Lock()
		now := w.Now()
		for _, dir := range used {
			if w.uses[dir]--; w.uses[dir] == 0 {
				delete(w.uses, dir)
			}
			_ = os.Chtimes(dir, now, now) // the order of use is all that is lost
		}
		due := len(used) > 0 && now.Sub(w.pruned) >= pruneEvery
		if due {
			w.pruned = now
		}
		w.caches.Unlock()
		if due { // beside the step, whose end does not wait for it; the worker's does
			w.steps.Go(func() { w.prune(w.CacheBytes) })
		}
	}
	for _, c := range j.Caches {
		if !cacheName.MatchString(c.Name) {
			return nil, fault.Errorf(fault.Invalid, "the cache name %q is not one of a-z, 0-9, '.', '_' and '-'", c.Name)
		}
		sum := sha256.Sum256([]byte(space + "\x00" + c.Scope))
		dir := filepath.Join(w.Dir, "caches", hex.EncodeToString(sum[:8]), c.Name)
		if err := w.openCache(dir, c.Name, j.Tools); err != nil {
			return nil, fmt.Errorf("make the cache %s: %w", c.Name, err)
		}
		used = append(used, dir)
		s.Mounts = append(s.Mounts, execute.Mount{Source: dir, Target: c.Path})
	}
	for _, dir := range used {
		w.uses[dir]++
	}
	return release, nil
}

// prune removes the caches least lately used until the rest holds at most limit bytes. Those in use stay.
func (w *Worker) prune(limit int64) {
	type cache struct {
		dir  string
		used time.Time
		size int64
	}
	var all []cache
	var total int64
	dirs, _ := filepath.Glob(filepath.Join(w.Dir, "caches", "*", "*"))
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil {
			continue
		}
		c := cache{dir, info.ModTime(), sizeOf(dir)}
		total += c.size
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b cache) int { return a.used.Compare(b.used) })
	for _, c := range all {
		if total <= limit {
			return
		}
		removed, err := w.removeCache(c.dir)
		if err != nil {
			w.Log.Warn("remove a cache", "dir", c.dir, "error", err)
		}
		if removed {
			total -= c.size
		}
	}
}

// removeCache takes a cache away at once, unless it is in use, and then deletes it, which may take long.
func (w *Worker) removeCache(dir string) (bool, error) {
	w.caches.Lock()
	if w.uses[dir] > 0 {
		w.caches.Unlock()
		return false, nil
	}
	gone := filepath.Join(filepath.Dir(dir), ".gone-"+filepath.Base(dir)) // no cache is called so; the next prune sees it
	err := removeAll(gone)
	if err == nil {
		err = os.Rename(dir, gone)
	}
	w.caches.Unlock()
	if err != nil {
		return false, err
	}
	err = removeAll(gone)
	w.caches.Lock()
	defer w.caches.Unlock()
	_ = os.Remove(filepath.Dir(dir)) // the folder of its scope, unless it holds others
	return true, err
}

func sizeOf(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
		return nil
	})
	return total
}
