package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

const (
	logFollowers = 200
	logLines     = 150
)

// agentDocuments are a pool, and a stack of it whose plan first says the time again and again, when those who follow are there.
const agentDocuments = `apiVersion: roadbed.dev/v1
kind: WorkerPool
metadata: {name: measured}
spec: {}
---
apiVersion: roadbed.dev/v1
kind: Stack
metadata: {name: talking}
spec:
  owner: group:default/crew
  source: {repository: default/talking, branch: main}
  workerPool: measured
  hooks:
    beforeInit: ['sleep 5; i=0; while [ $i -lt %d ]; do i=$((i+1)); date +%%s%%N; sleep 0.1; done']
`

// agentFigures measures the time from a line's writing in a step that an agent runs until clients have it, 200 of which
// follow the log at once. All are on this machine.
func agentFigures(ctx context.Context, b *bench) error {
	s, err := start(ctx, b.dir)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := talkingRepository(ctx, s.api, b.dir); err != nil {
		return err
	}
	if _, err := client.Post[client.List[client.Applied]](ctx, s.api, "/apply", map[string]any{"documents": fmt.Sprintf(agentDocuments, logLines), "source": "bench"}); err != nil {
		return err
	}
	token, err := client.Post[client.NewPoolToken](ctx, s.api, "/pools/default/measured/tokens", map[string]string{"name": "bench"})
	if err != nil {
		return err
	}
	file := filepath.Join(b.dir, "agent.token")
	if err := os.WriteFile(file, []byte(token.Secret), 0o600); err != nil {
		return err
	}
	agent := exec.CommandContext(ctx, program, "agent", "--server", s.api.URL, "--token-file", file, "--dir", filepath.Join(b.dir, "agent"), "--name", "measured", "--isolation", "prefer")
	agent.Stderr = os.Stderr
	if err := agent.Start(); err != nil {
		return err
	}
	defer func() {
		_ = agent.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = agent.Wait()
	}()
	run, step, err := talkingStep(ctx, s.api)
	if err != nil {
		return err
	}
	follow, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	seen := make([]lines, logFollowers)
	failed := make([]error, logFollowers)
	var all sync.WaitGroup
	for i := range seen {
		all.Go(func() { failed[i] = s.api.FollowLog(follow, run, step, 0, &seen[i]) })
	}
	all.Wait()
	var delays spread
	for i := range seen {
		if failed[i] != nil {
			return failed[i]
		}
		if len(seen[i].delays) != logLines {
			return fmt.Errorf("a follower saw %d lines of %d:\n%s", len(seen[i].delays), logLines, strings.TrimSpace(seen[i].text.String()))
		}
		delays = append(delays, seen[i].delays...)
	}
	figure("agent_log_line_to_client_p50", delays.at(0.5), "ms")
	b.most("agent_log_line_to_client_p99", delays.at(0.99), 100, "ms")
	figure("agent_log_line_to_client_max", slices.Max(delays).Seconds()*1000, "ms")
	return b.linesToBrowser(ctx, s, run)
}

// linesToBrowser measures the time from a line's writing until it is in the page of a browser that shows the run, which is
// another one of the same stack.
func (b *bench) linesToBrowser(ctx context.Context, s *server, before string) error {
	script := filepath.Join("test", "browser", "line.mjs")
	for _, needed := range []string{"/usr/bin/chromium", filepath.Join("test", "browser", "node_modules", "playwright-core")} {
		if _, err := os.Stat(needed); err != nil {
			fmt.Fprintf(os.Stderr, "bench: there is no %s; lines to a browser are left out\n", needed)
			return nil
		}
	}
	runs := stackRuns{api: s.api}
	if _, err := runs.until(ctx, before, "unconfirmed"); err != nil {
		return err
	}
	if _, err := client.Post[client.RunDetail](ctx, s.api, "/runs/"+before+"/discard", nil); err != nil {
		return err
	}
	page := exec.CommandContext(ctx, "node", script, s.api.URL, strconv.Itoa(logLines))
	page.Env, page.Stderr = append(os.Environ(), "ROADBED_TOKEN="+s.api.Token), os.Stderr
	input, err := page.StdinPipe()
	if err != nil {
		return err
	}
	output, err := page.StdoutPipe()
	if err != nil {
		return err
	}
	if err := page.Start(); err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended {
			_ = input.Close()
			_ = page.Process.Signal(syscall.SIGTERM) // it closes its browser
			_ = page.Wait()
		}
	}()
	said := bufio.NewReader(output)
	if _, err := said.ReadString('\n'); err != nil { // that it is ready
		return fmt.Errorf("the browser: %w", err)
	}
	run, err := client.Post[client.Run](ctx, s.api, "/stacks/default/talking/runs", map[string]string{"type": "tracked"})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(input, run.ID); err != nil {
		return err
	}
	if err := input.Close(); err != nil { // the script ends after that
		return err
	}
	var took []float64
	ended = true
	if err := errors.Join(json.NewDecoder(said).Decode(&took), page.Wait()); err != nil {
		return fmt.Errorf("the browser: %w", err)
	}
	var delays spread
	for _, ms := range took {
		delays = append(delays, time.Duration(ms*float64(time.Millisecond)))
	}
	figure("agent_log_line_to_browser_p50", delays.at(0.5), "ms")
	b.most("agent_log_line_to_browser_p99", delays.at(0.99), 100, "ms")
	return nil
}

// talkingRepository pushes a configuration.
func talkingRepository(ctx context.Context, api *client.Client, dir string) error {
	me, err := newPerson(filepath.Join(dir, "home"), api.Token)
	if err != nil {
		return err
	}
	made, err := client.Post[client.Repository](ctx, api, "/repositories", map[string]string{"name": "talking"})
	if err != nil {
		return err
	}
	work := filepath.Join(me.home, "talking")
	if _, err := me.git(ctx, "", "init", "--quiet", work); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "main.tf"), []byte("resource \"terraform_data\" \"one\" {}\n"), 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{{"add", "--all"}, {"commit", "--quiet", "--message", "resources"}, {"push", "--quiet", made.CloneURL, "main"}} {
		if _, err := me.git(ctx, work, args...); err != nil {
			return err
		}
	}
	return nil
}

// talkingStep waits until the agent has the step that talks.
func talkingStep(ctx context.Context, api *client.Client) (run, step string, err error) {
	for late := time.Now().Add(time.Minute); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		page, err := client.Get[client.List[client.Run]](ctx, api, "/runs", url.Values{"kind": {"stack"}})
		if err != nil {
			return "", "", err
		}
		if len(page.Items) == 0 {
			continue
		}
		r, err := client.Get[client.RunDetail](ctx, api, "/runs/"+page.Items[0].ID, nil)
		if err != nil {
			return "", "", err
		}
		if len(r.Steps) > 0 && r.Steps[0].State == "leased" {
			return r.ID, r.Steps[0].ID, nil
		}
	}
	return "", "", fmt.Errorf("no agent has taken the step within a minute")
}
