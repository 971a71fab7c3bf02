package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	workerremote "github.com/roadbed-dev/roadbed/internal/machinery/worker/remote"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// asAgent says hello by a token and gives what the agent works by.
func (g *ground) asAgent(name, token string) *workerremote.Hub {
	g.t.Helper()
	h := g.asStranger(name, token)
	if _, err := h.Greet(g.t.Context(), false); err != nil {
		g.t.Fatal(err)
	}
	return h
}

func (g *ground) asStranger(name, token string) *workerremote.Hub {
	return workerremote.New(workerremote.Options{
		Server: g.url, Token: func() (string, error) { return token, nil }, HTTP: http.DefaultTransport, Now: time.Now, Log: g.house.Log,
		Hello: workerremote.Hello{Name: name, Home: "home-" + name, Version: "test", System: "linux/amd64", Executor: "process", Parallel: 1},
	})
}

// taken waits for a step of a pool.
func (g *ground) taken(h *workerremote.Hub) *worker.Lease {
	g.t.Helper()
	l, err := h.Lease(g.t.Context(), "", "", worker.KindCommand, 15*time.Second)
	if err != nil || l == nil {
		g.t.Fatalf("no step is given: %v", err)
	}
	return l
}

// TestAnAgentReachesNothingButWhatItHolds has agents of two pools, in two spaces, with what each holds, try to get at the other's,
// and at all else that the server has.
func TestAnAgentReachesNothingButWhatItHolds(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		ctx := t.Context()
		g.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: payments}, spec: {parent: default}}\n---\n" + poolDocument("eu", "") + "---\n" + poolDocument("us", ""))
		eu, us := g.poolToken("eu"), g.poolToken("us")
		one, other, beside := g.asAgent("one", eu.Secret), g.asAgent("other", us.Secret), g.asAgent("beside", eu.Secret)
		idle, err := one.Lease(ctx, "", "", worker.KindCommand, time.Millisecond)
		if idle != nil || err != nil {
			t.Fatalf("an idle pool gives %+v, %v", idle, err)
		}
		g.stack("first", lightInfra, "  workerPool: eu\n")
		mine := g.taken(one)
		g.stack("second", lightInfra, "  workerPool: us\n")
		theirs := g.taken(other)
		if mine.Run == theirs.Run || mine.Token == "" || mine.Job.Sources[0].Repository != "crew/first" {
			t.Fatalf("the agents hold %+v and %+v", mine, theirs)
		}
		if read, err := one.Archive(ctx, mine.ID, "crew/first", mine.Job.Sources[0].Commit, ""); err != nil {
			t.Errorf("an agent reads the source of its step: %v", err)
		} else if data, err := io.ReadAll(read); err != nil || !bytes.Contains(data, []byte("main.tf")) {
			t.Errorf("the source has %d bytes, %v", len(data), err)
		}

		source := theirs.Job.Sources[0]
		digest, _, err := other.PutBlob(ctx, theirs.ID, strings.NewReader("theirs"))
		if err != nil {
			t.Fatal(err)
		}
		for who, h := range map[string]*workerremote.Hub{"of another pool": one, "of another pool, too": beside} {
			for what, do := range map[string]func() error{
				"renews":                          func() error { _, err := h.Heartbeat(ctx, theirs.ID); return err },
				"reports":                         func() error { return h.Report(ctx, theirs.ID, worker.Result{}) },
				"logs":                            func() error { return h.Log(ctx, theirs.ID, 0, []byte("x")) },
				"stores":                          func() error { _, _, err := h.PutBlob(ctx, theirs.ID, strings.NewReader("x")); return err },
				"reads a blob":                    func() error { _, err := h.GetBlob(ctx, theirs.ID, digest); return err },
				"reads a source":                  func() error { _, err := h.Archive(ctx, theirs.ID, source.Repository, source.Commit, ""); return err },
				"waits":                           func() error { return h.AwaitCancel(ctx, theirs.ID) },
				"reads a blob by its own lease":   func() error { _, err := one.GetBlob(ctx, mine.ID, digest); return err },
				"reads a source by its own lease": func() error { _, err := one.Archive(ctx, mine.ID, source.Repository, source.Commit, ""); return err },
				"reads another folder": func() error {
					_, err := one.Archive(ctx, mine.ID, "crew/first", mine.Job.Sources[0].Commit, "infra/..")
					return err
				},
			} {
				if err := do(); !fault.Is(err, fault.NotFound) {
					t.Errorf("an agent %s %s: %v", who, what, err)
				}
			}
		}
		if err := beside.Report(ctx, mine.ID, worker.Result{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("an agent reports for another one of its pool: %v", err)
		}
		if _, err := other.Heartbeat(ctx, theirs.ID); err != nil {
			t.Errorf("after all that the lease is gone: %v", err)
		}

		// ask sends a request as it comes.
		ask := func(method, path string, header map[string]string, body string) (int, string) {
			t.Helper()
			r, err := http.NewRequestWithContext(ctx, method, g.url+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range header {
				r.Header.Set(k, v)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			said, _ := io.ReadAll(answer.Body)
			return answer.StatusCode, string(said)
		}
		bearer := func(token string) map[string]string { return map[string]string{"Authorization": "Bearer " + token} }
		for _, path := range []string{"/api/v1/runs", "/api/v1/whoami", "/api/v1/runs/" + mine.Run, "/api/v1/secrets/default", "/api/state/default/first", "/git/crew/first.git/info/refs?service=git-upload-pack", "/v2/"} {
			if status, said := ask("GET", path, bearer(eu.Secret), ""); status != http.StatusUnauthorized {
				t.Errorf("%s answers the token of an agent with %d %.200s", path, status, said)
			}
		}
		for what, token := range map[string]string{"nobody": "", "the administrator": g.admin.Token, "a step": mine.Token, "another prefix": "rbt_" + strings.TrimPrefix(eu.Secret, "rba_"), "a wrong end": eu.Secret[:len(eu.Secret)-1] + "-"} {
			for _, path := range []string{"hello", "lease?id=" + ref.NewID(ref.Lease, time.Now()), "leases/" + mine.ID + "/renew"} {
				if status, said := ask("POST", workerremote.Prefix+path, bearer(token), "{}"); status != http.StatusUnauthorized {
					t.Errorf("%s answers %s with %d %.200s", path, what, status, said)
				}
			}
		}

		// At the door, both tokens must fit, and the step be the agent's.
		life := func(agentToken, name, stepToken string) map[string]string {
			return map[string]string{workerremote.HeaderToken: agentToken, workerremote.HeaderName: name, workerremote.HeaderLife: lifeOf(t, g, name), "Authorization": "Bearer " + stepToken}
		}
		state := workerremote.Prefix + "door/api/state/default/first"
		for what, c := range map[string]struct {
			header map[string]string
			want   int
		}{
			"its own step":               {life(eu.Secret, "one", mine.Token), http.StatusNotFound}, // there is no state so far
			"another's step":             {life(eu.Secret, "one", theirs.Token), http.StatusForbidden},
			"its step, by another agent": {life(eu.Secret, "beside", mine.Token), http.StatusForbidden},
			"its step, by another pool":  {life(us.Secret, "other", mine.Token), http.StatusForbidden},
			"a person":                   {life(eu.Secret, "one", g.admin.Token), http.StatusUnauthorized},
			"an agent as a step":         {life(eu.Secret, "one", eu.Secret), http.StatusUnauthorized},
			"no agent":                   {bearer(mine.Token), http.StatusUnauthorized},
			"nobody":                     {life(eu.Secret, "one", ""), http.StatusUnauthorized},
		} {
			if status, said := ask("GET", state, c.header, ""); status != c.want {
				t.Errorf("the door answers %s with %d %.200s, want %d", what, status, said, c.want)
			}
		}
		if status, _ := ask("GET", "/api/state/default/first", bearer(mine.Token), ""); status != http.StatusUnauthorized {
			t.Errorf("a step's token is taken beside the door: %d", status)
		}

		// Of what is sent, no more is taken than there is room for.
		if err := one.Log(ctx, mine.ID, 0, make([]byte, workerremote.MaxChunk+1)); !fault.Is(err, fault.TooLarge) {
			t.Errorf("a long piece of a log: %v", err)
		}
		if err := one.Log(ctx, mine.ID, 5, []byte("behind the end")); !fault.Is(err, fault.Conflict) {
			t.Errorf("a piece of a log behind its end: %v", err)
		}
		if status, _ := ask("POST", workerremote.Prefix+"hello", bearer(eu.Secret), strings.Repeat(" ", workerremote.MaxHello+1)); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a long hello is answered with %d", status)
		}

		// A pool that no longer serves the space gives nothing of it.
		if err := one.Report(ctx, mine.ID, worker.Result{ExitCode: 1}); err != nil {
			t.Fatal(err)
		}
		if err := one.Report(ctx, mine.ID, worker.Result{}); err != nil {
			t.Errorf("a report that is told twice: %v", err)
		}
		if status, _ := ask("GET", state, life(eu.Secret, "one", mine.Token), ""); status != http.StatusUnauthorized {
			t.Errorf("the token of a step that has ended is taken: %d", status)
		}

		waits := make(chan error, 1)
		go func() {
			l, err := other.Lease(ctx, "", "", worker.KindCommand, 8*time.Second)
			if l != nil {
				err = fault.Errorf(fault.Internal, "the step %s is given out", l.Step)
			}
			waits <- err
		}()
		if err := g.admin.Do(ctx, http.MethodDelete, "/pools/default/us/tokens/"+us.ID, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		g.stack("late", lightInfra, "  workerPool: us\n")
		if err := <-waits; err != nil && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("what waits while its token is revoked: %v", err)
		}
		for what, do := range map[string]func() error{
			"says hello": func() error { _, err := other.Greet(ctx, false); return err },
			"asks":       func() error { _, err := other.Lease(ctx, "", "", worker.KindCommand, 0); return err },
			"renews":     func() error { _, err := other.Heartbeat(ctx, theirs.ID); return err },
			"reports":    func() error { return other.Report(ctx, theirs.ID, worker.Result{}) },
		} {
			if err := do(); !fault.Is(err, fault.Unauthenticated) || !strings.Contains(err.Error(), "was revoked") {
				t.Errorf("an agent with a revoked token %s: %v", what, err)
			}
		}
	})
}

