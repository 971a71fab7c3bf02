package delivery_test

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/product/delivery"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// settle does all but steps.
func (b *bench) settle() {
	b.t.Helper()
	for b.hear() || b.work() {
	}
}

// declare changes a document without doing what comes of it.
func (b *bench) declare(space, text string) {
	b.t.Helper()
	if err := b.try(space, text); err != nil {
		b.t.Fatal(err)
	}
}

// reading gives an application of lab that reads a stack and goes to its space's own namespace.
func reading(stack string) string {
	text := strings.Replace(application("try", "lab/try", automated), ", namespace: shop", "", 1)
	if stack == "" {
		return text
	}
	return strings.Replace(text, "annotations: {", `annotations: {roadbed.dev/stack: "stack:default/`+stack+`", `, 1)
}

func (b *bench) value(kind, namespace, name, field string) string {
	b.t.Helper()
	o, err := b.node.Get(b.t.Context(), cluster.Key{Kind: kind, Namespace: namespace, Name: name})
	if err != nil && !fault.Is(err, fault.NotFound) {
		b.t.Fatal(err)
	}
	return o.Text("data", field)
}

func TestASyncAndItsRollbackKeepToWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.start()
		b.repository("lab", "lab/try")
		b.stack("pay-infra", "payments", "stt_1", map[string]string{"password!": "hunter2", "host": "db.payments"})
		first := b.commit("carol", "lab/try", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.apply("lab", reading(""))
		if got := b.value("ConfigMap", "lab", "a", "colour"); got != "red" {
			t.Fatalf("a is %q", got)
		}
		for what, changed := range map[string]string{
			"another space's stack":     reading("pay-infra"),
			"another space's namespace": strings.Replace(reading(""), "name: local", "name: local, namespace: payments", 1),
		} {
			b.commit("carol", "lab/try", map[string]string{"deploy/a.yaml": settings("a", what), "deploy/web.yaml": broken})
			b.settle()
			b.step() // render
			b.step() // apply
			b.declare("lab", changed)
			for last := ""; last != "rollback"; {
				if l := b.step(); l != nil {
					last = strings.TrimPrefix(l.Job.Action, "delivery.")
				} else {
					t.Fatalf("%s: no rollback after %q", what, last)
				}
			}
			if got := b.syncs(named("try")); !strings.Contains(got[len(got)-1].Reason, "rolled back to "+first[:8]) {
				t.Errorf("%s: %s", what, got[len(got)-1].Reason)
			}
			if got := b.value("ConfigMap", "lab", "a", "colour"); got != "red" {
				t.Errorf("%s: a is %q", what, got)
			}
			for _, place := range []string{"lab", "payments"} {
				if got := b.value("ConfigMap", place, "pay-infra-outputs", "HOST") + b.value("Secret", place, "pay-infra-outputs", "PASSWORD"); got != "" {
					t.Errorf("%s: %s holds the outputs of payments: %q", what, place, got)
				}
			}
			if got := b.value("ConfigMap", "payments", "a", "colour"); got != "" {
				t.Errorf("%s: something was put into the namespace of payments", what)
			}
			b.declare("lab", reading(""))
			b.drain()
		}
	})
}

func TestRightsAreAskedEachTimeSomethingIsApplied(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.start()
		b.repository("lab", "lab/try")
		b.stack("infra", "lab", "stt_1", map[string]string{"host": "db.lab"})
		b.commit("carol", "lab/try", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.declare("lab", reading("infra"))
		b.settle()
		b.step() // render
		b.stack("infra", "payments", "stt_1", map[string]string{"host": "db.payments"})
		if l := b.step(); l == nil || l.Job.Action != delivery.ActionApply {
			t.Fatalf("the next step is %+v", l)
		}
		last := b.syncs(named("try"))[0]
		if last.State != "failed" || !strings.Contains(last.Reason, "may not use stack:default/infra") || b.value("ConfigMap", "lab", "a", "colour") != "" {
			t.Errorf("the sync is %s: %s", last.State, last.Reason)
		}
		// An application that has moved to another space takes nothing of its old one along.
		b.stack("infra", "lab", "stt_2", map[string]string{"host": "db.lab"})
		b.settle()
		b.step() // render
		b.declare("payments", reading("infra"))
		b.step() // apply
		last = b.syncs(named("try"))[1]
		if last.State != "failed" || !strings.Contains(last.Reason, "has moved to another space") || b.value("ConfigMap", "lab", "a", "colour") != "" {
			t.Errorf("the sync is %s: %s", last.State, last.Reason)
		}
	})
}

func TestARollbackBringsTheOutputsOfItsRevisionBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.start()
		b.repository("lab", "lab/try")
		colour := func(want string) {
			t.Helper()
			if got := b.value("ConfigMap", "lab", "infra-outputs", "COLOUR"); got != want {
				t.Errorf("the outputs say %q, want %q", got, want)
			}
		}
		b.stack("infra", "lab", "stt_1", map[string]string{"colour": "red"})
		first := b.commit("carol", "lab/try", map[string]string{"deploy/a.yaml": settings("a", "one")})
		b.apply("lab", reading("infra"))
		colour("red")
		// Outputs that came with a revision that failed go with it.
		second := b.commit("carol", "lab/try", map[string]string{"deploy/a.yaml": settings("a", "two"), "deploy/web.yaml": broken})
		b.stack("infra", "lab", "stt_2", map[string]string{"colour": "blue"})
		b.drain()
		b.want(named("try"), "OutOfSync", "Healthy", first, second[:8]+" did not become healthy and was rolled back to "+first[:8])
		colour("red")
		b.apply("lab", reading("infra")) // a look
		colour("red")
		// A person goes back to outputs of before, and what is changed by hand there is healed to them.
		third := b.commit("carol", "lab/try", map[string]string{"deploy/a.yaml": settings("a", "three"), "deploy/web.yaml": ""})
		b.drain()
		b.want(named("try"), "Synced", "Healthy", third, "")
		colour("blue")
		revisions := b.history(named("try"))
		if _, err := b.Rollback(accesstest.As("carol"), named("try"), revisions[len(revisions)-1].ID); err != nil {
			t.Fatal(err)
		}
		b.drain()
		colour("red")
		if _, err := b.node.Delete(t.Context(), []cluster.Key{{Kind: "ConfigMap", Namespace: "lab", Name: "infra-outputs"}}, cluster.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		b.apply("lab", reading("infra")) // a look
		colour("red")
		if b.states(named("try")) != "succeeded failed succeeded succeeded succeeded" {
			t.Errorf("runs are %s", b.states(named("try")))
		}
	})
}

func TestAnApplicationThatMovesToAnotherSpaceBeginsAnew(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("lab", "lab/try")
		b.repository("payments", "payments/pay")
		first := b.commit("carol", "lab/try", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.apply("lab", reading(""))
		b.want(named("try"), "Synced", "Healthy", first, "")
		second := b.commit("peter", "payments/pay", map[string]string{"deploy/a.yaml": settings("a", "blue")})
		b.declare("payments", strings.Replace(reading(""), "lab/try", "payments/pay", 1))
		if st := b.status(named("try")); st.Synced != "" || len(b.history(named("try"))) != 0 {
			t.Errorf("it is at %q with the history %+v", st.Synced, b.history(named("try")))
		}
		b.drain()
		b.want(named("try"), "Synced", "Healthy", second, "")
		if got := b.value("ConfigMap", "payments", "a", "colour") + b.value("ConfigMap", "lab", "a", "colour"); got != "blue" {
			t.Errorf("a is %q", got)
		}
	})
}
