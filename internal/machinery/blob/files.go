package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Files is a Store in a folder:
//
//	content/ab/abcdef…   content, under the first two digits of its hash
//	streams/a/b.log      a stream that grows; b.sealed when it is sealed
//	temporary/…          one folder a process, for content that is still coming in
//
// It leaves the last part of its disk alone (a twentieth, 256 MiB at most), since the database may lie beside it: what
// happened can then be told when a log or an artifact can't be kept.
//
// Only one process may append to streams; others may read and put content.
type Files struct {
	dir       string
	temporary string   // this process' own
	lock      *os.File // held while this process lives, so that others leave temporary alone
	streams   locks
	contents  locks // of those that are placed or dropped
	waiters   waiters
}

// OpenFiles opens, or makes, a store in a folder. What a process that died was still writing is removed.
func OpenFiles(dir string) (*Files, error) {
	f := &Files{dir: dir}
	for _, sub := range []string{"content", "streams", "temporary"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, f.failed("make the folder", err)
		}
	}
	if err := f.sweep(); err != nil {
		return nil, f.failed("remove what an earlier process left half-written", err)
	}
	temporary, err := os.MkdirTemp(filepath.Join(dir, "temporary"), "p")
	if err != nil {
		return nil, f.failed("make the folder", err)
	}
	f.temporary = temporary
	if f.lock, err = takeLock(temporary + lockSuffix); err != nil {
		return nil, f.failed("lock the folder", err)
	}
	return f, nil
}

const lockSuffix = ".lock"

// sweep removes the temporary folders whose process is gone. The lock stands beside its folder; a folder without
// one is younger than a moment, or its process died in that moment.
func (f *Files) sweep() error {
	root := filepath.Join(f.dir, "temporary")
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		folder := filepath.Join(root, strings.TrimSuffix(entry.Name(), lockSuffix))
		if !strings.HasSuffix(entry.Name(), lockSuffix) {
			_, err := os.Stat(folder + lockSuffix)
			info, infoErr := entry.Info()
			if err == nil || infoErr != nil || time.Since(info.ModTime()) < time.Minute {
				continue
			}
			if err := os.RemoveAll(folder); err != nil {
				return err
			}
			continue
		}
		held, err := takeLock(folder + lockSuffix)
		if err != nil {
			continue // its process lives
		}
		err = errors.Join(os.RemoveAll(folder), os.Remove(folder+lockSuffix), held.Close())
		if err != nil {
			return err
		}
	}
	return nil
}

// Close gives up the temporary folder. Nothing may be put afterwards.
func (f *Files) Close() error {
	return errors.Join(os.RemoveAll(f.temporary), os.Remove(f.temporary+lockSuffix), f.lock.Close())
}

// Put implements Store.
func (f *Files) Put(ctx context.Context, r io.Reader, limit int64) (digest string, size int64, err error) {
	digest, size, _, _, err = f.put(ctx, r, limit)
	return digest, size, err
}

// put is Put, and gives when the content was put by this, and when it had been put before.
func (f *Files) put(ctx context.Context, r io.Reader, limit int64) (digest string, size int64, now, before time.Time, err error) {
	if limit <= 0 {
		limit = DefaultLimit
	}
	temp, err := os.CreateTemp(f.temporary, "put")
	if err != nil {
		return "", 0, now, before, f.failed("put content", err)
	}
	defer func() {
		temp.Close()
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	hash := sha256.New()
	size, err = f.receive(ctx, temp, io.TeeReader(r, hash), limit)
	if err != nil {
		return "", 0, now, before, err
	}
	if err := temp.Sync(); err != nil {
		return "", 0, now, before, f.failed("put content", err)
	}
	digest = digestPrefix + hex.EncodeToString(hash.Sum(nil))
	path := f.contentPath(digest)
	unlock := f.contents.lock(path)
	now, before, err = f.place(temp.Name(), path, size)
	unlock()
	if err != nil {
		return "", 0, now, before, f.failed("put content", err)
	}
	return digest, size, now, before, nil
}

// receive copies r to the file, keeps the errors of the two apart, and heeds limit and ctx.
func (f *Files) receive(ctx context.Context, to *os.File, r io.Reader, limit int64) (size int64, err error) {
	buffer := make([]byte, 128<<10)
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, readErr := r.Read(buffer)
		size += int64(n)
		if size > limit {
			return 0, fault.Errorf(fault.TooLarge, "put content: it is larger than the limit of %d bytes", limit)
		}
		if err := f.spare(n); err != nil {
			return 0, f.failed("put content", err)
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return 0, f.failed("put content", err)
		}
		if errors.Is(readErr, io.EOF) {
			return size, nil
		}
		if readErr != nil {
			return 0, readErr
		}
	}
}

