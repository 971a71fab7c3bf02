package server

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// narrow gives a client whose token may do only that.
func (g *ground) narrow(owner string, scopes ...string) *client.Client {
	g.t.Helper()
	token, err := client.Post[client.NewToken](g.t.Context(), g.as["admin"], "/tokens", map[string]any{"name": "narrow", "owner": owner, "scopes": scopes})
	if err != nil {
		g.t.Fatal(err)
	}
	return client.New(g.url, token.Secret)
}

// TestRunsAreBegunByRightsOfTheirOwn: who may plan does not apply, who may apply does not destroy, and so on.
func TestRunsAreBegunByRightsOfTheirOwn(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.colleagues()
		began := g.stack("net", lightInfra, "")
		for _, c := range []struct {
			scopes []string
			kind   string
			want   fault.Kind
		}{
			{[]string{"run:read", "stack:plan"}, "proposed", 0}, // as docs/extend.md has it
			{[]string{"run:read", "stack:plan"}, "tracked", fault.NotFound},
			{[]string{"run:read", "stack:read", "stack:plan"}, "tracked", fault.Denied},
			{[]string{"run:read", "stack:read", "stack:plan"}, "destroy", fault.Denied},
			{[]string{"run:read", "stack:read", "stack:apply"}, "proposed", fault.Denied},
			{[]string{"run:read", "stack:read", "stack:apply"}, "tracked", 0},
			{[]string{"run:read", "stack:read", "stack:apply"}, "destroy", fault.Denied},
			{[]string{"run:read", "stack:destroy"}, "destroy", 0},
			{[]string{"run:*", "stack:read"}, "destroy", fault.Denied},
		} {
			for _, owner := range []string{"user:default/alice", "machine:default/robot"} {
				_, err := client.Post[client.RunDetail](t.Context(), g.narrow(owner, c.scopes...), "/stacks/default/net/runs", map[string]string{"type": c.kind})
				if c.want == 0 && err != nil || c.want != 0 && !fault.Is(err, c.want) {
					t.Errorf("%s with %v begins a %s run: %v; want %v", owner, c.scopes, c.kind, err, c.want)
				}
			}
		}
		for _, kind := range []string{"proposed", "tracked", "destroy"} {
			if _, err := client.Post[client.RunDetail](t.Context(), g.as["rita"], "/stacks/default/net/runs", map[string]string{"type": kind}); !fault.Is(err, fault.Denied) {
				t.Errorf("Rita, who reads, begins a %s run: %v", kind, err)
			}
			if _, err := client.Post[client.RunDetail](t.Context(), g.as["mallory"], "/stacks/default/net/runs", map[string]string{"type": kind}); !fault.Is(err, fault.NotFound) {
				t.Errorf("Mallory begins a %s run: %v", kind, err)
			}
		}
		for scope, want := range map[string]fault.Kind{"run:*": fault.Denied, "workflow:create": 0} {
			_, err := client.Post[client.RunDetail](t.Context(), g.narrow("user:default/bob", "run:read", scope), "/workflows/runs", map[string]string{"document": held})
			if want == 0 && err != nil || want != 0 && !fault.Is(err, want) {
				t.Errorf("a workflow is submitted with %s: %v; want %v", scope, err, want)
			}
		}
		if _, err := g.act("alice", began, "cancel"); err != nil {
			t.Fatal(err)
		}
		until(t, g.admin, began, ended)
		for scopes, want := range map[string]fault.Kind{"stack:apply": fault.Denied, "run:retry": fault.Denied, "run:retry stack:plan": fault.Denied, "run:retry stack:apply": 0} {
			_, err := client.Post[client.RunDetail](t.Context(), g.narrow("user:default/bob", append(strings.Fields(scopes), "run:read")...), "/runs/"+began+"/retry", map[string]string{})
			if want == 0 && err != nil || want != 0 && !fault.Is(err, want) {
				t.Errorf("a run is retried with %s: %v; want %v", scopes, err, want)
			}
		}
	})
}

// TestLogsTakeARightOfTheirOwn reads a log in each way, with run:log and without.
func TestLogsTakeARightOfTheirOwn(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		r, err := client.Post[client.RunDetail](t.Context(), g.alice, "/workflows/runs", map[string]string{"document": held})
		if err != nil {
			t.Fatal(err)
		}
		step := g.rests(r.ID).Steps[0].Key
		if _, err := g.act("alice", r.ID, "cancel"); err != nil {
			t.Fatal(err)
		}
		until(t, g.admin, r.ID, ended)
		ways := map[string]func(as *client.Client) error{
			"a range": func(as *client.Client) error {
				var text []byte
				return as.Do(t.Context(), http.MethodGet, "/runs/"+r.ID+"/steps/"+step+"/log", nil, nil, &text)
			},
			"a file": func(as *client.Client) error {
				var text []byte
				return as.Do(t.Context(), http.MethodGet, "/runs/"+r.ID+"/steps/"+step+"/log/file", nil, nil, &text)
			},
			"live": func(as *client.Client) error {
				ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
				defer stop()
				return as.FollowLog(ctx, r.ID, step, 0, &bytes.Buffer{})
			},
		}
		for way, read := range ways {
			for who, as := range map[string]*client.Client{
				"Alice": g.alice, "Rita": g.as["rita"], "a narrow token": g.narrow("user:default/alice", "run:read", "run:log"),
			} {
				if err := read(as); err != nil {
					t.Errorf("%s reads the log as %s: %v", who, way, err)
				}
			}
			if err := read(g.narrow("user:default/alice", "run:read")); !fault.Is(err, fault.Denied) || !strings.Contains(fault.Message(err), "run:log") {
				t.Errorf("a token without run:log reads the log as %s: %v", way, err)
			}
			if err := read(g.narrow("user:default/alice", "run:log")); !fault.Is(err, fault.NotFound) {
				t.Errorf("a token without run:read reads the log as %s: %v", way, err)
			}
			if err := read(g.as["mallory"]); !fault.Is(err, fault.NotFound) {
				t.Errorf("Mallory reads the log as %s: %v", way, err)
			}
		}
	})
}
