package stack

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// oneAway are repositories of which one does not answer.
type oneAway struct {
	Repositories
	asked []string
}

func (o *oneAway) SpaceOf(_ context.Context, repository string) (string, error) {
	o.asked = append(o.asked, repository)
	if repository == "crew/broken" {
		return "", fault.Errorf(fault.Unavailable, "the forge does not answer")
	}
	return "", fault.Errorf(fault.Denied, "it is looked at")
}

// TestEachFollowsOnItsOwn: a repository that can't be read holds up no other stack, and after a day its page says so.
func TestEachFollowsOnItsOwn(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := actor.AsSystem(t.Context())
		log := storetest.Log(t)
		book, outside := ledger.New(db, time.Now, log), &oneAway{}
		s := &Service{Deps: Deps{DB: db, Runs: &run.Service{}, Repositories: outside, Now: time.Now, Ledger: book, Access: access.New(db, book, time.Now, log)}}
		inRows(t, db, func(r rows) {
			r.stack("net", "default", "{}")
			for _, name := range []string{"broken", "shop"} {
				r.stack(name, "default", `{"dependsOn":[{"stack":"stack:default/net"}]}`)
				r.exec("UPDATE stacks SET repository = $2 WHERE ref = $1", "stack:default/"+name, "crew/"+name)
				r.exec("INSERT INTO stack_dependencies (stack, upstream, used) VALUES ($1, 'stack:default/net', '')", "stack:default/"+name)
			}
		})
		says := func(name string) (said string) {
			t.Helper()
			if err := db.Read(ctx, func(tx *store.Tx) error {
				return tx.QueryRow(ctx, "SELECT message FROM stacks WHERE ref = $1", ref.New("stack", "default", name).String()).Scan(&said)
			}); err != nil {
				t.Fatal(err)
			}
			return said
		}
		after := run.Run{ID: "run_1", Subject: "stack:default/net", Space: "default", State: finished, Ended: time.Now()}
		failures := s.followAll(ctx, after)
		if len(failures) != 1 || !fault.Is(failures[0], fault.Unavailable) || !strings.Contains(failures[0].Error(), "broken") {
			t.Errorf("what failed is %v", failures)
		}
		if said := says("shop"); !strings.Contains(said, "it is looked at") || says("broken") != "" {
			t.Errorf("the stacks say %q and %q", said, says("broken"))
		}
		first := map[string]bool{}
		for range 100 { // those that hang are not before the others for ever
			outside.asked = nil
			s.followAll(ctx, after)
			if first[outside.asked[0]] = true; len(first) == 2 {
				break
			}
		}
		if len(first) != 2 {
			t.Errorf("first is always %v", first)
		}
		after.Ended = after.Ended.Add(-followGiveUp)
		if failures := s.followAll(ctx, after); len(failures) != 1 || failures[0] != nil {
			t.Errorf("after a day it fails by %v", failures)
		}
		if said := says("broken"); !strings.Contains(said, "it did not follow run run_1 of stack:default/net") || !strings.Contains(said, "the forge does not answer") {
			t.Errorf("after a day its page says %q", said)
		}
	}, run.Migrations(), Migrations(), ledger.Migrations(), access.Migrations())
}
