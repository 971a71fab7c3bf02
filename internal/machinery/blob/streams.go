package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	growing = ".log"    // names of streams have no dots, so a stream may also be the folder of others
	sealed  = ".sealed" // sealing is one rename: it happened or it did not
)

func (f *Files) streamPath(stream string) string {
	return filepath.Join(f.dir, "streams", filepath.FromSlash(stream))
}

// Append implements Store. It does not wait for the disk: what a killed process appended stays, what a machine
// without power appended may be lost up to the last Seal, and is then written again by its worker.
func (f *Files) Append(ctx context.Context, stream string, offset int64, p []byte) (int64, error) {
	if err := checkStream(stream); err != nil {
		return 0, err
	}
	if offset < 0 {
		return 0, fault.Errorf(fault.Invalid, "append to %s: the offset %d is negative", stream, offset)
	}
	unlock := f.streams.lock(stream)
	defer unlock()
	if info, err := os.Stat(f.streamPath(stream) + sealed); err == nil {
		if offset+int64(len(p)) > info.Size() {
			return info.Size(), fault.Errorf(fault.Conflict, "append to %s: it is sealed at %d bytes", stream, info.Size())
		}
		return info.Size(), nil
	}
	size, err := f.grow(stream, offset, p)
	if err != nil {
		return size, err
	}
	f.waiters.wake(stream)
	return size, nil
}

func (f *Files) grow(stream string, offset int64, p []byte) (size int64, err error) {
	file, err := f.openGrowing(f.streamPath(stream) + growing)
	if err != nil {
		return 0, f.failed("append to "+stream, err)
	}
	defer func() {
		if closeErr := file.Close(); err == nil && closeErr != nil {
			err = f.failed("append to "+stream, closeErr)
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return 0, f.failed("append to "+stream, err)
	}
	size = info.Size()
	switch end := offset + int64(len(p)); {
	case offset > size:
		return size, fault.Errorf(fault.Conflict, "append to %s: it has %d bytes, so nothing can be written at %d", stream, size, offset)
	case end <= size:
		return size, nil
	}
	if err := f.spare(len(p)); err != nil {
		return size, f.failed("append to "+stream, err)
	}
	n, err := file.WriteAt(p[size-offset:], size)
	if err != nil {
		return size + int64(n), errors.Join(f.failed("append to "+stream, err), file.Truncate(size))
	}
	return size + int64(n), nil
}

func (f *Files) openGrowing(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	}
	return file, err
}

// openStream gives nil for a stream that nobody has written to.
func (f *Files) openStream(stream string) (file *os.File, isSealed bool, err error) {
	path := f.streamPath(stream)
	// Sealed is looked at again at the end, since the stream may be sealed between the first two looks.
	for _, suffix := range []string{sealed, growing, sealed} {
		file, err := os.Open(path + suffix)
		if err == nil {
			return file, suffix == sealed, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, false, err
		}
	}
	return nil, false, nil
}

// ReadAt implements Store.
func (f *Files) ReadAt(_ context.Context, stream string, offset int64, p []byte) (n int, size int64, isSealed bool, err error) {
	if err := checkStream(stream); err != nil {
		return 0, 0, false, err
	}
	if offset < 0 {
		return 0, 0, false, fault.Errorf(fault.Invalid, "read %s: the offset %d is negative", stream, offset)
	}
	file, isSealed, err := f.openStream(stream)
	if err != nil {
		return 0, 0, false, f.failed("read "+stream, err)
	}
	if file == nil {
		return 0, 0, false, nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, 0, false, f.failed("read "+stream, err)
	}
	// Not past the size that is told, though the file may have grown since.
	p = p[:min(int64(len(p)), max(0, info.Size()-offset))]
	n, err = file.ReadAt(p, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, info.Size(), isSealed, f.failed("read "+stream, err)
	}
	return n, info.Size(), isSealed, nil
}

// Seal implements Store.
func (f *Files) Seal(_ context.Context, stream string) error {
	if err := checkStream(stream); err != nil {
		return err
	}
	unlock := f.streams.lock(stream)
	defer unlock()
	path := f.streamPath(stream)
	if _, err := os.Stat(path + sealed); err == nil {
		return nil
	}
	file, err := f.openGrowing(path + growing)
	if err != nil {
		return f.failed("seal "+stream, err)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return f.failed("seal "+stream, err)
	}
	if err := os.Rename(path+growing, path+sealed); err != nil {
		return f.failed("seal "+stream, err)
	}
	f.waiters.wake(stream)
	// The folders above may be new as well.
	root := filepath.Join(f.dir, "streams")
	for folder := filepath.Dir(path); ; folder = filepath.Dir(folder) {
		if err := syncFolder(folder); err != nil {
			return f.failed("seal "+stream, err)
		}
		if folder == root {
			return nil
		}
	}
}

// Wait implements Store. It hears of appends by this process.
func (f *Files) Wait(ctx context.Context, stream string, offset int64) error {
	if err := checkStream(stream); err != nil {
		return err
	}
	for {
		// First listen, then look: an append between the two is heard.
		woken, leave := f.waiters.listen(stream)
		_, size, isSealed, err := f.ReadAt(ctx, stream, 0, nil)
		if err != nil || isSealed || size > offset {
			leave()
			return err
		}
		select {
		case <-woken:
		case <-ctx.Done():
			leave()
			return ctx.Err()
		}
		leave()
	}
}

// waiters holds one channel a stream that somebody waits for; an append closes it.
type waiters struct {
	mu      sync.Mutex
	streams map[string]*bell
}

type bell struct {
	rung  chan struct{}
	users int
}

func (w *waiters) listen(stream string) (woken <-chan struct{}, leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.streams == nil {
		w.streams = map[string]*bell{}
	}
	b := w.streams[stream]
	if b == nil {
		b = &bell{rung: make(chan struct{})}
		w.streams[stream] = b
	}
	b.users++
	return b.rung, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if b.users--; b.users == 0 && w.streams[stream] == b {
			delete(w.streams, stream)
		}
	}
}

func (w *waiters) wake(stream string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.streams[stream]; b != nil {
		close(b.rung)
		delete(w.streams, stream)
	}
}

// Walk implements Store.
func (f *Files) Walk(ctx context.Context, fn func(Info) error) error {
	for _, root := range []string{"content", "streams"} {
		base := filepath.Join(f.dir, root)
		err := filepath.WalkDir(base, func(path string, entry fs.DirEntry, err error) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || entry.IsDir() {
				return err
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			relative, err := filepath.Rel(base, path)
			if err != nil {
				return err
			}
			if told, ok := describe(root, filepath.ToSlash(relative), info); ok {
				return fn(told)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// describe leaves out files that somebody else put into the folder.
func describe(root, relative string, file fs.FileInfo) (Info, bool) {
	info := Info{Size: file.Size(), Modified: file.ModTime()}
	if root == "content" {
		info.Digest = digestPrefix + filepath.Base(relative)
		return info, ValidDigest(info.Digest)
	}
	if info.Stream, info.Sealed = strings.CutSuffix(relative, sealed); !info.Sealed {
		info.Stream = strings.TrimSuffix(relative, growing)
	}
	return info, ValidStream(info.Stream)
}
