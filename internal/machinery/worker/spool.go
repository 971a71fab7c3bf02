package worker

import (
	"errors"
	"os"
)

// spool keeps on disk what of a log the Hub has not taken yet and the memory is not for. It is not safe for concurrent use.
type spool struct {
	dir      string
	most     int64 // bytes that its file may have
	file     *os.File
	from, to int64 // what is kept of the file
}

var errSpoolFull = errors.New("the spool is full")

// room is how much more it takes.
func (s *spool) room() int64 {
	if s == nil {
		return 0
	}
	return s.most - s.to
}

func (s *spool) empty() bool { return s == nil || s.from == s.to }

// put keeps p whole, or nothing of it. After an error it takes nothing more.
func (s *spool) put(p []byte) error {
	if int64(len(p)) > s.room() {
		return errSpoolFull
	}
	err := s.open()
	if err == nil {
		_, err = s.file.WriteAt(p, s.to)
	}
	if err != nil {
		s.most = s.to
		return err
	}
	s.to += int64(len(p))
	return nil
}

// open makes the file, which has no name: it goes with the process, however that ends.
func (s *spool) open() (err error) {
	if s.file != nil {
		return nil
	}
	if s.file, err = os.CreateTemp(s.dir, "log-*"); err != nil {
		return err
	}
	return os.Remove(s.file.Name())
}

// take gives the oldest bytes that it keeps, at most n, and forgets them.
func (s *spool) take(n int64) ([]byte, error) {
	p := make([]byte, min(n, s.to-s.from))
	if _, err := s.file.ReadAt(p, s.from); err != nil {
		return nil, err
	}
	if s.from += int64(len(p)); s.from == s.to {
		s.from, s.to = 0, 0
		return p, s.file.Truncate(0)
	}
	return p, nil
}

func (s *spool) close() {
	if s != nil && s.file != nil {
		s.file.Close()
		s.file = nil
	}
}
