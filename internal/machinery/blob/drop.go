package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Bring implements Store.
func (f *Files) Bring(ctx context.Context, r io.Reader, limit int64) (kept Info, before time.Time, err error) {
	digest, size, now, before, err := f.put(ctx, r, limit)
	return Info{Digest: digest, Size: size, Modified: now}, before, err
}

// Drop implements Store. Content that seems to be wanted by nobody is set aside before its time is looked at once more, so
// that another process that puts it at this moment either is seen, or puts it anew.
func (f *Files) Drop(_ context.Context, brought Info) (dropped bool, err error) {
	if err := checkDigest(brought.Digest); err != nil {
		return false, err
	}
	path := f.contentPath(brought.Digest)
	defer f.contents.lock(path)()
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.ModTime().Equal(brought.Modified) {
		return false, nil
	}
	if err != nil {
		return false, f.failed("look at content", err)
	}
	aside := filepath.Join(f.temporary, fmt.Sprintf("drop-%s", filepath.Base(path)))
	if err := os.Rename(path, aside); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, f.failed("drop content", err)
	}
	if info, err = os.Stat(aside); err == nil && !info.ModTime().Equal(brought.Modified) { // it was put meanwhile
		if err := os.Link(aside, path); err != nil && !errors.Is(err, fs.ErrExist) {
			return false, f.failed("keep content", err)
		}
		return false, os.Remove(aside)
	}
	if err := os.Remove(aside); err != nil {
		return false, f.failed("drop content", err)
	}
	return true, nil
}
