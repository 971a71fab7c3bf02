package repository

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Copy copies the folders of all hosted repositories into target, which it makes, while they are in use; it asks for no right.
// Objects never change, so they are linked where the file system can. For a backup, copy the database first: what is
// pushed between the two is then recorded when the copy is started. A repository that is deleted meanwhile, or whose
// folder is missing, is left out; so are mirrors, which are fetched again. It fails with fault.Conflict when target is there already.
func (s *Service) Copy(ctx context.Context, target string) error {
	if err := os.Mkdir(target, 0o700); errors.Is(err, fs.ErrExist) {
		return fault.Errorf(fault.Conflict, "%s is there already; choose another folder", target)
	} else if err != nil {
		return fault.Wrap(err, "copy the repositories")
	}
	var ids []string
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		ids, err = hostedIDs(ctx, tx)
		return err
	})
	for _, id := range ids {
		if err != nil {
			break
		}
		err = s.locked(ctx, id, func(*git.Git) error { return copyFolder(ctx, s.folder(id), filepath.Join(target, id+".git")) })
		if fault.Is(err, fault.NotFound) {
			s.log.Warn("leave a repository without a folder out of the copy", "repository", id)
			err = nil
		}
	}
	return fault.Wrap(err, "copy the repositories")
}

// copyFolder copies a repository whose lock is held, without what is being received and without locks.
func copyFolder(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != from {
			return nil // a quarantine that ended
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		object := strings.HasPrefix(name, "objects"+string(filepath.Separator))
		draft := object && (strings.HasPrefix(d.Name(), "tmp_") || strings.HasPrefix(d.Name(), "incoming-"))
		switch {
		case draft && d.IsDir():
			return filepath.SkipDir
		case d.IsDir():
			return os.Mkdir(target, 0o700)
		case draft || !d.Type().IsRegular() || strings.HasSuffix(d.Name(), ".lock"):
			return nil
		case object && os.Link(path, target) == nil:
			return nil
		}
		return copyFile(path, target)
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
