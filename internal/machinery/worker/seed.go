package worker

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// openCache makes a cache when there is none, with the seeds that the tools have for it.
func (w *Worker) openCache(dir, name string, tools []string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	part := filepath.Join(filepath.Dir(dir), "."+name) // no cache is called so
	if err := removeAll(part); err != nil {            // an earlier life of the worker may have ended in the middle
		return err
	}
	if err := os.MkdirAll(part, 0o700); err != nil {
		return err
	}
	for _, tool := range tools {
		for _, s := range w.Tools[tool].Seeds {
			if s.Cache != name {
				continue
			}
			if err := plant(s.Dir, filepath.Join(part, s.At)); err != nil {
				w.Log.Warn("a new cache begins empty", "cache", name, "seed", s.Dir, "error", err)
			}
		}
	}
	return os.Rename(part, dir)
}

// plant copies the files of a seed into a new cache. Steps may be another user than the server: all of it is for
// everybody, below a folder that is the step's alone.
func plant(seed, dir string) error {
	root, err := os.OpenRoot(seed)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		to := filepath.Join(dir, filepath.FromSlash(path))
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if err := os.MkdirAll(to, 0o700); err != nil {
				return err
			}
			return os.Chmod(to, 0o777)
		case d.Type().IsRegular():
			return copyFile(root, path, to)
		}
		return nil
	})
}

func copyFile(root *os.Root, path, to string) error {
	from, err := root.Open(filepath.FromSlash(path))
	if err != nil {
		return err
	}
	defer from.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	if err == nil {
		err = out.Chmod(0o666)
	}
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}
