package stack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Notification policies say who is told of a run's new state. What they want said in the inbox is an entry of the ledger,
// stack.notice, which the run and the stack show; what they say of a proposal (pull_request) stands in the platform's one
// comment of it, see tellProposals; what they send outside (webhook, slack) goes to declared webhooks, see message.go.

// notifyOf asks the notification policies of a run's new state.
func (s *Service) notifyOf(ctx context.Context, args endedArgs) error {
	ctx = asSystem(ctx)
	r, stack, _, err := s.ofRun(ctx, args.Run)
	if err != nil {
		return ignoreGone(err)
	}
	r.State = args.State // what is told of; it may be further by now
	refs := policy.Refs{Run: r.ID, Subject: r.Subject, Labels: stack.Spec.Labels}
	told := cmp.Or(args.Entry, r.ID+" "+args.State)
	if done, err := s.isTold(ctx, told); err != nil || done {
		return err
	}
	var input map[string]any
	d, asked, err := s.Policy.Consult(ctx, "notification", r.Space, refs, func() (_ any, err error) {
		input, err = s.noticeInput(ctx, r, stack)
		return input, err
	})
	if err != nil || !asked {
		return fault.Wrap(err, "ask the notification policies")
	}
	d, err = heard(d, func(space, root string) (bool, error) { return s.Access.Within(ctx, space, root) })
	if err != nil || len(d.Votes) == 0 {
		return err
	}
	if err := s.tellProposals(ctx, r, stack, d); err != nil {
		return err
	}
	messages, refused, err := s.messages(ctx, told, r, stack, d, input)
	if err != nil {
		return err
	}
	entries, err := s.notices(r, d)
	if err != nil {
		return err
	}
	return s.tell(ctx, told, messages, append(entries, refused...))
}

// notices gives what a decision wants said in the inbox.
func (s *Service) notices(r run.Run, d policy.Decision) (entries []ledger.Entry, err error) {
	given, over := perPolicy(d.Given("inbox"))
	for _, g := range given {
		said, ok := g.Value.(map[string]any)
		if !ok {
			continue
		}
		data, err := json.Marshal(map[string]any{
			"title": clip(word(said["title"])), "body": clip(word(said["body"])), "severity": clip(word(said["severity"])), "policy": g.Policy, "decision": d.ID,
		})
		if err != nil {
			return nil, err
		}
		entries = append(entries, ledger.Entry{Type: "stack.notice", Space: r.Space, Subject: r.ID, Refs: []string{r.Subject}, Run: r.ID, Data: data})
	}
	left, err := leftOut(Message{Space: r.Space, Run: r.ID, Subject: r.Subject, Decision: d.ID}, "inbox", over)
	return append(entries, left...), err
}

// tell keeps what is to be sent and said, once for an entry of the ledger.
func (s *Service) tell(ctx context.Context, told string, messages []Message, said []ledger.Entry) error {
	if len(said)+len(messages) == 0 {
		return nil
	}
	slices.SortStableFunc(messages, func(a, b Message) int { return cmp.Compare(a.Webhook, b.Webhook) }) // the order in which they are locked
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if first, err := markTold(ctx, tx, told, s.Now()); err != nil || !first {
			return err
		}
		entries := slices.Clone(said)
		for _, m := range messages {
			err := s.Outbox.Send(ctx, tx, m)
			if fault.Is(err, fault.Invalid) || fault.Is(err, fault.TooLarge) || fault.Is(err, fault.Exhausted) || fault.Is(err, fault.NotFound) {
				entry, wrong := refusal(m, m.rule, err)
				if wrong != nil {
					return wrong
				}
				entries, err = append(entries, entry), nil
			}
			if err != nil {
				return err
			}
		}
		for _, e := range entries {
			if _, err := s.Ledger.Append(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func word(v any) string {
	text, ok := v.(string)
	if !ok {
		return ""
	}
	return text
}

// noticeInput is Spacelift's shape of a notification policy's input. What other policies said of the run is beside it.
func (s *Service) noticeInput(ctx context.Context, r run.Run, stack Stack) (map[string]any, error) {
	endpoints, err := s.endpoints(ctx, r.Space)
	if err != nil {
		return nil, fault.Wrap(err, "find the webhooks of space %s", r.Space)
	}
	said, err := s.Policy.ListDecisions(ctx, r.ID)
	if err != nil {
		return nil, fault.Wrap(err, "read the decisions of run %s", r.ID)
	}
	receipts := []any{}
	for _, d := range said {
		if d.Point == "notification" {
			continue
		}
		for _, v := range d.Votes {
			receipts = append(receipts, map[string]any{"name": strings.TrimPrefix(v.Policy, "policy:default/"), "policy": v.Policy, "type": shouted(d.Point), "outcome": outcomeOf(v), "flagged": false})
		}
	}
	return map[string]any{
		"account": map[string]any{"name": "roadbed"}, "webhook_endpoints": endpoints,
		"run_updated": map[string]any{
			"run": s.runInput(ctx, r), "stack": stackInput(stack, r.State), "state": shouted(r.State), "note": r.Reason, "username": r.Actor,
			"timing": []any{}, "policy_receipts": receipts, "urls": map[string]any{"run": fmt.Sprintf("/runs/%s", r.ID)},
		},
		"request": map[string]any{"timestamp_ns": s.Now().UnixNano()},
	}, nil
}

// outcomeOf gives the gravest word of a vote.
func outcomeOf(v policy.Vote) string {
	if v.Error != "" {
		return "deny"
	}
	for _, rule := range []string{"deny", "reject", "warn", "approve"} {
		if len(v.Says[rule]) > 0 {
			return rule
		}
	}
	return "undefined"
}

// mayBegin asks the initialization policies whether a run may begin; those of tasks, when it has a command. Denied with
// their words.
func (s *Service) mayBegin(ctx context.Context, stack Stack, kind, commit, command string) error {
	at := "initialization"
	if command != "" {
		at = "task"
	}
	by := s.session(ctx, actorID(ctx))
	d, asked, err := s.Policy.Consult(ctx, at, stack.Space, policy.Refs{Subject: stack.Ref.String(), Labels: stack.Spec.Labels}, func() (any, error) {
		return map[string]any{
			"request": map[string]any{"timestamp_ns": s.Now().UnixNano(), "command": command}, "session": by,
			"commit": s.commitInput(ctx, stack.Repository, stack.Branch, commit, actorID(ctx)),
			"run":    map[string]any{"type": shouted(kind), "creator_session": by, "triggered_by": nil}, "stack": stackInput(stack, "none"),
		}, nil
	})
	if err != nil {
		return fault.Wrap(err, "ask the %s policies", at)
	}
	if asked && d.Denied() {
		return fault.Errorf(fault.Denied, "policy %s denies to begin it: %s", at, strings.Join(d.Outcome["deny"], "; "))
	}
	return nil
}
