package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

const sweptSources = 10_000

// sweptFigures are of many locations in hosted repositories, on servers that have nothing else.
func sweptFigures(ctx context.Context, b *bench) error {
	return b.eachDatabase(ctx, (*catalogued).sources)
}

// sources registers many locations in which nothing changes, and measures what a look at all of them takes: that of a start
// more than that of one without any.
func (c *catalogued) sources(ctx context.Context) error {
	none, err := c.startCPU(ctx)
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
	many, err := c.startCPU(ctx)
	if err != nil {
		return err
	}
	if many < none {
		return fmt.Errorf("%d locations took %.1f s of processor time and none took %.1f s: something else was at work", sweptSources, many, none)
	}
	c.most(c.name("sources_swept_cpu"), many-none, 5, "s")
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

// startCPU starts the server again, after a stop that has kept its index, and gives what it took until it does nothing more:
// the less of two starts, since a start may find something to do that another has left.
func (c *catalogued) startCPU(ctx context.Context) (float64, error) {
	least := math.Inf(1)
	for range 2 {
		c.s.stop()
		if err := c.start(ctx); err != nil {
			return 0, err
		}
		cpu, err := c.idleCPU(ctx)
		if err != nil {
			return 0, err
		}
		least = min(least, cpu)
	}
	return least, nil
}
