package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	channel   = "discovery.due"
	lookTime  = time.Hour        // of one look
	lookEvery = 10 * time.Second // for those whose time has come
	atOnce    = 2                // looks of one server
	soonAfter = 5 * time.Minute  // one that failed, if its interval is longer
	together  = 5 * time.Second  // what webhooks tell within is one look
)

// Run looks at organizations whose time has come, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	ctx = actor.AsSystem(ctx)
	wake, stop := s.DB.Listen(channel)
	defer stop()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var work sync.WaitGroup
	defer work.Wait()
	for {
		names, err := s.due(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("look which organizations are to be looked at", "error", err)
		}
		for _, name := range names {
			if s.enter(name) {
				work.Go(func() { s.tried(ctx, name) })
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-wake:
		}
	}
}

// Sweep looks at all organizations whose time has come, one after the other.
func (s *Service) Sweep(ctx context.Context) error {
	names, err := s.due(ctx)
	for _, name := range names {
		if s.enter(name) {
			err = errors.Join(err, s.leave(name, s.look(actor.AsSystem(ctx), name)))
		}
	}
	return err
}

func (s *Service) due(ctx context.Context) (names []string, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		names, err = dueNames(ctx, tx, s.Now())
		return err
	})
	return names, err
}

// enter notes that this server looks at a Discovery. False when it does already, or at too many others.
func (s *Service) enter(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looking[name] || len(s.looking) >= atOnce {
		return false
	}
	s.looking[name] = true
	return true
}

func (s *Service) leave(name string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.looking, name)
	close(s.ended)
	s.ended = make(chan struct{})
	return err
}

// tried is a look of the loop: what fails for the platform's own reasons is tried again.
func (s *Service) tried(ctx context.Context, name string) {
	err := s.leave(name, s.look(ctx, name))
	if err != nil && ctx.Err() == nil {
		s.Log.Error("look at an organization; it is tried again", "discovery", name, "error", err)
	}
	_ = s.DB.Write(ctx, func(tx *store.Tx) error { // there may be room for the next
		s.DB.Notify(tx, channel)
		return nil
	})
}

// look looks at one organization. Only what is the platform's own fault is an error.
func (s *Service) look(ctx context.Context, name string) error {
	ctx, stop := context.WithTimeout(ctx, lookTime)
	defer stop()
	var d Discovery
	due := false
	err := s.DB.Write(ctx, func(tx *store.Tx) (err error) {
		d, due, err = claim(ctx, tx, name, s.Now(), func(d Discovery) time.Time { return s.Now().Add(spread(max(d.Spec.Interval, minInterval))) })
		return err
	})
	if err != nil || !due {
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		return err
	}
	if d.ended {
		err = s.clear(ctx, d)
	} else {
		counts, failed := s.visit(ctx, d)
		if ctx.Err() != nil || errors.Is(failed, errSuperseded) {
			err = failed
		} else {
			err = s.note(ctx, d, counts, failed)
		}
	}
	if errors.Is(err, errSuperseded) {
		return nil
	}
	if err != nil { // cut off in the middle: not after the whole interval
		again := s.DB.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error { return sooner(context.WithoutCancel(ctx), tx, name, s.Now().Add(soonAgain)) })
		err = errors.Join(err, again)
	}
	return err
}

// spread gives a time between 90 and 110 percent of d, so that not all are looked at together.
func spread(d time.Duration) time.Duration { return d*9/10 + rand.N(d/5+1) }

// judge gives the state that an error means.
func judge(err error) State {
	switch fault.KindOf(err) {
	case fault.Exhausted:
		return Limited
	case fault.Unauthenticated, fault.Denied, fault.NotFound:
		return Refused
	case fault.Unavailable, fault.Canceled:
		return Away
	}
	return Broken
}

