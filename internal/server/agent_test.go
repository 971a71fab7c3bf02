package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestRunsOfAPoolGoThroughItsAgents has a whole server kill -9 and start anew, and connections cut, while a real agent runs the
// real engine: the step goes on, its log has each line once, and nothing is done twice.
func TestRunsOfAPoolGoThroughItsAgents(t *testing.T) {
	t.Parallel()
	engine := realEngine(t)
	eachDatabase(t, func(t *testing.T, database string) {
		v := newVictim(t, light{engine: engine}, database)
		g := groundAt(t, "http://"+v.address, crashToken)
		if err := g.try("admin", stackDocument("net", "  workerPool: eu\n")); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "no worker pool default/eu") {
			t.Errorf("a stack names a pool that is not there: %v", err)
		}
		g.apply(poolDocument("eu", ""))
		id := g.stack("net", lightInfra, "  workerPool: eu\n  hooks: {beforePlan: ['"+saying(120)+"']}\n")
		r := until(t, g.admin, id, func(r client.RunDetail) bool { return strings.Contains(r.Reason, "none has ever connected") })
		if len(r.Steps) != 1 || r.Steps[0].State != "ready" || !strings.Contains(r.Steps[0].Reason, "waits for an agent of the worker pool default/eu") {
			t.Errorf("a run without an agent is %s: %s; %s", r.State, r.Reason, steps(r))
		}
		way := newRelay(t, v.address)
		a := g.helper("one", "http://"+way.address, g.poolToken("eu").Secret, "--engine", engine)
		g.awaitLog(id, "plan", "line-5-")
		if got := g.agentNow("eu", "one"); got.State != "connected" || len(got.Steps) != 1 || got.Steps[0].Run != id || got.Version != "test" {
			t.Errorf("the agent is shown as %+v", got)
		}
		for range 5 {
			way.cut()
			time.Sleep(200 * time.Millisecond)
		}
		v.kill()
		time.Sleep(3 * time.Second)
		v.start(t)
		v.awaitReady(t)
		way.cut()
		r = g.rests(id)
		g.wantRun(r, "unconfirmed", "1 to create")
		g.wantLines(g.log(id, "plan"), 120)
		for _, s := range r.Steps {
			if command := s.Key == "plan" || s.Key == "show"; s.Attempt != 1 || command != (s.Worker == "default/eu/one") {
				t.Errorf("step %s had %d attempts, the last by %s", s.Key, s.Attempt, s.Worker)
			}
		}
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied: 1 to create")
		if s := g.stackNow("net"); s.State == nil || s.State.Resources != 1 || s.WorkerPool != "default/eu" {
			t.Errorf("the stack is %+v", s)
		}
		if code := a.stop(); code != 0 {
			t.Errorf("an agent that is asked to end ends with %d", code)
		}
		if got := g.agentNow("eu", "one"); got.State != "gone" {
			t.Errorf("an agent that has ended is %s", got.State)
		}
		if left := strays(t, a.dir); len(left) > 0 {
			t.Errorf("processes are left after the agent: %v", left)
		}
	})
}

// TestWhatAKilledAgentHadGoesToOthers kills agents with -9: a plan is done by another one when the lease has run out, an
// apply never is, and the run says so.
func TestWhatAKilledAgentHadGoesToOthers(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		engine := g.house.engine.path()
		g.apply(poolDocument("eu", ""))
		token := g.poolToken("eu").Secret
		one := g.helper("one", g.url, token, "--engine", engine)
		id := g.stack("net", lightInfra, "  workerPool: eu\n  hooks: {beforePlan: ['"+saying(30)+"'], beforeApply: ['"+saying(30)+"']}\n")
		g.awaitLog(id, "plan", "line-3-")
		one.kill()
		two := g.helper("two", g.url, token, "--engine", engine)
		r := g.rests(id)
		g.wantRun(r, "unconfirmed", "1 to create")
		if s := r.Steps[0]; s.Attempt != 2 || s.Worker != "default/eu/two" {
			t.Errorf("the plan had %d attempts, the last by %s", s.Attempt, s.Worker)
		}
		g.wantLines(g.log(id, "plan"), 30)
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.awaitLog(id, "apply", "line-3-")
		two.kill()
		two.start() // its new life gives back what the earlier one had
		g.wantRun(until(t, g.admin, id, ended), "failed", "worker default/eu/two was lost while it ran this step; retry when you have checked what it did")
		if s := g.stackNow("net"); s.State != nil && s.State.Resources > 0 || !strings.Contains(s.Lock, "run "+id+" was killed") { // nobody knows what it did
			t.Errorf("the stack is %+v", s)
		}
	})
}

