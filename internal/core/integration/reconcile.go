package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

const (
	testKind   = "integration.test"
	testTime   = time.Minute      // of one test
	usualAfter = 10 * time.Minute // a healthy one is tried again, give or take a fifth
	soonAfter  = 2 * time.Minute  // one that is not
	lookEvery  = 30 * time.Second // for those whose time has come
	atOnce     = 4                // tests
	maxReason  = 1000
)

type testArgs struct {
	Name string `json:"name"`
}

func (s *Service) handle() {
	queue.Handle(s.Queue, testKind, queue.HandleOptions{Timeout: 2 * testTime}, func(ctx context.Context, a testArgs) error {
		_, err := s.try(ctx, a.Name)
		if fault.Is(err, fault.NotFound) {
			return nil // it was deleted meanwhile
		}
		return err
	})
}

// askFor has an integration tried as soon as the transaction is there.
func (s *Service) askFor(ctx context.Context, tx *store.Tx, name string) error {
	return s.Queue.Insert(ctx, tx, testKind, testArgs{name}, queue.InsertOptions{Unique: name})
}

// Test tries an integration now, for whoever has integration:admin in its space. What it finds is no error.
func (s *Service) Test(ctx context.Context, name string) (Integration, error) {
	i, err := s.Get(ctx, name)
	if err != nil {
		return i, err
	}
	if err := s.Access.Authorize(ctx, Right, i.Space); err != nil {
		return Integration{}, err
	}
	return s.try(ctx, i.Name)
}

// Run tries integrations whose time has come, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("integrations could not be tried", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Sweep tries the integrations whose time has come. What they say anew is kept in one transaction.
func (s *Service) Sweep(ctx context.Context) error {
	var have []Integration
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		have, err = all(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	names := map[string]bool{}
	var group errgroup.Group
	group.SetLimit(atOnce)
	results := make([]*found, len(have))
	for n, i := range have {
		names[i.Name] = true
		if s.Now().Before(s.due(i)) {
			continue
		}
		group.Go(func() error {
			results[n] = s.look(ctx, i)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	s.forges.only(names)
	s.hooks.only(names)
	return s.keep(ctx, results)
}

// due tells when an integration is to be tried again. One that was never tried waits for its job.
func (s *Service) due(i Integration) time.Time {
	after := usualAfter
	if i.State != Healthy {
		after = soonAfter
	}
	h := fnv.New32a()
	fmt.Fprintf(h, "%s %s %d", s.Server, i.Name, i.Looked.UnixMicro()) // another moment for each, and each time
	spread := after * 2 / 5
	at := i.Looked
	if i.Looked.IsZero() {
		return at
	}
	return at.Add(after - spread/2 + time.Duration(h.Sum32())%spread)
}

// found is what a test found.
type found struct {
	before Integration
	now    Status
}

// try tests one integration and keeps what was found.
func (s *Service) try(ctx context.Context, name string) (Integration, error) {
	i, err := s.Lookup(ctx, name)
	if err != nil {
		return i, err
	}
	f := s.look(ctx, i)
	if f == nil {
		return i, ctx.Err()
	}
	if err := s.keep(ctx, []*found{f}); err != nil {
		return i, err
	}
	return s.Lookup(ctx, name)
}

// look asks the forge; nil when ctx ended meanwhile.
func (s *Service) look(ctx context.Context, i Integration) *found {
	inner, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	health, err := s.ask(inner, i)
	if ctx.Err() != nil {
		return nil
	}
	now := Status{State: Healthy, Health: i.Health, Looked: s.Now()}
	if health != nil {
		now.Health = *health
	}
	switch {
	case inner.Err() != nil:
		now.State, now.Reason = Away, fmt.Sprintf("%s does not answer within %s", i.Spec.URL, testTime)
	case health != nil && len(health.Missing) > 0 && (err == nil || judge(err) == Refused):
		now.State = Lacking
		now.Reason = shorten("the credentials lack " + strings.Join(health.Missing, ", ") + "; give them these rights at the forge")
	case err != nil:
		now.State, now.Reason = judge(err), shorten(s.mask(ctx, i, fault.Message(err)))
	}
	return &found{i, now}
}

// mask takes the secrets of an integration out of what a forge said: it may repeat what it was sent.
func (s *Service) mask(ctx context.Context, i Integration, text string) string {
	var values map[string]string
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		values, err = s.Secrets.Resolve(ctx, tx, i.Space, append(i.Spec.credentialRefs(), i.Spec.webhookRefs()...))
		return err
	})
	if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid) {
		return "what the forge said can't be told now" // nobody knows what to take out of it
	}
	for _, value := range values {
		if value = strings.TrimSpace(value); value != "" {
			text = strings.ReplaceAll(text, value, "…")
		}
	}
	return text
}

// ask is the test: who the forge takes the credentials for, whether they see what they are for, and whether git gets
// credentials. The health is nil when the forge did not tell it.
func (s *Service) ask(ctx context.Context, i Integration) (*Health, error) {
	f, err := s.Forge(ctx, i.Name)
	if err != nil {
		return nil, err
	}
	told, err := f.Health(ctx)
	if err != nil {
		return nil, err
	}
	h := &Health{Health: told}
	if i.Spec.Webhook != nil {
		if _, _, err := s.Hooks(ctx, i.Name); err != nil {
			return h, err
		}
	}
	owners := i.Spec.Owners
	if len(owners) == 0 {
		owners = []string{""}
	}
	for _, owner := range owners {
		list, err := f.ListRepositories(ctx, owner, page.Request{Limit: 1})
		if fault.Is(err, fault.NotFound) && owner != "" {
			return h, fault.Errorf(fault.NotFound, "the credentials do not see the organization %s, which spec.owners names: %w", owner, err)
		}
		if err != nil && owner != "" {
			return h, fault.Wrap(err, "the repositories of %s", owner)
		}
		if err != nil {
			return h, fault.Wrap(err, "its repositories")
		}
		if h.Clone != "" || len(list.Items) == 0 {
			continue
		}
		name := list.Items[0].Name
		if _, err := f.Clone(ctx, name); err != nil {
			return h, fault.Wrap(err, "credentials for git to clone %s", name)
		}
		h.Clone = name
	}
	return h, nil
}

// keep writes what tests found, with an entry in the ledger for each that says something new.
func (s *Service) keep(ctx context.Context, all []*found) error {
	if all = slices.DeleteFunc(all, func(f *found) bool { return f == nil }); len(all) == 0 {
		return nil
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		for _, f := range all {
			if err := s.keepOne(ctx, tx, f); err != nil {
				return fault.Wrap(err, "keep the state of integration %s", f.before.Name)
			}
		}
		return nil
	})
}

