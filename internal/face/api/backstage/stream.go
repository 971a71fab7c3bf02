package backstage

import (
	"net/http"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
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
	return nil
}

// items writes entities, of which before others have been written.
func (h *Handler) items(out *stream, fields selection, entities []catalog.Entity, before int) {
	for i := range entities {
		if before+i > 0 {
			out.add(",")
		}
		out.text = h.appendChosen(out.text, fields, &entities[i])
		out.flush()
	}
}

// appendChosen writes what is chosen of an entity.
func (h *Handler) appendChosen(to []byte, fields selection, e *catalog.Entity) []byte {
	if len(fields) == 0 {
		return h.appendEntity(to, e)
	}
	return fields.pick(to, h.appendEntity(nil, e))
}
