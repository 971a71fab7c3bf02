package backstage

import (
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
)

// flushed is how much of an answer is kept before it is sent, in bytes.
const flushed = 256 << 10

// stream is an answer that is written while it is read; one that is short is sent whole, with its length.
type stream struct {
	c     call
	out   http.ResponseWriter
	done  func()
	text  []byte
	begun bool
}

// buffers are those of answers that were sent.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func newStream(c call) *stream {
	return &stream{c: c, text: (*buffers.Get().(*[]byte))[:0]}
}

func (s *stream) add(text string) { s.text = append(s.text, text...) }

// room makes room for texts, so that it is made once.
func (s *stream) room(texts [][]byte) {
	room := 0
	for _, text := range texts {
		room += len(text) + 1
	}
	s.text = slices.Grow(s.text, min(room, flushed))
}

// flush sends what there is of a long answer.
func (s *stream) flush() {
	if len(s.text) < flushed {
		return
	}
	s.begin()
	if _, err := s.out.Write(s.text); err != nil { // the client is gone
		s.done()
		panic(http.ErrAbortHandler)
	}
	s.text = s.text[:0]
}

func (s *stream) begin() {
	if s.begun {
		return
	}
	s.begun = true
	s.c.ResponseWriter.Header().Set("Content-Type", "application/json; charset=utf-8")
	s.out, s.done = git.Paced(s.c.ResponseWriter)
}

// fail gives an error, to be answered, or cuts off an answer that has begun, so that nobody takes it for whole.
func (s *stream) fail(err error) error {
	if !s.begun {
		return err
	}
	s.done()
	panic(http.ErrAbortHandler)
}

func (s *stream) end() error {
	if !s.begun {
		s.c.ResponseWriter.Header().Set("Content-Length", strconv.Itoa(len(s.text)))
	}
	s.begin()
	defer s.done()
	_, _ = s.out.Write(s.text) // the client is gone when this can't be written
	if cap(s.text) <= 2*flushed {
		buffers.Put(&s.text)
	}
	return nil
}

// items writes the entities of a result; others may have been written before.
func (h *Handler) items(out *stream, fields selection, found index.Result, before bool) error {
	texts, err := h.texts(out.c.Context(), found.Hits, found.View, !before && len(found.Hits) < atOnce)
	if err != nil {
		return out.fail(err)
	}
	out.room(texts)
	for _, text := range texts {
		if text == nil {
			continue
		}
		if before {
			out.add(",")
		}
		before = true
		out.text = fields.pick(out.text, text)
		out.flush()
	}
	return nil
}
