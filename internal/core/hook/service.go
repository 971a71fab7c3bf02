package hook

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Retention says how much is kept. Zero fields mean their defaults.
type Retention struct {
	Payloads time.Duration // how long payloads of what is handled are kept; 14 days
	Space    int64         // bytes that payloads take, compressed, at most; 1 GiB
	Rows     int           // deliveries, at most; 250,000
	Days     time.Duration // how long deliveries are kept; 90 days
}

// Deps are the rooms this one stands on.
type Deps struct {
	DB        *store.DB
	Ledger    *ledger.Ledger
	Queue     *queue.Queue
	Blob      blob.Store
	Access    *access.Service
	Sources   Sources
	Address   string // by which forges reach this server, such as https://roadbed.example.com
	Retention Retention
	Now       func() time.Time
	Log       *slog.Logger
}

// Service keeps deliveries.
type Service struct {
	Deps
	handlers []connected
	packers  sync.Pool
	refused  *refusals
	backlog  *backlog
	crowded  chan struct{} // payloads take much room
	counts   counts
}

type connected struct {
	name string
	Handler
}

// New builds the room and registers its jobs.
func New(d Deps) *Service {
	d.Retention.Payloads = cmp.Or(d.Retention.Payloads, 14*24*time.Hour)
	d.Retention.Space = cmp.Or(d.Retention.Space, 1<<30)
	d.Retention.Rows = cmp.Or(d.Retention.Rows, 250_000)
	d.Retention.Days = cmp.Or(d.Retention.Days, 90*24*time.Hour)
	s := &Service{Deps: d, refused: newRefusals(), backlog: &backlog{}, crowded: make(chan struct{}, 1)}
	s.register()
	return s
}

// Connect hands events to a room, after those that were connected before. Call it before Run; name is for people.
func (s *Service) Connect(name string, h Handler) {
	s.handlers = append(s.handlers, connected{name, h})
}

// known answers for an integration: its space, when the caller may do something there.
func (s *Service) known(ctx context.Context, action, integration string) (space string, err error) {
	what := "integration " + integration
	space, err = s.Sources.SpaceOf(ctx, integration)
	if fault.Is(err, fault.NotFound) {
		return "", access.NotFound(what)
	}
	if err != nil {
		return "", err
	}
	if err := s.Access.ReadOrNotFound(ctx, "integration:read", space, what); err != nil || action == "integration:read" {
		return space, err
	}
	return space, s.Access.Authorize(ctx, action, space)
}

// List gives the deliveries of an integration, the newest first.
// Permission: integration:read; otherwise NotFound.
func (s *Service) List(ctx context.Context, integration string, q Query, part page.Request) (list page.Of[Delivery], err error) {
	if _, err := s.known(ctx, "integration:read", integration); err != nil {
		return list, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		list, err = listDeliveries(ctx, tx, integration, q, part)
		return err
	})
	return list, err
}

// Get gives one delivery. Permission: integration:read; otherwise NotFound.
func (s *Service) Get(ctx context.Context, integration string, number int64) (d Delivery, err error) {
	if _, err := s.known(ctx, "integration:read", integration); err != nil {
		return d, err
	}
	return s.get(ctx, integration, number)
}

func (s *Service) get(ctx context.Context, integration string, number int64) (d Delivery, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		d, err = getDelivery(ctx, tx, integration, number)
		return err
	})
	return d, err
}

// Payload gives what a delivery said. Permission: integration:admin, since it may tell of repositories that few may see.
func (s *Service) Payload(ctx context.Context, integration string, number int64) (Payload, error) {
	if _, err := s.known(ctx, "integration:admin", integration); err != nil {
		return Payload{}, err
	}
	d, err := s.get(ctx, integration, number)
	if err != nil {
		return Payload{}, err
	}
	return s.payload(ctx, d)
}

// Traffic tells what comes for an integration. Permission: integration:read; otherwise NotFound.
func (s *Service) Traffic(ctx context.Context, integration string) (t Traffic, err error) {
	if _, err := s.known(ctx, "integration:read", integration); err != nil {
		return t, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		t, err = readTraffic(ctx, tx, integration)
		return err
	})
	t.Refused = s.refused.add(integration, t.Refused)
	return t, err
}

// Manages tells whether the caller may do more with an integration than read it, for showing that.
func (s *Service) Manages(ctx context.Context, integration string) bool {
	_, err := s.known(ctx, "integration:admin", integration)
	return err == nil
}

// Redeliver has a delivery handled again. Permission: integration:admin. Conflict when its payload is gone.
func (s *Service) Redeliver(ctx context.Context, integration string, number int64) (d Delivery, err error) {
	space, err := s.known(ctx, "integration:admin", integration)
	if err != nil {
		return d, err
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		if d, err = getDelivery(ctx, tx, integration, number); err != nil {
			return err
		}
		if !d.Kept {
			return fault.Errorf(fault.Conflict, "what delivery %d said is not kept any more; have the forge send it again", number)
		}
		if err := reopen(ctx, tx, number); err != nil {
			return err
		}
		if d, err = getDelivery(ctx, tx, integration, number); err != nil {
			return err
		}
		s.DB.Notify(tx, wake)
		return s.tell(ctx, tx, space, "hook.redelivered", d, "")
	})
	return d, err
}

// Registered is a webhook that a forge was given.
type Registered struct {
	ID     string
	URL    string
	Kinds  []forge.Kind
	Active bool
}

// AddressOf gives the address to which an integration's deliveries are sent.
func (s *Service) AddressOf(integration string) string { return s.Address + Prefix + integration }

// Prefix is where deliveries are taken.
const Prefix = "/hooks/"

// Register has the forge of an integration send the events of a repository or an organization here. Called again it
// changes nothing. Permission: integration:admin.
func (s *Service) Register(ctx context.Context, integration string, target forge.HookTarget) (Registered, error) {
	space, err := s.known(ctx, "integration:admin", integration)
	if err != nil {
		return Registered{}, err
	}
	of := cmp.Or(target.Repository, target.Organization)
	if of == "" || target.Repository != "" && target.Organization != "" || len(of) > 500 {
		return Registered{}, fault.Errorf(fault.Invalid, "name either a repository, as OWNER/NAME, or an organization that the webhook is for")
	}
	if s.Address == "" {
		return Registered{}, fault.Errorf(fault.Conflict, "this server does not know by which address forges reach it; start it with --base-url")
	}
	forges, err := s.Sources.Forge(ctx, integration)
	if err != nil {
		return Registered{}, err
	}
	secret, err := s.Sources.HookSecret(ctx, integration)
	if err != nil {
		return Registered{}, err
	}
	h, err := forges.RegisterHook(ctx, target, forge.NewHook{URL: s.AddressOf(integration), Secret: secret})
	if err != nil {
		return Registered{}, fault.Wrap(err, "register the webhook of %s", of)
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		return s.append(ctx, tx, space, "hook.registered", integration, map[string]any{"target": of, "id": h.ID})
	})
	return Registered(h), err
}
