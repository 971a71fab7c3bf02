package git

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TreeEntry is one file, folder, link or submodule of a tree.
type TreeEntry struct {
	Path string // from the root of the repository
	Mode string // 100644, 100755, 120000 (link), 040000 (folder), 160000 (submodule)
	Type string // blob, tree or commit
	Hash string
	Size int64 // of a blob, bytes
}

// Tree lists the folder at path in a commit (a full hash, HEAD or a full reference), with recursive every file below
// it. It fails with fault.NotFound when there is no such folder, fault.TooLarge when the listing is over 64 MB.
func (g *Git) Tree(ctx context.Context, dir, commit, folder string, recursive bool) ([]TreeEntry, error) {
	if err := revision(commit); err != nil {
		return nil, err
	}
	folder, err := CheckPath(folder)
	if err != nil {
		return nil, err
	}
	args := []string{"ls-tree", "-z", "-l", "--full-tree"}
	if recursive {
		args = append(args, "-r")
	}
	out, err := g.output(ctx, call{dir: dir, limit: treeBytes, args: append(args, commit+":"+folder)})
	if exitCode(err) == 128 && g.noFolder(ctx, dir, commit+":"+folder) { // git ends so for whatever it can't read
		return nil, fault.Errorf(fault.NotFound, "there is no folder %q at %s", clip(folder), commit)
	}
	if err != nil {
		return nil, fault.Wrap(err, "list %q at %s", folder, commit)
	}
	entries := make([]TreeEntry, 0, bytes.Count(out, []byte{0}))
	for record := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if record == "" {
			continue
		}
		meta, name, _ := strings.Cut(record, "\t")
		fields := strings.Fields(meta)
		if len(fields) != 4 {
			return nil, fmt.Errorf("list %q at %s: git gave %q", folder, commit, clip(record))
		}
		e := TreeEntry{Path: path.Join(folder, name), Mode: fields[0], Type: fields[1], Hash: fields[2]}
		e.Size, _ = strconv.ParseInt(fields[3], 10, 64) // "-" for what is not a blob
		entries = append(entries, e)
	}
	return entries, nil
}

// Signature is who wrote or made a commit, and when.
type Signature struct {
	Name, Email string
	When        time.Time
}

// Commit is one commit.
type Commit struct {
	Hash, Tree        string
	Parents           []string
	Author, Committer Signature
	Message           string
}

// Subject gives the first line of the message.
func (c Commit) Subject() string {
	subject, _, _ := strings.Cut(c.Message, "\n")
	return subject
}

// Log gives up to limit commits (at most 1,000) from commit back, newest first, after the first skip of them; with a path
// only those that changed it.
// It fails with fault.NotFound when there is no such commit.
func (g *Git) Log(ctx context.Context, dir, commit, folder string, skip, limit int) ([]Commit, error) {
	if err := revision(commit); err != nil {
		return nil, err
	}
	folder, err := CheckPath(folder)
	if err != nil {
		return nil, err
	}
	args := []string{
		"--literal-pathspecs", "log", "-z", "--no-color", "--no-decorate", "--max-count=" + strconv.Itoa(max(1, min(limit, 1000))), "--skip=" + strconv.Itoa(max(0, skip)),
		"--format=tformat:%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B", "--end-of-options", commit, "--",
	}
	if folder != "" {
		args = append(args, folder)
	}
	out, err := g.output(ctx, call{dir: dir, limit: treeBytes, args: args})
	if exitCode(err) == 128 && g.noCommit(ctx, dir, nil, commit) {
		return nil, fault.Errorf(fault.NotFound, "the repository has no commit %s", commit)
	}
	if err != nil {
		return nil, fault.Wrap(err, "read the history of %s", commit)
	}
	const fields = 10
	parts := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	var commits []Commit
	for len(parts) >= fields {
		commits = append(commits, parseCommit(parts[:fields]))
		parts = parts[fields:]
	}
	return commits, nil
}

func parseCommit(f []string) Commit {
	return Commit{
		Hash: f[0], Tree: f[1], Parents: strings.Fields(f[2]),
		Author:    Signature{f[3], f[4], unix(f[5])},
		Committer: Signature{f[6], f[7], unix(f[8])},
		Message:   strings.TrimRight(f[9], "\n"),
	}
}

func unix(s string) time.Time {
	n, _ := strconv.ParseInt(s, 10, 64) // a broken date is 1970, as git shows it
	return time.Unix(n, 0).UTC()
}

// noFolder tells whether a name surely leads to no folder; one that is damaged or out of reach may be one.
func (g *Git) noFolder(ctx context.Context, dir, name string) bool {
	if _, err := g.output(ctx, call{dir: dir, limit: 1 << 10, args: []string{"rev-parse", "--quiet", "--verify", name}}); err != nil {
		return exitCode(err) == 1
	}
	kind, err := g.output(ctx, call{dir: dir, limit: 1 << 10, args: []string{"cat-file", "-t", name}})
	return err == nil && strings.TrimSpace(string(kind)) != "tree"
}
