package git

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// blob gives the hash and the size of a file at a path of a commit, without following links.
func (g *Git) blob(ctx context.Context, dir, commit, file string) (hash string, size int64, err error) {
	if err := revision(commit); err != nil {
		return "", 0, err
	}
	clean, err := CheckPath(file)
	if err != nil {
		return "", 0, err
	}
	out, err := g.output(ctx, call{dir: dir, limit: 16 << 10, stdin: strings.NewReader(commit + ":" + clean + "\n"), args: []string{"cat-file", "--batch-check"}})
	if err != nil {
		return "", 0, fault.Wrap(err, "look for %s", clip(file))
	}
	var kind string
	if _, err := fmt.Sscan(string(out), &hash, &kind, &size); err != nil || !IsHash(hash) {
		return "", 0, fault.Errorf(fault.NotFound, "there is no file %s at %s", clip(file), commit)
	}
	if kind != "blob" {
		return "", 0, fault.Errorf(fault.Invalid, "%s is a folder", clip(file))
	}
	return hash, size, nil
}

// Entries gives what is at some paths of a commit, without following links; what is not there is left out. It fails with
// fault.NotFound when there is no such commit.
func (g *Git) Entries(ctx context.Context, dir, commit string, paths []string) (map[string]TreeEntry, error) {
	found := make(map[string]TreeEntry, len(paths))
	if err := revision(commit); err != nil || len(paths) == 0 {
		return found, err
	}
	args := []string{"--literal-pathspecs", "ls-tree", "-z", "-l", "--full-tree", commit, "--"}
	for _, p := range paths {
		clean, err := CheckPath(p)
		if err != nil {
			return nil, err
		}
		if clean == "" {
			return nil, fault.Errorf(fault.Invalid, "name a path")
		}
		args = append(args, clean)
	}
	err := g.records(ctx, call{dir: dir, limit: treeBytes, args: args}, func(record string) error {
		e, err := parseEntry(record)
		found[e.Path] = e
		return err
	})
	if exitCode(err) == 128 && g.noCommit(ctx, dir, nil, commit) {
		return nil, fault.Errorf(fault.NotFound, "the repository has no commit %s", commit)
	}
	return found, fault.Wrap(err, "look for files at %s", commit)
}

// Link gives what a link says, whose hash is known; at most 4 KB of it.
func (g *Git) Link(ctx context.Context, dir, hash string) (string, error) {
	if !IsHash(hash) {
		return "", fault.Errorf(fault.Invalid, "%q is not the hash of a link", clip(hash))
	}
	out, err := g.output(ctx, call{dir: dir, limit: 4 << 10, args: []string{"cat-file", "blob", hash}})
	return strings.ToValidUTF8(string(out), "\uFFFD"), fault.Wrap(err, "read a link")
}

// Blob is a file that is read as it comes.
type Blob struct {
	io.ReadCloser
	Hash string
	Size int64
}

// OpenFile opens a file of any size; it must be closed. Errors are those of ReadFile.
func (g *Git) OpenFile(ctx context.Context, dir, commit, file string) (*Blob, error) {
	hash, size, err := g.blob(ctx, dir, commit, file)
	if err != nil {
		return nil, err
	}
	content, err := g.served(ctx, call{dir: dir, args: []string{"cat-file", "blob", hash}})
	if err != nil {
		return nil, err
	}
	return &Blob{content, hash, size}, nil
}
