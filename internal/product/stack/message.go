package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// What notification policies send outside, by their rules webhook and slack, goes to the webhooks that are declared. What
// can't be sent is an entry of the ledger, stack.message-refused, with the reason.

// Outbox keeps and sends messages; product/webhook does.
type Outbox interface {
	// Webhooks reads the webhooks that take messages about a space, once for all that is told of it.
	Webhooks(ctx context.Context, space string) (Webhooks, error)
	// Send keeps a message, to be sent once tx has committed; once for each key.
	Send(ctx context.Context, tx *store.Tx, m Message) error
}

// Webhooks are those that take messages about a space.
type Webhooks interface {
	Endpoints() []Endpoint
	// Addressed gives the webhook that a policy of a space may send to, by its id or as the one for a channel of Slack, and
	// the webhook's space. NotFound or Denied otherwise.
	Addressed(policySpace, id, channel string) (webhook, owner string, err error)
}

// Endpoint is a webhook as policies see it.
type Endpoint struct {
	ID     string
	Labels []string
}

// Message is what a notification policy has sent.
type Message struct {
	Webhook, Space, Run, Subject, Policy, Decision string

	Key   string // the same when the same is sent again
	Owner string // space of the webhook
	rule  string

	Method  string // "" for the usual one
	Headers map[string]string
	Body    []byte
}

// mostMentions bounds whom a message to Slack names.
const mostMentions = 50

// entryOf is an entry about what a message is about.
func entryOf(m Message, kind string, data map[string]any) (ledger.Entry, error) {
	raw, err := json.Marshal(data)
	e := ledger.Entry{Type: kind, Space: m.Space, Subject: m.Subject, Run: m.Run, Data: raw}
	if m.Run != "" {
		e.Subject, e.Refs = m.Run, []string{m.Subject}
	}
	return e, err
}

func refusal(m Message, rule string, why error) (ledger.Entry, error) {
	return entryOf(m, "stack.message-refused", map[string]any{"policy": m.Policy, "decision": m.Decision, "rule": rule, "reason": clip(fault.Message(why))})
}

// read reads one thing that a policy has sent, and finds its webhook. usual is the body where the policy gives none.
func (m *Message) read(n news, g notice, hooks Webhooks, base string, usual func() ([]byte, error)) (err error) {
	said, ok := g.Value.(map[string]any)
	if !ok {
		return fault.Errorf(fault.Invalid, "the rule %s gives objects, such as {%q: …}", g.rule, map[string]string{"webhook": "endpoint_id", "slack": "channel_id"}[g.rule])
	}
	if hooks == nil {
		return fault.Errorf(fault.Invalid, "nothing is sent outside here")
	}
	if g.rule == "slack" {
		if m.Webhook, m.Owner, err = hooks.Addressed(g.space, "", channelOf(word(said["channel_id"]))); err != nil {
			return err
		}
		m.Body, err = json.Marshal(map[string]any{"text": slackText(said, n.usual(base))})
		return err
	}
	if m.Webhook, m.Owner, err = hooks.Addressed(g.space, word(said["endpoint_id"]), ""); err != nil {
		return err
	}
	m.Method = word(said["method"])
	if headers, ok := said["headers"].(map[string]any); ok {
		m.Headers = map[string]string{}
		for name, text := range headers {
			m.Headers[name] = word(text)
		}
	}
	if payload, has := said["payload"]; has && payload != nil {
		m.Body, err = json.Marshal(payload)
		return err
	}
	m.Body, err = usual()
	return err
}

// usualBody is what policies saw, without what they may not see and the other webhooks.
func usualBody(input map[string]any) ([]byte, error) {
	value, err := policy.Seen(input)
	if err != nil {
		return nil, err
	}
	seen, _ := value.(map[string]any)
	delete(seen, "webhook_endpoints")
	return json.Marshal(seen)
}

// channelOf keeps an empty channel from meaning none at all.
func channelOf(channel string) string {
	if channel == "" {
		return "(none)"
	}
	return channel
}

// slackText gives the text of a message to Slack: what the policy says, or else the usual, after whom it mentions. What a policy says
// may have markup, and words of others: it calls no groups.
func slackText(said map[string]any, usual string) string {
	var text strings.Builder
	for _, id := range texts(mentioned(said["mention_users"])) {
		fmt.Fprintf(&text, "<@%s> ", slackID(id))
	}
	for _, id := range texts(mentioned(said["mention_groups"])) {
		fmt.Fprintf(&text, "<!subteam^%s> ", slackID(id))
	}
	if message := word(said["message"]); message != "" {
		usual = strings.NewReplacer("<!", "&lt;!", "<@", "&lt;@").Replace(message)
	}
	text.WriteString(clipTo(usual, mostTelling))
	return text.String()
}

// slackPlain keeps words that others chose from being markup of Slack.
func slackPlain(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

func mentioned(value any) (names []string) {
	all, _ := value.([]any)
	for _, v := range all[:min(len(all), mostMentions)] {
		if name := word(v); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// slackID keeps what is no id from being markup.
func slackID(id string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return -1
	}, clip(id))
}

// endpoints gives webhooks as notification policies see them.
func endpoints(hooks Webhooks) []any {
	all := []any{}
	if hooks == nil {
		return all
	}
	for _, e := range hooks.Endpoints() {
		all = append(all, map[string]any{"id": e.ID, "labels": texts(e.Labels)})
	}
	return all
}
