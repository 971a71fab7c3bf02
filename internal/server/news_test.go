package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

// noted gives what the ledger has of a kind about something, as text.
func (g *ground) noted(subject, kind string) string {
	g.t.Helper()
	all, err := client.All[client.Entry](g.t.Context(), g.admin, "/ledger", map[string][]string{"ref": {subject}, "type": {kind}})
	if err != nil {
		g.t.Fatal(err)
	}
	var text strings.Builder
	for _, e := range all {
		text.Write(e.Data)
	}
	return text.String()
}

func (g *ground) wantSaid(subject string, want int, words ...string) {
	g.t.Helper()
	g.wantNoted(subject, "stack.notice", want)
	said := g.noted(subject, "stack.notice")
	for _, part := range words {
		if !strings.Contains(said, part) {
			g.t.Errorf("of %s the inbox says %s, without %q", subject, said, part)
		}
	}
}

// TestNotificationPoliciesHearOfVersionsAndOfWhatFails and of a webhook that fails as it tells that it fails they hear once.
func TestNotificationPoliciesHearOfVersionsAndOfWhatFails(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		c := newChat(t)
		dead := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(dead.Close)
		g.apply(`{apiVersion: roadbed.dev/v1, kind: Webhook, metadata: {name: chat}, spec: {url: "` + c.URL + `/chat"}}
---
{apiVersion: roadbed.dev/v1, kind: Webhook, metadata: {name: dead}, spec: {url: "` + dead.URL + `"}}
`)
		g.policy("hear", "notification", `
inbox[{"title": sprintf("%s %s is %s", [m.module.id, m.version.number, m.version.state]), "severity": "INFO"}] { m := input.module_version }
inbox[{"title": e.error, "body": e.message, "severity": e.severity}] { e := input.internal_error }
pull_request[{"body": "a version"}] { input.module_version.version.state == "ACTIVE" }
webhook[{"endpoint_id": "chat"}] { input.module_version.version.latest }
webhook[{"endpoint_id": "dead"}] { input.module_version.version.state == "ACTIVE" }
webhook[{"endpoint_id": "dead"}] { input.internal_error.type == "webhook.failed" }
webhook[{"endpoint_id": "chat", "payload": input.internal_error}] { input.internal_error.type == "policy.failed" }`, "")

		// A schedule of what was never applied can't look for drift.
		g.push("alice", "crew/infra", map[string]string{"infra/main.tf": lightInfra})
		soon := time.Now().Add(8 * time.Second).UTC().Format(time.RFC3339)
		g.apply(stackDocument("infra", "  schedules: [{do: drift, at: '"+soon+"'}]\n"))

		g.push("alice", "crew/net", map[string]string{"main.tf": moduleMain})
		g.apply(moduleDocument("net", ""))
		g.tag("net", "v1.2.0")
		g.version("net", "1.2.0")
		g.wantSaid("module:default/net", 1, "net 1.2.0 is ACTIVE")
		g.wantNoted("module:default/net", "stack.message-refused", 1) // no proposal is concerned
		comesTrue(t, func() bool { return len(c.at("/chat")) == 1 }, "the chat is told of the version")
		if body := c.at("/chat")[0].body; !strings.Contains(body, `"module_version"`) || !strings.Contains(body, `"number":"1.2.0"`) || strings.Contains(body, "webhook_endpoints") {
			t.Errorf("the chat is told %s", body)
		}
		g.push("alice", "crew/net", map[string]string{".spacelift/config.yml": "version: 1\ntests: [{name: X, id: x, project_root: nowhere}]\n"})
		g.tag("net", "v1.3.0")
		if v := g.version("net", "1.3.0"); v.State != "failed" {
			t.Errorf("the version is %+v", v)
		}
		g.wantSaid("module:default/net", 2, "net 1.3.0 is FAILED")

		// What was to tell of the version failed, and so did what was to tell of that.
		g.wantNoted("webhook:default/dead", "webhook.failed", 2)
		g.wantSaid("webhook:default/dead", 1, "a webhook did not take a message", "webhook:default/dead: it answered 404", "WARNING")

		g.policy("torn", "push", "track := x { x := [true, false][_] }", "")
		g.push("alice", "crew/infra", map[string]string{"infra/more.tf": "# more\n"})
		g.wantSaid("policy:default/torn", 1, "a policy could not decide", "policy:default/torn: line ", "ERROR")
		comesTrue(t, func() bool { return len(c.at("/chat")) == 2 }, "the chat is told of the policy")
		if body := c.at("/chat")[1].body; !strings.Contains(body, `"subject":"policy:default/torn"`) || !strings.Contains(body, `"severity":"ERROR"`) {
			t.Errorf("the chat is told %s", body)
		}

		g.wantNoted("stack:default/infra", "stack.schedule-failed", 1)
		g.wantSaid("stack:default/infra", 1, "a schedule could not begin its run", "nothing of stack:default/infra is applied yet")
		g.wantNoted("webhook:default/dead", "webhook.failed", 2)
	})
}
