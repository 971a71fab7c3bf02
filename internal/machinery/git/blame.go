package git

import (
	"bufio"
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// BlameHunk is a run of lines that one commit wrote.
type BlameHunk struct {
	Line   int // the first, as the file is now; from 1
	Lines  int
	Commit string
	Path   string // of the file in that commit
	From   int    // the first of them in the file of that commit
	// What the file was before that commit; empty when it began there.
	Before, BeforePath string
}

// Blame is who wrote the lines of a file.
type Blame struct {
	Hunks   []BlameHunk       // by line
	Commits map[string]Commit // of the hunks: author and subject only
}

// Blame tells which commit wrote each line of a file, as it is in a commit; from and to are the first and the last line
// that are asked for, 0 for all. It fails with fault.NotFound when there is no such file, fault.TooLarge for one over 4 MB,
// and fault.Unavailable when it takes over 30 s: ask for fewer lines then.
func (g *Git) Blame(ctx context.Context, dir, commit, file string, from, to int) (Blame, error) {
	blame := Blame{Commits: map[string]Commit{}}
	hash, size, err := g.blob(ctx, dir, commit, file)
	if err != nil {
		return blame, err
	}
	file, _ = CheckPath(file)
	switch {
	case size > blameBytes:
		return blame, fault.Errorf(fault.TooLarge, "%s has %d bytes; lines are looked up in files of at most %d", clip(file), size, blameBytes)
	case size == 0 || hash == "":
		return blame, nil
	}
	leave, err := g.look(ctx)
	if err != nil {
		return blame, err
	}
	defer leave()
	args := []string{"blame", "--incremental"}
	if from > 0 || to > 0 {
		lines := strconv.Itoa(max(from, 1)) + ","
		if to > 0 {
			lines += strconv.Itoa(max(to, from, 1))
		}
		args = append(args, "-L", lines)
	}
	limited, cancel := context.WithTimeout(ctx, blameTime)
	defer cancel()
	err = g.pipe(limited, call{dir: dir, time: blameTime, args: append(args, commit, "--", file)}, func(r io.Reader) error { return blame.read(r) })
	switch {
	case err == nil:
		return blame.sorted(), nil
	case exitCode(err) == 128 && strings.Contains(err.Error(), "has only"): // the file ends before the first line
		return Blame{Commits: map[string]Commit{}}, nil
	case limited.Err() != nil && ctx.Err() == nil:
		return blame, fault.Errorf(fault.Unavailable, "it takes over %s to find who wrote the lines of %s; ask for fewer of them", blameTime, clip(file))
	}
	return blame, fault.Wrap(err, "find who wrote %s at %s", clip(file), commit)
}

// read reads what git blame --incremental says: for each hunk "COMMIT FROM LINE LINES", what is said of a commit the first
// time, and at last its file's name.
func (b *Blame) read(r io.Reader) error {
	in := bufio.NewScanner(r)
	in.Buffer(nil, recordBytes)
	var h BlameHunk
	var c Commit
	begun := false
	for in.Scan() {
		key, value, _ := strings.Cut(in.Text(), " ")
		if !begun {
			fields := strings.Fields(value)
			if !IsHash(key) || len(fields) != 3 {
				return fault.Errorf(fault.Internal, "git blame gave %q", clip(in.Text()))
			}
			h = BlameHunk{Commit: key}
			h.From, _ = strconv.Atoi(fields[0])
			h.Line, _ = strconv.Atoi(fields[1])
			h.Lines, _ = strconv.Atoi(fields[2])
			c, begun = b.Commits[key], true
			c.Hash = key
			continue
		}
		switch key {
		case "author":
			c.Author.Name = value
		case "author-mail":
			c.Author.Email = strings.Trim(value, "<>")
		case "author-time":
			c.Author.When = unix(value)
		case "summary":
			c.Message = value
		case "previous":
			before, name, _ := strings.Cut(value, " ")
			h.Before, h.BeforePath = before, unquote(name)
		case "filename":
			h.Path = unquote(value)
			b.Hunks = append(b.Hunks, h)
			b.Commits[c.Hash] = c
			begun = false
		}
	}
	return in.Err()
}

// sorted puts the hunks in the order of their lines, and joins those that go on.
func (b Blame) sorted() Blame {
	hunks := b.Hunks
	sortBy(hunks, func(h BlameHunk) int { return h.Line })
	b.Hunks = nil
	for _, h := range hunks {
		if n := len(b.Hunks); n > 0 {
			last := &b.Hunks[n-1]
			if last.Commit == h.Commit && last.Path == h.Path && last.Line+last.Lines == h.Line && last.From+last.Lines == h.From {
				last.Lines += h.Lines
				continue
			}
		}
		b.Hunks = append(b.Hunks, h)
	}
	return b
}

// unquote gives a path as it is; git quotes those that hold control characters, quotes or backslashes.
func unquote(name string) string {
	if strings.HasPrefix(name, `"`) {
		if plain, err := strconv.Unquote(name); err == nil {
			return plain
		}
	}
	return name
}
