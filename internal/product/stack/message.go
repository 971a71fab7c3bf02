package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// What notification policies send outside, by their rules webhook and slack, goes to the webhooks that are declared. What
// can't be sent is an entry of the ledger, stack.message-refused, with the reason.

// Outbox keeps and sends messages; product/webhook does.
type Outbox interface {
	// Endpoints gives the webhooks that take messages about a space.
	Endpoints(ctx context.Context, space string) ([]Endpoint, error)
	// Addressed gives the webhook that a policy of a space may send to about another space, by its id or as the one for a
	// channel of Slack, and the webhook's space. NotFound or Denied otherwise.
	Addressed(ctx context.Context, policySpace, space, id, channel string) (webhook, owner string, err error)
	// Send keeps a message, to be sent once tx has committed; once for each key.
	Send(ctx context.Context, tx *store.Tx, m Message) error
}

// Endpoint is a webhook as policies see it.
type Endpoint struct {
	ID     string
	Labels []string
}

// Message is what a notification policy has sent about a run.
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

// messages gives what a decision that follows of an entry has sent, and why some of it can't be.
func (s *Service) messages(ctx context.Context, told string, r run.Run, stack Stack, d policy.Decision, input map[string]any) (all []Message, refused []ledger.Entry, err error) {
	seen := sync.OnceValues(func() (map[string]any, error) {
		value, err := policy.Seen(input)
		object, _ := value.(map[string]any)
		return object, err
	})
	of := Message{Space: r.Space, Run: r.ID, Subject: r.Subject, Decision: d.ID}
	for _, rule := range []string{"webhook", "slack"} {
		given, over := perPolicy(d.Given(rule))
		left, err := leftOut(of, rule, over)
		if err != nil {
			return nil, nil, err
		}
		refused = append(refused, left...)
		index := map[string]int{}
		for _, g := range given {
			m := of
			m.Policy, m.rule, m.Key = g.Policy, rule, messageKey(told, g.Policy, rule, index[g.Policy])
			index[g.Policy]++
			err := s.message(ctx, &m, rule, g.Value, stack, r, d.SpaceOf(g.Policy), seen)
			if err == nil {
				all = append(all, m)
				continue
			}
			if fault.KindOf(err) == fault.Internal || fault.KindOf(err) == fault.Unavailable {
				return nil, nil, err // the queue tries again
			}
			entry, err := refusal(m, rule, err)
			if err != nil {
				return nil, nil, err
			}
			refused = append(refused, entry)
		}
	}
	return all, refused, nil
}

func refusal(m Message, rule string, why error) (ledger.Entry, error) {
	data, err := json.Marshal(map[string]any{"policy": m.Policy, "decision": m.Decision, "rule": rule, "reason": clip(fault.Message(why))})
	return ledger.Entry{Type: "stack.message-refused", Space: m.Space, Subject: m.Run, Refs: []string{m.Subject}, Run: m.Run, Data: data}, err
}

// message reads one thing that a policy has sent, and finds its webhook.
func (s *Service) message(ctx context.Context, m *Message, rule string, value any, stack Stack, r run.Run, policySpace string, seen func() (map[string]any, error)) (err error) {
	said, ok := value.(map[string]any)
	if !ok {
		return fault.Errorf(fault.Invalid, "the rule %s gives objects, such as {%q: …}", rule, map[string]string{"webhook": "endpoint_id", "slack": "channel_id"}[rule])
	}
	if s.Outbox == nil {
		return fault.Errorf(fault.Invalid, "nothing is sent outside here")
	}
	if rule == "slack" {
		if m.Webhook, m.Owner, err = s.Outbox.Addressed(ctx, policySpace, r.Space, "", channelOf(word(said["channel_id"]))); err != nil {
			return err
		}
		m.Body, err = json.Marshal(map[string]any{"text": slackText(said, stack, r, s.BaseURL)})
		return err
	}
	if m.Webhook, m.Owner, err = s.Outbox.Addressed(ctx, policySpace, r.Space, word(said["endpoint_id"]), ""); err != nil {
		return err
	}
	m.Method = word(said["method"])
	if headers, ok := said["headers"].(map[string]any); ok {
		m.Headers = map[string]string{}
		for name, text := range headers {
			m.Headers[name] = word(text)
		}
	}
	payload, has := said["payload"]
	if !has || payload == nil {
		input, err := seen() // nothing that policies may not see
		if err != nil {
			return err
		}
		payload = map[string]any{"account": input["account"], "run_updated": input["run_updated"], "request": input["request"]}
	}
	m.Body, err = json.Marshal(payload)
	return err
}

// channelOf keeps an empty channel from meaning none at all.
func channelOf(channel string) string {
	if channel == "" {
		return "(none)"
	}
	return channel
}

// slackText gives the text of a message to Slack: what the policy says, or else what has happened, after whom it mentions.
func slackText(said map[string]any, stack Stack, r run.Run, base string) string {
	var text strings.Builder
	for _, id := range texts(mentioned(said["mention_users"])) {
		fmt.Fprintf(&text, "<@%s> ", slackID(id))
	}
	for _, id := range texts(mentioned(said["mention_groups"])) {
		fmt.Fprintf(&text, "<!subteam^%s> ", slackID(id))
	}
	if message := word(said["message"]); message != "" {
		text.WriteString(clipTo(message, mostTelling))
	} else {
		fmt.Fprintf(&text, "<%s/runs/%s|%s> of stack %s: %s", base, r.ID, r.ID, stackID(stack.Ref.String()), r.State)
	}
	return text.String()
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

// endpoints gives the webhooks of a space as notification policies see them.
func (s *Service) endpoints(ctx context.Context, space string) ([]any, error) {
	all := []any{}
	if s.Outbox == nil {
		return all, nil
	}
	found, err := s.Outbox.Endpoints(ctx, space)
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		all = append(all, map[string]any{"id": e.ID, "labels": texts(e.Labels)})
	}
	return all, nil
}
