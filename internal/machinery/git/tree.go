package git

import (
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

// Tree lists the folder at path in a commit (a full hash, HEAD or a full reference). It fails with fault.NotFound when
// there is no such folder, fault.TooLarge when there are more than 50,000 entries in it or their names are over 64 MB.
func (g *Git) Tree(ctx context.Context, dir, commit, folder string) ([]TreeEntry, error) {
	var entries []TreeEntry
	err := g.eachEntry(ctx, dir, commit, folder, "-l", func(e TreeEntry) error {
		if len(entries) == treeEntries {
			return fault.Errorf(fault.TooLarge, "the folder %q has more than %d entries; clone the repository to see them", clip(folder), treeEntries)
		}
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

// Walk gives fn every file, link and submodule below the folder at path in a commit, one at a time and without its size;
// an error of fn ends it. It fails with fault.NotFound when there is no such folder, fault.TooLarge when the names are
// over 64 MB.
func (g *Git) Walk(ctx context.Context, dir, commit, folder string, fn func(TreeEntry) error) error {
	return g.eachEntry(ctx, dir, commit, folder, "-r", fn)
}

func (g *Git) eachEntry(ctx context.Context, dir, commit, folder, option string, fn func(TreeEntry) error) error {
	if err := revision(commit); err != nil {
		return err
	}
	folder, err := CheckPath(folder)
	if err != nil {
		return err
	}
	args := []string{"ls-tree", "-z", "--full-tree", option, commit + ":" + folder}
	err = g.records(ctx, call{dir: dir, limit: treeBytes, args: args}, func(record string) error {
		e, err := parseEntry(record)
		if err != nil {
			return err
		}
		e.Path = path.Join(folder, e.Path)
		return fn(e)
	})
	if exitCode(err) == 128 && g.noFolder(ctx, dir, commit+":"+folder) { // git ends so for whatever it can't read
		return fault.Errorf(fault.NotFound, "there is no folder %q at %s", clip(folder), commit)
	}
	return fault.Wrap(err, "list %q at %s", clip(folder), commit)
}

// parseEntry reads "MODE TYPE HASH\tNAME", with the size, or "-", after the hash when it was asked for.
func parseEntry(record string) (e TreeEntry, err error) {
	meta, name, ok := strings.Cut(record, "\t")
	fields := strings.Fields(meta)
	if !ok || len(fields) != 3 && len(fields) != 4 {
		return e, fmt.Errorf("git gave %q", clip(record))
	}
	e = TreeEntry{Path: name, Mode: fields[0], Type: fields[1], Hash: fields[2]}
	if len(fields) == 4 {
		e.Size, _ = strconv.ParseInt(fields[3], 10, 64)
	}
	return e, nil
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
	return plain(g.History(ctx, dir, commit, History{Path: folder, Skip: skip, Limit: limit}))
}

// Brings gives the commits that commit has and base has not, as Log does; "" has none.
func (g *Git) Brings(ctx context.Context, dir, base, commit string, skip, limit int) ([]Commit, error) {
	return plain(g.History(ctx, dir, commit, History{Without: base, Skip: skip, Limit: limit}))
}

func plain(all []PathCommit, err error) ([]Commit, error) {
	var commits []Commit
	for _, c := range all {
		commits = append(commits, c.Commit)
	}
	return commits, err
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
