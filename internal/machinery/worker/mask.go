package worker

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
)

const (
	hidden     = "***"
	minSecret  = 3 // bytes; shorter ones would make the log unreadable and hide nothing
	minDerived = 6 // bytes; encoded forms of shorter ones are hit by chance
)

// NewMasker gives a writer that replaces secrets by *** on the way to w: as they are, line by line, in base64 (also as
// part of something larger), URL-escaped and JSON-escaped; also when they come in pieces. It holds
// back only what may be the beginning of a secret; Close writes that.
// Safe for concurrent use.
func NewMasker(w io.Writer, secrets []string) io.WriteCloser {
	m := &masker{w: w}
	patterns := map[string]bool{}
	for _, s := range secrets {
		forms(s, patterns)
	}
	for p := range patterns {
		m.starts[p[0]] = append(m.starts[p[0]], []byte(p))
	}
	for i := range m.starts {
		slices.SortFunc(m.starts[i], func(a, b []byte) int { return cmp.Compare(len(b), len(a)) })
	}
	return m
}

// forms adds the texts by which a secret may appear.
func forms(s string, into map[string]bool) {
	add := func(p string, least int) {
		if len(p) >= least {
			into[p] = true
		}
	}
	add(s, minSecret)
	trimmed := strings.TrimSpace(s)
	add(trimmed, minSecret)
	if strings.Contains(trimmed, "\n") {
		for line := range strings.Lines(trimmed) {
			if line = strings.TrimSpace(line); len(line) >= 8 {
				add(line, minDerived)
			}
		}
	}
	for _, v := range []string{s, trimmed} {
		if len(v) < minDerived {
			continue
		}
		add(url.QueryEscape(v), minDerived)
		add(url.PathEscape(v), minDerived)
		if quoted, err := json.Marshal(v); err == nil {
			add(string(quoted[1:len(quoted)-1]), minDerived)
		}
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for shift := range 3 {
				// Inside a larger text, the first and last characters also depend on the neighbours.
				whole := e.EncodeToString(append(make([]byte, shift), v...))
				from := []int{0, 2, 3}[shift]
				to := len(whole)
				if (len(v)+shift)%3 != 0 {
					to--
				}
				add(whole[from:to], minDerived)
			}
		}
	}
}

type masker struct {
	mu      sync.Mutex
	w       io.Writer
	starts  [256][][]byte // patterns by first byte, longest first
	held    []byte        // not decided yet
	covered int           // how many of the next bytes belong to a secret that was replaced already
}

func (m *masker) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.pass(append(m.held, p...), false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what was held back. It does not close the underlying writer.
func (m *masker) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pass(m.held, true)
}

// pass writes b without its secrets, and holds back an end that may be the beginning of one.
func (m *masker) pass(b []byte, last bool) error {
	out := make([]byte, 0, len(b))
	i := 0
	for ; i < len(b); i++ {
		length, undecided := m.match(b[i:])
		if undecided && !last {
			break
		}
		if length > 0 {
			if m.covered == 0 {
				out = append(out, hidden...)
			}
			m.covered = max(m.covered, length)
		}
		if m.covered > 0 {
			m.covered--
		} else {
			out = append(out, b[i])
		}
	}
	m.held = slices.Clone(b[i:])
	if len(out) == 0 {
		return nil
	}
	_, err := m.w.Write(out)
	return err
}

// match gives the length of the longest secret at the start of b, and whether more bytes may make a longer one.
func (m *masker) match(b []byte) (length int, undecided bool) {
	for _, p := range m.starts[b[0]] {
		if len(p) > len(b) {
			undecided = undecided || bytes.HasPrefix(p, b)
			continue
		}
		if bytes.HasPrefix(b, p) {
			return len(p), undecided
		}
	}
	return 0, undecided
}
