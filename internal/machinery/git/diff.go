package git

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// DiffLimits says what of a diff is wanted. Zero values take the defaults.
type DiffLimits struct {
	Files       int      // default 3,000
	Bytes       int64    // of all patches, default 4 MB
	FileBytes   int64    // of the patch of one file; one that has more is folded; default no limit of its own
	Paths       []string // of these files and folders alone; a rename is then told as what is new and what is gone
	IgnoreSpace bool     // changes of white space alone are none
	Tight       bool     // without lines of context
}

// Diff is what changed between two commits.
type Diff struct {
	Files     []FileDiff
	Truncated bool // files or patches were left out, though not by FileBytes
}

// FileDiff is what changed in one file.
type FileDiff struct {
	Path, OldPath        string // OldPath differs after a rename or copy
	Status               string // added, modified, deleted, renamed, copied, type
	OldMode, NewMode     string
	OldHash, NewHash     string
	Additions, Deletions int
	Binary               bool
	Folded               bool   // its patch was left out by a limit
	Patch                string // unified, from its first @@ line; empty for binary and folded files, and where only a name or mode changed
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

// Diff compares two commits or trees; an empty or zero one is the empty tree. What is over the limits is left out, and
// Truncated and Folded say so.
func (g *Git) Diff(ctx context.Context, dir, from, to string, limits DiffLimits) (Diff, error) {
	return g.diff(ctx, dir, nil, from, to, limits)
}

func (g *Git) diff(ctx context.Context, dir string, env []string, from, to string, limits DiffLimits) (d Diff, err error) {
	if from, to, err = endpoints(from, to); err != nil {
		return d, err
	}
	limits.Files = cmp.Or(max(limits.Files, 0), 3000)
	limits.Bytes = cmp.Or(max(limits.Bytes, 0), 4<<20)
	args := []string{"diff-tree", "-r", "-M", "--no-commit-id", "--no-color", "--no-ext-diff", "--no-textconv", "--full-index", "-z", "--raw", "--numstat", "-p"}
	if limits.IgnoreSpace {
		args = append(args, "--ignore-all-space")
	}
	if limits.Tight {
		args = append(args, "--unified=0")
	}
	args = append(args, from, to, "--")
	for _, p := range limits.Paths {
		if p, err = CheckPath(p); err != nil {
			return d, err
		}
		args = append(args, p)
	}
	reader := diffReader{limits: limits}
	err = g.readOf(ctx, call{dir: dir, env: append(slices.Clip(env), "GIT_LITERAL_PATHSPECS=1"), args: args}, reader.read)
	if exitCode(err) == 128 {
		return d, fault.Errorf(fault.NotFound, "compare %s and %s: one of them is not in the repository", from, to)
	}
	if err != nil {
		return d, fault.Wrap(err, "compare %s and %s", from, to)
	}
	d.Files, d.Truncated = reader.files, reader.full
	if limits.IgnoreSpace {
		d.Files = slices.DeleteFunc(d.Files, func(f FileDiff) bool {
			return f.Status == "modified" && f.OldMode == f.NewMode && f.Additions+f.Deletions == 0 && !f.Binary
		})
	}
	if len(d.Files) > limits.Files {
		d.Files, d.Truncated = d.Files[:limits.Files], true
	}
	return d, nil
}

// errDiffFull ends the reading of a command whose rest nobody wants.
var errDiffFull = errors.New("enough")

// readOf runs a command and has its output read as it comes. An error of read ends the command and is given back, save
// errDiffFull.
func (g *Git) readOf(ctx context.Context, c call, read func(in *bufio.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	leave, err := g.turn(ctx)
	if err != nil {
		return err
	}
	defer leave()
	p := g.command(ctx, c)
	complaint := &bounded{limit: errorBytes}
	p.Stderr = complaint
	stdout, err := p.StdoutPipe()
	if err == nil {
		err = p.start()
	}
	if err != nil {
		return g.problem(ctx, p, err, complaint)
	}
	failed := read(bufio.NewReaderSize(stdout, 64<<10))
	if failed != nil {
		cancel() // nobody reads on
	}
	err = p.wait()
	switch {
	case errors.Is(failed, errDiffFull):
		return nil
	case failed != nil:
		return failed
	}
	return g.problem(ctx, p, err, complaint)
}

// diffReader reads what git diff-tree -z --raw --numstat -p gives: a record a file, their counts, an empty record, and
// the patches, all in the same order.
type diffReader struct {
	limits DiffLimits
	files  []FileDiff
	full   bool // the limit of all patches was reached
}

func (r *diffReader) read(in *bufio.Reader) error {
	var head strings.Builder
	for {
		record, err := in.ReadString(0)
		if errors.Is(err, io.EOF) && record == "" || record == "\x00" {
			break
		}
		if err != nil {
			return fmt.Errorf("git gave %q: %w", clip(record), err)
		}
		if head.WriteString(record); head.Len() > treeBytes {
			return fault.Errorf(fault.TooLarge, "more than %d bytes of names differ", treeBytes)
		}
	}
	var err error
	if r.files, err = parseRaw(head.String()); err != nil {
		return err
	}
	return r.patches(in)
}

// patches reads the patch of each file, as many as fit whole into the limits; a changed type has two, so it is shown
// without. Lines of content begin with ' ', '+', '-' or '\', so that only a header begins otherwise.
func (r *diffReader) patches(in *bufio.Reader) error {
	var b strings.Builder
	var total int64
	at, next := -1, 0 // the file whose patch is read, and the one from which on the next is looked for
	header := false
	done := func() {
		if at >= 0 && r.files[at].Status != "type" && !r.files[at].Folded {
			r.files[at].Patch = strings.ToValidUTF8(b.String(), "\uFFFD")
		}
		b.Reset()
	}
	for begins := true; ; {
		line, err := in.ReadSlice('\n')
		if len(line) == 0 && err != nil {
			done()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if name, ok := bytes.CutPrefix(line, []byte("diff --git ")); ok && begins {
			done()
			header = true
			if at = r.find(next, strings.TrimSuffix(string(name), "\n")); at >= 0 {
				next = at
			}
		} else if begins && bytes.HasPrefix(line, []byte("@@ ")) {
			header = false
		}
		begins = err == nil // a line that is longer than the buffer goes on
		if header || at < 0 || r.files[at].Folded || r.files[at].Status == "type" {
			continue
		}
		total += int64(len(line))
		if total > r.limits.Bytes {
			r.full = true
			for i := at; i < len(r.files); i++ {
				r.files[i].Folded = !r.files[i].Binary && r.files[i].Additions+r.files[i].Deletions > 0
			}
			return errDiffFull
		}
		b.Write(line)
		if r.limits.FileBytes > 0 && int64(b.Len()) > r.limits.FileBytes {
			total -= int64(b.Len())
			r.files[at].Folded = true
		}
	}
}

// find gives the file that a header is of, from one on; -1 for none.
func (r *diffReader) find(from int, header string) int {
	for i := from; i < len(r.files); i++ {
		if f := r.files[i]; header == quoted("a/"+f.OldPath)+" "+quoted("b/"+f.Path) {
			return i
		}
	}
	return -1
}

// quoted writes a path as the header of a patch has it.
func quoted(path string) string {
	plain := func(c byte) bool { return c >= 0x20 && c != '"' && c != '\\' && c != 0x7f }
	whole := true
	for i := range len(path) {
		whole = whole && plain(path[i])
	}
	if whole {
		return path
	}
	short := map[byte]byte{'\a': 'a', '\b': 'b', '\t': 't', '\n': 'n', '\v': 'v', '\f': 'f', '\r': 'r', '"': '"', '\\': '\\'}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(path) {
		switch c := path[i]; {
		case plain(c):
			b.WriteByte(c)
		case short[c] != 0:
			b.WriteByte('\\')
			b.WriteByte(short[c])
		default:
			fmt.Fprintf(&b, "\\%03o", c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Interdiff compares two states of a change that is to go into target, the new one with the commit of the target that it
// goes on from: what else its author did, without what the change has from the target. It writes nothing into the
// repository. NotFound when the old state is no longer there.
func (g *Git) Interdiff(ctx context.Context, dir, target, oldHead, newBase, newHead string, limits DiffLimits) (Diff, error) {
	oldBase, err := g.mergeBase(ctx, dir, target, oldHead)
	if exitCode(err) == 128 {
		return Diff{}, fault.Errorf(fault.NotFound, "there is no commit %s any more", oldHead)
	}
	if err != nil {
		return Diff{}, err
	}
	if oldBase == newBase || oldBase == "" || newBase == "" {
		return g.Diff(ctx, dir, oldHead, newHead, limits)
	}
	env, drop, err := scratch(dir)
	if err != nil {
		return Diff{}, err
	}
	defer drop()
	raw, err := g.rawCommits(ctx, dir, newBase)
	if err != nil {
		return Diff{}, err
	}
	// The old change is brought onto the new base: a stand-in for that goes on from where the old change did.
	stand, err := g.writeCommit(ctx, dir, env, raw[0].tree, []string{oldBase}, raw[0].author, raw[0].author, "stand-in")
	if err != nil {
		return Diff{}, err
	}
	tree, _, err := g.tryMerge(ctx, dir, env, stand, oldHead)
	if err != nil {
		return Diff{}, err
	}
	return g.diff(ctx, dir, env, tree, newHead, limits)
}

var statuses = map[byte]string{'A': "added", 'M': "modified", 'D': "deleted", 'R': "renamed", 'C': "copied", 'T': "type"}

// parseRaw reads the records of diff-tree -z --raw --numstat: first one ":…" record a file, then the counts in the
// same order, without those of files that are the same but for what is ignored.
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
		if len(counts) != 3 {
			return nil, fmt.Errorf("git gave %q", clip(record))
		}
		if counts[2] == "" { // a rename: both paths follow
			next()
			counts[2] = next()
		}
		for f < len(files) && files[f].Path != counts[2] {
			f++
		}
		if f == len(files) {
			return nil, fmt.Errorf("git gave %q", clip(record))
		}
		files[f].Binary = counts[0] == "-"
		files[f].Additions, _ = strconv.Atoi(counts[0])
		files[f].Deletions, _ = strconv.Atoi(counts[1])
		f++
	}
	return files, nil
}
