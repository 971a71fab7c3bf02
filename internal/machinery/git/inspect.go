package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	inspectTime  = 20 * time.Second // of a look through what a push brings
	inspectBytes = 1 << 30          // of the list of what it brings: some ten millions of objects
)

// Files goes over the contents of files that a push brings, in no order. sees is told of each with its size and says
// whether it is to be read; reads is given those, each in memory of its own. An error of either ends it. What the
// repository has already may be among them.
func (in Incoming) Files(ctx context.Context, sees func(hash string, size int64) (read bool, err error), reads func(hash string, content []byte) error) error {
	if in.quarantine == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	if objects, ok := in.loose(ctx); ok {
		return fault.Wrap(in.looseFiles(ctx, objects, sees, reads), "look through what is pushed")
	}
	var wanted []string
	received := []string{"GIT_OBJECT_DIRECTORY=" + in.quarantine} // and nothing else
	err := in.git.records(ctx, call{
		dir: in.dir, env: received, limit: inspectBytes, lines: true,
		args: []string{"cat-file", "--batch-all-objects", "--unordered", "--buffer", "--batch-check=%(objectname) %(objecttype) %(objectsize)"},
	}, func(line string) error {
		hash, rest, _ := strings.Cut(line, " ")
		number, isBlob := strings.CutPrefix(rest, "blob ")
		if !isBlob {
			return nil
		}
		size, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return fmt.Errorf("git cat-file said %q", clip(line))
		}
		read, err := sees(hash, size)
		if read && err == nil {
			wanted = append(wanted, hash)
		}
		return err
	})
	if err == nil && len(wanted) > 0 {
		err = in.git.contents(ctx, call{dir: in.dir, env: received}, wanted, reads)
	}
	return fault.Wrap(err, "look through what is pushed")
}

// contents reads objects one at a time.
func (g *Git) contents(ctx context.Context, c call, hashes []string, fn func(hash string, content []byte) error) error {
	c.args = []string{"cat-file", "--batch", "--buffer"}
	c.stdin = strings.NewReader(strings.Join(hashes, "\n") + "\n")
	return g.pipe(ctx, c, func(stdout io.Reader) error {
		out := bufio.NewReaderSize(stdout, 64<<10)
		for range hashes {
			if err := oneContent(out, fn); err != nil {
				return err
			}
		}
		return nil
	})
}

func oneContent(out *bufio.Reader, fn func(hash string, content []byte) error) error {
	header, err := out.ReadString('\n')
	if err != nil {
		return io.ErrUnexpectedEOF
	}
	fields := strings.Fields(header)
	if len(fields) != 3 || !IsHash(fields[0]) {
		return fmt.Errorf("git cat-file said %q", clip(header))
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || size < 0 {
		return fmt.Errorf("git cat-file said %q", clip(header))
	}
	content := make([]byte, size+1)
	if _, err := io.ReadFull(out, content); err != nil {
		return io.ErrUnexpectedEOF
	}
	return fn(fields[0], content[:size])
}

// Place is where a file stands.
type Place struct{ Commit, Path string }

// Places gives where a file's content comes in with the commits of a push: the oldest of them that bring it, up to limit
// of these. There is none when the repository has it already.
func (in Incoming) Places(ctx context.Context, hash string, limit int) ([]Place, error) {
	if !IsHash(hash) {
		return nil, fault.Errorf(fault.Invalid, "%q is no hash", clip(hash))
	}
	args := []string{"log", "-m", "--format=%H", "--raw", "--no-abbrev", "--no-renames", "-z", "--find-object=" + hash, "--reverse", "--stdin", "--not", "--all"}
	var tips strings.Builder
	for _, u := range in.Updates {
		if !u.Deletes() {
			tips.WriteString(u.New + "\n")
		}
	}
	if tips.Len() == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	var places []Place
	commit, follows := "", false
	enough := errors.New("enough")
	err := in.git.records(ctx, call{dir: in.dir, env: in.env, args: args, stdin: strings.NewReader(tips.String()), limit: 16 << 20}, func(record string) error {
		record = strings.TrimLeft(record, "\n")
		fields := strings.Fields(record)
		switch {
		case follows:
			if follows = false; commit != "" {
				places = append(places, Place{commit, record})
			}
		case IsHash(record):
			commit = record
		case strings.HasPrefix(record, ":") && len(fields) == 5:
			follows = fields[3] == hash // the path of another one is passed over below
		}
		if len(places) == limit {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return places, fault.Wrap(err, "find where a file was pushed")
}

// ReadFile is Git.ReadFile, with the received objects too.
func (in Incoming) ReadFile(ctx context.Context, commit, path string, limit int64) ([]byte, error) {
	clean, err := CheckPath(path)
	if err != nil {
		return nil, err
	}
	objects, err := in.git.batchIn(ctx, in.dir, in.env, limit, true, []string{commit + ":" + clean})
	if err != nil {
		return nil, err
	}
	if objects[0].kind != "blob" {
		return nil, fault.Errorf(fault.NotFound, "there is no file %s at %s", clip(path), commit)
	}
	return objects[0].content, nil
}
