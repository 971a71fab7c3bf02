package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/client"
)

const (
	dispatchStacks  = 120
	dispatchAtOnce  = 120 // runs, and places for them
	dispatchQueued  = 1000
	dispatchPlaces  = 20
	dispatchClients = 8 // that ask at a time
)

// stubEngine is an engine that plans nothing and takes a moment for it, so that what is measured is the platform.
const stubEngine = `#!/bin/sh
case $1 in
version) echo "OpenTofu v1.0.0" ;;
init)
  mkdir -p "$TF_DATA_DIR"
  printf '{\n  "backend": {\n    "type": "http",\n    "config": {\n      "address": null\n    }\n  }\n}\n' > "$TF_DATA_DIR/terraform.tfstate" ;;
plan)
  for a; do case $a in -out=*) echo PK > "${a#-out=}" ;; esac; done
  sleep %s ;;
show) echo '{"format_version":"1.2","terraform_version":"1.0.0"}' ;;
esac
`

// dispatchFigures measures how soon queued runs get their places: as many places as runs, all free, at the moment that
// runs are asked for, and when a server starts that finds them queued; and whether a place is ever idle while many more
// runs are queued than there are places: while they are being asked for, which takes the processors too, and after that.
func dispatchFigures(ctx context.Context, b *bench) error {
	d := &dispatched{dir: b.dir}
	if err := d.prepare(ctx); err != nil {
		return err
	}
	defer func() { d.s.stop() }()
	if err := d.atOnce(ctx, b); err != nil {
		return err
	}
	if err := d.found(ctx, b); err != nil {
		return err
	}
	return d.queued(ctx, b)
}

type dispatched struct {
	dir string
	s   *server
}

// start starts the server of the folder with so many places, and an engine that takes so long.
func (d *dispatched) start(ctx context.Context, places int, takes string) (err error) {
	engine := filepath.Join(d.dir, "tofu")
	if err := os.WriteFile(engine, fmt.Appendf(nil, stubEngine, takes), 0o755); err != nil {
		return err
	}
	d.s, err = startOn(ctx, d.dir, "", "--workers", fmt.Sprint(places), "--engine", engine, "--drain", "1s")
	return err
}

func dispatchStack(i int) string { return fmt.Sprintf("dispatch%03d", i%dispatchStacks) }

// prepare declares the stacks, and waits for the runs that begin by that.
func (d *dispatched) prepare(ctx context.Context) error {
	if err := d.start(ctx, dispatchPlaces, "0"); err != nil {
		return err
	}
	r := &stackRuns{api: d.s.api}
	if err := r.push(ctx, d.dir, "dispatch", map[string]string{"main.tf": "# nothing\n"}); err != nil {
		return err
	}
	var all []string
	for i := range dispatchStacks {
		all = append(all, fmt.Sprintf("{apiVersion: roadbed.dev/v1, kind: Stack, metadata: {name: %s}, spec: {owner: 'group:default/crew', source: {repository: default/dispatch, branch: main}}}\n", dispatchStack(i)))
	}
	if _, err := client.Post[client.List[client.Applied]](ctx, d.s.api, "/apply", map[string]any{"documents": strings.Join(all, "---\n"), "source": "bench"}); err != nil {
		return err
	}
	for late := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		ended, err := d.ended(ctx)
		if err != nil || ended == dispatchStacks {
			return err
		}
		if time.Now().After(late) {
			return fmt.Errorf("of %d stacks %d have ended their first run within three minutes", dispatchStacks, ended)
		}
	}
}

// ended counts the runs that have.
func (d *dispatched) ended(ctx context.Context) (n int, err error) {
	for query := (url.Values{"kind": {"stack"}, "limit": {"200"}}); ; {
		page, err := client.Get[client.List[client.Run]](ctx, d.s.api, "/runs", query)
		if err != nil {
			return 0, err
		}
		for _, r := range page.Items {
			if r.Terminal && r.State != "finished" {
				return 0, fmt.Errorf("run %s of %s is %s: %s", r.ID, r.Subject, r.State, r.Reason)
			}
			if r.Terminal {
				n++
			}
		}
		if page.Next == "" {
			return n, nil
		}
		query.Set("cursor", page.Next)
	}
}

// ask starts n runs, the i-th of the i-th stack.
func (d *dispatched) ask(ctx context.Context, n int) ([]string, error) {
	ids := make([]string, n)
	var all errgroup.Group
	all.SetLimit(dispatchClients)
	for i := range ids {
		all.Go(func() error {
			r, err := client.Post[client.Run](ctx, d.s.api, "/stacks/default/"+dispatchStack(i)+"/runs", map[string]string{"type": "tracked"})
			ids[i] = r.ID
			return err
		})
	}
	return ids, all.Wait()
}

// planned is a run, and when its steps that need a place had it: the plan, and the reading of the plan where that is a step.
type planned struct {
	subject       string
	created, over time.Time
	began, ended  []time.Time
}

// follow waits for the end of runs and tells of their plans.
func (d *dispatched) follow(ctx context.Context, ids []string) ([]planned, error) {
	all := make([]planned, len(ids))
	for i, id := range ids {
		var last client.RunDetail
		err := d.s.api.FollowRun(ctx, id, func(r client.RunDetail) (bool, error) {
			if last = r; r.Terminal && r.State != "finished" {
				return true, fmt.Errorf("run %s is %s: %s", id, r.State, r.Reason)
			}
			return r.Terminal, nil
		})
		if err != nil {
			return nil, err
		}
		p := planned{subject: last.Subject, created: last.Created, over: *last.Ended}
		slices.SortFunc(last.Steps, func(a, b client.Step) int { return a.Position - b.Position })
		for _, s := range last.Steps {
			if s.Title != "Plan" && s.Title != "Read the plan" {
				continue
			}
			p.began, p.ended = append(p.began, *s.Started), append(p.ended, *s.Ended)
		}
		if len(p.began) == 0 {
			return nil, fmt.Errorf("run %s has no step that plans", id)
		}
		all[i] = p
	}
	return all, nil
}

