package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
)

// logFile keeps the end of what a container wrote, over all its starts. Offsets count all bytes ever written. It
// lies in segments; the oldest goes when the whole is over its bound.
type logFile struct {
	mu       sync.Mutex
	path     string
	segment  int64 // size of one
	starts   []int64
	size     int64 // of all that was ever written
	file     *os.File
	more     chan struct{} // closed when something was written, or at the end
	ended    bool
	segments int // kept
}

// podLog takes what a pod writes. What can't be kept, such as on a full disk, is dropped and told of by an event: a
// service does not end because its log does.
type podLog struct {
	n   *Node
	pod *pod
	log *logFile
}

func (w podLog) Write(p []byte) (int, error) {
	if _, err := w.log.Write(p); err != nil {
		why := err
		if path := (*os.PathError)(nil); errors.As(err, &path) {
			why = path.Err
		}
		w.n.events.add(w.pod.owner, w.pod.key, true, "LogDropped", "some of what it wrote is not in its log: %v", why)
	}
	return len(p), nil
}

// newLogFile gives an empty log that keeps about limit bytes in files that begin with path.
func newLogFile(path string, limit int64) *logFile {
	const segments = 4
	return &logFile{path: path, segment: max(limit/segments, 4096), segments: segments, more: make(chan struct{})}
}

func (l *logFile) name(start int64) string { return l.path + "." + strconv.FormatInt(start, 10) }

// Write keeps p. After close it is an error.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return 0, os.ErrClosed
	}
	written := 0
	for len(p) > 0 {
		if l.file == nil || l.size-l.starts[len(l.starts)-1] >= l.segment {
			if err := l.turn(); err != nil {
				return written, err
			}
		}
		room := l.segment - (l.size - l.starts[len(l.starts)-1])
		part := p[:min(int64(len(p)), room)]
		n, err := l.file.Write(part)
		l.size += int64(n)
		written += n
		if err != nil {
			return written, err
		}
		p = p[n:]
	}
	close(l.more)
	l.more = make(chan struct{})
	return written, nil
}

// turn begins a new segment and drops what is over the bound.
func (l *logFile) turn() error {
	if l.file != nil {
		if err := l.file.Close(); err != nil {
			return err
		}
		l.file = nil
	}
	f, err := os.OpenFile(l.name(l.size), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	l.file, l.starts = f, append(l.starts, l.size)
	for len(l.starts) > l.segments {
		if err := os.Remove(l.name(l.starts[0])); err != nil {
			return err
		}
		l.starts = l.starts[1:]
	}
	return nil
}

// close ends the log; what is kept can still be read.
func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	close(l.more)
	if l.file != nil {
		l.file.Close()
	}
}

// readAt reads what is kept at an offset, or after it where it is no longer kept. It gives where it read, how much,
// and a channel that is closed when there is more; n is 0 and ended true at the end.
func (l *logFile) readAt(p []byte, offset int64) (at int64, n int, ended bool, more <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.starts) > 0 {
		offset = max(offset, l.starts[0])
	}
	if offset >= l.size {
		return offset, 0, l.ended, l.more, nil
	}
	start := l.starts[0]
	for _, s := range l.starts {
		if s <= offset {
			start = s
		}
	}
	f, err := os.Open(l.name(start))
	if err != nil {
		return offset, 0, false, nil, err
	}
	defer f.Close()
	n, err = f.ReadAt(p, offset-start)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return offset, n, false, l.more, err
}

// tail gives the offset at which the last lines begin.
func (l *logFile) tail(lines int) (int64, error) {
	l.mu.Lock()
	end, first := l.size, l.size
	if len(l.starts) > 0 {
		first = l.starts[0]
	}
	l.mu.Unlock()
	buffer := make([]byte, 8192)
	for at, found := end, 0; at > first; {
		from := max(first, at-int64(len(buffer)))
		_, n, _, _, err := l.readFull(buffer[:at-from], from)
		if err != nil {
			return 0, err
		}
		for i := n - 1; i >= 0; i-- {
			if buffer[i] == '\n' && from+int64(i) != end-1 {
				if found++; found == lines {
					return from + int64(i) + 1, nil
				}
			}
		}
		at = from
	}
	return first, nil
}

// readFull is readAt over the border of segments.
func (l *logFile) readFull(p []byte, offset int64) (at int64, n int, ended bool, more <-chan struct{}, err error) {
	at, n, ended, more, err = l.readAt(p, offset)
	for err == nil && n > 0 && n < len(p) {
		var m int
		if _, m, _, _, err = l.readAt(p[n:], at+int64(n)); m == 0 {
			break
		}
		n += m
	}
	return at, n, ended, more, err
}

// logReader reads a log from an offset; following, it waits for more until the log ends.
type logReader struct {
	ctx    context.Context
	stop   context.CancelFunc
	log    *logFile
	offset int64
	follow bool
}

// Offset gives where the next Read begins.
func (r *logReader) Offset() int64 { return r.offset }

// Close ends a Read that waits.
func (r *logReader) Close() error {
	r.stop()
	return nil
}

// Read gives io.EOF at the end of what is there, or, following, of what there will be.
func (r *logReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		at, n, ended, more, err := r.log.readAt(p, r.offset)
		if err != nil {
			return 0, err
		}
		if r.offset = at + int64(n); n > 0 {
			return n, nil
		}
		if ended || !r.follow {
			return 0, io.EOF
		}
		select {
		case <-more:
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		}
	}
}

// lastLine gives the last line that is not empty, at most 200 bytes of it: what a program said as it died.
func (l *logFile) lastLine() string {
	start, err := l.tail(5)
	if err != nil {
		return ""
	}
	buffer := make([]byte, 4096)
	l.mu.Lock()
	start = max(start, l.size-int64(len(buffer)))
	l.mu.Unlock()
	_, n, _, _, err := l.readFull(buffer, start)
	if err != nil {
		return ""
	}
	lines := bytes.Split(bytes.TrimSpace(buffer[:n]), []byte("\n"))
	last := bytes.TrimSpace(lines[len(lines)-1])
	return string(bytes.ToValidUTF8(last[:min(len(last), 200)], nil))
}
