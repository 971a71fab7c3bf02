package identity_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func TestWorkloadTokensEndWithTheStep(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := context.Background()
		b.Space("payments", "default")
		step, run := ref.NewID(ref.Step, b.now()), ref.NewID(ref.Run, b.now())
		var first, second, bare string
		write := func(fn func(tx *store.Tx) error) {
			t.Helper()
			if err := b.db.Write(ctx, fn); err != nil {
				t.Fatal(err)
			}
		}
		write(func(tx *store.Tx) (err error) {
			if first, err = b.s.Workload(ctx, tx, run, step, "payments", []string{"artifact:write"}, time.Hour); err != nil {
				return err
			}
			if second, err = b.s.Workload(ctx, tx, run, step, "payments", []string{"artifact:write"}, time.Minute); err != nil {
				return err
			}
			bare, err = b.s.Workload(ctx, tx, run, "step_other", "payments", nil, time.Hour)
			return err
		})
		p, err := b.authenticate(first)
		if err != nil || p.Kind != actor.Workload || p.Run != run || p.Space != "payments" || p.ID != step {
			t.Fatalf("the step is %+v, %v", p, err)
		}
		may := actor.With(ctx, p)
		if err := b.access.Authorize(may, "artifact:write", "payments"); err != nil {
			t.Error(err)
		}
		if b.access.May(may, "artifact:write", "default") || b.access.May(may, "entity:write", "payments") {
			t.Error("the step may do more than its scopes")
		}
		if b.access.May(b.as(bare), "entity:read", "payments") {
			t.Error("a step without scopes may do something")
		}
		if _, _, err := b.s.CreateToken(may, identity.NewToken{Name: "x", Scopes: []string{"artifact:write"}}); !fault.Is(err, fault.Denied) {
			t.Errorf("a step makes a token: %v", err)
		}
		b.pass(2 * time.Minute)
		b.refused(second, "its time has passed")
		b.as(first)
		write(func(tx *store.Tx) error { return b.s.EndWorkload(ctx, tx, step) })
		b.refused(first, "the step has ended")

		undone := errors.New("undone")
		var lost string
		err = b.db.Write(ctx, func(tx *store.Tx) (err error) {
			if lost, err = b.s.Workload(ctx, tx, run, step, "payments", nil, time.Hour); err != nil {
				return err
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		b.refused(lost, "the step never started")
	})
}

func TestMachines(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.Space("payments", "default")
		b.Space("search", "default")
		b.Bind("admin", "payments", "user:default/alice")
		alice := b.as(b.token("alice"))
		m, err := b.s.CreateMachine(alice, identity.NewMachine{Space: "payments", Name: "Deployer"})
		if err != nil || m.Ref.String() != "machine:payments/deployer" {
			t.Fatalf("made %+v, %v", m, err)
		}
		if _, err := b.s.CreateMachine(alice, identity.NewMachine{Space: "payments", Name: "deployer"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("twice: %v", err)
		}
		if _, err := b.s.CreateMachine(alice, identity.NewMachine{Space: "search", Name: "x"}); !fault.Is(err, fault.Denied) {
			t.Errorf("in another space: %v", err)
		}
		if _, err := b.s.CreateMachine(alice, identity.NewMachine{Space: "payments", Name: "../x"}); !fault.Is(err, fault.Invalid) {
			t.Errorf("with a bad name: %v", err)
		}
		b.Bind("developer", "payments", "machine:payments/deployer")
		_, secret, err := b.s.CreateToken(alice, identity.NewToken{Principal: m.Ref, Name: "ci"})
		if err != nil {
			t.Fatal(err)
		}
		bot := b.as(secret)
		if !b.access.May(bot, "run:retry", "payments") || b.access.May(bot, "run:retry", "search") {
			t.Error("the machine's rights are wrong")
		}
		seen, err := b.s.ListMachines(b.as(b.token("bob")), page.Request{})
		if err != nil || len(seen.Items) != 0 {
			t.Errorf("bob sees %v, %v", seen, err)
		}
		if seen, err = b.s.ListMachines(alice, page.Request{}); err != nil || len(seen.Items) != 1 {
			t.Errorf("alice sees %v, %v", seen, err)
		}
		if err := b.s.DeleteMachine(b.as(b.token("bob")), m.Ref); !fault.Is(err, fault.NotFound) {
			t.Errorf("bob deletes it: %v", err)
		}
		if err := b.s.DeleteMachine(alice, m.Ref); err != nil {
			t.Fatal(err)
		}
		b.refused(secret, "the machine is deleted")
	})
}
