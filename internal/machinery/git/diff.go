package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// DiffLimits bounds a diff. Zero values take the defaults.
type DiffLimits struct {
	Files int   // default 3,000
	Bytes int64 // of all patches, default 4 MB
}

// Diff is what changed between two commits.
type Diff struct {
	Files     []FileDiff
	Truncated bool // files or patches were left out
}

// FileDiff is what changed in one file.
type FileDiff struct {
	Path, OldPath        string // OldPath differs after a rename or copy
	Status               string // added, modified, deleted, renamed, copied, type
	OldMode, NewMode     string
	OldHash, NewHash     string
	Additions, Deletions int
	Binary               bool
	Patch                string // unified, from its first @@ line; empty for binary files and beyond the limit
}

// endpoints gives the trees to compare; an empty or zero commit is the empty tree.
func endpoints(from, to string) (string, string, error) {
	for _, p := range []*string{&from, &to} {
		if *p == "" || *p == zeroHash {
			*p = emptyTree
		} else if err := revision(*p); err != nil {
			return "", "", err
		}
	}
	return from, to, nil
}

// ChangedPaths gives the paths that differ between two commits; a rename gives both. An empty or zero commit is the
// empty tree. It fails with fault.TooLarge when there are over 64 MB of them: take everything as changed then.
func (g *Git) ChangedPaths(ctx context.Context, dir, from, to string) ([]string, error) {
	from, to, err := endpoints(from, to)
	if err != nil {
		return nil, err
	}
	var paths []string
	err = g.records(ctx, call{dir: dir, limit: treeBytes, args: []string{
		"diff-tree", "-r", "-z", "--no-renames", "--name-only", "--no-commit-id", from, to, "--",
	}}, func(path string) error { paths = append(paths, path); return nil })
	if exitCode(err) == 128 {
		return nil, fault.Errorf(fault.NotFound, "compare %s and %s: one of them is not in the repository", from, to)
	}
	if err != nil {
		return nil, fault.Wrap(err, "compare %s and %s", from, to)
	}
	return paths, nil
}

// Diff compares two commits; an empty or zero commit is the empty tree. What is over the limits is left out and
// Truncated says so.
func (g *Git) Diff(ctx context.Context, dir, from, to string, limits DiffLimits) (Diff, error) {
	from, to, err := endpoints(from, to)
	if err != nil {
		return Diff{}, err
	}
	if limits.Files <= 0 {
		limits.Files = 3000
	}
	if limits.Bytes <= 0 {
		limits.Bytes = 4 << 20
	}
	diff := []string{"diff-tree", "-r", "-M", "--no-commit-id", "--no-color", "--no-ext-diff", "--no-textconv", "--full-index"}
	out, err := g.output(ctx, call{dir: dir, limit: treeBytes, args: append(diff[:len(diff):len(diff)], "-z", "--raw", "--numstat", from, to, "--")})
	if exitCode(err) == 128 {
		return Diff{}, fault.Errorf(fault.NotFound, "compare %s and %s: one of them is not in the repository", from, to)
	}
	if err != nil {
		return Diff{}, fault.Wrap(err, "compare %s and %s", from, to)
	}
	files, err := parseRaw(string(out))
	if err != nil {
		return Diff{}, fmt.Errorf("compare %s and %s: %w", from, to, err)
	}
	patches, whole, err := g.patches(ctx, dir, append(diff, "-p", from, to, "--"), limits.Bytes)
	if err != nil {
		return Diff{}, fault.Wrap(err, "compare %s and %s", from, to)
	}
	// Both listings come in the same order; a changed type has two patches, so it is shown without.
	i := 0
	for f := range files {
		if files[f].Status == "type" {
			i += 2
			continue
		}
		if i < len(patches) {
			files[f].Patch = patches[i]
		}
		i++
	}
	d := Diff{Files: files, Truncated: !whole}
	if len(files) > limits.Files {
		d.Files, d.Truncated = files[:limits.Files], true
	}
	return d, nil
}

// patches gives the patch of each file, as many as fit whole into limit bytes.
func (g *Git) patches(ctx context.Context, dir string, args []string, limit int64) (patches []string, whole bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	leave, err := g.turn(ctx)
	if err != nil {
		return nil, false, err
	}
	defer leave()
	cmd := g.command(ctx, call{dir: dir, args: args})
	out, complaint := &bounded{limit: limit, full: cancel}, &bounded{limit: errorBytes}
	cmd.Stdout, cmd.Stderr = out, complaint
	if err = cmd.start(); err == nil {
		err = cmd.wait()
	}
	if err != nil && !out.over && !errors.Is(err, errOutputLimit) {
		return nil, false, g.problem(ctx, cmd, err, complaint)
	}
	// Lines of content begin with ' ', '+', '-' or '\', so that only a header begins like this.
	for _, part := range bytes.Split(append([]byte{'\n'}, out.Bytes()...), []byte("\ndiff --git "))[1:] {
		patch := ""
		if _, hunks, ok := bytes.Cut(part, []byte("\n@@ ")); ok {
			patch = strings.ToValidUTF8("@@ "+strings.TrimSuffix(string(hunks), "\n")+"\n", "\uFFFD")
		}
		patches = append(patches, patch)
	}
	if out.over && len(patches) > 0 {
		patches = patches[:len(patches)-1] // cut in the middle
	}
	return patches, !out.over, nil
}

var statuses = map[byte]string{'A': "added", 'M': "modified", 'D': "deleted", 'R': "renamed", 'C': "copied", 'T': "type"}

// parseRaw reads the records of diff-tree -z --raw --numstat: first one ":…" record a file, then the counts in the
// same order.
func parseRaw(out string) ([]FileDiff, error) {
	parts := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	var files []FileDiff
	i, f := 0, 0
	next := func() string {
		if i < len(parts) {
			i++
			return parts[i-1]
		}
		return ""
	}
	for i < len(parts) && parts[i] != "" {
		record := next()
		if meta, raw := strings.CutPrefix(record, ":"); raw {
			fields := strings.Fields(meta)
			if len(fields) != 5 || statuses[fields[4][0]] == "" {
				return nil, fmt.Errorf("git gave %q", clip(record))
			}
			d := FileDiff{OldMode: fields[0], NewMode: fields[1], OldHash: fields[2], NewHash: fields[3], Status: statuses[fields[4][0]]}
			d.OldPath = next()
			d.Path = d.OldPath
			if d.Status == "renamed" || d.Status == "copied" {
				d.Path = next()
			}
			files = append(files, d)
			continue
		}
		counts := strings.SplitN(record, "\t", 3)
		if len(counts) != 3 || f >= len(files) {
			return nil, fmt.Errorf("git gave %q", clip(record))
		}
		if counts[2] == "" { // a rename: both paths follow
			next()
			next()
		}
		files[f].Binary = counts[0] == "-"
		files[f].Additions, _ = strconv.Atoi(counts[0])
		files[f].Deletions, _ = strconv.Atoi(counts[1])
		f++
	}
	return files, nil
}
