package hook

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Jobs of this room.
const (
	jobSort   = "hook.sort"
	jobHandle = "hook.handle"
	jobPrune  = "hook.prune"
	jobForget = "hook.forget"
)

const (
	attempts     = 10 // within about an hour and a quarter
	firstPause   = 5 * time.Second
	longestPause = 30 * time.Minute
	sortCount    = 32                     // deliveries that are sorted in one transaction
	sortBytes    = 8 << 20                // of their bodies
	gather       = 250 * time.Millisecond // while many come, for one job to find many of its lane
	lookAgain    = 10 * time.Second
	flushEvery   = time.Second
)

// lane names the deliveries of one repository, which are handled one after the other.
type lane struct {
	Integration string `json:"integration"`
	Lane        string `json:"lane"`
}

func (l lane) unique() string { return clip(l.Integration+" "+l.Lane, 500) }

type forgotten struct {
	Integration string    `json:"integration"`
	Until       time.Time `json:"until"`
}

func (s *Service) register() {
	queue.Handle(s.Queue, jobSort, queue.HandleOptions{Concurrency: 1}, func(ctx context.Context, _ struct{}) error { return s.sort(actor.AsSystem(ctx)) })
	queue.Handle(s.Queue, jobHandle, queue.HandleOptions{Concurrency: 4, Timeout: 15 * time.Minute}, func(ctx context.Context, l lane) error { return s.handle(actor.AsSystem(ctx), l) })
	queue.Handle(s.Queue, jobPrune, queue.HandleOptions{Concurrency: 1}, func(ctx context.Context, _ struct{}) error { return s.prune(actor.AsSystem(ctx)) })
	queue.Handle(s.Queue, jobForget, queue.HandleOptions{}, func(ctx context.Context, f forgotten) error { return s.forget(actor.AsSystem(ctx), f) })
	s.Queue.Every(jobPrune, 10*time.Minute, struct{}{})
	s.Ledger.Subscribe("hook.integrations", []string{"entity.deleted"}, func(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
		name, ok := strings.CutPrefix(e.Subject, "integration:")
		if !ok {
			return nil
		}
		return s.Queue.Insert(ctx, tx, jobForget, forgotten{name, e.Time}, queue.InsertOptions{})
	})
}

// Run has what comes sorted, and writes down what was refused, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	woken, stop := s.DB.Listen(wake)
	defer stop()
	look, flush := time.NewTicker(lookAgain), time.NewTicker(flushEvery)
	defer look.Stop()
	defer flush.Stop()
	warn := func(what string, err error) {
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, what+"; it is tried again", "error", err)
		}
	}
	warn("deliveries could not be looked for", s.ask(ctx))
	for {
		select {
		case <-woken:
			warn("deliveries could not be looked for", s.ask(ctx))
		case <-look.C:
			warn("deliveries could not be looked for", s.ask(ctx))
		case <-s.crowded:
			warn("pruning could not be asked for", s.DB.Write(ctx, func(tx *store.Tx) error {
				return s.Queue.Insert(ctx, tx, jobPrune, struct{}{}, queue.InsertOptions{Unique: jobPrune})
			}))
		case <-flush.C:
			warn("what was refused could not be counted", s.flushRefusals(ctx))
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return s.flushRefusals(last)
		}
	}
}

// ask has deliveries sorted if there are any that are not.
func (s *Service) ask(ctx context.Context) error {
	var some int
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM hook_deliveries WHERE sorted = 0 LIMIT 1) AS one").Scan(&some)
	})
	if err != nil || some == 0 {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		return s.Queue.Insert(ctx, tx, jobSort, struct{}{}, queue.InsertOptions{Unique: jobSort})
	})
}

