package git

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Head gives the branch that HEAD names (without refs/heads/), whether or not it exists yet.
func (g *Git) Head(ctx context.Context, dir string) (branch string, err error) {
	out, err := g.output(ctx, call{dir: dir, limit: 1 << 10, args: []string{"symbolic-ref", "HEAD"}})
	if err != nil {
		return "", fault.Wrap(err, "read HEAD")
	}
	branch, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "refs/heads/")
	if !ok {
		return "", fmt.Errorf("read HEAD: it is %q, which is no branch", out)
	}
	return branch, nil
}

// SetHead makes branch the one that a clone checks out. The branch need not exist yet.
func (g *Git) SetHead(ctx context.Context, dir, branch string) error {
	if err := CheckBranch(branch); err != nil {
		return err
	}
	_, err := g.output(ctx, call{dir: dir, limit: 1 << 10, args: []string{"symbolic-ref", "HEAD", "refs/heads/" + branch}})
	return fault.Wrap(err, "set HEAD to %s", branch)
}

// Resolve gives the commit that rev names: a full hash, HEAD, a full reference, or the short name of a branch or,
// when there is no such branch, of a tag, or at last the first 7 or more digits of a hash that no other begins with. It
// fails with fault.NotFound when there is none.
func (g *Git) Resolve(ctx context.Context, dir, rev string) (commit string, err error) {
	candidates := []string{rev}
	if revision(rev) != nil {
		if err := CheckBranch(rev); err != nil {
			return "", fault.Errorf(fault.Invalid, "%q is not a branch, a tag or a commit", clip(rev))
		}
		candidates = []string{"refs/heads/" + rev, "refs/tags/" + rev}
		if abbreviated(rev) {
			candidates = append(candidates, rev)
		}
	}
	objects, err := g.batch(ctx, dir, 1<<10, false, suffixed(candidates, "^{commit}"))
	if err != nil {
		return "", fault.Wrap(err, "resolve %s", rev)
	}
	for _, o := range objects {
		if o.kind == "commit" {
			return o.hash, nil
		}
	}
	return "", fault.Errorf(fault.NotFound, "the repository has no branch, tag or commit %s", rev)
}

// abbreviated tells whether s may be the beginning of a hash.
func abbreviated(s string) bool {
	return len(s) >= 7 && len(s) < 40 && IsHash(s+strings.Repeat("0", 40-len(s)))
}

func suffixed(names []string, suffix string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n + suffix
	}
	return out
}

// ReadFile gives the content of the file at path in a commit (a full hash, HEAD or a full reference). Symbolic links
// are followed inside the tree. It fails with fault.NotFound when there is no such file or commit, fault.TooLarge when
// the file is over limit bytes, and fault.Invalid for a folder.
func (g *Git) ReadFile(ctx context.Context, dir, commit, path string, limit int64) ([]byte, error) {
	files, err := g.ReadFiles(ctx, dir, commit, []string{path}, limit)
	if err != nil {
		return nil, err
	}
	if content, ok := files[path]; ok {
		return content, nil
	}
	return nil, fault.Errorf(fault.NotFound, "there is no file %s at %s", clip(path), commit)
}

// ReadFiles reads many files of one commit by one process; together they may have limit bytes. What is not there is
// left out. Errors are those of ReadFile.
func (g *Git) ReadFiles(ctx context.Context, dir, commit string, paths []string, limit int64) (map[string][]byte, error) {
	if err := revision(commit); err != nil {
		return nil, err
	}
	names := make([]string, len(paths))
	for i, p := range paths {
		clean, err := CheckPath(p)
		if err != nil {
			return nil, err
		}
		names[i] = commit + ":" + clean
	}
	objects, err := g.batch(ctx, dir, limit, true, names)
	if err != nil {
		return nil, fault.Wrap(err, "read %s", clip(strings.Join(paths, ", ")))
	}
	files := make(map[string][]byte, len(paths))
	for i, o := range objects {
		switch o.kind {
		case "blob":
			files[paths[i]] = o.content
		case "tree":
			return nil, fault.Errorf(fault.Invalid, "%s is a folder", clip(paths[i]))
		}
	}
	return files, nil
}

// object is one answer of git cat-file --batch; kind is empty when there is no such object.
type object struct {
	hash, kind string
	content    []byte
	lost       string // the word for a way that leads to nothing in this tree: symlink, dangling, loop or notdir
}

