package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// backup copies beside path first, so that a file at path is always whole.
func (l *lite) backup(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fault.Errorf(fault.Conflict, "the file exists already; choose another name")
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fault.Errorf(fault.Unavailable, "look for the file: %w", err)
	}
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Errorf(fault.Unavailable, "remove an older attempt: %w", err)
	}
	file, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) // VACUUM INTO accepts an empty file
	if err != nil {
		return fault.Errorf(fault.Unavailable, "make the file: %w", err)
	}
	defer os.Remove(part)
	defer file.Close()
	if _, err := l.db.outer.ExecContext(ctx, "VACUUM INTO $1", part); err != nil {
		return translate(err)
	}
	if err := file.Sync(); err != nil {
		return fault.Errorf(fault.Unavailable, "write the file to the disk: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fault.Errorf(fault.Unavailable, "name the file: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fault.Errorf(fault.Unavailable, "write the folder to the disk: %w", err)
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil {
		return fault.Errorf(fault.Unavailable, "write the folder to the disk: %w", err)
	}
	return nil
}
