package webhook

import (
	"context"
	"log/slog"
	"net/http"
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

// Send keeps a message and has it sent; what has a key is kept once. It asks for no right: see Book. Invalid and
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
	waiting, err := tidy(ctx, tx, m.Webhook, m.Space)
	if err != nil {
		return "", err
	}
	if !waiting.takes(m) {
		return "", fault.Errorf(fault.Exhausted, "%d messages of %d KiB wait for %s, %d of them about space %s; it takes no more about that space until some are sent", waiting.all, waiting.size>>10, m.Webhook, waiting.own, m.Space)
	}
	if err := insertMessage(ctx, tx, m); err != nil {
		return "", err
	}
	return m.ID, s.Queue.Insert(ctx, tx, jobSend, sendArgs{m.ID, m.Webhook, m.Owner, m.Space}, queue.InsertOptions{Unique: m.ID})
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