// TestAgentsAreDrainedAndToldOfCancels drains an agent by the server and by a signal, cancels what one runs, and starts
// others that may not.
func TestAgentsAreDrainedAndToldOfCancels(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		engine := g.house.engine.path()
		g.apply(poolDocument("eu", ""))
		token := g.poolToken("eu")
		one := g.helper("one", g.url, token.Secret, "--engine", engine)
		slow := "  workerPool: eu\n  hooks: {beforePlan: ['" + saying(60) + "']}\n"
		first := g.stack("first", lightInfra, slow)
		g.awaitLog(first, "plan", "line-3-")

		drain := func(path string) {
			t.Helper()
			if err := g.admin.Do(t.Context(), "POST", "/pools/default/eu"+path, nil, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		drain("/agents/one/drain")
		second := g.stack("second", lightInfra, slow)
		until(t, g.admin, second, func(r client.RunDetail) bool {
			return strings.Contains(r.Reason, "those that are connected are drained")
		})
		if got := g.agentNow("eu", "one"); got.State != "draining" || !got.Drained || len(got.Steps) != 1 {
			t.Errorf("a drained agent is %+v", got)
		}
		one.said("the server drains this agent")
		g.wantRun(g.rests(first), "unconfirmed", "1 to create") // it ends what it has
		drain("/drain")
		drain("/agents/one/resume")
		until(t, g.admin, second, func(r client.RunDetail) bool { return strings.Contains(r.Reason, "which is drained") })
		drain("/resume")
		g.wantLines(g.log(first, "plan"), 60)

		g.awaitLog(second, "plan", "line-3-")
		if _, err := g.act("alice", second, "cancel"); err != nil {
			t.Fatal(err)
		}
		asked := time.Now()
		g.wantRun(until(t, g.admin, second, ended), "canceled", "")
		if took := time.Since(asked); took > 20*time.Second {
			t.Errorf("a cancel takes %s", took)
		}
		if got := g.agentNow("eu", "one"); len(got.Steps) != 0 {
			t.Errorf("after a cancel the agent has %+v", got.Steps)
		}

		for _, c := range []struct {
			what string
			code int
			a    *helper
		}{
			{"in another's folder", 5, &helper{t: t, name: "three", dir: one.dir, server: g.url, token: one.token}},
			{"with another's name", 5, &helper{t: t, name: "one", dir: one.dir + "-other", server: g.url, token: one.token}},
			{"with a token of a person", 3, &helper{t: t, name: "four", dir: one.dir + "-four", server: g.url, token: g.file(g.admin.Token)}},
			{"without a token", 2, &helper{t: t, name: "five", dir: one.dir + "-five", server: g.url, token: ""}},
			{"in clear to another machine", 2, &helper{t: t, name: "six", dir: one.dir + "-six", server: "http://roadbed.example.com", token: one.token}},
		} {
			c.a.start()
			if code := c.a.code(); code != c.code {
				t.Errorf("an agent %s ends with %d, want %d", c.what, code, c.code)
			}
		}

		third := g.stack("third", lightInfra, slow)
		g.awaitLog(third, "plan", "line-3-")
		begun := make(chan int)
		go func() { begun <- one.stop() }()
		one.drains(g)
		fourth := g.stack("fourth", lightInfra, slow)
		if code := <-begun; code != 0 {
			t.Errorf("a drained agent ends with %d", code)
		}
		r := until(t, g.admin, third, func(r client.RunDetail) bool { return r.Steps[0].State == "succeeded" })
		if r.Steps[0].Attempt != 1 {
			t.Errorf("what ran when the agent was asked to end had %d attempts", r.Steps[0].Attempt)
		}
		g.wantLines(g.log(third, "plan"), 60)
		r = until(t, g.admin, fourth, func(r client.RunDetail) bool { return strings.Contains(r.Reason, "none is connected") })
		if r.Steps[0].State != "ready" || r.Steps[0].Attempt != 1 {
			t.Errorf("what came after it was asked to end: %s", steps(r))
		}

		if err := g.admin.Do(t.Context(), "DELETE", "/pools/default/eu/tokens/"+token.ID, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		one.start()
		if code := one.code(); code != 3 {
			t.Errorf("an agent with a revoked token ends with %d", code)
		}
		one.said("was revoked")
		if err := os.WriteFile(one.token, []byte(g.poolToken("eu").Secret), 0o600); err != nil {
			t.Fatal(err)
		}
		one.start()
		g.wantRun(g.rests(fourth), "unconfirmed", "1 to create")
	})
}

// file writes a text to a file of its own.
func (g *ground) file(text string) string {
	g.t.Helper()
	path := filepath.Join(g.t.TempDir(), "file")
	write(g.t, path, text)
	return path
}

// drains waits until the server knows that the agent ends.
func (a *helper) drains(g *ground) {
	a.t.Helper()
	if err := within(a.t, func() (bool, error) {
		got := g.agentNow("eu", a.name)
		return got.State == "draining" && !got.Drained, nil
	}); err != nil {
		a.t.Fatal(err)
	}
}
