package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestAWriteIsForWhatWasSeen changes things that changed since they were looked at, which does nothing.
func TestAWriteIsForWhatWasSeen(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		ctx := t.Context()
		stale := func(what string, err error) {
			t.Helper()
			if !fault.Is(err, fault.Stale) || !strings.Contains(err.Error(), "again") && !strings.Contains(err.Error(), "not there any more") && !strings.Contains(err.Error(), "take its ETag") {
				t.Errorf("%s: %v", what, err)
			}
		}
		good := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		put := func(when, value string) error {
			return g.admin.When(when).Do(ctx, "PUT", "/secrets/default/key", nil, map[string]string{"value": value}, nil)
		}
		sum := func() string {
			list, err := client.Get[client.List[client.SecretInfo]](ctx, g.admin, "/secrets/default", nil)
			if err != nil || len(list.Items) != 1 {
				t.Fatal(list, err)
			}
			return list.Items[0].Checksum
		}
		stale("a secret that is not there", put("*", "one"))
		good("a new secret", put("", "one"))
		first := sum()
		good("the secret as it was seen", put(first, "two"))
		stale("a secret that was set meanwhile", put(first, "three"))
		if sum() == first {
			t.Error("the second value was not set")
		}
		good("any value", put("*", "one"))
		good("its first value again", put(first, "two"))
		stale("to delete what was set meanwhile", g.admin.When(first).Do(ctx, "DELETE", "/secrets/default/key", nil, nil, nil))
		good("to delete what was seen", g.admin.When(sum()).Do(ctx, "DELETE", "/secrets/default/key", nil, nil, nil))

		g.push("alice", "crew/shop", map[string]string{"catalog-info.yaml": fmt.Sprintf(shopComponent, 1)})
		l, err := client.Post[client.Location](ctx, g.admin, "/locations", map[string]string{"repository": "crew/shop"})
		if err != nil {
			t.Fatal(err)
		}
		etag := func(path string) string {
			request, err := http.NewRequestWithContext(ctx, "GET", g.url+"/api/v1"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+g.admin.Token)
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			return strings.Trim(answer.Header.Get("ETag"), `"`)
		}
		seen := etag("/locations/" + l.ID)
		trust := func(when string) error {
			return g.admin.When(when).Do(ctx, "PUT", "/locations/"+l.ID+"/trust", nil, map[string]any{"kinds": []string{"Group"}}, nil)
		}
		good("to trust the location as it was seen", trust(seen))
		stale("to trust one that is trusted meanwhile", trust(seen))

		g.apply("{apiVersion: backstage.io/v1alpha1, kind: System, metadata: {name: tills}, spec: {owner: alice}}")
		system := "/entities/system/default/tills"
		seen = etag(system)
		g.apply("{apiVersion: backstage.io/v1alpha1, kind: System, metadata: {name: tills}, spec: {owner: bob}}")
		stale("to delete an entity that changed", g.admin.When(seen).Do(ctx, "DELETE", system, nil, nil, nil))
		request, err := http.NewRequestWithContext(ctx, "DELETE", g.url+"/api/v1"+system, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+g.admin.Token)
		request.Header.Set("If-Match", `W/"`+etag(system)+`"`) // as a proxy that compresses names it
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Body.Close(); answer.StatusCode != http.StatusNoContent {
			t.Errorf("an etag that a proxy made weak: %s", answer.Status)
		}

		// A verdict is on the run as it was seen.
		r, err := client.Post[client.RunDetail](ctx, g.alice, "/workflows/runs", map[string]string{"document": twoGates})
		if err != nil {
			t.Fatal(err)
		}
		r = g.rests(r.ID)
		version := etag("/runs/" + r.ID)
		if version != fmt.Sprint(r.Version) {
			t.Fatalf("the run's etag is %s, its version %d", version, r.Version)
		}
		verdict := func(who, verb, when string, node ...string) error {
			return g.as[who].When(when).Do(ctx, "POST", "/runs/"+r.ID+"/"+verb, nil, map[string]string{"node": strings.Join(node, "")}, nil)
		}
		good("to approve one node as it was seen", verdict("bob", "approve", version, "main[0].staging"))
		stale("to approve a run that went on", verdict("bob", "approve", version))
		stale("to cancel a run that went on", verdict("bob", "cancel", version))
		stale("an etag that is none", verdict("bob", "cancel", "x"))
		if r = g.rests(r.ID); r.Terminal {
			t.Fatalf("with one of two approved the run is %s", r.State)
		}
		good("the other", verdict("bob", "approve", "*", "main[0].production"))
		r = until(t, g.admin, r.ID, ended)
		g.wantRun(r, "succeeded", "")
	})
}

// TestAPanicIsAnswered has requests fail in the way that nobody thought of.
func TestAPanicIsAnswered(t *testing.T) {
	t.Parallel()
	log := &strings.Builder{}
	whole, _ := open(t)
	h := &House{Log: slog.New(slog.NewTextHandler(log, nil)), meters: newMeters(), Node: whole.Node, API: whole.API}
	server := httptest.NewServer(h.observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			_, _ = w.Write([]byte("half of the ans"))
			_ = http.NewResponseController(w).Flush()
		}
		panic("a secret of the program")
	})))
	defer server.Close()
	answer, err := http.Get(server.URL + "/api/v1/runs")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body := &strings.Builder{}
	if err := answer.Write(body); err != nil || answer.StatusCode != 500 || answer.Header.Get("Content-Type") != "application/problem+json" || strings.Contains(body.String(), "secret") {
		t.Errorf("the answer is %s, %v", body, err)
	}
	if !strings.Contains(log.String(), "a secret of the program") || !strings.Contains(log.String(), "match_test.go") {
		t.Errorf("the log says %s", log)
	}
	late, err := http.Get(server.URL + "/late")
	if err != nil {
		t.Fatal(err)
	}
	defer late.Body.Close()
	if err := late.Write(body); err == nil {
		t.Errorf("an answer that was cut off counts as whole: %s", body)
	}
}
