package main

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

var shell = regexp.MustCompile(`export ROADBED_URL=(\S+) ROADBED_TOKEN=(\S+)`)

// mainJob does the whole main job, as `roadbed demo` does, and prints what it took from the form to the running
// service, and from the second commit to its being live: without the time in which the engine or the compiler worked,
// which is another's. What the demo itself takes to ask and to push is part of it.
func mainJob(ctx context.Context, b *bench) error {
	c := exec.CommandContext(ctx, program, "demo", "--dir", filepath.Join(b.dir, "job"))
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	defer func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait() // it says that it was stopped
	}()
	var api *client.Client
	told := ""
	for lines := bufio.NewScanner(out); api == nil && lines.Scan(); {
		told += lines.Text() + "\n"
		if m := shell.FindStringSubmatch(lines.Text()); m != nil {
			api = client.New(m[1], m[2])
		}
	}
	if api == nil {
		return fmt.Errorf("the main job did not come to its end:\n%s", told)
	}
	page, err := client.Get[client.List[client.Run]](ctx, api, "/runs", url.Values{"limit": {"200"}})
	if err != nil {
		return err
	}
	byKind := map[string][]client.Run{}
	for _, r := range slices.Backward(page.Items) { // the oldest first
		byKind[r.Kind] = append(byKind[r.Kind], r)
	}
	if len(byKind["scaffold"]) != 1 || len(byKind["stack"]) != 1 || len(byKind["workflow"]) < 2 || len(byKind["sync"]) < 2 {
		return fmt.Errorf("the main job left other runs than it should: %d of golden paths, %d of stacks, %d pipelines, %d syncs",
			len(byKind["scaffold"]), len(byKind["stack"]), len(byKind["workflow"]), len(byKind["sync"]))
	}
	var others []span
	for _, r := range page.Items {
		detail, err := client.Get[client.RunDetail](ctx, api, "/runs/"+r.ID, nil)
		if err != nil {
			return err
		}
		for _, s := range detail.Steps {
			compiles := r.Kind == "workflow" && (s.Title == "test" || s.Title == "build")
			if (compiles || r.Kind == "stack") && s.Started != nil && s.Ended != nil {
				others = append(others, span{*s.Started, *s.Ended})
			}
		}
	}
	for i, name := range []string{"main_job_own_time", "second_commit_own_time"} {
		whole := span{byKind["workflow"][i].Created, *byKind["sync"][i].Ended}
		if i == 0 {
			whole.from = byKind["scaffold"][0].Created
		}
		b.most(name, (whole.length() - covered(whole, others)).Seconds(), 2, "s")
		figure(name+"_with_engine_and_compiler", whole.length().Seconds(), "s")
	}
	return nil
}

type span struct{ from, to time.Time }

func (s span) length() time.Duration { return s.to.Sub(s.from) }

// covered gives how much of whole the parts cover, counted once where they overlap.
func covered(whole span, parts []span) (total time.Duration) {
	slices.SortFunc(parts, func(a, b span) int { return a.from.Compare(b.from) })
	at := whole.from
	for _, p := range parts {
		from, to := p.from, p.to
		if from.Before(at) {
			from = at
		}
		if to.After(whole.to) {
			to = whole.to
		}
		if to.After(from) {
			total += to.Sub(from)
			at = to
		}
	}
	return total
}
