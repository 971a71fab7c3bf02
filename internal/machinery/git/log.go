package git

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// History says which commits are given.
type History struct {
	Without string // commits that this one has are left out; a full hash
	Path    string // only those that changed it; "" for all
	Follow  bool   // Path is a file, and so are its earlier names
	Author  string // part of the author's name or address, in any case
	Text    string // part of the message, in any case
	Skip    int
	Limit   int // at most 1,000
}

// PathCommit is a commit with the name that the file had in it, when that was followed.
type PathCommit struct {
	Commit
	Path string
}

// historyTime bounds a walk that leaves out most of what it sees.
const historyTime = 20 * time.Second

// History gives commits from one back, the newest first. It fails with fault.NotFound when there is no such commit, and
// with fault.Unavailable when it takes over 20 s.
func (g *Git) History(ctx context.Context, dir, commit string, h History) ([]PathCommit, error) {
	if err := revision(commit); err != nil {
		return nil, err
	}
	folder, err := CheckPath(h.Path)
	if err != nil {
		return nil, err
	}
	for _, s := range []string{h.Author, h.Text} {
		if len(s) > grepText || strings.ContainsAny(s, "\x00\r\n") {
			return nil, fault.Errorf(fault.Invalid, "look for one line of at most %d bytes", grepText)
		}
	}
	args := []string{"--literal-pathspecs", "log", "--max-count=" + strconv.Itoa(max(1, min(h.Limit, 1000))), "--skip=" + strconv.Itoa(max(0, h.Skip))}
	if h.Author != "" || h.Text != "" {
		args = append(args, "--fixed-strings", "--regexp-ignore-case")
	}
	if h.Author != "" {
		args = append(args, "--author="+h.Author)
	}
	if h.Text != "" {
		args = append(args, "--grep="+h.Text)
	}
	follow := h.Follow && folder != ""
	if follow {
		args = append(args, "--follow", "--name-only")
	}
	args = append(args, "--end-of-options", commit)
	if h.Without != "" {
		if !IsHash(h.Without) {
			return nil, fault.Errorf(fault.Invalid, "%q is not the full hash of a commit", clip(h.Without))
		}
		args = append(args, "^"+h.Without)
	}
	args = append(args, "--")
	if folder != "" {
		args = append(args, folder)
	}
	if h.Author != "" || h.Text != "" || folder != "" { // most of what is seen is left out
		leave, err := g.look(ctx)
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	limited, cancel := context.WithTimeout(ctx, historyTime)
	defer cancel()
	commits, err := g.readLog(limited, call{dir: dir, time: historyTime, args: args}, follow)
	switch {
	case err == nil:
		return commits, nil
	case exitCode(err) == 128 && g.noCommit(ctx, dir, nil, commit):
		return nil, fault.Errorf(fault.NotFound, "the repository has no commit %s", commit)
	case limited.Err() != nil && ctx.Err() == nil:
		return nil, fault.Errorf(fault.Unavailable, "the history of %s is too long to be looked through for this; clone it and use git log", commit)
	}
	return nil, fault.Wrap(err, "read the history of %s", commit)
}

// logFields are what is asked of a commit; each ends with a NUL.
const logFields = "%x00%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B"

// readLog runs git log and reads its commits; with names each is followed by those of the files that it changed.
func (g *Git) readLog(ctx context.Context, c call, names bool) ([]PathCommit, error) {
	at := slices.Index(c.args, "log") + 1
	c.args = slices.Insert(slices.Clone(c.args), at, "-z", "--no-color", "--no-decorate", "--format=tformat:"+logFields)
	c.limit = treeBytes
	out, err := g.output(ctx, c)
	if err != nil {
		return nil, err
	}
	var commits []PathCommit
	var fields []string
	for record := range strings.SplitSeq(string(out), "\x00") {
		switch n := len(fields); {
		case n == 0 && record == "": // each commit begins so
			fields = append(fields, record)
		case n > 0:
			if fields = append(fields, record); len(fields) == 11 {
				commits = append(commits, PathCommit{Commit: parseCommit(fields[1:])})
				fields = nil
			}
		case names && len(commits) > 0:
			commits[len(commits)-1].Path = strings.TrimPrefix(record, "\n")
		}
	}
	return commits, nil
}
