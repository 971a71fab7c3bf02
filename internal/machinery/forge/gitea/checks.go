package gitea

import (
	"context"
	"net/http"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

const mostDescribing = 140 // characters

// states are Gitea's words for those of a check. A warning is a pass.
var states = map[string]string{
	"pending": forge.CheckPending, "success": forge.CheckPassed, "failure": forge.CheckFailed, "error": forge.CheckError, "skipped": forge.CheckSkipped,
}

func checkState(word string) string {
	if s, ok := states[word]; ok {
		return s
	}
	if word == "warning" {
		return forge.CheckPassed
	}
	return forge.CheckPending
}

type status struct {
	Context     string `json:"context"`
	State       string `json:"status"`
	Description string `json:"description"`
	URL         string `json:"target_url"`
	Updated     stamp  `json:"updated_at"`
}

func (s *status) check() forge.Check {
	return forge.Check{Name: s.Context, State: checkState(s.State), Description: s.Description, URL: s.URL, Updated: s.Updated.Time}
}

// ListChecks gives the newest status of each context.
func (f *Forge) ListChecks(ctx context.Context, repository, commit string) ([]forge.Check, error) {
	if err := checkCommit(commit); err != nil {
		return nil, err
	}
	path, err := at(repository, "commits", commit, "status")
	if err != nil {
		return nil, err
	}
	read := pages(ctx, f, path, nil, func(items *[]status) any {
		return &struct {
			Statuses *[]status `json:"statuses"`
		}{items}
	})
	return forge.All(mostWhole, func(part page.Request) (page.Of[forge.Check], error) {
		return listOf(ctx, f, part, read, all((*status).check))
	})
}

// SetCheck adds a status, which stands for those of its context before.
func (f *Forge) SetCheck(ctx context.Context, repository, commit string, c forge.Check) error {
	if err := checkCommit(commit); err != nil {
		return err
	}
	path, err := at(repository, "statuses", commit)
	if err != nil {
		return err
	}
	state := ""
	for word, s := range states {
		if s == c.State {
			state = word
		}
	}
	if state == "" || c.Name == "" {
		return fault.Errorf(fault.Invalid, "a check needs a name, and a state that is pending, passed, failed, error or skipped, not %.100q", c.State)
	}
	_, err = f.send(ctx, http.MethodPost, path, nil, map[string]any{
		"state": state, "context": c.Name, "description": line(c.Description), "target_url": c.URL,
	}, nil)
	return unless(err, func() error { _, err := f.commit(ctx, repository, commit); return err })
}

// line gives a description as one line that is not too long.
func line(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > mostDescribing {
		s = string(r[:mostDescribing-1]) + "…"
	}
	return s
}
