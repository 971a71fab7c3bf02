package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const (
	mostWebhooks = 500      // of one space that policies see
	mostKept     = 500      // messages of a webhook that have ended
	mostWaiting  = 1000     // of a webhook
	mostBytes    = 16 << 20 // of the bodies that wait for a webhook
)

// Secrets gives the values of references to the platform, for its work in a space; core/secret does.
type Secrets interface {
	Resolve(ctx context.Context, tx *store.Tx, space string, refs []string) (map[string]string, error)
}

// Deps are the rooms this one stands on.
type Deps struct {
	DB      *store.DB
	Ledger  *ledger.Ledger
	Queue   *queue.Queue
	Access  *access.Service
	Secrets Secrets
	Dial    http.RoundTripper // that looks at what is dialled, see machinery/outbound
	Now     func() time.Time
	Log     *slog.Logger
}

// Service keeps webhooks, and sends. It is safe for concurrent use.
type Service struct {
	Deps
	flights
}

// New builds the room and registers its jobs.
func New(d Deps) *Service {
	s := &Service{Deps: d}
	s.subscribe()
	return s
}

// For gives the webhooks that take messages about a space: its own, then those of the spaces above, the nearest
// first. It asks for no right.
func (s *Service) For(ctx context.Context, space string) (all []Webhook, err error) {
	up, err := s.Access.Ancestors(ctx, space)
	if err != nil {
		return nil, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		for _, one := range up { // each by itself, so that no space crowds out another
			rows, err := tx.Query(ctx, "SELECT "+webhookColumns+" FROM webhooks WHERE space = $1 AND disabled = 0 ORDER BY ref LIMIT $2", one, mostWebhooks)
			found, err := store.Collect(rows, err, scanWebhook)
			if err != nil {
				return err
			}
			all = append(all, found...)
		}
		return nil
	})
	return all, fault.Wrap(err, "find the webhooks of space %s", space)
}

// Addressed gives the webhook that a policy of a space may send to about what is in another, by the webhook's id or as the
// one for a channel of Slack: that of the policy's own space goes first, then those above it, then those below, the nearest
// first. It asks for no right. NotFound when there is none, Denied when it is not for that policy.
func (s *Service) Addressed(ctx context.Context, policySpace, space, id, channel string) (found Webhook, err error) {
	all, err := s.For(ctx, space)
	if err != nil {
		return found, err
	}
	up, err := s.Access.Ancestors(ctx, policySpace)
	if err != nil {
		return found, err
	}
	var refused error
	for _, w := range nearest(all, up) {
		if refused != nil && !slices.Contains(up, w.Space) {
			break // what was meant is above, and none below takes its place
		}
		if channel == "" && w.ID() != strings.ToLower(id) && w.ID() != id || channel != "" && (w.Spec.Slack == nil || !slices.Contains(w.Spec.Slack.Channels, channel)) {
			continue
		}
		reaches, err := s.Access.Within(ctx, w.Space, policySpace)
		if err != nil {
			return found, err
		}
		if reaches || w.Spec.Shared {
			return w, nil
		}
		refused = fault.Errorf(fault.Denied, "webhook %s belongs to space %s, above the policy's space %s, and is not shared", w.ID(), w.Space, policySpace)
	}
	switch {
	case refused != nil:
		return found, refused
	case channel != "":
		return found, fault.Errorf(fault.NotFound, "no webhook of space %s or above is for channel %.100q of Slack; name it in spec.slack.channels of one", space, channel)
	}
	return found, fault.Errorf(fault.NotFound, "there is no webhook %.100q in space %s or above", id, space)
}

// nearest orders webhooks by how near they are to a policy: those of its space and of those above, up, then those below.
// all begins at the space that is told of.
func nearest(all []Webhook, up []string) []Webhook {
	var above, below []Webhook
	for _, w := range all {
		if slices.Contains(up, w.Space) {
			above = append(above, w)
		} else {
			below = append(below, w)
		}
	}
	at := func(w Webhook) int { return slices.IndexFunc(all, func(o Webhook) bool { return o.Space == w.Space }) }
	slices.SortStableFunc(below, func(a, b Webhook) int { return at(b) - at(a) })
	return append(above, below...)
}

// Send keeps a message and has it sent; what has a key is kept once. It asks for no right: see Addressed. Invalid and
// TooLarge for what can't be sent, Exhausted when too many wait, NotFound when the webhook is gone, or another's, by now.
func (s *Service) Send(ctx context.Context, tx *store.Tx, m Message) (id string, err error) {
	if err := m.check(); err != nil {
		return "", err
	}
	hook, err := getWebhook(ctx, tx, m.Webhook, tx.ForUpdate())
	if err == nil && (hook.Spec.Disabled || m.Owner != "" && m.Owner != hook.Space) {
		err = fault.Errorf(fault.NotFound, "%s is disabled, or belongs to another space by now", m.Webhook)
	}
	if err != nil {
		return "", err
	}
	m.ID, m.State, m.Owner, m.Created = ref.NewID(messageID, s.Now()), Waiting, hook.Space, s.Now()
	if m.Key == "" {
		m.Key = m.ID
	} else if id, err := idOfKey(ctx, tx, m.Key); !fault.Is(err, fault.NotFound) {
		return id, err
	}
	waiting, size, err := tidy(ctx, tx, m.Webhook)
	if err != nil {
		return "", err
	}
	if waiting >= mostWaiting || size+int64(len(m.Body)) > mostBytes {
		return "", fault.Errorf(fault.Exhausted, "%d messages of %d KiB wait for %s; it takes no more until some are sent", waiting, size>>10, m.Webhook)
	}
	if err := insertMessage(ctx, tx, m); err != nil {
		return "", err
	}
	return m.ID, s.Queue.Insert(ctx, tx, jobSend, sendArgs{m.ID, m.Webhook}, queue.InsertOptions{Unique: m.ID})
}

// Messages gives what was sent to a webhook, the newest first, without bodies.
// Permission: integration:read in the webhook's space; otherwise NotFound.
func (s *Service) Messages(ctx context.Context, r ref.Entity, part page.Request) (messages page.Of[Message], err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		hook, err := getWebhook(ctx, tx, r.String(), "")
		if fault.Is(err, fault.NotFound) {
			return access.NotFound("webhook " + idOf(r))
		}
		if err != nil {
			return err
		}
		if err := s.Access.ReadOrNotFound(ctx, mayRead, hook.Space, "webhook "+idOf(r)); err != nil {
			return err
		}
		w := &store.Where{}
		w.Equal("webhook", r.String())
		w.Equal("owner", hook.Space)
		w.Before("id", part.Cursor)
		rows, err := tx.Query(ctx, "SELECT "+messageColumns+" FROM webhook_messages"+w.String()+" ORDER BY id DESC LIMIT "+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scanMessage)
		for i := range all {
			all[i].Body, all[i].Headers = nil, nil
		}
		messages = page.Cut(all, part, func(m Message) string { return m.ID })
		return err
	})
	return messages, err
}
