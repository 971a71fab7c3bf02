package worker

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync"
)

// addMask begins a line by which a command has a value hidden from then on: `::add-mask VALUE`, or as GitHub's runners
// have it, `::add-mask::VALUE`.
const addMask = "::add-mask"

const (
	mostMasks = 200      // values that one step names; those after them are only not shown where they are named
	mostMask  = 64 << 10 // bytes of one
)

// announced is a masker that is told further secrets by what it masks. Safe for concurrent use.
type announced struct {
	mu      sync.Mutex
	masker  *masker
	secrets []string // all that are hidden
	added   []string // those of them that were named
	line    []byte   // the beginning of a line that may be, or is, a naming
	begun   bool     // within a line that is none
	long    bool     // the naming has more bytes than are read; the rest of it is left out
}

// announce gives a masker as NewMasker does, which also hides what lines of the text name.
func announce(w io.Writer, secrets []string) *announced {
	return &announced{masker: &masker{w: w, starts: startsOf(secrets)}, secrets: secrets}
}

func (a *announced) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for rest := p; len(rest) > 0; {
		part, next, whole := bytes.Cut(rest, []byte("\n"))
		rest = next
		if err := a.part(part, whole); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// part takes a piece of a line, which ends with it when whole is true.
func (a *announced) part(p []byte, whole bool) error {
	if !a.begun {
		if len(a.line) < len(addMask) {
			n := min(len(p), len(addMask)-len(a.line))
			a.line, p = append(a.line, p[:n]...), p[n:]
		}
		switch naming := string(a.line) == addMask || len(a.line) > len(addMask); {
		case naming && bytes.HasPrefix(a.line, []byte(addMask)):
			room := min(len(p), len(addMask)+mostMask-len(a.line))
			a.long = a.long || room < len(p)
			if a.line = append(a.line, p[:room]...); whole {
				return a.name()
			}
			return nil
		case !whole && strings.HasPrefix(addMask, string(a.line)):
			return nil
		}
		p, a.line, a.begun = append(a.line, p...), nil, true
	}
	if whole {
		p, a.begun = append(slices.Clip(p), '\n'), false
	}
	_, err := a.masker.Write(p)
	return err
}

// name takes the value of a naming into the secrets, and writes the line without it.
func (a *announced) name() error {
	value := strings.TrimPrefix(string(a.line), addMask)
	if value != "" && !strings.ContainsAny(value[:1], ": \t\r") { // another word
		line := append(a.line, '\n')
		a.line, a.long = nil, false
		_, err := a.masker.Write(line)
		return err
	}
	value = strings.TrimSpace(strings.TrimPrefix(value, "::"))
	says := addMask + " " + hidden + "\n"
	switch {
	case a.long:
		says = addMask + ": the value is too long to be hidden from here on\n"
	case len(value) < minSecret:
		says = addMask + ": the value is too short to be hidden\n"
	case len(a.added) == mostMasks:
		says = addMask + ": there are too many values; this one is not hidden from here on\n"
	case !slices.Contains(a.secrets, value):
		a.secrets = append(slices.Clip(a.secrets), value)
		a.added = append(a.added, value)
		a.masker.learn(a.secrets)
	}
	a.line, a.long = nil, false
	_, err := io.WriteString(a.masker, says)
	return err
}

// Close writes what was held back.
func (a *announced) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if bytes.HasPrefix(a.line, []byte(addMask)) { // a last line without its end
		if err := a.name(); err != nil {
			return err
		}
	}
	if len(a.line) > 0 {
		if _, err := a.masker.Write(a.line); err != nil {
			return err
		}
		a.line = nil
	}
	return a.masker.Close()
}

// hide takes what was named out of what the step gives. The steps after it hide it as well.
func (a *announced) hide(r Result) Result {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.added) == 0 {
		return r
	}
	given := r.Given()
	hide := Hiding(a.added)
	clear := &Clear{Outputs: given.Outputs, Data: given.Data}
	if r.Clear != nil {
		clear.Secrets = r.Clear.Secrets
	}
	clear.Secrets = append(slices.Clip(clear.Secrets), a.added...)
	r.Message, r.Outputs, r.Data, r.Clear = hide(r.Message), hideOutputs(r.Outputs, hide), HideJSON(r.Data, hide), clear
	return r
}

// learn has a masker hide other secrets from here on. What it held back is decided by the new ones.
func (m *masker) learn(secrets []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.starts = startsOf(secrets)
}
