package git

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// hook is the one hook of a repository. It hands the updates of a push and its options to the server by the descriptors
// that receive-pack inherited from it, shows what the server says, and lets the push through only at its word. Without a
// server behind them (somebody pushes to the folder by hand, or the server has died) it refuses. What the options say
// comes after all that git says, and of each the first line.
const hook = `#!/bin/sh
end='
'
{
	printf '%s\n' "$GIT_QUARANTINE_PATH"
	while IFS= read -r update; do printf '%s\n' "$update"; done
	printf 'end %s\n' "${GIT_PUSH_OPTION_COUNT:-0}"
	i=0
	while [ "$i" -lt "${GIT_PUSH_OPTION_COUNT:-0}" ] && [ "$i" -lt 50 ]; do
		eval "option=\$GIT_PUSH_OPTION_$i"
		printf '%s\n' "${option%%"$end"*}"
		i=$((i + 1))
	done
} >&3 || exit 1
while IFS= read -r word <&4; do
	case $word in
	ok) exit 0 ;;
	no) exit 1 ;;
	*) printf '%s\n' "${word#say }" >&2 ;;
	esac
done
exit 1
`

// attributes outrank those of the tree: an archive holds every file as it was committed.
const attributes = "* -export-ignore -export-subst -text -ident !eol !working-tree-encoding\n"

// Init makes an empty bare repository in dir, which must not exist; its HEAD is the branch main.
func (g *Git) Init(ctx context.Context, dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fault.Wrap(err, "make a repository")
	}
	_, err := g.output(ctx, call{dir: dir, limit: 4 << 10, args: []string{
		"init", "--quiet", "--bare", "--template=", "--object-format=sha1", "--initial-branch=main", ".",
	}})
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "info"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "info", "attributes"), []byte(attributes), 0o600)
	}
	if err == nil {
		err = writeHook(dir)
	}
	return fault.Wrap(err, "make a repository")
}

// writeHook makes the hook of a repository what this program wants it to be.
func writeHook(dir string) error {
	path := filepath.Join(dir, "hooks", "pre-receive")
	if have, err := os.ReadFile(path); err == nil && string(have) == hook {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm() == 0o700 {
			return nil
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// A child that is forked while the file is open for writing would hold it open, and the file could not be run.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path+".new", []byte(hook), 0o700); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

const marksOfPacks = "objects/pack/pack-*.keep"

// Recover removes what commands that were killed before started have left behind: lock files, which would refuse every
// later change, half-received packs, and marks that keep a pack from ever being joined with others. The caller makes sure that nothing writes to the repository meanwhile, but
// for pushes that have not come to their PreReceive.
func (g *Git) Recover(dir string, started time.Time) error {
	stale := func(path string) error {
		info, err := os.Lstat(path)
		if err != nil || !info.ModTime().Before(started) {
			return nil // gone, or somebody's at this moment
		}
		g.log.Warn("remove what a killed git left behind", "path", path)
		return os.RemoveAll(path)
	}
	for _, pattern := range []string{
		"*.lock", "objects/incoming-*", "objects/tmp_objdir-*", "objects/pack/tmp_*", "objects/pack/.tmp-*", "objects/pack/*.lock",
		marksOfPacks, "fast_import_crash_*", "gc.pid",
	} {
		found, _ := filepath.Glob(filepath.Join(dir, pattern)) // the pattern is sound
		for _, path := range found {
			if pattern == marksOfPacks && isNotOfGit(path) {
				continue
			}
			if err := stale(path); err != nil {
				return fault.Wrap(err, "clean a repository up")
			}
		}
	}
	return fault.Wrap(filepath.WalkDir(filepath.Join(dir, "refs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".lock") {
			return nil // a reference may go while we look
		}
		return stale(path)
	}), "clean a repository up")
}

// When a repository is worth packing, and how long what no reference leads to is kept at least.
const (
	tidyPacks  = 10      // more packs than that are joined
	tidyLoose  = 4       // loose objects in one of the 256 folders that they are spread over
	bigPack    = 4 << 20 // a pack that is worth a bitmap
	pruneEvery = 14 * 24 * time.Hour
	prunedFile = "roadbed-pruned" // its time is when unreachable objects were dropped last
)

// Maintain packs what has piled up, when it is enough to be worth it, and keeps what makes clones and histories fast: few
// packs, each at least twice the next, with a bitmap over them, and a graph of the commits. Unreachable objects are dropped
// after two weeks. Nothing else may move references meanwhile, and nothing may be received: a push that has been checked may
// build on what is dropped.
func (g *Git) Maintain(ctx context.Context, dir string) error {
	collect := call{
		dir: dir, limit: 64 << 10, forks: true, time: packTime, args: []string{"gc", "--auto", "--quiet"},
		config: [][2]string{{"gc.auto", "2000"}, {"gc.autoPackLimit", "30"}},
	}
	pruned := filepath.Join(dir, prunedFile)
	info, err := os.Stat(pruned)
	if err != nil {
		err = os.WriteFile(pruned, nil, 0o600)
	} else if time.Since(info.ModTime()) > pruneEvery {
		collect.args = []string{"gc", "--quiet"} // packs are joined before they are too many for the other
		err = os.Chtimes(pruned, time.Time{}, time.Now())
	}
	if err == nil {
		_, err = g.output(ctx, collect)
	}
	if err == nil && g.untidy(dir) {
		_, err = g.output(ctx, call{dir: dir, limit: 64 << 10, forks: true, time: packTime, args: []string{"repack", "-d", "-l", "-q", "--geometric=2", "--write-midx", "--write-bitmap-index"}})
		if err == nil {
			_, err = g.output(ctx, call{dir: dir, limit: 64 << 10, forks: true, time: packTime, args: []string{"commit-graph", "write", "--reachable", "--split", "--changed-paths", "--max-new-filters=5000", "--no-progress"}})
		}
	}
	return fault.Wrap(err, "pack a repository")
}

// Untidy tells whether Maintain would have something to do that clones gain from.
func (g *Git) Untidy(dir string) bool { return g.untidy(dir) }

func (g *Git) untidy(dir string) bool {
	packs, _ := filepath.Glob(filepath.Join(dir, "objects/pack/pack-*.pack")) // the pattern is sound, here and below
	loose, _ := filepath.Glob(filepath.Join(dir, "objects/17/*"))
	if len(packs) > tidyPacks || len(loose) >= tidyLoose {
		return true
	}
	bitmaps, _ := filepath.Glob(filepath.Join(dir, "objects/pack/*.bitmap"))
	if len(bitmaps) > 0 {
		return false
	}
	for _, pack := range packs {
		if info, err := os.Stat(pack); err == nil && info.Size() >= bigPack {
			return true
		}
	}
	return false
}

// Check runs git fsck over everything and fails with fault.Conflict when the repository is damaged.
func (g *Git) Check(ctx context.Context, dir string) error {
	_, err := g.output(ctx, call{dir: dir, limit: 1 << 20, forks: true, time: packTime, args: []string{"fsck", "--full", "--strict", "--no-dangling", "--no-progress"}})
	if exitCode(err) > 0 {
		return fault.Errorf(fault.Conflict, "the repository is damaged: %w", err)
	}
	return fault.Wrap(err, "check a repository")
}