// sort finds out what deliveries are about, in their order, and has them handled. While many come it leaves half of the
// time to those that come.
func (s *Service) sort(ctx context.Context) error {
	known := readers{}
	for {
		began := time.Now()
		var batch []Delivery
		err := s.DB.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, "SELECT "+columns+" FROM hook_deliveries WHERE sorted = 0 ORDER BY number LIMIT $1", sortCount)
			batch, err = store.Collect(rows, err, scanDelivery)
			return err
		})
		if err != nil || len(batch) == 0 {
			return err
		}
		many := len(batch) == sortCount
		bytes := int64(0)
		for i := range batch {
			if bytes += batch[i].Size; i > 0 && bytes > sortBytes {
				batch = batch[:i]
				break
			}
			if err := s.about(ctx, known, &batch[i]); err != nil {
				return err
			}
		}
		if err := s.DB.Write(ctx, func(tx *store.Tx) error { return s.sorted(ctx, tx, batch, many) }); err != nil {
			return err
		}
		if many {
			select {
			case <-time.After(time.Since(began)):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// readers are what reads the deliveries of integrations, for the time of one job.
type readers map[string]forge.Hooks

func (s *Service) readerOf(ctx context.Context, known readers, integration string) (forge.Hooks, error) {
	if hooks := known[integration]; hooks != nil {
		return hooks, nil
	}
	hooks, _, err := s.Sources.Hooks(ctx, integration)
	if err == nil {
		known[integration] = hooks
	}
	return hooks, err
}

// about reads what a delivery is about.
func (s *Service) about(ctx context.Context, known readers, d *Delivery) error {
	e, err := s.read(ctx, known, *d)
	switch {
	case fault.Is(err, fault.NotFound):
		d.State, d.Outcome = Ignored, "the integration or the payload is gone"
		return nil
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.Conflict):
		d.State, d.Outcome = Failed, clip(fault.Message(err), 1000)
		return nil
	case err != nil:
		return err
	}
	d.Kind, d.Name, d.Repository, d.Sender = e.Kind, clip(e.Name, 200), clip(e.Repository.Name, 500), clip(e.Sender.Login, 200)
	if d.lane = clip(e.Repository.ID, 200); d.lane == "" {
		d.lane = d.Repository
	}
	switch {
	case e.Kind == forge.KindPing:
		d.State, d.Outcome = Done, "the webhook works"
	case e.Kind == forge.KindOther:
		d.State, d.Outcome = Ignored, "nothing follows such events"
	case len(s.handlers) == 0:
		d.State, d.Outcome = Ignored, "nothing is connected to the integration's events"
	}
	return nil
}

// read gives the event of a delivery.
func (s *Service) read(ctx context.Context, known readers, d Delivery) (e forge.Event, err error) {
	hooks, err := s.readerOf(ctx, known, d.Integration)
	if err != nil {
		return e, err
	}
	p, err := s.payload(ctx, d)
	if err != nil {
		return e, err
	}
	defer func() { // so that one delivery does not hold up all that come behind it
		if why := recover(); why != nil {
			s.Log.ErrorContext(ctx, "reading a delivery panicked", "integration", d.Integration, "delivery", d.Number, "panic", why, "stack", string(debug.Stack()))
			err = fault.Errorf(fault.Invalid, "the delivery can't be read; the server's log says more")
		}
	}()
	return hooks.Parse(p.Headers, p.Body)
}

// sorted writes what a batch is about, and has it handled: a little later when many come.
func (s *Service) sorted(ctx context.Context, tx *store.Tx, batch []Delivery, many bool) error {
	at := s.Now()
	if many {
		at = at.Add(gather)
	}
	lanes := map[lane]bool{}
	for _, d := range batch {
		set, err := setSorted(ctx, tx, d, s.Now())
		if err != nil || !set {
			if err != nil {
				return err
			}
			continue
		}
		switch d.State {
		case Received:
			lanes[lane{d.Integration, d.lane}] = true
		case Failed:
			if err := s.failed(ctx, tx, d); err != nil {
				return err
			}
		}
	}
	for l := range lanes {
		if err := s.Queue.Insert(ctx, tx, jobHandle, l, queue.InsertOptions{Unique: l.unique(), RunAt: at}); err != nil {
			return err
		}
	}
	return nil
}

// failed tells the ledger of a delivery that failed for good.
func (s *Service) failed(ctx context.Context, tx *store.Tx, d Delivery) error {
	space, err := s.Sources.SpaceOf(ctx, d.Integration)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.tell(ctx, tx, space, "hook.failed", d, d.Outcome)
}

// handle has the deliveries of one repository handled, in their order. One that failed holds up those behind it until its
// next attempt.
func (s *Service) handle(ctx context.Context, l lane) error {
	known := readers{}
	for ctx.Err() == nil {
		var d Delivery
		err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
			d, err = scanDelivery(tx.QueryRow(ctx, "SELECT "+columns+` FROM hook_deliveries
WHERE integration = $1 AND lane = $2 AND state = 'received' AND sorted = 1 ORDER BY number LIMIT 1`, l.Integration, l.Lane))
			return err
		})
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if wait := d.Due.Sub(s.Now()); wait > 0 {
			return queue.Again(wait)
		}
		if err := s.attempt(ctx, known, d); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// attempt has one delivery handled and writes down what came of it.
func (s *Service) attempt(ctx context.Context, known readers, d Delivery) error {
	outcome, err := s.follow(ctx, known, d)
	if ctx.Err() != nil {
		return ctx.Err() // the server stops, or the lease is lost: it was no attempt
	}
	now := s.Now()
	d.Attempts++
	switch {
	case err == nil && outcome == "":
		d.State, d.Outcome, d.Due, d.Handled = Ignored, "nothing is connected to "+d.Repository, time.Time{}, now
	case err == nil:
		d.State, d.Outcome, d.Due, d.Handled = Done, clip(outcome, 1000), time.Time{}, now
	case hopeless(err) || d.Attempts >= attempts:
		d.State, d.Outcome, d.Due, d.Handled = Failed, clip(fault.Message(err), 1000), time.Time{}, now
	default:
		d.Outcome, d.Due = clip(fault.Message(err), 1000), again(err, d.Attempts, now)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "a delivery could not be handled", "integration", d.Integration, "delivery", d.Number, "attempt", d.Attempts, "state", d.State, "error", err)
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		set, err := setHandled(ctx, tx, d)
		if err != nil || !set || d.State != Failed {
			return err
		}
		return s.failed(ctx, tx, d)
	})
}

// hopeless tells whether another attempt would end the same.
func hopeless(err error) bool {
	return fault.Is(err, fault.Invalid) || fault.Is(err, fault.TooLarge) || fault.Is(err, fault.NotFound)
}

// again tells when to try next: later each time, and when a forge is at its limit not before that ends.
func again(err error, attempt int, now time.Time) time.Time {
	at := now.Add(min(longestPause, firstPause<<(attempt-1)))
	if until, ok := forge.Until(err); ok && until.After(at) {
		return until
	}
	return at
}

// follow hands the event of a delivery to every room that is connected.
func (s *Service) follow(ctx context.Context, known readers, d Delivery) (string, error) {
	e, err := s.read(ctx, known, d)
	if err != nil {
		return "", err
	}
	var outcomes []string
	for _, h := range s.handlers {
		outcome, err := handOver(ctx, h, d.Integration, e)
		if err != nil {
			return "", fault.Wrap(err, "%s", h.name)
		}
		if outcome != "" {
			outcomes = append(outcomes, outcome)
		}
	}
	return strings.Join(outcomes, "; "), nil
}

func handOver(ctx context.Context, h connected, integration string, e forge.Event) (outcome string, err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("it panicked: %v\n%s", why, debug.Stack())
		}
	}()
	return h.Handle(ctx, integration, e)
}
