package git

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// FetchRequest says what is brought from a remote.
type FetchRequest struct {
	Prefixes []string // of the references, each ending with a slash; a reference keeps its name
	Prune    bool     // a reference below the prefixes that the remote has not is deleted
	Commits  []string // that are brought too, whatever leads to them there; no reference leads to them here
	Limits

	Refs   map[string]string   // of the remote, as List gave them; nil asks for them
	Select func(u Update) bool // which references move; nil for all

	// Before is called when all has been received and checked, before any reference moves, unless none does. An error
	// refuses all of it. From its return to that of Fetch the references may move; the end of ctx does not stop that
	// half way. May be nil.
	Before func(ctx context.Context, moves []Update) error
}

// Fetched is what a fetch brought.
type Fetched struct {
	Refs  map[string]string // of the remote, below the prefixes
	Moved []Update          // references that were moved here, by name
	Bytes int64             // that were received
}

// Fetch brings references and what they lead to from a remote, as a push of them would: received apart, checked, and kept
// only when all of it is sound. A reference moves to where the remote has it, forward or not.
//
// The remote is asked for its references first, so nothing is received, and nothing is written, when none moved. Nothing
// that the remote sends is run or asked for elsewhere. Meanwhile nothing may be dropped from the repository (Maintain), and
// from Before to the end nothing else may move its references.
//
// Errors are Unauthenticated, Denied, NotFound, Exhausted (it is asked too often), Conflict (it says that it has moved),
// TooLarge, Invalid (what it sends is not sound), Unavailable (it does not answer; it may be asked again).
func (g *Git) Fetch(ctx context.Context, dir string, r Remote, q FetchRequest) (Fetched, error) {
	got, err := g.fetch(ctx, dir, r, q)
	return got, fault.Wrap(err, "fetch from %s", r.host())
}

func (g *Git) fetch(ctx context.Context, dir string, r Remote, q FetchRequest) (got Fetched, err error) {
	for _, c := range q.Commits {
		if !IsHash(c) {
			return got, fault.Errorf(fault.Invalid, "%q is not a full hash", clip(c))
		}
	}
	if got.Refs = q.Refs; got.Refs == nil && len(q.Prefixes) > 0 {
		if got.Refs, err = g.list(ctx, r, q.Prefixes, q.Limits); err != nil {
			return got, err
		}
	}
	moves, err := g.moves(ctx, dir, got.Refs, q)
	if err != nil {
		return got, err
	}
	wanted := map[string]bool{}
	for _, c := range q.Commits {
		wanted[c] = true
	}
	for _, m := range moves {
		if !m.Deletes() {
			wanted[m.New] = true
		}
	}
	received := &received{objects: filepath.Join(dir, "objects")}
	defer received.drop()
	if len(wanted) > 0 {
		if err = g.receiveFrom(ctx, dir, r, q.Limits, received, slices.Sorted(maps.Keys(wanted))); err != nil {
			return got, err
		}
	}
	if len(moves) > 0 && q.Before != nil {
		if err := q.Before(ctx, moves); err != nil {
			return got, err
		}
	}
	ctx = context.WithoutCancel(ctx)
	if got.Bytes, err = received.keep(); err != nil || len(moves) == 0 {
		return got, err
	}
	if moves, err = g.moves(ctx, dir, got.Refs, q); err != nil { // as they are when nobody else moves them
		return got, err
	}
	err = g.move(ctx, dir, moves)
	if err == nil {
		got.Moved = moves
	}
	return got, err
}

// moves gives how the references differ from the remote's, by name.
func (g *Git) moves(ctx context.Context, dir string, remote map[string]string, q FetchRequest) ([]Update, error) {
	here, err := g.Refs(ctx, dir)
	if err != nil {
		return nil, err
	}
	var moves []Update
	for name, hash := range remote {
		if old := cmp.Or(here[name], zeroHash); old != hash {
			moves = append(moves, Update{name, old, hash})
		}
	}
	for name, hash := range here {
		if q.Prune && remote[name] == "" && mirrored(name, q.Prefixes) {
			moves = append(moves, Update{name, hash, zeroHash})
		}
	}
	if q.Select != nil {
		moves = slices.DeleteFunc(moves, func(u Update) bool { return !q.Select(u) })
	}
	slices.SortFunc(moves, func(a, b Update) int { return cmp.Compare(a.Ref, b.Ref) })
	return moves, nil
}

