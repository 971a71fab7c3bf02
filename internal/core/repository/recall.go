package repository

import (
	"container/list"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
)

// What steps of runs are given of a commit is asked for again and again, by plans, applies and looks for drift, and it never
// changes: what is small is kept, so that no process of git is started for it.
const (
	recallBytes = 8 << 20   // of all together
	recallOne   = 512 << 10 // of one answer; larger ones are not kept
	recallCost  = 200       // of keeping one, beside its content
)

// asked names what was asked of a commit.
type asked struct{ repository, commit, what string }

func commitAsked(r Repository, commit string) asked { return asked{r.ID, commit, "commit"} }

func filesAsked(r Repository, commit string, files []string) asked {
	return asked{r.ID, commit, "files\x00" + strings.Join(files, "\x00")}
}

func archiveAsked(r Repository, commit, folder string) asked {
	return asked{r.ID, commit, "archive\x00" + folder}
}

// recall keeps the answers that were asked for last. It is safe for concurrent use.
type recall struct {
	mu    sync.Mutex
	at    map[asked]*list.Element
	order list.List // of recalled, the last used one in front
	size  int       // bytes
}

type recalled struct {
	asked  asked
	answer any // not to be changed
	size   int
}

func (r *recall) find(q asked) (answer any, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.at[q]
	if !ok {
		return nil, false
	}
	r.order.MoveToFront(e)
	return e.Value.(recalled).answer, true
}

func (r *recall) keep(q asked, answer any, size int) {
	size += recallCost + len(q.what)
	if size > recallOne || !git.IsHash(q.commit) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = map[asked]*list.Element{}
	}
	if _, ok := r.at[q]; ok {
		return
	}
	r.at[q] = r.order.PushFront(recalled{q, answer, size})
	for r.size += size; r.size > recallBytes; {
		last := r.order.Remove(r.order.Back()).(recalled)
		delete(r.at, last.asked)
		r.size -= last.size
	}
}

// recording keeps what is read of a stream, when all of it was read and it is small.
type recording struct {
	io.ReadCloser
	kept  []byte
	whole func(content []byte) // nil when it is too large
}

func (s *recording) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if s.whole == nil {
		return n, err
	}
	if s.kept = append(s.kept, p[:n]...); len(s.kept) > recallOne {
		s.kept, s.whole = nil, nil
		return n, err
	}
	if err == io.EOF {
		s.whole(slices.Clip(s.kept))
		s.kept, s.whole = nil, nil
	}
	return n, err
}

// Close reads what is left of a small stream: who unpacks an archive stops at its last entry.
func (s *recording) Close() error {
	if s.whole != nil {
		_, _ = io.CopyN(io.Discard, s, recallOne) // what can't be read is not kept
	}
	return s.ReadCloser.Close()
}