// place moves a complete file to its address. Content that is there already stays, with a new time so that a
// collector of old content sees that it is wanted again; a file of another size is damaged and replaced. It tells the time
// that the content has by this, whatever others do to it in the same moment, and the one that content had which was there.
func (f *Files) place(temp, path string, size int64) (now, before time.Time, err error) {
	folder := filepath.Dir(path)
	now = time.Now()
	if info, err := os.Stat(path); err == nil && info.Size() == size && os.Chtimes(path, now, now) == nil {
		os.Remove(temp)
		return now, info.ModTime(), syncFolder(folder)
	}
	info, err := os.Stat(temp)
	if err != nil {
		return now, before, err
	}
	now = info.ModTime()
	err = os.Rename(temp, path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return now, before, err
		}
		if err := syncFolder(filepath.Dir(folder)); err != nil {
			return now, before, err
		}
		err = os.Rename(temp, path)
	}
	if err != nil {
		return now, before, err
	}
	return now, before, syncFolder(folder)
}

// Open implements Store.
func (f *Files) Open(_ context.Context, digest string) (io.ReadSeekCloser, int64, error) {
	if err := checkDigest(digest); err != nil {
		return nil, 0, err
	}
	file, err := os.Open(f.contentPath(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fault.Errorf(fault.NotFound, "content %s", digest)
	}
	if err != nil {
		return nil, 0, f.failed("open content", err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, 0, f.failed("open content", err)
	}
	return file, info.Size(), nil
}

// Delete implements Store.
func (f *Files) Delete(_ context.Context, digest string) error {
	if err := checkDigest(digest); err != nil {
		return err
	}
	if err := os.Remove(f.contentPath(digest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.failed("delete content", err)
	}
	return nil
}

const maxReserve = 256 << 20

// spare refuses n bytes more when too little of the disk would be left.
func (f *Files) spare(n int) error {
	total, free, err := space(f.dir)
	if err == nil && free < min(total/20, maxReserve)+uint64(n) {
		err = syscall.ENOSPC
	}
	return err
}

func (f *Files) contentPath(digest string) string {
	name := strings.TrimPrefix(digest, digestPrefix)
	return filepath.Join(f.dir, "content", name[:2], name)
}

// failed says what was attempted; what an administrator can mend is Unavailable with words that tell how.
func (f *Files) failed(attempt string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &fault.Error{Kind: fault.Unavailable, Err: err, Message: fmt.Sprintf("%s: the disk of the data folder is full; free some space and try again", attempt)}
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EIO):
		return &fault.Error{Kind: fault.Unavailable, Err: err, Message: fmt.Sprintf("%s: the disk of the data folder takes no writes; look at the machine's log", attempt)}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return &fault.Error{Kind: fault.Unavailable, Err: err, Message: fmt.Sprintf("%s: too many open files; raise the limit of the server", attempt)}
	}
	return fmt.Errorf("%s in %s: %w", attempt, f.dir, err)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// locks gives one mutex a name, and forgets it when nobody holds or wants it.
type locks struct {
	mu    sync.Mutex
	names map[string]*nameLock
}

type nameLock struct {
	sync.Mutex
	users int
}

func (l *locks) lock(name string) (unlock func()) {
	l.mu.Lock()
	if l.names == nil {
		l.names = map[string]*nameLock{}
	}
	n := l.names[name]
	if n == nil {
		n = &nameLock{}
		l.names[name] = n
	}
	n.users++
	l.mu.Unlock()
	n.Lock()
	return func() {
		n.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if n.users--; n.users == 0 {
			delete(l.names, name)
		}
	}
}
