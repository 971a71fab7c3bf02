package delivery_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/product/delivery"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// web gives a Deployment of the test's program with its Service and Ingress.
func web(host, version, more string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  progressDeadlineSeconds: 120
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.local/team/shop:1
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
        env: [{name: VERSION, value: %q}%s]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - host: %s
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}
`, version, more, host)
}

func TestARealProgramIsServedRolledAndRolledBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.start()
		b.repository("default", "team/shop")
		b.push("team/shop", map[string]string{"deploy/web.yaml": web("shop.test", "one", "")})
		b.apply("default", application("shop", "team/shop", automated))
		if code, body := b.ask("shop.test"); code != 200 || body != "one" {
			t.Errorf("the service answers %d %q", code, body)
		}
		st := b.status(shop)
		if st.Sync != "Synced" || st.Health != cluster.Healthy || len(st.URLs) != 1 || !strings.HasPrefix(st.URLs[0], "shop.test") {
			t.Errorf("status = %+v", st)
		}
		logs, err := b.Logs(accesstest.As("rita"), shop, "", cluster.LogOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer logs.Close()
		text := make([]byte, 100)
		if n, _ := logs.Read(text); !strings.Contains(string(text[:n]), "starting version one") {
			t.Errorf("log = %q", text[:n])
		}
		_, err = b.Logs(accesstest.As("rita"), shop, "nothing", cluster.LogOptions{})
		errorWith(t, err, fault.NotFound, `no pod "nothing"`)

		second := b.push("team/shop", map[string]string{"deploy/web.yaml": web("shop.test", "two", "")})
		b.want(shop, "Synced", "Healthy", second, "")
		if code, body := b.ask("shop.test"); code != 200 || body != "two" {
			t.Errorf("the service answers %d %q", code, body)
		}

		bad := strings.Replace(web("shop.test", "three", `, {name: EXIT, value: "3"}`), "progressDeadlineSeconds: 120", "progressDeadlineSeconds: 2", 1)
		third := b.push("team/shop", map[string]string{"deploy/web.yaml": bad})
		b.want(shop, "OutOfSync", "Healthy", second, third[:8]+" did not become healthy and was rolled back to "+second[:8])
		if code, body := b.ask("shop.test"); code != 200 || body != "two" {
			t.Errorf("the service answers %d %q", code, body)
		}
		last := b.syncs(shop)[2]
		if last.State != "failed" || !strings.Contains(last.Reason, "rolled back to "+second[:8]) || !strings.Contains(last.Reason, "did not become healthy: Deployment web: ") || !strings.Contains(string(last.Output), `"rolledBack":"`+second) {
			t.Errorf("run = %s: %s %s", last.State, last.Reason, last.Output)
		}
	})
}

// slowHead gives a head once only after what happens since it was read.
type slowHead struct {
	delivery.Repositories
	meanwhile *func()
}

func (r slowHead) Head(ctx context.Context, name, branch string) (string, error) {
	head, err := r.Repositories.Head(ctx, name, branch)
	if do := *r.meanwhile; do != nil {
		*r.meanwhile = nil
		do()
	}
	return head, err
}

// A look that takes long does not try again what has failed while it looked.
func TestWhatFailsDuringALookIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.start()
		b.repository("default", "team/shop")
		first := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.apply("default", application("shop", "team/shop", automated))
		var meanwhile func()
		b.Repositories = slowHead{b.Repositories, &meanwhile}
		second := b.commit("alice", "team/shop", map[string]string{"deploy/a.yaml": settings("a", "blue"), "deploy/web.yaml": broken})
		looked := false
		meanwhile = func() {
			looked = true
			b.drain() // another look begins the sync, which fails and goes back
			b.want(shop, "OutOfSync", "Healthy", first, second[:8]+" did not become healthy and was rolled back to "+first[:8])
		}
		if err := b.Reconcile(t.Context(), shop); err != nil {
			t.Fatal(err)
		}
		b.drain()
		if got := b.states(shop); got != "succeeded failed" || !looked {
			t.Errorf("the syncs are %s", got)
		}
	})
}