// lifeOf gives the process that an agent says to be, as the server knows it.
func lifeOf(t *testing.T, g *ground, name string) (life string) {
	t.Helper()
	err := g.house.DB.Read(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(t.Context(), "SELECT life FROM pool_agents WHERE name = $1", name).Scan(&life)
	})
	if err != nil {
		t.Fatal(err)
	}
	return life
}

// TestPoolsAreForTheirSpaces declares stacks in several spaces and a pool in one, shared and not.
func TestPoolsAreForTheirSpaces(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		ctx := t.Context()
		g.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: payments}, spec: {parent: default}}\n---\n{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: cards}, spec: {parent: payments}}\n")
		in := func(space, documents string) error {
			_, err := client.Post[client.List[client.Applied]](ctx, g.admin, "/apply", map[string]any{"documents": documents, "source": "test-" + space, "space": space})
			return err
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(in("payments", poolDocument("eu", "")))
		stack := func(name string) string { return stackDocument(name, "  workerPool: default/eu\n") }
		must(in("payments", stack("own")))
		for space, name := range map[string]string{"cards": "below", "default": "above"} {
			if err := in(space, stack(name)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "that the space "+space+" may use") {
				t.Errorf("a stack of %s names the pool of payments: %v", space, err)
			}
		}
		must(in("payments", poolDocument("eu", "shared: true")))
		must(in("cards", stack("below")))
		if err := in("default", stack("above")); !fault.Is(err, fault.Invalid) {
			t.Errorf("a stack of the space above names a shared pool: %v", err)
		}

		if _, err := client.Post[client.Repository](ctx, g.admin, "/repositories", map[string]string{"namespace": "crew", "name": "below", "space": "cards"}); err != nil {
			t.Fatal(err)
		}
		g.push("alice", "crew/below", map[string]string{"infra/main.tf": lightInfra})
		r, err := client.Post[client.RunDetail](ctx, g.admin, "/stacks/default/below/runs", map[string]string{"type": "proposed"})
		if err != nil {
			t.Fatal(err)
		}
		until(t, g.admin, r.ID, func(r client.RunDetail) bool { return len(r.Steps) > 0 && r.Steps[0].State == "ready" })
		must(in("payments", poolDocument("eu", ""))) // shared no more
		h := g.asAgent("one", g.poolToken("eu").Secret)
		if l, err := h.Lease(ctx, "", "", worker.KindCommand, 2*time.Second); l != nil && l.Run == r.ID || err != nil {
			t.Errorf("a step of a space that the pool serves no more is given out: %+v, %v", l, err)
		}
		g.wantRun(until(t, g.admin, r.ID, ended), "failed", "does not serve the space cards any more")

		for who, want := range map[string]fault.Kind{"rita": fault.Denied, "alice": fault.Denied, "mallory": fault.NotFound} {
			if _, err := client.Post[client.NewPoolToken](ctx, g.as[who], "/pools/default/eu/tokens", map[string]string{"name": "x"}); !fault.Is(err, want) {
				t.Errorf("%s makes a token of a pool: %v", who, err)
			}
		}
		if err := g.try("alice", poolDocument("mine", "")); !fault.Is(err, fault.Denied) {
			t.Errorf("a developer declares a pool: %v", err)
		}
		if err := g.admin.Do(ctx, http.MethodDelete, "/entities/workerpool/default/eu", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Greet(context.WithoutCancel(ctx), false); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("an agent of a pool that is gone says hello: %v", err)
		}
	})
}