// batch asks git cat-file for objects by name, one answer each, in order. With content the bytes come along, up to
// limit in all; symbolic links are then followed inside their tree.
func (g *Git) batch(ctx context.Context, dir string, limit int64, content bool, names []string) ([]object, error) {
	return g.batchIn(ctx, dir, nil, limit, content, names)
}

// batchIn is batch in an environment, which may make more objects visible.
func (g *Git) batchIn(ctx context.Context, dir string, env []string, limit int64, content bool, names []string) ([]object, error) {
	args := []string{"cat-file", "--batch-check"}
	if content {
		args = []string{"cat-file", "--batch", "--follow-symlinks", "--buffer"}
	}
	out, err := g.output(ctx, call{
		dir: dir, env: env, args: args, stdin: strings.NewReader(strings.Join(names, "\n") + "\n"),
		limit: limit + int64(len(names))*8<<10, // a header repeats the name it was asked for
	})
	if err != nil {
		return nil, err
	}
	objects := make([]object, 0, len(names))
	total := int64(0)
	for range names {
		line, rest, ok := bytes.Cut(out, []byte{'\n'})
		if !ok {
			return nil, fmt.Errorf("git cat-file ended early: %q", clip(string(out)))
		}
		out = rest
		o, follows := parseHeader(string(line), content)
		if follows >= 0 {
			if int64(len(out)) < follows+1 {
				return nil, fmt.Errorf("git cat-file ended within %s", clip(string(line)))
			}
			if o.kind != "" {
				o.content = out[:follows:follows]
				total += follows
			}
			out = out[follows+1:]
		}
		objects = append(objects, o)
	}
	if total > limit {
		return nil, fault.Errorf(fault.TooLarge, "it has %d bytes, more than %d", total, limit)
	}
	return objects, nil
}

// What git says of a way that leads to nothing in a tree.
const (
	leadsOut         = "symlink"
	leadsNowhere     = "dangling"
	leadsRound       = "loop"
	leadsThroughFile = "notdir"
)

// parseHeader reads "HASH TYPE SIZE", "NAME missing" or "NAME ambiguous"; or "symlink|dangling|loop|notdir SIZE", which
// says that a link leads to nothing in this tree. It gives how many bytes follow before a newline, -1 for none at all.
func parseHeader(line string, content bool) (o object, follows int64) {
	if parts := strings.Split(line, " "); len(parts) == 3 && IsHash(parts[0]) {
		if size, err := strconv.ParseInt(parts[2], 10, 64); err == nil && size >= 0 {
			o = object{hash: parts[0], kind: parts[1]}
			if content {
				return o, size
			}
			return o, -1
		}
	}
	switch word, number, _ := strings.Cut(line, " "); word {
	case leadsOut, leadsNowhere, leadsRound, leadsThroughFile:
		if size, err := strconv.ParseInt(number, 10, 64); err == nil && size >= 0 && content {
			return object{lost: word}, size
		}
	}
	return object{}, -1
}

// IsAncestor tells whether commit b has commit a among its ancestors, or is a.
func (g *Git) IsAncestor(ctx context.Context, dir, a, b string) (bool, error) {
	return g.isAncestor(ctx, dir, nil, a, b)
}

func (g *Git) isAncestor(ctx context.Context, dir string, env []string, a, b string) (bool, error) {
	for _, rev := range []string{a, b} {
		if err := revision(rev); err != nil {
			return false, err
		}
	}
	_, err := g.output(ctx, call{dir: dir, env: env, limit: 1 << 10, args: []string{"merge-base", "--is-ancestor", a, b}})
	switch {
	case err == nil:
		return true, nil
	case exitCode(err) == 1:
		return false, nil
	case exitCode(err) == 128 && (g.noCommit(ctx, dir, env, a) || g.noCommit(ctx, dir, env, b)):
		return false, fault.Errorf(fault.NotFound, "compare %s and %s: one of them is not a commit of the repository", a, b)
	}
	return false, fault.Wrap(err, "compare %s and %s", a, b)
}

// noCommit tells whether a name surely leads to no commit. git ends with 128 for whatever it can't read, so a history
// that is damaged or out of reach would pass for one that is not there.
func (g *Git) noCommit(ctx context.Context, dir string, env []string, name string) bool {
	_, err := g.output(ctx, call{dir: dir, env: env, limit: 1 << 10, args: []string{"rev-parse", "--quiet", "--verify", name + "^{commit}"}})
	return exitCode(err) == 1
}
