package forge

import (
	"bytes"
	"compress/flate"
	"container/list"
	"errors"
	"io"
	"net/http"
	"sync"
)

// seen keeps answers by their address, so that what has not changed is not sent again: the least used go first.
type seen struct {
	mu    sync.Mutex
	limit int64
	size  int64
	byKey map[string]*list.Element
	order *list.List // of *answer, the last used first
}

// answer is one that a forge gave, with the marks by which it is asked whether it still holds.
type answer struct {
	key, etag, modified string
	status              string
	header              http.Header
	body                []byte
	packed              bool // body is compressed
}

func newSeen(limit int64) *seen {
	return &seen{limit: limit, byKey: map[string]*list.Element{}, order: list.New()}
}

func key(r *http.Request) string { return r.Header.Get("Accept") + " " + r.URL.String() }

// find gives what is kept of a request's answer; nil for nothing.
func (s *seen) find(r *http.Request) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byKey[key(r)]
	if e == nil {
		return nil
	}
	s.order.MoveToFront(e)
	return e.Value.(*answer)
}

// keep keeps an answer that can be asked for conditionally, if it is not too large.
func (s *seen) keep(r *http.Request, got *http.Response, body []byte) {
	a := &answer{
		key: key(r), etag: got.Header.Get("ETag"), modified: got.Header.Get("Last-Modified"),
		status: got.Status, header: got.Header.Clone(), body: body,
	}
	if a.etag != "" || a.modified != "" {
		a.pack()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.byKey[a.key]; old != nil {
		s.drop(old)
	}
	if a.etag == "" && a.modified == "" || a.weight() > s.limit/4 {
		return
	}
	s.byKey[a.key] = s.order.PushFront(a)
	s.size += a.weight()
	for s.size > s.limit {
		s.drop(s.order.Back())
	}
}

func (s *seen) drop(e *list.Element) {
	a := s.order.Remove(e).(*answer)
	delete(s.byKey, a.key)
	s.size -= a.weight()
}

// pack compresses what is large, so that the pages of a long list are all kept: a forge repeats itself.
func (a *answer) pack() {
	const large = 4 << 10
	if len(a.body) < large {
		return
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return
	}
	_, err = w.Write(a.body)
	if err = errors.Join(err, w.Close()); err == nil && b.Len() < len(a.body) {
		a.body, a.packed = bytes.Clone(b.Bytes()), true
	}
}

// content gives the body as it was.
func (a *answer) content() io.Reader {
	if a.packed {
		return flate.NewReader(bytes.NewReader(a.body))
	}
	return bytes.NewReader(a.body)
}

// weight is about how many bytes an answer takes.
func (a *answer) weight() int64 { return int64(len(a.body)+len(a.key)) + 1024 }

// ask makes a request conditional.
func (a *answer) ask(h http.Header) {
	switch {
	case a == nil:
	case a.etag != "":
		h.Set("If-None-Match", a.etag)
	case a.modified != "":
		h.Set("If-Modified-Since", a.modified)
	}
}

// again gives the answer to a request that was answered with "not modified".
func (a *answer) again(r *http.Request) *http.Response {
	return &http.Response{
		Status: a.status, StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header.Clone(), Body: io.NopCloser(a.content()), ContentLength: -1, Request: r,
	}
}
