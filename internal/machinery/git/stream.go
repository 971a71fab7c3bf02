package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Content is what became of reading one file: its bytes, or why there are none.
type Content struct {
	Bytes []byte
	Err   error // fault.NotFound, fault.TooLarge or fault.Invalid
}

// ReadSome reads files of one commit by one process, in the order of paths, until together they have total bytes: it
// gives those that it read, which are all, or as many as came first, but at least one. A file over limit bytes is not
// kept. Symbolic links are followed inside the tree.
func (g *Git) ReadSome(ctx context.Context, dir, commit string, paths []string, limit, total int64) ([]Content, error) {
	if err := revision(commit); err != nil {
		return nil, err
	}
	var names strings.Builder
	for _, p := range paths {
		clean, err := CheckPath(p)
		if err != nil {
			return nil, err
		}
		names.WriteString(commit + ":" + clean + "\n")
	}
	enough := errors.New("enough")
	var all []Content
	err := g.pipe(ctx, call{dir: dir, args: []string{"cat-file", "--batch", "--follow-symlinks", "--buffer"}, stdin: strings.NewReader(names.String())}, func(stdout io.Reader) error {
		in := bufio.NewReaderSize(stdout, 64<<10)
		for i, sum := 0, int64(0); i < len(paths); i++ {
			if i > 0 && sum >= total {
				return enough
			}
			c, err := readContent(in, paths[i], limit)
			if err != nil {
				return err
			}
			sum += int64(len(c.Bytes))
			all = append(all, c)
		}
		return nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return all, fault.Wrap(err, "read files at %s", commit)
}

// readContent takes one answer of git cat-file --batch.
func readContent(in *bufio.Reader, path string, limit int64) (Content, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return Content{}, fmt.Errorf("git cat-file ended before %s: %w", clip(path), err)
	}
	o, follows := parseHeader(strings.TrimSuffix(line, "\n"), true)
	c := Content{}
	switch {
	case o.kind == "tree":
		c.Err = fault.Errorf(fault.Invalid, "%s is a folder", clip(path))
	case o.kind != "blob":
		c.Err = fault.Errorf(fault.NotFound, "%s", noFile(o.lost, path))
	case follows > limit:
		c.Err = fault.Errorf(fault.TooLarge, "it has %d bytes, more than %d", follows, limit)
	}
	if follows < 0 {
		return c, nil
	}
	if c.Err == nil {
		c.Bytes = make([]byte, follows)
		_, err = io.ReadFull(in, c.Bytes)
	} else {
		_, err = io.CopyN(io.Discard, in, follows)
	}
	if err == nil {
		_, err = in.Discard(1)
	}
	if err != nil {
		return Content{}, fmt.Errorf("git cat-file ended within %s: %w", clip(path), err)
	}
	return c, nil
}

// noFile says why there is no file at a path; lost is what git says of the way.
func noFile(lost, path string) string {
	switch lost {
	case leadsOut:
		return "it is a link that leads out of the repository"
	case leadsNowhere:
		return "it is a link to a file that is not there"
	case leadsRound:
		return "it is a link that leads to itself, or through too many others"
	case leadsThroughFile:
		return fmt.Sprintf("there is no file %s: a part of the way is a file, and no folder", clip(path))
	}
	return "there is no file " + clip(path)
}

// Hashes gives the hashes of files of one commit by one process; symbolic links are followed inside the tree. What is not
// there is left out.
func (g *Git) Hashes(ctx context.Context, dir, commit string, paths []string) (map[string]string, error) {
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
	hashes := make(map[string]string, len(paths))
	i, told := 0, int64(0) // told is what is still said of a link that leads nowhere
	err := g.records(ctx, call{dir: dir, args: []string{"cat-file", "--batch-check", "--follow-symlinks", "--buffer"}, lines: true, limit: int64(len(names)+1) * 8 << 10,
		stdin: strings.NewReader(strings.Join(names, "\n") + "\n")}, func(line string) error {
		if told > 0 {
			told -= int64(len(line)) + 1
			return nil
		}
		if i == len(paths) {
			return fmt.Errorf("git cat-file gave more than it was asked for: %q", clip(line))
		}
		o, follows := parseHeader(line, true)
		switch {
		case o.kind == "blob":
			hashes[paths[i]] = o.hash
		case o.kind == "" && follows >= 0:
			told = follows + 1
		}
		i++
		return nil
	})
	return hashes, fault.Wrap(err, "look up files at %s", commit)
}
