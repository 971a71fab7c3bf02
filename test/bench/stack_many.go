package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/client"
)

const (
	manyStacks   = 20
	manyRounds   = 5
	manyParallel = 2 // of either side, as a server has by default

	largePlan = 10_000 // resources
)

// manyStackFigures measures runs of 20 stacks that are begun at once, until all wait for a person, beside the bare engine doing
// the same for 20 folders, as many at a time; in turns.
func manyStackFigures(ctx context.Context, b *bench) error {
	s, err := startOn(ctx, b.dir, "", "--workers", fmt.Sprint(manyParallel))
	if err != nil {
		return err
	}
	defer s.stop()
	engine, err := enginePath(ctx)
	if err != nil {
		return err
	}
	files := map[string]string{"main.tf": manyResources(stackResources)}
	r := &stackRuns{api: s.api}
	if err := r.push(ctx, b.dir, "many", files); err != nil {
		return err
	}
	var all []string
	for i := range manyStacks {
		all = append(all, stackOf(fmt.Sprintf("many%02d", i), "many"))
	}
	if _, err := client.Post[client.List[client.Applied]](ctx, s.api, "/apply", map[string]any{"documents": strings.Join(all, "---\n"), "source": "bench"}); err != nil {
		return err
	}
	if err := r.discardFirst(ctx, manyStacks); err != nil {
		return err
	}
	var bare, ours spread
	sides := []func() error{
		func() error {
			began := time.Now()
			var group errgroup.Group
			group.SetLimit(manyParallel)
			for i := range manyStacks {
				e := &bareEngine{program: engine, dir: filepath.Join(b.dir, "bare", fmt.Sprint(i)), files: files}
				if err := e.fresh(); err != nil {
					return err
				}
				group.Go(func() error { return e.plan(ctx) })
			}
			err := group.Wait()
			bare = append(bare, time.Since(began))
			return err
		},
		func() error {
			began := time.Now()
			ids := make([]string, manyStacks)
			var group errgroup.Group
			for i := range ids {
				group.Go(func() error {
					made, err := client.Post[client.Run](ctx, s.api, fmt.Sprintf("/stacks/default/many%02d/runs", i), map[string]string{"type": "tracked"})
					if err != nil {
						return err
					}
					ids[i] = made.ID
					_, err = r.until(ctx, made.ID, "unconfirmed")
					return err
				})
			}
			err := group.Wait()
			ours = append(ours, time.Since(began))
			for _, id := range ids {
				if err == nil {
					_, err = client.Post[client.RunDetail](ctx, s.api, "/runs/"+id+"/discard", nil)
				}
			}
			return err
		},
	}
	for round := range 1 + manyRounds {
		if round == 1 { // the first warms
			bare, ours = nil, nil
		}
		for _, side := range turn(round, 2) {
			if err := sides[side](); err != nil {
				return err
			}
		}
	}
	figure("stacks_20_bare_p50", bare.at(0.5), "ms")
	figure("stacks_20_unconfirmed_p50", ours.at(0.5), "ms")
	b.most("stacks_20_unconfirmed_to_bare", ours.ratio(bare), 1.2, "x")
	return nil
}

func stackOf(name, repository string) string {
	return fmt.Sprintf("{apiVersion: roadbed.dev/v1, kind: Stack, metadata: {name: %s}, spec: {owner: 'group:default/crew', source: {repository: default/%s, branch: main}}}\n", name, repository)
}

// tenPolicies look at each resource of a plan.
func tenPolicies() string {
	var all []string
	for i := range 10 {
		all = append(all, fmt.Sprintf(`apiVersion: roadbed.dev/v1
kind: Policy
metadata: {name: large%d}
spec:
  point: plan
  rego: |
    package roadbed.plan
    deny contains sprintf("%%s is too large", [r.address]) if {
      some r in input.terraform.resource_changes
      r.change.after.input.size == -%d
    }
`, i, i+1))
	}
	return strings.Join(all, "---\n")
}

// largePlanFigures measures a plan of 10,000 resources: from the end of the engine until it is judged by ten policies and its page has it,
// and what memory the server takes for it.
func largePlanFigures(ctx context.Context, b *bench) error {
	s, err := start(ctx, b.dir)
	if err != nil {
		return err
	}
	defer s.stop()
	r := &stackRuns{api: s.api}
	if err := r.push(ctx, b.dir, "large", map[string]string{"main.tf": manyResources(largePlan)}); err != nil {
		return err
	}
	if _, err := client.Post[client.List[client.Applied]](ctx, s.api, "/apply", map[string]any{"documents": tenPolicies() + "---\n" + stackOf("large", "large"), "source": "bench"}); err != nil {
		return err
	}
	if err := r.discardFirst(ctx, 1); err != nil {
		return err
	}
	var shown spread
	for range 3 {
		made, err := client.Post[client.Run](ctx, s.api, "/stacks/default/large/runs", map[string]string{"type": "tracked"})
		if err != nil {
			return err
		}
		run, err := r.until(ctx, made.ID, "unconfirmed")
		if err != nil {
			return err
		}
		page, err := client.Get[json.RawMessage](ctx, s.api, "/runs/"+made.ID+"/plan", nil) // all that the page of the run asks for
		if err != nil {
			return err
		}
		seen := time.Now()
		if n := strings.Count(string(page), "terraform_data.part"); n < largePlan {
			return fmt.Errorf("the page of the plan has %d resources: %.300s", n, page)
		}
		var engine time.Time
		for _, step := range run.Steps {
			if strings.HasSuffix(step.Key, "plan") && step.Ended != nil { // it reads the plan, too
				engine = *step.Ended
			}
		}
		shown = append(shown, seen.Sub(engine))
		if _, err := client.Post[client.RunDetail](ctx, s.api, "/runs/"+made.ID+"/discard", nil); err != nil {
			return err
		}
	}
	peak, err := s.peak()
	if err != nil {
		return err
	}
	figure("plan_of_10000_engine_to_page_p50", shown.at(0.5), "ms")
	b.most("plan_of_10000_engine_to_page_max", shown.at(1), 2000, "ms")
	b.most("plan_of_10000_server_memory", peak, 400, "MB")
	return nil
}
