package worker

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// What a command has made or changed below a folder of its workspace is found by looking at the folder before and after:
// a file counts as changed when its size, its time or its permissions are others. What it has removed is not told.

// stamps is what was below a folder, by path.
type stamps map[string]stamp

type stamp struct {
	size, time int64 // bytes, and nanoseconds
	mode       fs.FileMode
}

func stampOf(info fs.FileInfo) stamp {
	if info.IsDir() { // what is in it changes it
		return stamp{mode: fs.ModeDir}
	}
	return stamp{info.Size(), info.ModTime().UnixNano(), info.Mode()}
}

// stamped looks at the folders of the outputs of what is new.
func stamped(root *os.Root, outputs []Output) (all map[string]stamps, err error) {
	for _, o := range outputs {
		if o.Kind != OutputNew {
			continue
		}
		dir, err := below(o.Path)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = map[string]stamps{}
		}
		seen := stamps{}
		err = o.walk(root, dir, func(p string, info fs.FileInfo) error {
			seen[p] = stampOf(info)
			return nil
		})
		if err != nil {
			return nil, err
		}
		all[o.Name] = seen
	}
	return all, nil
}

// walk visits what is below a folder, without what the output leaves out.
func (o Output) walk(root *os.Root, dir string, visit func(p string, info fs.FileInfo) error) error {
	return fs.WalkDir(root.FS(), dir, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || p == dir {
			return err
		}
		if slices.Contains(o.Without, path.Base(p)) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return visit(p, info)
	})
}

// fresh takes what a command that succeeded has made or changed.
func (c collector) fresh(ctx context.Context, o Output, dir string, limit int64, result *Result) error {
	if result.ExitCode != 0 {
		return nil
	}
	before, most := c.filled[o.Name], o.MaxEntries
	if most <= 0 {
		most = defaultBounds().entries
	}
	var found []fs.DirEntry
	var paths []string
	var size int64
	entries := 0
	err := o.walk(c.root, dir, func(p string, info fs.FileInfo) error {
		if was, there := before[p]; there && was == stampOf(info) {
			return nil
		}
		if entries++; entries > most {
			return nil
		}
		if info.Mode().IsRegular() {
			size += info.Size()
		}
		found, paths = append(found, fs.FileInfoToDirEntry(info)), append(paths, p)
		return ctx.Err()
	})
	switch {
	case err != nil:
		return err
	case entries == 0:
		return nil
	case entries > most || size > limit:
		why := fmt.Sprintf("what the command has made below %s is not kept: it has %d bytes, and at most %d are", o.Path, size, limit)
		if entries > most {
			why = fmt.Sprintf("what the command has made below %s is not kept: it has %d entries, and at most %d are", o.Path, entries, most)
		}
		result.Outputs[o.Name] = why
		c.note("%s", why)
		return nil
	}
	return c.packed(ctx, o, result, func(w io.Writer) error {
		zip := gzip.NewWriter(w)
		archive := tar.NewWriter(zip)
		left := limit
		var err error
		for i, p := range paths {
			rel := p
			if dir != "." {
				rel = strings.TrimPrefix(p, dir+"/")
			}
			if err = errors.Join(ctx.Err(), c.add(archive, p, rel, found[i], &left)); err != nil {
				break
			}
		}
		return errors.Join(err, archive.Close(), zip.Close())
	})
}
