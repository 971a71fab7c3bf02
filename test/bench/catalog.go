package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

const (
	perFile       = 100
	catalogPushes = 40
	catalogRounds = 1500
	throughputFor = 3 * time.Second
)

// catalogFigures measures the catalog on each database: how soon what is pushed to one repository is visible, what that
// takes, what others wait meanwhile, and what is asked of it afterwards.
func catalogFigures(ctx context.Context, b *bench) error {
	return b.eachDatabase(ctx, (*catalogued).figures)
}

// catalogued is a server with the generated catalog.
type catalogued struct {
	*bench
	kind string // of the database
	dir  string // of the data
	url  string // of the database; "" for SQLite
	s    *server
	me   *person

	clone string // address of the repository
	work  string // where it is checked out
	made  generated
}

func (c *catalogued) name(text string) string { return c.kind + "_" + text }

// eachDatabase measures what is new, with a server on each of the databases.
func (b *bench) eachDatabase(ctx context.Context, measure func(*catalogued, context.Context) error) error {
	for _, kind := range b.databases {
		if err := b.onDatabase(ctx, kind, measure); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

func (b *bench) onDatabase(ctx context.Context, kind string, measure func(*catalogued, context.Context) error) error {
	c := &catalogued{bench: b, kind: kind, dir: filepath.Join(b.dir, kind)}
	if kind == "postgres" {
		p, err := newPostgres(ctx, c.dir)
		if err != nil {
			return err
		}
		defer p.stop()
		c.url = p.url
	}
	if err := c.start(ctx); err != nil {
		return err
	}
	defer func() { c.s.stop() }()
	var err error
	if c.me, err = newPerson(filepath.Join(c.dir, "home"), c.s.api.Token); err != nil {
		return err
	}
	return measure(c, ctx)
}

// start starts the server, anew where it was stopped.
func (c *catalogued) start(ctx context.Context) (err error) {
	c.s, err = startOn(ctx, c.dir, c.url)
	return err
}

func (c *catalogued) figures(ctx context.Context) error {
	steps := []func(context.Context) error{
		c.ingest, c.settled("ingest"), c.pushes, c.settled("pushes"), c.queries, c.scorecards, c.restart,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ingest pushes everything at once, with a location that waits for it.
func (c *catalogued) ingest(ctx context.Context) error {
	r, err := client.Post[client.Repository](ctx, c.s.api, "/repositories", map[string]string{"name": "catalog"})
	if err != nil {
		return err
	}
	c.clone, c.work = r.CloneURL, filepath.Join(c.me.home, "work")
	l, err := client.Post[client.Location](ctx, c.s.api, "/locations", map[string]string{"repository": "default/catalog"})
	if err != nil {
		return err
	}
	if err := c.s.api.Do(ctx, http.MethodPut, "/locations/"+l.ID+"/trust", nil, map[string]any{"kinds": []string{"Group"}}, nil); err != nil {
		return err
	}
	if c.made, err = generate(c.work, c.entities); err != nil {
		return err
	}
	for _, args := range [][]string{{"init", "--quiet", "."}, {"add", "--all"}, {"commit", "--quiet", "-m", "all"}} {
		if _, err := c.me.git(ctx, c.work, args...); err != nil {
			return err
		}
	}
	idle, err := c.writes(ctx, 3*time.Second, nil)
	if err != nil {
		return err
	}
	idle.show(c.name("write_before_ingest"))
	idleLeases, err := c.leases(ctx, 3*time.Second, nil)
	if err != nil {
		return err
	}
	idleLeases.show(c.name("lease_before_ingest"))
	began := time.Now()
	if _, err := c.me.git(ctx, c.work, "push", "--quiet", c.clone, "HEAD:refs/heads/main"); err != nil {
		return err
	}
	figure(c.name("push_of_all"), time.Since(began).Seconds(), "s")
	began = time.Now()
	ended := make(chan struct{})
	var waits, leases spread
	var failed, failedToo error
	var group sync.WaitGroup
	group.Go(func() { waits, failed = c.writes(ctx, time.Hour, ended) })
	group.Go(func() { leases, failedToo = c.leases(ctx, time.Hour, ended) })
	cpu, half := c.s.cpu(), time.Duration(0)
	err = c.until(ctx, time.Hour, func() (bool, error) {
		n, err := c.count(ctx, url.Values{"namespace": {"made"}})
		if half == 0 && n >= c.made.entities/2 {
			half = time.Since(began)
		}
		return n >= c.made.entities, err
	})
	took := time.Since(began)
	close(ended)
	group.Wait()
	if err = errors.Join(err, failed, failedToo); err != nil {
		return err
	}
	n := fmt.Sprint(c.made.entities)
	within := 10.0
	if c.entities > 100_000 {
		within = 150 * float64(c.entities) / 1e6
	}
	c.most(c.name("visible_"+n), took.Seconds(), within, "s")
	figure(c.name("visible_per_second"), float64(c.made.entities)/took.Seconds(), "1/s")
	c.most(c.name("second_half_by_first"), float64(took-half)/float64(half), 1.5, "x") // the cost of an entity stays as it is
	figure(c.name("ingest_cpu"), c.s.cpu()-cpu, "s")
	bound := 450.0
	if c.entities > 100_000 {
		bound = max(bound, 3000*float64(c.entities)/1e6)
	}
	highest, err := c.s.peak()
	if err != nil {
		return err
	}
	c.most(c.name("memory_peak_"+n), highest, bound, "MB")
	waits.show(c.name("write_during_ingest"))
	c.most(c.name("write_during_ingest_waits"), waits.at(0.99)-idle.at(0.5), 100, "ms")
	figure(c.name("write_during_ingest_max"), waits.at(1), "ms")
	leases.show(c.name("lease_during_ingest"))
	c.most(c.name("lease_during_ingest_waits"), leases.at(0.99)-idleLeases.at(0.5), 100, "ms")
	return c.loops(ctx)
}

const brief = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: brief-}
spec:
  entrypoint: main
  templates:
    - name: main
      container: {image: busybox, command: [sh, -c], args: ["true"]}
`

// leases runs a small step again and again, and gives how long each waited for a worker to lease it.
func (c *catalogued) leases(ctx context.Context, most time.Duration, ended <-chan struct{}) (took spread, err error) {
	for until := time.Now().Add(most); time.Now().Before(until); {
		r, err := client.Post[client.RunDetail](ctx, c.s.api, "/workflows/runs", map[string]string{"document": brief})
		for err == nil && r.Ended == nil {
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				return took, ctx.Err()
			}
			r, err = client.Get[client.RunDetail](ctx, c.s.api, "/runs/"+r.ID, nil)
		}
		if err != nil {
			return took, err
		}
		if len(r.Steps) != 1 || r.Steps[0].Started == nil {
			return took, fmt.Errorf("run %s is %s: %s", r.ID, r.State, r.Reason)
		}
		took = append(took, r.Steps[0].Started.Sub(r.Created))
		select {
		case <-ended:
			return took, nil
		case <-time.After(200 * time.Millisecond):
		}
	}
	return took, nil
}

// settled waits until the server does nothing more by itself, such as to look for docs or to make the index of the search.
func (c *catalogued) settled(after string) func(context.Context) error {
	return func(ctx context.Context) error {
		began := time.Now()
		_, err := c.idleCPU(ctx)
		figure(c.name("settled_after_"+after), time.Since(began).Seconds(), "s")
		return err
	}
}

// writes applies a small document again and again, and gives how long each took.
func (c *catalogued) writes(ctx context.Context, most time.Duration, ended <-chan struct{}) (took spread, err error) {
	for until := time.Now().Add(most); time.Now().Before(until); {
		began := time.Now()
		text := fmt.Sprintf("apiVersion: backstage.io/v1alpha1\nkind: Resource\nmetadata: {name: beside, description: 'at %d'}\nspec: {type: database, owner: nobody}\n", began.UnixNano())
		if _, err := client.Post[client.List[client.Applied]](ctx, c.s.api, "/apply", map[string]string{"documents": text, "source": "bench"}); err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
		select {
		case <-ended:
			return took, nil
		case <-time.After(20 * time.Millisecond):
		}
	}
	return took, nil
}

// until asks every 20 ms whether something is so; more seldom where the question takes long, so that it is not what is
// measured.
func (c *catalogued) until(ctx context.Context, most time.Duration, is func() (bool, error)) error {
	for late := time.Now().Add(most); ; {
		began := time.Now()
		ok, err := is()
		if ok || err != nil {
			return err
		}
		if time.Now().After(late) {
			return fmt.Errorf("it did not come within %v", most)
		}
		select {
		case <-time.After(max(20*time.Millisecond, 10*time.Since(began))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// counted is a page of entities of which only the number of all matters.
type counted struct {
	Total int `json:"total"`
}

func (c *catalogued) count(ctx context.Context, q url.Values) (int, error) {
	q.Set("limit", "1")
	page, err := client.Get[counted](ctx, c.s.api, "/entities", q)
	return page.Total, err
}

// pushes changes one entity by a push, again and again: from the start of the command, and from its end, until the change
// is seen in the API.
func (c *catalogued) pushes(ctx context.Context) error {
	var whole, after, plain spread
	folder := filepath.Join(c.me.home, "plain.git")
	for _, args := range [][]string{{"init", "--quiet", "--bare", folder}, {"push", "--quiet", folder, "HEAD:refs/heads/main"}} {
		if _, err := c.me.git(ctx, c.work, args...); err != nil {
			return err
		}
	}
	for round := range catalogPushes {
		file, text := c.made.changed(round)
		if err := os.WriteFile(filepath.Join(c.work, file), []byte(text), 0o600); err != nil {
			return err
		}
		if _, err := c.me.git(ctx, c.work, "commit", "--quiet", "-am", "change"); err != nil {
			return err
		}
		want := c.made.description(round)
		began := time.Now()
		seen := make(chan error, 1)
		go func() {
			seen <- c.until(ctx, time.Minute, func() (bool, error) {
				e, err := client.Get[client.Entity](ctx, c.s.api, "/entities/"+c.made.changedPath(round), nil)
				return e.Description == want, err
			})
		}()
		took, err := c.me.timed(ctx, c.work, "push", "--quiet", c.clone, "HEAD:refs/heads/main")
		if err != nil {
			return err
		}
		if err := <-seen; err != nil {
			return err
		}
		whole = append(whole, time.Since(began))
		after = append(after, max(0, time.Since(began)-took))
		if took, err = c.me.timed(ctx, c.work, "push", "--quiet", folder, "HEAD:refs/heads/main"); err != nil {
			return err
		}
		plain = append(plain, took)
	}
	c.most(c.name("push_to_visible_p50"), whole.at(0.5), 200, "ms")
	c.most(c.name("push_to_visible_p99"), whole.at(0.99), 1000, "ms")
	figure(c.name("end_of_push_to_visible_p50"), after.at(0.5), "ms")
	figure(c.name("loop_push_to_a_folder_p50"), plain.at(0.5), "ms")
	return nil
}

// restart measures how soon a server that is started anew answers its first query of the catalog: one that was stopped, and
// one that was killed.
func (c *catalogued) restart(ctx context.Context) error {
	c.s.stop()
	if err := c.startAgain(ctx, "start"); err != nil {
		return err
	}
	c.s.kill()
	return c.startAgain(ctx, "start_after_kill")
}

func (c *catalogued) startAgain(ctx context.Context, name string) error {
	began := time.Now()
	if err := c.start(ctx); err != nil {
		return err
	}
	figure(c.name(name+"_to_ready"), c.s.ready.Seconds(), "s")
	if n, err := c.count(ctx, url.Values{"kind": {"component"}, "type": {"service"}}); err != nil || n == 0 {
		return fmt.Errorf("after a start there are %d services: %w", n, err)
	}
	c.most(c.name(name+"_to_first_query"), time.Since(began).Seconds(), 2, "s")
	memory, err := c.s.memory()
	figure(c.name("memory_after_"+name), memory, "MB")
	return err
}

// idleCPU waits until a server does nothing more, and gives what it took since its start.
func (c *catalogued) idleCPU(ctx context.Context) (float64, error) {
	for last := -1.0; ; {
		now := c.s.cpu()
		if last >= 0 && now-last < 0.1 {
			return now, nil
		}
		last = now
		select {
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
