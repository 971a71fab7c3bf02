package group

import (
	"cmp"
	"context"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// watchDisk ends a command when one of its own folders holds more than that may, or all of them, with what those that
// it shares have grown by since it began to look, more than Limits.Disk.
func (q *Request) watchDisk(ctx context.Context, r *running) {
	limit := q.Limits.Disk
	if limit <= 0 && !slices.ContainsFunc(q.Owns, func(f execute.Folder) bool { return f.Limit > 0 }) {
		return
	}
	var shared []string
	for _, m := range q.Mounts {
		own := slices.ContainsFunc(q.Owns, func(f execute.Folder) bool {
			return m.Source == f.Path || strings.HasPrefix(m.Source, f.Path+string(filepath.Separator))
		})
		if !m.ReadOnly && !own {
			shared = append(shared, m.Source)
		}
	}
	ticks := time.NewTicker(2 * time.Second)
	defer ticks.Stop()
	before := int64(-1)
	asked, most := false, func(n int64) int64 { // what is asked to end goes on writing, and is not let do that for ever
		if q.Saving > 0 && n < math.MaxInt64/2 {
			return 2 * n
		}
		return n
	}
	over := func(folder string, n, limit int64) (end bool) {
		switch {
		case n > most(limit):
			r.full(folder, 0)
			return true
		case n > limit && !asked:
			asked = true
			r.full(folder, q.Saving)
		}
		return false
	}
	for first := true; ; first = false {
		holds := int64(0)
		for _, f := range q.Owns {
			n := used(ctx, []string{f.Path}, cmp.Or(most(max(f.Limit, limit)), math.MaxInt64))
			if f.Limit > 0 && over(f.Path, n, f.Limit) {
				return
			}
			holds += n
		}
		if len(shared) > 0 && limit > 0 && !first { // a command that ends at once need not wait for a large cache
			now := used(ctx, shared, math.MaxInt64)
			if before < 0 {
				before = now
			}
			holds += max(0, now-before)
		}
		if limit > 0 && over("", holds+used(ctx, []string{q.Workspace, q.Tmp}, most(limit)), limit) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// used adds up the sizes of files, and stops counting over limit.
func used(ctx context.Context, dirs []string, limit int64) (total int64) {
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if ctx.Err() != nil || total > limit {
				return filepath.SkipAll
			}
			if err != nil {
				return nil // it was removed meanwhile
			}
			if info, err := d.Info(); err == nil {
				total += allocated(info)
			}
			return nil
		})
	}
	return total
}
