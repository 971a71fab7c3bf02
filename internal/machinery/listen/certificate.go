package listen

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// Files serves a certificate (a chain in PEM) and its key from files. They are read again when either has changed, so
// that whoever renews them need not restart the server; a pair that can't be read or doesn't match leaves the earlier
// one in service, and complain is told.
func Files(certificate, key string, complain func(error)) (*tls.Config, error) {
	f := &files{certificate: certificate, key: key, complain: complain}
	if err := f.read(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.current(time.Now()), nil }}, nil
}

// lookEvery is how often, at most, the files are looked at.
const lookEvery = time.Second

type files struct {
	certificate, key string
	complain         func(error)

	lock   sync.Mutex
	pair   *tls.Certificate
	state  [2]fileState
	looked time.Time
}

type fileState struct {
	changed time.Time
	size    int64
}

func (f *files) current(now time.Time) *tls.Certificate {
	f.lock.Lock()
	defer f.lock.Unlock()
	if now.Sub(f.looked) >= lookEvery || now.Before(f.looked) {
		f.looked = now
		if err := f.read(); err != nil {
			f.complain(err)
		}
	}
	return f.pair
}

// read takes the pair up if the files are others than last time.
func (f *files) read() error {
	state, err := f.look()
	if err != nil {
		return err
	}
	if state == f.state {
		return nil
	}
	f.state = state // also of a pair that is no good: it is told once
	pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if err != nil {
		return fmt.Errorf("read the certificate %s with its key %s: %w", f.certificate, f.key, err)
	}
	f.pair = &pair
	return nil
}

func (f *files) look() (state [2]fileState, err error) {
	for i, path := range []string{f.certificate, f.key} {
		info, err := os.Stat(path)
		if err != nil {
			return state, fmt.Errorf("read the certificate and its key: %w", err)
		}
		state[i] = fileState{info.ModTime(), info.Size()}
	}
	return state, nil
}