// note writes what a look found, where that is news, and how soon the next one comes when it failed.
func (s *Service) note(ctx context.Context, d Discovery, counts Counts, failed error) error {
	state, reason := Healthy, ""
	switch {
	case failed != nil:
		state, reason = judge(failed), clip(fault.Message(failed), 1000)
	case counts.Held > 0:
		state, reason = Held, "more would go at once than may, so all of it stays; look what has become of the organization, or set spec.mostGone"
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := held(ctx, tx, d)
		if err != nil {
			return err
		}
		if failed != nil {
			at := s.Now().Add(spread(min(d.Spec.Interval, soonAfter)))
			if until, ok := forge.Until(failed); ok {
				at = until.Add(together)
			}
			if _, err := tx.Exec(ctx, `UPDATE discoveries SET next = $2 WHERE name = $1`, d.Name, store.Micros(at)); err != nil {
				return err
			}
		}
		if now.State == state && now.Reason == reason && now.Counts == counts {
			return nil
		}
		told := now.State != state || now.Counts != counts
		if now.State != state {
			now.Since = s.Now()
		}
		now.State, now.Reason, now.Counts = state, reason, counts
		if err := setOutcome(ctx, tx, now); err != nil {
			return err
		}
		status := map[string]any{"state": state, "since": now.Since.UTC().Format(time.RFC3339), "found": counts}
		if reason != "" {
			status["reason"] = reason
		}
		if err := s.Catalog.SetStatus(ctx, tx, d.Ref(), status, string(state)); err != nil || !told {
			return err
		}
		data, err := json.Marshal(status)
		if err != nil {
			return err
		}
		_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Type: "discovery.looked", Space: d.Space, Subject: d.Ref().String(), Data: data})
		return err
	})
}

// clear takes away all that a Discovery has found whose document is gone.
func (s *Service) clear(ctx context.Context, d Discovery) error {
	var had map[spot]Found
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		had, err = allFound(ctx, tx, d.Name)
		return err
	})
	if err != nil {
		return err
	}
	for _, f := range had {
		if err := s.takeAway(ctx, d, f, nil); err != nil {
			return err
		}
	}
	if _, err := s.bring(ctx, d, nil, nil); err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := held(ctx, tx, d); err != nil {
			return err
		}
		return end(ctx, tx, d.Name)
	})
}

// Handle takes what a forge told by a webhook of an integration: what a Discovery would see at its next look has it look soon.
func (s *Service) Handle(ctx context.Context, integration string, e forge.Event) (outcome string, err error) {
	if e.Kind != forge.KindRepository && e.Kind != forge.KindPush || e.Repository.Name == "" {
		return "", nil
	}
	var names []string
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		all, err := ofIntegration(ctx, tx, strings.ToLower(integration))
		if err != nil {
			return err
		}
		names = nil
		for _, d := range all {
			concerns, err := d.concerned(ctx, tx, e)
			if err != nil {
				return err
			}
			if !concerns {
				continue
			}
			names = append(names, d.Name)
			if err := sooner(ctx, tx, d.Name, s.Now().Add(together)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(names) == 0 {
		return "", fault.Wrap(err, "have organizations looked at")
	}
	return "discovery " + strings.Join(names, ", ") + " looks soon", nil
}

// concerned tells whether an event may change what is registered.
func (d Discovery) concerned(ctx context.Context, tx *store.Tx, e forge.Event) (bool, error) {
	inside := func(name string) bool {
		return name != "" && !strings.EqualFold(within(d.Spec.Organization, name), name)
	}
	if d.Spec.Repositories == nil {
		return false, nil
	}
	if e.Kind == forge.KindRepository {
		return inside(e.Repository.Name) || e.Change != nil && inside(e.Change.OldName), nil
	}
	if !inside(e.Repository.Name) || e.Push == nil {
		return false, nil
	}
	branch, file := d.Spec.Repositories.file(e.Repository)
	if branch != "" && e.Push.Ref != "refs/heads/"+branch {
		return false, nil
	}
	f, err := store.One(tx.QueryRow(ctx, foundColumns+` WHERE discovery = $1 AND integration = $4 AND (id = $2 OR $2 = '' AND name = $3) LIMIT 1`, d.Name, e.Repository.ID, e.Repository.Name, d.Spec.Integration), scanFound, "it")
	if fault.Is(err, fault.NotFound) {
		return true, nil // it is new
	}
	if err != nil || f.State == Excluded {
		return false, err
	}
	touched := len(e.Push.Paths) == 0 // it does not tell
	for _, p := range e.Push.Paths {
		touched = touched || repository.Matches(file, p)
	}
	return touched, nil
}
