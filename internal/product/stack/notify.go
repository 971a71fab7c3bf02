package stack

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Notification policies say who is told of a run's new state, of a version of a module (notify_module.go), and of what fails
// outside of runs (trouble.go). What they want said in the inbox is an entry of the ledger, stack.notice, which what it is
// about shows; what they say of a proposal (pull_request) stands in the platform's one comment of it, see tellProposals; what
// they send outside (webhook, slack) goes to declared webhooks, see message.go.

// notifyOf asks the notification policies of a run's new state.
func (s *Service) notifyOf(ctx context.Context, args endedArgs) error {
	ctx = asSystem(ctx)
	r, stack, _, err := s.ofRun(ctx, args.Run)
	if err != nil {
		return ignoreGone(err)
	}
	r.State, r.Reason = args.State, args.Reason // what is told of; it may be further by now
	return s.spread(ctx, news{
		told: cmp.Or(args.Entry, r.ID+" "+args.State), space: r.Space, run: r.ID, subject: r.Subject, labels: stack.Spec.Labels,
		about: func(ctx context.Context) (string, map[string]any, error) {
			seen, err := s.runUpdated(ctx, r, stack)
			return "run_updated", seen, err
		},
		usual: func(base string) string {
			return fmt.Sprintf("<%s/runs/%s|%s> of stack %s: %s", base, r.ID, r.ID, stackID(stack.Ref.String()), r.State)
		},
		proposals: func(ctx context.Context, given []policy.Given) error { return s.tellProposals(ctx, r, stack, given) },
	})
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

// runUpdated is what a notification policy sees of a run, in Spacelift's shape. What other policies said of the run is beside it.
func (s *Service) runUpdated(ctx context.Context, r run.Run, stack Stack) (map[string]any, error) {
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
			receipts = append(receipts, map[string]any{"name": strings.TrimPrefix(v.Policy, "policy:default/"), "policy": v.Policy, "type": shouted(d.Point), "outcome": outcomeOf(v), "flagged": false, "flags": []string{}})
		}
	}
	about, err := s.runInput(ctx, r)
	if err != nil {
		return nil, err
	}
	about["policy_receipts"] = receipts
	of, err := s.stackSeen(ctx, stack, &r)
	return map[string]any{
		"run": about, "stack": of, "state": about["state"], "note": r.Reason, "username": r.Actor,
		"timing": []any{}, "policy_receipts": receipts, "urls": map[string]any{"run": s.page("/runs/" + r.ID)},
	}, err
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
	return s.mayBeginAs(ctx, stack, Input{Type: kind, Drift: kind == Drift, Command: command, TriggeredBy: byHand(ctx)}, commit)
}

// mayBeginAs is mayBegin for a run that is more than its type.
func (s *Service) mayBeginAs(ctx context.Context, stack Stack, in Input, commit string) error {
	at := "initialization"
	if in.Command != "" {
		at = "task"
	}
	by := s.session(ctx, actorID(ctx))
	d, asked, err := s.Policy.Consult(ctx, at, stack.Space, policy.Refs{Subject: stack.Ref.String(), Labels: stack.Spec.Labels}, func() (any, error) {
		of, err := s.stackSeen(ctx, stack, nil)
		return map[string]any{
			"request": map[string]any{"timestamp_ns": s.Now().UnixNano(), "command": in.Command}, "session": by,
			"commit": s.commitInput(ctx, stack.Repository, stack.Branch, commit, actorID(ctx)),
			"run":    map[string]any{"type": typeInput(in.Type), "drift_detection": in.Drift, "creator_session": by, "triggered_by": orNull(in.TriggeredBy)}, "stack": of,
		}, err
	})
	if err != nil {
		return fault.Wrap(err, "ask the %s policies", at)
	}
	if asked && d.Denied() {
		return fault.Errorf(fault.Denied, "policy %s denies to begin it: %s", at, strings.Join(d.Outcome["deny"], "; "))
	}
	return nil
}