// atOnce asks for as many runs as there are free places.
func (d *dispatched) atOnce(ctx context.Context, b *bench) error {
	d.s.stop()
	if err := d.start(ctx, dispatchAtOnce, "3"); err != nil {
		return err
	}
	ids, err := d.ask(ctx, dispatchAtOnce)
	if err != nil {
		return err
	}
	plans, err := d.follow(ctx, ids)
	if err != nil {
		return err
	}
	var waited spread
	for _, p := range plans {
		waited = append(waited, p.began[0].Sub(p.created))
	}
	figure("dispatch_asked_to_leased_p50", waited.at(0.5), "ms")
	b.most("dispatch_asked_to_leased_max", waited.at(1), 100, "ms")
	return nil
}

// found starts a server with as many places as there are runs queued.
func (d *dispatched) found(ctx context.Context, b *bench) error {
	d.s.stop()
	if err := d.start(ctx, 1, "3"); err != nil {
		return err
	}
	ids, err := d.ask(ctx, dispatchAtOnce)
	if err != nil {
		return err
	}
	d.s.stop()
	again := time.Now()
	if err := d.start(ctx, dispatchAtOnce, "3"); err != nil {
		return err
	}
	plans, err := d.follow(ctx, ids)
	if err != nil {
		return err
	}
	plans = slices.DeleteFunc(plans, func(p planned) bool { return p.began[0].Before(again) })
	if len(plans) < dispatchAtOnce*9/10 {
		return fmt.Errorf("only %d runs were queued when the server started", len(plans))
	}
	byBegin := func(a, b planned) int { return a.began[0].Compare(b.began[0]) }
	first, last := slices.MinFunc(plans, byBegin), slices.MaxFunc(plans, byBegin)
	figure("dispatch_found", float64(len(plans)), "runs")
	b.most("dispatch_found_first_to_last_lease", last.began[0].Sub(first.began[0]).Seconds()*1000, 100, "ms")
	return nil
}

// queued asks for many more runs than there are places.
func (d *dispatched) queued(ctx context.Context, b *bench) error {
	d.s.stop()
	if err := d.start(ctx, dispatchPlaces, "0.5"); err != nil {
		return err
	}
	ids, err := d.ask(ctx, dispatchQueued)
	if err != nil {
		return err
	}
	plans, err := d.follow(ctx, ids)
	if err != nil {
		return err
	}
	first, asked, last := plans[0].created, plans[0].created, plans[0].over
	for _, p := range plans {
		if p.created.After(asked) {
			asked = p.created
		}
		if p.over.After(last) {
			last = p.over
		}
	}
	figure("dispatch_idle_place_while_asked_max", idle(plans, first, asked).Seconds()*1000, "ms")
	b.most("dispatch_idle_place_max", idle(plans, asked, last).Seconds()*1000, 100, "ms")
	figure("dispatch_runs_per_second", dispatchQueued/last.Sub(first).Seconds(), "1/s")
	// A stack's runs are one after another, in their order.
	before := map[string]planned{}
	slices.SortStableFunc(plans, func(a, b planned) int { return a.created.Compare(b.created) })
	for _, p := range plans {
		if last, ok := before[p.subject]; ok && p.began[0].Before(last.over) {
			return fmt.Errorf("a run of %s began at %s, before the one in front of it ended at %s", p.subject, p.began[0], last.over)
		}
		before[p.subject] = p
	}
	return nil
}

// idle gives the longest time, of those that ended between two moments, for which a place had nothing to do while a step
// waited for one: from the end of a step to the next that is begun by the place that has been free for longest.
func idle(plans []planned, from, to time.Time) time.Duration {
	type event struct {
		at           time.Time
		busy, queued int
	}
	var events []event
	heads := map[string]time.Time{} // when each stack is free
	slices.SortStableFunc(plans, func(a, b planned) int { return a.created.Compare(b.created) })
	for _, p := range plans {
		ready := p.created
		if free := heads[p.subject]; free.After(ready) {
			ready = free
		}
		heads[p.subject] = p.over
		for i := range p.began {
			events = append(events, event{ready, 0, 1}, event{p.began[i], 1, -1}, event{p.ended[i], -1, 0})
			ready = p.ended[i]
		}
	}
	slices.SortStableFunc(events, func(a, b event) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(b.queued, a.queued))
	})
	var free []time.Time // since when there was something to do for each of them; zero: since there was nothing
	for range dispatchPlaces {
		free = append(free, time.Time{})
	}
	var longest time.Duration
	queued := 0
	for _, e := range events {
		switch {
		case e.busy < 0:
			free = append(free, time.Time{})
		case e.busy > 0 && len(free) > 0:
			if since := free[0]; !since.IsZero() && !e.at.Before(from) && !e.at.After(to) {
				longest = max(longest, e.at.Sub(since))
			}
			free = free[1:]
		}
		queued += e.queued
		for i := range free {
			switch {
			case queued <= i: // for this one nothing is left
				free[i] = time.Time{}
			case free[i].IsZero():
				free[i] = e.at
			}
		}
	}
	return longest
}
