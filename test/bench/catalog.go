package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/client"
)

const (
	perFile       = 100
	catalogPushes = 40
	catalogRounds = 400
	throughputFor = 3 * time.Second
	sweptSources  = 10_000
)

// catalogFigures measures the catalog on each database: how soon what is pushed to one repository is visible, what that
// takes, what others wait meanwhile, and what is asked of it afterwards.
func catalogFigures(ctx context.Context, b *bench) error {
	for _, kind := range b.databases {
		if err := b.catalogOn(ctx, kind); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// catalogued is a server with the generated catalog.
type catalogued struct {
	*bench
	kind string // of the database
	s    *server
	me   *person
	url  string // of the repository
	work string // where it is checked out
	made generated
}

func (c *catalogued) name(text string) string { return c.kind + "_" + text }

func (b *bench) catalogOn(ctx context.Context, kind string) error {
	c := &catalogued{bench: b, kind: kind}
	dir := filepath.Join(b.dir, kind)
	var database string
	if kind == "postgres" {
		p, err := newPostgres(ctx, dir)
		if err != nil {
			return err
		}
		defer p.stop()
		database = p.url
	}
	var err error
	if c.s, err = startOn(ctx, dir, database); err != nil {
		return err
	}
	defer func() { c.s.stop() }()
	if c.me, err = newPerson(filepath.Join(dir, "home"), c.s.api.Token); err != nil {
		return err
	}
	steps := []func(context.Context) error{
		c.ingest, c.settled("ingest"), c.pushes, c.settled("pushes"), c.queries, c.scorecards,
		func(ctx context.Context) error { return c.restart(ctx, dir, database) }, func(ctx context.Context) error { return c.sources(ctx, dir, database) },
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
	c.url, c.work = r.CloneURL, filepath.Join(c.me.home, "work")
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
	if _, err := c.me.git(ctx, c.work, "push", "--quiet", c.url, "HEAD:refs/heads/main"); err != nil {
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
		took, err := c.me.timed(ctx, c.work, "push", "--quiet", c.url, "HEAD:refs/heads/main")
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

// queries measures what is asked most.
func (c *catalogued) queries(ctx context.Context) error {
	scale := 1.0
	if c.entities > 100_000 {
		scale = 5
	}
	var refs []string
	for i := range 100 {
		refs = append(refs, c.made.ref(i*7%c.made.entities))
	}
	for _, q := range []struct {
		name  string
		path  func(i int) string
		bound float64
	}{
		{"by_query", func(i int) string {
			kind := []string{"component", "api", "resource"}[i%3]
			return byQuery + "limit=20&filter=kind=" + kind + ",spec.type=" + typesMade[kind][i/3%len(typesMade[kind])]
		}, 5},
		{"by_owner", func(i int) string {
			return "/api/v1/entities?kind=component&owner=" + url.QueryEscape(c.made.owner(i)) + "&limit=20"
		}, 5},
		{"facets", func(i int) string {
			return "/api/catalog/entity-facets?facet=spec.type&filter=kind=" + []string{"component", "api", "resource"}[i%3]
		}, 5},
		{"by_name", func(i int) string { return "/api/catalog/entities/by-name/" + c.made.path(i*997) }, 5},
		{"full_text", func(i int) string {
			return "/api/v1/entities?text=" + url.QueryEscape(c.made.words(i)) + "&limit=20"
		}, 15},
	} {
		took, err := c.ask(ctx, q.path, catalogRounds)
		if err != nil {
			return err
		}
		figure(c.name(q.name+"_p50"), took.at(0.5), "ms")
		c.most(c.name(q.name+"_p99"), took.at(0.99), min(q.bound*scale, max(q.bound, 25)), "ms")
	}
	if err := c.pages(ctx, 5*scale); err != nil {
		return err
	}
	if err := c.searches(ctx); err != nil {
		return err
	}
	if err := c.byRefs(ctx, refs, 5*scale); err != nil {
		return err
	}
	for _, q := range []struct {
		name  string
		path  func(i int) string
		least float64
	}{
		{"by_name", func(i int) string { return "/api/v1/entities/" + c.made.path(i*997) }, 5000},
		{"by_query", func(int) string { return "/api/v1/entities?kind=component&type=service&limit=20" }, 2000},
	} {
		n, err := throughput(ctx, c.s.api.URL, c.s.api.Token, q.path)
		if err != nil {
			return err
		}
		c.least(c.name(q.name+"_on_8_connections"), n, q.least, "1/s")
	}
	return bareHandler(ctx, c.kind)
}

const byQuery = "/api/catalog/entities/by-query?"

// pages reads an ordered list of Backstage's API page by page.
func (c *catalogued) pages(ctx context.Context, bound float64) error {
	var took spread
	rest := "limit=50&orderField=metadata.title,desc&filter=kind=component"
	for range min(catalogRounds, c.made.entities/100) {
		var page struct {
			Items    []json.RawMessage `json:"items"`
			PageInfo struct {
				NextCursor string `json:"nextCursor"`
			} `json:"pageInfo"`
		}
		began := time.Now()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.s.api.URL+byQuery+rest, nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+c.s.api.Token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		took = append(took, time.Since(began))
		if err == nil {
			err = json.Unmarshal(text, &page)
		}
		if err != nil || len(page.Items) != 50 || page.PageInfo.NextCursor == "" {
			return fmt.Errorf("page %d is %.200s: %w", len(took), text, err)
		}
		rest = "limit=50&cursor=" + url.QueryEscape(page.PageInfo.NextCursor)
	}
	figure(c.name("ordered_page_p50"), took.at(0.5), "ms")
	c.most(c.name("ordered_page_p99"), took.at(0.99), bound, "ms")
	return nil
}

// ask sends requests one after another on one connection.
func (c *catalogued) ask(ctx context.Context, path func(i int) string, n int) (spread, error) {
	var took spread
	for i := range n + 20 {
		began := time.Now()
		if err := get(ctx, c.s.api.URL+path(i), c.s.api.Token); err != nil {
			return nil, err
		}
		if i >= 20 { // those before warm what there is to warm
			took = append(took, time.Since(began))
		}
	}
	return took, nil
}

func get(ctx context.Context, address, token string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if err := finished(http.DefaultClient.Do(r)); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return nil
}

// finished reads an answer to its end.
func finished(response *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000)) // for the message alone
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// byRefs asks Backstage's API for a hundred entities by their references, where the server has it.
func (c *catalogued) byRefs(ctx context.Context, refs []string, bound float64) error {
	text, err := json.Marshal(map[string]any{"entityRefs": refs})
	if err != nil {
		return err
	}
	var took spread
	for i := range catalogRounds/4 + 20 {
		began := time.Now()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.s.api.URL+"/api/catalog/entities/by-refs", strings.NewReader(string(text)))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+c.s.api.Token)
		response, err := http.DefaultClient.Do(r)
		if err == nil && i == 0 && (response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusMethodNotAllowed) {
			response.Body.Close()
			fmt.Fprintln(os.Stderr, "bench: this server has no /api/catalog; by-refs is left out")
			return nil
		}
		if err := finished(response, err); err != nil {
			return err
		}
		if i >= 20 { // as in ask
			took = append(took, time.Since(began))
		}
	}
	figure(c.name("by_refs_of_100_p50"), took.at(0.5), "ms")
	c.most(c.name("by_refs_of_100_p99"), took.at(0.99), bound, "ms")
	return nil
}

// throughput gives how many requests a second are answered on 8 connections. It writes them to the connections itself, so
// that the machine's time goes to the server and not to the one who asks.
func throughput(ctx context.Context, address, token string, path func(i int) string) (float64, error) {
	at, err := url.Parse(address)
	if err != nil {
		return 0, err
	}
	var n atomic.Int64
	all, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for k := range 8 {
		all.Go(func() error {
			var dialer net.Dialer
			conn, err := dialer.DialContext(ctx, "tcp", at.Host)
			if err != nil {
				return err
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for i := k; time.Since(began) < throughputFor && ctx.Err() == nil; i += 8 {
				if _, err := fmt.Fprintf(conn, "GET %s%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", at.Path, path(i), at.Host, token); err != nil {
					return err
				}
				if err := finished(http.ReadResponse(answers, nil)); err != nil {
					return fmt.Errorf("%s: %w", path(i), err)
				}
				n.Add(1)
			}
			return nil
		})
	}
	err = all.Wait()
	return float64(n.Load()) / time.Since(began).Seconds(), err
}

// restart measures how soon a server that is started anew answers its first query of the catalog: one that was stopped, and
// one that was killed.
func (c *catalogued) restart(ctx context.Context, dir, database string) error {
	c.s.stop()
	if err := c.startAgain(ctx, dir, database, "start"); err != nil {
		return err
	}
	c.s.kill()
	return c.startAgain(ctx, dir, database, "start_after_kill")
}

func (c *catalogued) startAgain(ctx context.Context, dir, database, name string) error {
	began := time.Now()
	var err error
	if c.s, err = startOn(ctx, dir, database); err != nil {
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

// sources registers many locations in which nothing changes, and measures what a look at all of them takes: that of a start
// more than that of one with few.
func (c *catalogued) sources(ctx context.Context, dir, database string) error {
	few, err := c.idleCPU(ctx)
	if err != nil {
		return err
	}
	const perRepository = 100
	for r := range sweptSources / perRepository {
		if err := c.source(ctx, r, perRepository); err != nil {
			return err
		}
	}
	began := time.Now()
	err = c.until(ctx, time.Hour, func() (bool, error) {
		n, err := c.count(ctx, url.Values{"namespace": {"swept"}})
		return n >= sweptSources, err
	})
	if err != nil {
		return err
	}
	figure(c.name("sources_made"), time.Since(began).Seconds(), "s")
	c.s.stop()
	if c.s, err = startOn(ctx, dir, database); err != nil {
		return err
	}
	many, err := c.idleCPU(ctx)
	if err != nil {
		return err
	}
	if many < few {
		return fmt.Errorf("%d locations took %.1f s of processor time and a few took %.1f s: something else was at work", sweptSources, many, few)
	}
	c.most(c.name("sources_swept_cpu"), many-few, 5, "s")
	return nil
}

// source makes a repository with files, each a location that a Location entity names.
func (c *catalogued) source(ctx context.Context, number, files int) error {
	name := fmt.Sprintf("source-%03d", number)
	r, err := client.Post[client.Repository](ctx, c.s.api, "/repositories", map[string]string{"name": name})
	if err != nil {
		return err
	}
	var in strings.Builder
	in.WriteString("commit refs/heads/main\ncommitter Bench <bench@example.com> 1700000000 +0000\ndata 3\nall\n")
	var targets []string
	for i := range files {
		one := fmt.Sprintf("apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: part-%d-%d, namespace: swept}\nspec: {type: service, lifecycle: production, owner: nobody}\n", number, i)
		fmt.Fprintf(&in, "M 100644 inline %03d.yaml\ndata %d\n%s\n", i, len(one), one)
		targets = append(targets, fmt.Sprintf("/git/default/%s/%03d.yaml", name, i))
	}
	work := filepath.Join(c.me.home, name)
	if _, err := c.me.git(ctx, "", "init", "--quiet", work); err != nil {
		return err
	}
	if _, err := c.me.gitWith(ctx, work, in.String(), "fast-import", "--quiet"); err != nil {
		return err
	}
	if _, err := c.me.git(ctx, work, "push", "--quiet", r.CloneURL, "main"); err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "backstage.io/v1alpha1", "kind": "Location", "metadata": map[string]string{"name": name}, "spec": map[string]any{"targets": targets},
	})
	if err != nil {
		return err
	}
	_, err = client.Post[client.List[client.Applied]](ctx, c.s.api, "/apply", map[string]string{"documents": string(text), "source": "sources"})
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
