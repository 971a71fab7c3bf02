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
	left := func(why string) error {
		why = "what the command has made below " + o.Path + " is not kept: " + why
		result.Outputs[o.Name] = why
		c.note("%s", why)
		return nil
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil: // such as of a folder that may not be read
		return left(err.Error())
	case entries == 0:
		return nil
	case entries > most || size > limit:
		if entries > most {
			return left(fmt.Sprintf("it has %d entries, and at most %d are", entries, most))
		}
		return left(fmt.Sprintf("it has %d bytes, and at most %d are", size, limit))
	}
	var broke error // the packing, and not the taking
	err = c.packed(ctx, o, result, func(w io.Writer) error {
		zip := gzip.NewWriter(w)
		archive := tar.NewWriter(zip)
		bytes := limit
		var err error
		for i, p := range paths {
			rel := p
			if dir != "." {
				rel = strings.TrimPrefix(p, dir+"/")
			}
			if err = errors.Join(ctx.Err(), c.add(archive, p, rel, found[i], &bytes)); err != nil {
				break
			}
		}
		if err = errors.Join(err, archive.Close(), zip.Close()); err != nil && !errors.Is(err, errUnread) {
			broke = err
		}
		return err
	})
	if broke != nil && ctx.Err() == nil {
		return left(broke.Error())
	}
	return err
}
