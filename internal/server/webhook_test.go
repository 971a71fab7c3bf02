package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// chat takes what is sent to it.
type chat struct {
	*httptest.Server
	mu   sync.Mutex
	came []came
}

type came struct {
	path, body, signature, signed, kind string
}

func newChat(t *testing.T) *chat {
	t.Helper()
	c := &chat{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.came = append(c.came, came{r.URL.Path, string(body), r.Header.Get("X-Roadbed-Signature"), r.Header.Get("X-Roadbed-Message") + "." + r.Header.Get("X-Roadbed-Timestamp") + ".", r.Header.Get("X-Kind")})
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *chat) at(path string) (all []came) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.came {
		if m.path == path {
			all = append(all, m)
		}
	}
	return all
}

// TestNotificationPoliciesSendOutside to webhooks and to Slack, signed, and says what could not be sent.
func TestNotificationPoliciesSendOutside(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		c := newChat(t)
		for name, value := range map[string]string{"slack": c.URL + "/slack/T0/secret", "key": "the key"} {
			if err := g.admin.Do(t.Context(), "PUT", "/secrets/default/"+name, nil, map[string]string{"value": value}, nil); err != nil {
				t.Fatal(err)
			}
		}
		g.apply(`{apiVersion: roadbed.dev/v1, kind: Webhook, metadata: {name: pager}, spec: {url: "` + c.URL + `/pager", secretRef: default/key, labels: [incidents]}}
---
{apiVersion: roadbed.dev/v1, kind: Webhook, metadata: {name: slack}, spec: {urlSecretRef: default/slack, slack: {channels: [C0123]}}}
---
{apiVersion: roadbed.dev/v1, kind: Webhook, metadata: {name: plain}, spec: {url: "` + c.URL + `/plain"}}
---
{apiVersion: roadbed.dev/v1, kind: Webhook, metadata: {name: metadata}, spec: {url: "http://169.254.169.254/latest"}}
`)
		g.policy("tell", "notification", `
planned { input.run_updated.run.state == "UNCONFIRMED" }
webhook[{"endpoint_id": endpoint.id, "headers": {"X-Kind": "custom"}, "payload": {"run": input.run_updated.run.id, "stack": input.run_updated.stack.id}}] {
	endpoint := input.webhook_endpoints[_]
	endpoint.labels[_] == "incidents"
	planned
}
webhook[{"endpoint_id": "metadata"}] { planned }
webhook[{"endpoint_id": "plain"}] { planned }
inbox[{"title": "planned"}] { planned }
webhook[{"endpoint_id": "nowhere"}] { planned }
slack[{"channel_id": "C0123", "message": "look at <https://example.com|it>, <!channel>", "mention_groups": ["S1"], "mention_users": ["U1"]}] { planned }
slack[{"channel_id": "C9"}] { planned }`, "")
		id := g.stack("net", lightInfra, "")
		comesTrue(t, func() bool {
			return len(c.at("/pager")) == 1 && len(c.at("/slack/T0/secret")) == 1 && len(c.at("/plain")) == 1
		}, "the messages come")

		pager := c.at("/pager")[0]
		mac := hmac.New(sha256.New, []byte("the key"))
		mac.Write([]byte(pager.signed + pager.body))
		if pager.signature != "v1="+hex.EncodeToString(mac.Sum(nil)) || pager.kind != "custom" || !strings.Contains(pager.body, `"run":"`+id+`"`) || !strings.Contains(pager.body, `"stack":"net"`) {
			t.Errorf("the pager is told %+v", pager)
		}
		var said struct{ Text string }
		if err := json.Unmarshal([]byte(c.at("/slack/T0/secret")[0].body), &said); err != nil || said.Text != "<@U1> <!subteam^S1> look at <https://example.com|it>, &lt;!channel>" {
			t.Errorf("Slack is told %q, %v", said.Text, err)
		}
		g.wantNoted("webhook:default/pager", "webhook.sent", 1)
		g.wantNoted("webhook:default/metadata", "webhook.failed", 1)
		g.wantNoted("stack:default/net", "stack.message-refused", 2)

		if plain := c.at("/plain")[0]; !strings.Contains(plain.body, `"run_updated":`) || !strings.Contains(plain.body, id) || plain.signature != "" {
			t.Errorf("without a payload it is %+v", plain)
		}
		g.tellAgain(id)
		g.wantNoted(id, "stack.notice", 1)
		g.wantNoted("stack:default/net", "stack.message-refused", 2)
		if len(c.at("/pager")) != 1 || len(c.at("/plain")) != 1 {
			t.Errorf("what is told again came %d times", len(c.at("/pager")))
		}

		messages, err := client.All[client.WebhookMessage](t.Context(), g.as["rita"], "/webhooks/default/metadata/messages", nil)
		if err != nil || len(messages) != 1 || messages[0].State != "failed" || messages[0].Attempts != 1 || !strings.Contains(messages[0].Reason, "not a public one") || messages[0].Run != id {
			t.Errorf("an address that is not to be reached: %+v, %v", messages, err)
		}
		messages, err = client.All[client.WebhookMessage](t.Context(), g.as["rita"], "/webhooks/default/pager/messages", nil)
		if err != nil || len(messages) != 1 || messages[0].State != "sent" || messages[0].Status != http.StatusOK || messages[0].Policy != "policy:default/tell" {
			t.Errorf("what the pager was told: %+v, %v", messages, err)
		}
		if _, err := client.All[client.WebhookMessage](t.Context(), g.as["mallory"], "/webhooks/default/pager/messages", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("who may not read sees them: %v", err)
		}
		if err := g.try("alice", `{apiVersion: roadbed.dev/v1, kind: Webhook, metadata: {name: mine}, spec: {url: "`+c.URL+`/mine"}}`); !fault.Is(err, fault.Denied) {
			t.Errorf("a developer declares a webhook: %v", err)
		}
	})
}

// tellAgain has the notification policies asked once more of all that a run went through, as after a crash.
func (g *ground) tellAgain(id string) {
	g.t.Helper()
	entries, err := client.All[client.Entry](g.t.Context(), g.admin, "/ledger", map[string][]string{"ref": {id}, "type": {"run.state-changed"}})
	if err != nil || len(entries) == 0 {
		g.t.Fatalf("the states of run %s: %v, %v", id, entries, err)
	}
	err = g.house.DB.Write(g.t.Context(), func(tx *store.Tx) error {
		for _, e := range entries {
			var change struct{ To string }
			if err := json.Unmarshal(e.Data, &change); err != nil {
				return err
			}
			if err := g.house.Queue.Insert(g.t.Context(), tx, "stack.notify", map[string]string{"run": id, "state": change.To, "entry": e.ID}, queue.InsertOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
	comesTrue(g.t, func() bool {
		var left int
		err := g.house.DB.Read(g.t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(g.t.Context(), "SELECT count(*) FROM jobs WHERE kind IN ('stack.notify', 'webhook.send')").Scan(&left)
		})
		return err == nil && left == 0
	}, "they are asked again")
}
