package worker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	flushDelay = 10 * time.Millisecond // how long a first byte waits for others
	maxPending = 1 << 20               // bytes; a command that writes faster than the Hub takes waits
	maxChunk   = 256 << 10
)

// logStream sends what is written to it to the Hub, in order, within moments, and again until it holds. What waits is in
// memory, and beyond that in a spool where there is one; then whoever writes waits.
type logStream struct {
	send     func(ctx context.Context, offset int64, p []byte) error
	patience time.Duration // for one chunk
	log      *slog.Logger

	mu      sync.Mutex
	pending []byte
	disk    *spool // of what comes after pending; nil for none
	closed  bool
	lost    error         // why the rest is not kept
	room    *sync.Cond    // signaled when pending shrinks or the stream ends
	wake    chan struct{} // of size 1
	done    chan struct{}
}

// openLog starts sending at offset. The context bounds all sending, and patience that of a chunk: when the Hub has not
// taken it by then, the rest of the log is dropped, so that neither the step nor its end waits for it.
func openLog(ctx context.Context, offset int64, patience time.Duration, disk *spool, log *slog.Logger, send func(context.Context, int64, []byte) error) *logStream {
	s := &logStream{send: send, patience: patience, disk: disk, log: log, wake: make(chan struct{}, 1), done: make(chan struct{})}
	s.room = sync.NewCond(&s.mu)
	go s.run(ctx, offset)
	return s
}

// Write never fails: a log that can't be kept does not fail the step.
func (s *logStream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, io.ErrClosedPipe
	}
	for rest := p; len(rest) > 0; {
		n := s.put(rest)
		if s.lost != nil {
			break
		}
		if n == 0 {
			s.room.Wait()
			continue
		}
		rest = rest[n:]
		s.rouse()
	}
	return len(p), nil
}

// put takes the beginning of p as far as there is room, and tells how much that is.
func (s *logStream) put(p []byte) int {
	if s.lost != nil {
		return 0
	}
	if s.disk.empty() {
		if n := min(len(p), maxPending-len(s.pending)); n > 0 {
			s.pending = append(s.pending, p[:n]...)
			return n
		}
	}
	n := int(min(int64(len(p)), s.disk.room()))
	if n == 0 {
		return 0
	}
	if err := s.disk.put(p[:n]); err != nil {
		s.log.Warn("a step's log can't be kept on disk while the server is away; the step waits", "error", err)
		return 0
	}
	return n
}

func (s *logStream) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Close returns when everything is sent, or never will be; then it tells why.
func (s *logStream) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.rouse()
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(s.lost, errSent) {
		return nil
	}
	return s.lost
}

var errSent = errors.New("all is sent")

func (s *logStream) run(ctx context.Context, offset int64) {
	defer close(s.done)
	s.abandon(s.sendAll(ctx, offset))
}

func (s *logStream) sendAll(ctx context.Context, offset int64) error {
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if !s.ending() {
			select {
			case <-time.After(flushDelay):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		for {
			chunk, ending := s.next()
			if len(chunk) == 0 {
				if ending {
					return errSent
				}
				break
			}
			if err := s.deliver(ctx, offset, chunk); err != nil {
				return err
			}
			offset += int64(len(chunk))
			if err := s.taken(len(chunk)); err != nil {
				return err
			}
		}
	}
}

func (s *logStream) ending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *logStream) next() ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending[:min(len(s.pending), maxChunk)], s.closed
}

// taken forgets what was sent, and goes on with what is on disk.
func (s *logStream) taken(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A fresh slice: the chunk that was sent may still be in the hands of the Hub.
	s.pending = append([]byte(nil), s.pending[n:]...)
	if len(s.pending) == 0 && !s.disk.empty() {
		var err error
		if s.pending, err = s.disk.take(maxPending); err != nil {
			return err
		}
	}
	s.room.Broadcast()
	return nil
}

func (s *logStream) abandon(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost, s.pending = why, nil
	s.disk.close()
	s.room.Broadcast()
}

// deliver sends one chunk until it holds, or never will.
func (s *logStream) deliver(ctx context.Context, offset int64, chunk []byte) error {
	bounded, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	var last error
	err := retry(bounded, func() error {
		last = s.send(bounded, offset, chunk)
		return last
	})
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	s.log.Warn("the rest of a step's log is not kept", "error", last)
	return last
}

// retry calls fn until it succeeds, fails for good, or ctx ends. It waits 50 ms at first, 5 s at most.
func retry(ctx context.Context, fn func() error) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := fn()
		if err == nil || final(err) {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// patiently calls fn again for as long as the patience goes, while what it needs is away or has too much to do.
func patiently(ctx context.Context, patience time.Duration, fn func() error) error {
	began := time.Now()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := fn()
		kind := fault.KindOf(err)
		if kind != fault.Unavailable && kind != fault.Exhausted || ctx.Err() != nil || time.Since(began)+wait > patience {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// final tells whether trying again can't help.
func final(err error) bool {
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Invalid, fault.Denied, fault.Unauthenticated, fault.Conflict, fault.TooLarge:
		return true
	}
	return false
}