func (s *Service) keepOne(ctx context.Context, tx *store.Tx, f *found) error {
	before, err := store.One(tx.QueryRow(ctx, columns+" WHERE name = $1 AND version = $2"+tx.ForUpdate(), f.before.Name, f.before.version), scan, "it")
	if fault.Is(err, fault.NotFound) {
		return nil // it was deleted, or has changed and is tried again
	}
	if err != nil || before.Looked.After(f.now.Looked) {
		return err
	}
	f.now.Since = before.Since
	if f.now.State != before.State {
		f.now.Since = f.now.Looked
	}
	raw, err := json.Marshal(f.now.Health)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE integrations SET state = $2, reason = $3, health = $4, looked = $5, since = $6 WHERE name = $1",
		before.Name, f.now.State, f.now.Reason, string(raw), store.Micros(f.now.Looked), store.Micros(f.now.Since))
	if err != nil || !f.now.differs(before.Status) {
		return err
	}
	return s.tell(ctx, tx, before, f.now)
}

// tell appends the entry for a state that is new.
func (s *Service) tell(ctx context.Context, tx *store.Tx, i Integration, now Status) error {
	e := ledger.Entry{Type: "integration.failed", Space: i.Space, Subject: "integration:" + i.Name}
	data := map[string]any{"forge": i.Spec.Forge}
	if now.State == Healthy {
		e.Type = "integration.healthy"
	} else {
		data["state"], data["reason"] = now.State, now.Reason
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	e.Data = raw
	_, err = s.Ledger.Append(ctx, tx, e)
	return err
}

func shorten(text string) string {
	if len(text) <= maxReason {
		return text
	}
	return strings.ToValidUTF8(text[:maxReason], "") + "…"
}
