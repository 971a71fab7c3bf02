package server

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

const held = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: held}
spec:
  entrypoint: hold
  templates:
    - {name: hold, suspend: {}}
`

const offeredApplication = `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop, annotations: {roadbed.dev/owner: group:default/crew}}
spec:
  project: default
  source: {repoURL: /git/crew/shop, path: deploy, targetRevision: main}
  destination: {name: local}
`

// TestWhatAPersonIsOfferedIsWhatTheyMayDo asks as somebody who develops and as somebody who only reads.
func TestWhatAPersonIsOfferedIsWhatTheyMayDo(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.stack("shop", lightInfra, "")
		g.apply(offeredApplication)
		held, err := client.Post[client.RunDetail](t.Context(), g.alice, "/workflows/runs", map[string]any{"document": held})
		if err != nil {
			t.Fatal(err)
		}
		g.rests(held.ID)
		for who, want := range map[string]struct {
			waiting                 int
			stack, application, run string
		}{
			"bob":  {1, "plan,apply,destroy", "sync,rollback", "approve,reject,cancel"},
			"rita": {},
		} {
			as := g.as[who]
			home, err := client.Get[client.Home](t.Context(), as, "/home", nil)
			if err != nil {
				t.Fatal(err)
			}
			stack, err := client.Get[client.Stack](t.Context(), as, "/stacks/default/shop", nil)
			if err != nil {
				t.Fatal(err)
			}
			app, err := client.Get[client.Application](t.Context(), as, "/applications/default/shop", nil)
			if err != nil {
				t.Fatal(err)
			}
			run, err := client.Get[client.Run](t.Context(), as, "/runs/"+held.ID, nil)
			if err != nil {
				t.Fatal(err)
			}
			waiting := 0
			for _, r := range home.Waiting {
				if r.ID == held.ID {
					waiting++
				}
			}
			if waiting != want.waiting {
				t.Errorf("the run that waits is %d times at %s's home, want %d", waiting, who, want.waiting)
			}
			for what, both := range map[string][2]string{
				"the stack": {strings.Join(stack.Can, ","), want.stack}, "the application": {strings.Join(app.Can, ","), want.application},
				"the run": {strings.Join(run.Can, ","), want.run},
			} {
				if both[0] != both[1] {
					t.Errorf("%s may do %q with %s, want %q", who, both[0], what, both[1])
				}
			}
		}
	})
}
