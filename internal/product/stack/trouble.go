package stack

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Notification policies are told of what fails outside of runs and is for who owns the space to mend: input.internal_error.
// It is what the rooms say in the ledger. Of one thing a reason is told once an hour, of a type in a space so much: what fails may fail
// often.

const (
	jobTrouble   = "stack.notify-trouble"
	mostTroubles = 50 // of a type, of a space in an hour
	mostReasons  = 3  // of one thing among them
)

// trouble is a kind of entry that tells of something that fails.
type trouble struct {
	what     string // has happened, in words
	severity string // as Spacelift has them: INFO, WARNING or ERROR
}

// troubleOf gives what an entry of a type tells.
func troubleOf(kind string) trouble {
	return map[string]trouble{
		"directory.failed":         {"a directory can't be read", "ERROR"},
		"hook.failed":              {"a delivery of a forge could not be handled", "WARNING"},
		"integration.failed":       {"an integration does not work", "ERROR"},
		"location.failed":          {"a location could not be read", "ERROR"},
		"mirror.failed":            {"a repository could not be mirrored", "WARNING"},
		"policy.failed":            {"a policy could not decide", "ERROR"},
		"repository.import-failed": {"a repository could not be imported", "ERROR"},
		"stack.schedule-failed":    {"a schedule could not begin its run", "ERROR"},
		"stack.trigger-failed":     {"a trigger policy names a stack that could not be started", "WARNING"},
		"webhook.failed":           {"a webhook did not take a message", "WARNING"},
	}[kind]
}

func troubleTypes() []string {
	return []string{
		"directory.failed", "hook.failed", "integration.failed", "location.failed", "mirror.failed", "policy.failed", "repository.import-failed",
		"stack.schedule-failed", "stack.trigger-failed", "webhook.failed",
	}
}

type troubleArgs struct {
	Entry   string `json:"entry"`
	Type    string `json:"type"`
	Space   string `json:"space"`
	Subject string `json:"subject"`
	Name    string `json:"name"` // of the subject, for people
	Why     string `json:"why"`
}

// troubled asks for the decisions on something that fails, where there are policies for them.
func (s *Service) troubled(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	var said struct{ Reason, Error, About, Point, Repository, Path string }
	if err := json.Unmarshal(e.Data, &said); err != nil || s.Now().Sub(e.Time) > stale {
		return nil //nolint:nilerr // what can't be read has no reason to tell
	}
	switch {
	case e.Type == "webhook.failed" && strings.HasPrefix(said.About, "webhook:"):
		return nil // what was to tell of a webhook that fails; it would go on for ever
	case e.Type == "policy.failed" && said.Point == "notification":
		return nil // they would be asked about themselves
	}
	if tell, err := s.Policy.AnyTx(ctx, tx, "notification"); err != nil || !tell {
		return err
	}
	a := troubleArgs{e.ID, e.Type, cmp.Or(e.Space, access.Root), e.Subject, e.Subject, clip(cmp.Or(said.Reason, said.Error))}
	if e.Type == "location.failed" { // whose subject is an id
		a.Name = clip("location:" + said.Repository + ":" + said.Path)
	}
	if fresh, err := s.isFresh(ctx, tx, a); err != nil || !fresh {
		return err
	}
	return s.Queue.Insert(ctx, tx, jobTrouble, a, queue.InsertOptions{Unique: e.ID})
}

// isFresh tells whether something was not told of in this hour for this reason, and that of its type and space little enough was.
func (s *Service) isFresh(ctx context.Context, tx *store.Tx, a troubleArgs) (bool, error) {
	hour := s.Now().Truncate(time.Hour)
	if _, err := tx.Exec(ctx, "DELETE FROM stack_troubles WHERE hour < $1", store.Micros(hour.Add(-stale))); err != nil {
		return false, fault.Wrap(err, "forget what failed")
	}
	var count int
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM stack_troubles WHERE space = $1 AND hour = $2 AND type = $3", a.Space, store.Micros(hour), a.Type).Scan(&count); err != nil || count >= mostTroubles {
		return false, fault.Wrap(err, "count what failed in space %s", a.Space)
	}
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM stack_troubles WHERE space = $1 AND hour = $2 AND type = $3 AND subject = $4", a.Space, store.Micros(hour), a.Type, a.Subject).Scan(&count); err != nil || count >= mostReasons {
		return false, fault.Wrap(err, "count what failed of %s", a.Subject)
	}
	why := sha256.Sum256([]byte(a.Why))
	n, err := tx.Exec(ctx, "INSERT INTO stack_troubles (space, hour, type, subject, why) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
		a.Space, store.Micros(hour), a.Type, a.Subject, hex.EncodeToString(why[:8]))
	return n > 0, fault.Wrap(err, "note what failed in space %s", a.Space)
}

// notifyOfTrouble asks the notification policies about something that fails.
func (s *Service) notifyOfTrouble(ctx context.Context, a troubleArgs) error {
	ctx = asSystem(ctx)
	what := troubleOf(a.Type)
	n := news{
		told: a.Entry, space: a.Space, subject: a.Subject,
		about: func(context.Context) (string, map[string]any, error) {
			return "internal_error", map[string]any{
				"error": what.what, "message": a.Name + ": " + a.Why, "severity": what.severity,
				"type": a.Type, "subject": a.Subject, "reason": a.Why, "space": map[string]any{"id": a.Space, "name": a.Space, "labels": []string{}},
			}, nil
		},
		usual: func(string) string { return slackPlain(fmt.Sprintf("%s: %s: %s", a.Name, what.what, a.Why)) },
	}
	if r, err := parseStack(a.Subject); err == nil && strings.HasPrefix(a.Subject, "stack:") {
		stack, err := s.stackOf(ctx, r)
		if err != nil {
			return ignoreGone(err)
		}
		n.labels = slices.Clone(stack.Spec.Labels)
	}
	return s.spread(ctx, n)
}