// move moves references, those that are deleted first: refs/heads/a must be gone before there is refs/heads/a/b.
func (g *Git) move(ctx context.Context, dir string, moves []Update) error {
	var deleted, written strings.Builder
	for _, m := range moves {
		to := &written
		if m.Deletes() {
			to = &deleted
		}
		to.WriteString("update " + m.Ref + "\x00" + m.New + "\x00" + m.Old + "\x00")
	}
	for _, script := range []string{deleted.String(), written.String()} {
		if script == "" {
			continue
		}
		_, err := g.output(ctx, call{dir: dir, limit: 1 << 10, args: []string{"update-ref", "--stdin", "-z"}, stdin: strings.NewReader(script)})
		if err != nil {
			return fault.Wrap(err, "move references")
		}
	}
	return nil
}

// receiveFrom receives objects by their names, and what they lead to, apart from the repository's own.
func (g *Git) receiveFrom(ctx context.Context, dir string, r Remote, l Limits, to *received, hashes []string) error {
	objects, err := filepath.Abs(to.objects)
	if err == nil {
		to.apart, err = os.MkdirTemp(objects, "incoming-fetch-")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Errorf(fault.NotFound, "there is no repository on disk: %w", err)
	}
	if err != nil {
		return err
	}
	args := []string{"fetch", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules", "--stdin"}
	if l.Progress != nil {
		args = append(args, "--progress")
	} else {
		args = append(args, "--quiet")
	}
	limit := cmp.Or(l.Pack, defaultPack)
	_, smart, err := g.exchange(ctx, r, l, call{
		dir: dir, limit: 64 << 10, file: limit,
		env:   []string{"GIT_OBJECT_DIRECTORY=" + to.apart, "GIT_ALTERNATE_OBJECT_DIRECTORIES=" + objects},
		args:  append(args, "--", r.URL),
		stdin: strings.NewReader(strings.Join(hashes, "\n") + "\n"),
	})
	switch size, some := to.size(); {
	case err != nil && size >= limit:
		return fault.Errorf(fault.TooLarge, "%s sends more than %d MB at once", r.host(), limit>>20)
	case err == nil && some && !smart:
		return r.notSmart()
	}
	return err
}

// received are objects that are not the repository's yet.
type received struct {
	objects string // of the repository
	apart   string // "" when nothing was received
}

// size gives the bytes of the largest file; some tells whether there is any.
func (r *received) size() (largest int64, some bool) {
	_ = filepath.WalkDir(r.apart, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			some = true
			if info, err := d.Info(); err == nil {
				largest = max(largest, info.Size())
			}
		}
		return nil
	})
	return largest, some
}

// drop removes what was not kept.
func (r *received) drop() {
	if r.apart != "" {
		os.RemoveAll(r.apart)
	}
}

// keep moves received packs to where git finds them: their indexes last, since git looks for those.
func (r *received) keep() (size int64, err error) {
	if r.apart == "" {
		return 0, nil
	}
	files, err := os.ReadDir(filepath.Join(r.apart, "pack"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // all was here already
	}
	if err != nil {
		return 0, err
	}
	to := filepath.Join(r.objects, "pack")
	if err := os.MkdirAll(to, 0o700); err != nil {
		return 0, err
	}
	slices.SortStableFunc(files, func(a, b os.DirEntry) int { return cmp.Compare(order(a.Name()), order(b.Name())) })
	for _, f := range files {
		if order(f.Name()) == 0 {
			continue
		}
		if info, err := f.Info(); err == nil && strings.HasSuffix(f.Name(), ".pack") {
			size += info.Size()
		}
		target := filepath.Join(to, f.Name())
		if exists(target) {
			continue // the same, by its name
		}
		if err := os.Rename(filepath.Join(r.apart, "pack", f.Name()), target); err != nil {
			return size, err
		}
	}
	folder, err := os.Open(to)
	if err != nil {
		return size, err
	}
	defer folder.Close()
	return size, folder.Sync()
}

// order gives when a file of a pack is moved; 0 for what is not kept.
func order(name string) int {
	switch {
	case !strings.HasPrefix(name, "pack-"):
		return 0
	case strings.HasSuffix(name, ".pack"):
		return 1
	case strings.HasSuffix(name, ".rev"):
		return 2
	case strings.HasSuffix(name, ".idx"):
		return 3
	}
	return 0
}
