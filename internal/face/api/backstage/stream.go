package backstage

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
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

// items writes the entities of hits, and whole ones where no fields are named; others may have been written before. What
// stands for one that is not there, or was deleted just now, is none: "" for nothing.
func (h *Handler) items(out *stream, fields selection, hits []index.Hit, before bool, none string) error {
	list, err := h.catalog.Raws(out.c.Context(), hits)
	if err != nil {
		return out.fail(err)
	}
	defer list.Release()
	files := origins{h: h}
	for _, e := range list.All {
		if e.Entity == nil && none == "" {
			continue
		}
		if before {
			out.add(",")
		}
		before = true
		switch {
		case e.Entity == nil:
			out.add(none)
		case len(fields) == 0:
			out.text = appendEntity(out.text, e.Text, e.Entity, files.of(e.Entity))
		default:
			whole := buffers.Get().(*[]byte)
			*whole = appendEntity((*whole)[:0], e.Text, e.Entity, files.of(e.Entity))
			out.text = fields.pick(out.text, *whole)
			buffers.Put(whole)
		}
		out.flush()
	}
	return nil
}

// origins has where entities are from, once for those of a file.
type origins struct {
	h     *Handler
	last  origin
	known map[origin]whence
	from  whence // of last
}

type origin struct {
	space, source, path string
	orphan              bool
}

func (o *origins) of(e *catalog.Entity) whence {
	file := origin{e.Space, e.Source, e.File.Path, e.Orphan}
	if o.known != nil && file == o.last {
		return o.from
	}
	from, ok := o.known[file]
	if !ok {
		if o.known == nil {
			o.known = map[origin]whence{}
		}
		from = o.h.whence(e)
		o.known[file] = from
	}
	o.last, o.from = file, from
	return from
}