func TestWhatFailedIsRolledBackAndNotTriedAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.start()
		b.repository("default", "team/shop")
		first := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.apply("default", application("shop", "team/shop", automated))
		second := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "blue"), "deploy/web.yaml": broken})
		says := second[:8] + " did not become healthy and was rolled back to " + first[:8]
		b.want(shop, "OutOfSync", "Healthy", first, says)
		if b.colour("a") != "red" || b.states(shop) != "succeeded failed" || b.history(shop)[0].State != "rolled-back" {
			t.Errorf("a is %q after %s", b.colour("a"), b.states(shop))
		}
		if b.entries("application.sync-failed") != 1 || b.entries("application.rolled-back") != 1 {
			t.Error("the ledger does not tell of it once")
		}
		b.apply("default", application("shop", "team/shop", automated)) // a look
		if got := b.states(shop); got != "succeeded failed" {
			t.Errorf("after another look: %s", got)
		}
		b.want(shop, "OutOfSync", "Healthy", first, says)

		// A person may insist; it fails again and goes back to the same.
		if _, err := b.Sync(accesstest.As("alice"), shop); err != nil {
			t.Fatal(err)
		}
		b.drain()
		b.want(shop, "OutOfSync", "Healthy", first, says)

		third := b.push("team/shop", map[string]string{"deploy/web.yaml": ""})
		b.want(shop, "Synced", "Healthy", third, "")
		if b.colour("a") != "blue" || b.states(shop) != "succeeded failed failed succeeded" {
			t.Errorf("a is %q after %s", b.colour("a"), b.states(shop))
		}
	})
}

func TestAFirstSyncThatFailsHasNothingToGoBackTo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.start()
		b.repository("default", "team/shop")
		first := b.push("team/shop", map[string]string{"deploy/web.yaml": broken})
		b.apply("default", application("shop", "team/shop", automated))
		st := b.status(shop)
		if st.Health != cluster.Degraded || st.Synced != first || !strings.Contains(st.Message, "did not become healthy: Deployment web") {
			t.Errorf("status = %+v", st)
		}
		if got := b.states(shop); got != "failed" || b.history(shop)[0].State != "failed" {
			t.Errorf("runs are %s", got)
		}
		b.apply("default", application("shop", "team/shop", automated)) // a look
		if got := b.states(shop); got != "failed" {
			t.Errorf("after another look: %s", got)
		}
	})
}

func TestARollbackGoesToWhatWasGoodWhenTheSyncBegan(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.start()
		b.repository("default", "team/shop")
		b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.apply("default", application("shop", "team/shop"))
		sync := func() {
			t.Helper()
			if _, err := b.Sync(accesstest.As("alice"), shop); err != nil {
				t.Fatal(err)
			}
		}
		sync()
		b.drain()
		second := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "blue")})
		sync()
		b.commit("alice", "team/shop", map[string]string{"deploy/a.yaml": settings("a", "green"), "deploy/web.yaml": broken})
		sync() // waits for the one before
		b.drain()
		b.want(shop, "OutOfSync", "Healthy", second, "rolled back to "+second[:8])
		if b.colour("a") != "blue" || b.states(shop) != "succeeded succeeded failed" {
			t.Errorf("a is %q after %s", b.colour("a"), b.states(shop))
		}
	})
}

func TestADeletedApplicationDoesNotWaitForItsHealth(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.start()
		b.repository("default", "team/shop")
		b.push("team/shop", map[string]string{"deploy/web.yaml": strings.Replace(broken, "progressDeadlineSeconds: 1", "progressDeadlineSeconds: 600", 1)})
		if err := b.try("default", application("shop", "team/shop", automated)); err != nil {
			t.Fatal(err)
		}
		for b.hear() || b.work() {
		}
		b.step() // render
		b.step() // apply
		health := b.lease()
		done := make(chan struct{})
		go func() {
			defer close(done)
			result, err := b.Handlers()[health.Job.Action](t.Context(), *health, &b.logs)
			if err != nil || result.ExitCode != 1 || !strings.Contains(result.Message, "was deleted") {
				t.Errorf("health = %+v, %v", result, err)
			}
			b.report(health, result)
		}()
		b.forget(shop)
		<-done
		b.drain()
		wake, err := b.node.Watch(t.Context(), shop.String())
		if err != nil {
			t.Fatal(err)
		}
		for range wake { // its pod ends by itself
			objects, err := b.node.List(t.Context(), cluster.ListOptions{Owner: shop.String()})
			if err != nil {
				t.Fatal(err)
			}
			if len(objects) == 0 {
				break
			}
		}
		if got := b.states(shop); got != "failed" {
			t.Errorf("the run is %s", got)
		}
	})
}
