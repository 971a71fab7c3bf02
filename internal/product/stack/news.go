package stack

import (
	"context"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// news is something that notification policies are asked about.
type news struct {
	told    string // of what it follows: it is told once
	space   string
	run     string // "" where it is of none
	subject string // an entity reference or an id
	labels  []string

	// about gives what policies see, under the name of such an input: run_updated, module_version or internal_error.
	about func(ctx context.Context) (name string, seen map[string]any, err error)
	// usual gives what Slack is told where a policy has no words of its own.
	usual func(base string) string
	// proposals tells proposals what is meant for them; nil where none is concerned.
	proposals func(ctx context.Context, given []policy.Given) error
}

// spread asks the notification policies about news, and has told what they want told.
func (s *Service) spread(ctx context.Context, n news) error {
	if done, err := s.isTold(ctx, n.told); err != nil || done {
		return err
	}
	up, err := s.Access.Ancestors(ctx, n.space)
	if err != nil {
		return ignoreGone(err)
	}
	var input map[string]any
	var hooks Webhooks
	d, asked, err := s.Policy.Consult(ctx, "notification", n.space, policy.Refs{Run: n.run, Subject: n.subject, Labels: n.labels}, func() (_ any, err error) {
		if s.Outbox != nil {
			if hooks, err = s.Outbox.Webhooks(ctx, n.space); err != nil {
				return nil, fault.Wrap(err, "find the webhooks of space %s", n.space)
			}
		}
		name, seen, err := n.about(ctx)
		input = map[string]any{
			"account": map[string]any{"name": "roadbed"}, "webhook_endpoints": endpoints(hooks), name: seen,
			"request": map[string]any{"timestamp_ns": s.Now().UnixNano()},
		}
		return input, err
	})
	if err != nil || !asked {
		return fault.Wrap(err, "ask the notification policies")
	}
	kept, left := allot(heard(d, up), up)
	of := Message{Space: n.space, Run: n.run, Subject: n.subject, Decision: d.ID}
	said, err := leftOut(of, left)
	if err != nil {
		return err
	}
	messages, entries, err := s.saidBy(ctx, n, of, kept, hooks, sync.OnceValues(func() ([]byte, error) { return usualBody(input) }))
	if err != nil {
		return err
	}
	return s.tell(ctx, n.told, messages, append(entries, said...))
}

// saidBy gives what is to be sent and said of news, and tells proposals what is theirs.
func (s *Service) saidBy(ctx context.Context, n news, of Message, kept []notice, hooks Webhooks, usual func() ([]byte, error)) (messages []Message, entries []ledger.Entry, err error) {
	var proposed []policy.Given
	for _, g := range kept {
		m := of
		m.Policy, m.rule, m.Key = g.Policy, g.rule, messageKey(n.told, g.Policy, g.rule, g.index)
		var wrong error
		switch g.rule {
		case "inbox":
			said, ok := g.Value.(map[string]any)
			if !ok {
				continue
			}
			entry, err := entryOf(m, "stack.notice", map[string]any{
				"title": clip(word(said["title"])), "body": clip(word(said["body"])), "severity": clip(word(said["severity"])), "policy": g.Policy, "decision": of.Decision,
			})
			if err != nil {
				return nil, nil, err
			}
			entries = append(entries, entry)
			continue
		case "pull_request":
			if n.proposals != nil {
				proposed = append(proposed, g.Given)
				continue
			}
			wrong = fault.Errorf(fault.Invalid, "no proposal is concerned; pull_request is for what input.run_updated tells of")
		default:
			if wrong = m.read(n, g, hooks, s.BaseURL, usual); wrong == nil {
				messages = append(messages, m)
				continue
			}
		}
		if fault.KindOf(wrong) == fault.Internal || fault.KindOf(wrong) == fault.Unavailable {
			return nil, nil, wrong // the queue tries again
		}
		entry, err := refusal(m, g.rule, wrong)
		if err != nil {
			return nil, nil, err
		}
		entries = append(entries, entry)
	}
	if len(proposed) > 0 {
		err = n.proposals(ctx, proposed)
	}
	return messages, entries, err
}