// TestALeaseWhoseAnswerWasLostIsGivenAgain asks twice by one id, and gives back what was not begun.
func TestALeaseWhoseAnswerWasLostIsGivenAgain(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		ctx := t.Context()
		g.apply(poolDocument("eu", ""))
		token := g.poolToken("eu").Secret
		g.asAgent("one", token)
		id := g.stack("net", lightInfra, "  workerPool: eu\n")
		hub, err := g.house.Pools.Hub(ctx, nil, token, "one", lifeOf(t, g, "one"))
		if err != nil {
			t.Fatal(err)
		}
		asked := ref.NewID(ref.Lease, time.Now())
		first, err := hub.LeaseAs(ctx, asked, 15*time.Second)
		if err != nil || first == nil {
			t.Fatal(first, err)
		}
		if err := hub.Log(ctx, asked, 0, []byte("begun\n")); err != nil {
			t.Fatal(err)
		}
		again, err := hub.LeaseAs(ctx, asked, time.Second)
		if err != nil || again == nil || again.Step != first.Step || again.Attempt != 1 || again.LogOffset != 6 || again.Token == first.Token {
			t.Fatalf("asked for again it is %+v, %v", again, err)
		}
		if err := hub.Return(ctx, asked); err != nil {
			t.Fatal(err)
		}
		if err := hub.Return(ctx, asked); err != nil {
			t.Errorf("given back twice: %v", err)
		}
		if _, err := hub.Heartbeat(ctx, asked); !fault.Is(err, fault.NotFound) {
			t.Errorf("what was given back is renewed: %v", err)
		}
		r := until(t, g.admin, id, func(r client.RunDetail) bool { return r.Steps[0].State == "ready" })
		if r.Steps[0].Attempt != 1 {
			t.Errorf("what was not begun counts as %d attempts", r.Steps[0].Attempt)
		}
		if l, err := hub.LeaseAs(ctx, ref.NewID(ref.Lease, time.Now()), 15*time.Second); err != nil || l == nil || l.Step != first.Step || l.Attempt != 1 {
			t.Errorf("it is given out as %+v, %v", l, err)
		}
	})
}
