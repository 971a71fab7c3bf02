package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
)

func wireDecision(d policy.Decision) Decision {
	w := Decision{ID: d.ID, Point: d.Point, Space: d.Space, Run: d.Run, Subject: d.Subject, Outcome: d.Outcome, Policies: d.Policies, Time: d.Time.UTC()}
	if w.Outcome == nil {
		w.Outcome = map[string][]string{}
	}
	if w.Policies == nil {
		w.Policies = []string{}
	}
	return w
}

// named gives what writes decisions as wireDecision does, with who those are that they are about.
func (a *API) named(ctx context.Context, all ...policy.Decision) (func(policy.Decision) Decision, error) {
	isOne := func(id string) bool { return strings.HasPrefix(id, "pri_") }
	var ids []string
	for _, d := range all {
		if isOne(d.Subject) {
			ids = append(ids, d.Subject)
		}
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	return func(d policy.Decision) Decision {
		w := wireDecision(d)
		if isOne(d.Subject) {
			one := who(d.Subject)
			w.Who = &one
		}
		return w
	}, nil
}

func (a *API) policyRoutes() {
	register(a, operation("listDecisions", http.MethodGet, "/decisions", "policies", "Decisions, newest first"), a.listDecisions)
	register(a, operation("getDecision", http.MethodGet, "/decisions/{id}", "policies", "A decision, and what it was made from"), a.getDecision)
	register(a, operation("listPolicies", http.MethodGet, "/policies", "policies", "Policies, by reference"), a.listPolicies)
	register(a, operation("getPolicy", http.MethodGet, "/policies/{namespace}/{name}", "policies", "A policy with its source"), a.getPolicy)
	register(a, operation("listPolicyPoints", http.MethodGet, "/policy-points", "policies", "What policies are asked, and which rules are read there"), a.listPolicyPoints)
	register(a, operation("tryPolicy", http.MethodPost, "/policies/try", "policies", "What a policy says of a recorded input, or of another"), a.tryPolicy)
	register(a, operation("checkPolicy", http.MethodPost, "/policies/check", "policies", "Check a policy and run its tests"), a.checkPolicy)
	register(a, operation("replayPolicy", http.MethodPost, "/policies/replay", "policies", "What a policy would have changed in recorded decisions"), a.replayPolicy)
}

type listDecisionsInput struct {
	Paging
	Point   string `query:"point" maxLength:"40"`
	Space   string `query:"space" maxLength:"63"`
	Run     string `query:"run" maxLength:"64"`
	Subject string `query:"subject" maxLength:"300"`
	Policy  string `query:"policy" maxLength:"200" doc:"Reference of a policy that was asked."`
}

func (a *API) listDecisions(ctx context.Context, in *listDecisionsInput) (*body[List[Decision]], error) {
	part, err := a.Policy.Decisions(ctx, policy.Filter{Point: in.Point, Space: in.Space, Run: in.Run, Subject: in.Subject, Policy: in.Policy}, in.part())
	if err != nil {
		return nil, err
	}
	named, err := a.named(ctx, part.Items...)
	if err != nil {
		return nil, err
	}
	return listPart(part, named), nil
}

type decisionInput struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *API) getDecision(ctx context.Context, in *decisionInput) (*body[DecisionDetail], error) {
	d, input, err := a.Policy.GetDecision(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	named, err := a.named(ctx, d)
	if err != nil {
		return nil, err
	}
	return answer(DecisionDetail{Decision: named(d), Input: input}), nil
}

type checkPolicyInput struct {
	Body struct {
		Point string   `json:"point" maxLength:"40"`
		Rego  string   `json:"rego" maxLength:"1048576"`
		Tests []string `json:"tests,omitempty" maxItems:"50"`
	}
}

func (a *API) checkPolicy(ctx context.Context, in *checkPolicyInput) (*body[List[PolicyTest]], error) {
	if err := a.Policy.Check(ctx, in.Body.Point, in.Body.Rego); err != nil {
		return nil, err
	}
	tested, err := a.Policy.Test(ctx, in.Body.Rego, in.Body.Tests...)
	if err != nil {
		return nil, err
	}
	items := make([]PolicyTest, len(tested))
	for i, t := range tested {
		items[i] = PolicyTest{Name: t.Name, Passed: t.Passed, Error: t.Error}
	}
	return list(items, ""), nil
}

type attachTo struct {
	Labels []string `json:"labels,omitempty" maxItems:"200" doc:"Of what it is asked about; with stacks, absent for all in its space and below."`
	Stacks []string `json:"stacks,omitempty" maxItems:"200" doc:"By name, or NAMESPACE/NAME."`
}

type replayPolicyInput struct {
	Body struct {
		Policy string    `json:"policy,omitempty" maxLength:"200" doc:"The policy that it replaces; empty for a further one."`
		Rego   string    `json:"rego,omitempty" maxLength:"1048576" doc:"Empty: as the policy is now."`
		Space  string    `json:"space,omitempty" maxLength:"63"`
		Point  string    `json:"point,omitempty" maxLength:"40"`
		Attach *attachTo `json:"attach,omitempty" doc:"What it would be asked about; absent: as the policy is now, and a further one about all."`
		Gone   bool      `json:"gone,omitempty" doc:"The policy would be disabled, or deleted; with nothing else but policy."`
		Since  time.Time `json:"since,omitzero"`
		Limit  int       `json:"limit,omitempty" minimum:"1" maximum:"10000" doc:"How many decisions are looked at by this call; 10,000 when not given."`
		Cursor string    `json:"cursor,omitempty" maxLength:"64" doc:"The next of the part before."`
	}
}

func (a *API) replayPolicy(ctx context.Context, in *replayPolicyInput) (*body[Replay], error) {
	b := in.Body
	c := policy.Candidate{Policy: b.Policy, Rego: b.Rego, Space: b.Space, Point: b.Point, Gone: b.Gone}
	if b.Attach != nil {
		c.Attach = &policy.Attach{Labels: b.Attach.Labels, Stacks: b.Attach.Stacks}
	}
	r, err := a.Policy.Replay(ctx, c, policy.Filter{Since: b.Since, Limit: b.Limit}, b.Cursor)
	if err != nil {
		return nil, err
	}
	out := Replay{
		Examined: r.Examined, Failed: r.Failed, Skipped: r.Skipped, Stopped: r.Stopped, Looked: r.Looked, Total: r.Total, Next: r.Next, Changed: []ReplayChange{},
	}
	for _, c := range r.Changed {
		out.Changed = append(out.Changed, ReplayChange{Decision: wireDecision(c.Decision), Before: c.Before, After: c.After})
	}
	return answer(out), nil
}
