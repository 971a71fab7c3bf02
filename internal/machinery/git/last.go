package git

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Last is which commits changed the entries of a folder last.
type Last struct {
	Of       map[string]string // commit by the entry's name in the folder
	Commits  map[string]Commit // author, time and subject
	Complete bool              // every entry has its commit; else the history was too long to be looked through
}

// LastCommits tells which commit changed each entry of a folder last, by one walk through its history that ends when all
// are found, after 4 s, or after 50,000 commits. names are the entries that are looked for.
func (g *Git) LastCommits(ctx context.Context, dir, commit, folder string, names []string) (Last, error) {
	last := Last{Of: map[string]string{}, Commits: map[string]Commit{}}
	if err := revision(commit); err != nil {
		return last, err
	}
	folder, err := CheckPath(folder)
	if err != nil {
		return last, err
	}
	missing := make(map[string]bool, len(names))
	for _, n := range names {
		missing[n] = true
	}
	if len(missing) == 0 {
		last.Complete = true
		return last, nil
	}
	below := ""
	if folder != "" {
		below = folder + "/"
	}
	// A commit begins with an empty record, the mark and its facts; what follows are names.
	mark := rand.Text()
	args := []string{
		"--literal-pathspecs", "log", "-z", "-c", "--name-only", "--no-renames", "--no-color", "--no-decorate", "--max-count=" + strconv.Itoa(lastCommits),
		"--format=tformat:%x00" + mark + "%x00%H%x00%an%x00%ae%x00%at%x00%s", "--end-of-options", commit, "--",
	}
	if folder != "" {
		args = append(args, folder)
	}
	leave, err := g.look(ctx)
	if err != nil {
		return last, err
	}
	defer leave()
	limited, cancel := context.WithTimeout(ctx, lastTime)
	defer cancel()
	var facts []string
	reading := false
	seen := 0
	err = g.records(limited, call{dir: dir, limit: treeBytes * 4, time: lastTime, args: args}, func(record string) error {
		if record == mark {
			facts, reading = nil, true
			seen++
			return nil
		}
		if reading {
			if facts = append(facts, record); len(facts) == 5 {
				reading = false
			}
			return nil
		}
		name, ok := strings.CutPrefix(strings.TrimPrefix(record, "\n"), below)
		if !ok || name == "" || len(facts) != 5 {
			return nil
		}
		name, _, _ = strings.Cut(name, "/")
		if !missing[name] {
			return nil
		}
		delete(missing, name)
		last.Of[name] = facts[0]
		last.Commits[facts[0]] = Commit{Hash: facts[0], Author: Signature{facts[1], facts[2], unix(facts[3])}, Message: facts[4]}
		if len(missing) == 0 {
			return errEnough
		}
		return nil
	})
	switch {
	case err == nil, errors.Is(err, errEnough):
	case fault.Is(err, fault.TooLarge), limited.Err() != nil && ctx.Err() == nil: // what was found is told
	case exitCode(err) == 128 && g.noCommit(ctx, dir, nil, commit):
		return last, fault.Errorf(fault.NotFound, "the repository has no commit %s", commit)
	default:
		return last, fault.Wrap(err, "read the history of %q", clip(folder))
	}
	last.Complete = len(missing) == 0
	return last, nil
}
