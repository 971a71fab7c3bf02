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

// defaultCacheBytes is what all caches may hold together when a worker starts; the least lately used go first.
const defaultCacheBytes = 20 << 30

var cacheName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// mountCaches shows the caches of a job. Each space has its own, so that no space can put anything into what
// another's steps will run. release says that they are not in use any more.
func (w *Worker) mountCaches(space string, j Job, s *execute.Spec) (release func(), err error) {
	w.caches.Lock()
	defer w.caches.Unlock()
	var used []string
	release = func() {
		w.caches.Lock()
		defer w.caches.Unlock()
		now := w.Now()
		for _, dir := range used {
			w.uses[dir]--
			_ = os.Chtimes(dir, now, now) // the order of use is all that is lost
		}
	}
	for _, c := range j.Caches {
		if !cacheName.MatchString(c.Name) {
			return nil, fault.Errorf(fault.Invalid, "the cache name %q is not one of a-z, 0-9, '.', '_' and '-'", c.Name)
		}
		sum := sha256.Sum256([]byte(space))
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

// prune removes the caches least lately used until the rest holds at most limit bytes.
func (w *Worker) prune(limit int64) {
	w.caches.Lock()
	defer w.caches.Unlock()
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
		if w.uses[c.dir] > 0 {
			continue
		}
		if err := removeAll(c.dir); err != nil {
			w.Log.Warn("remove a cache", "dir", c.dir, "error", err)
			continue
		}
		total -= c.size
	}
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
