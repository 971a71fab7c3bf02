package api

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func wirePolicy(p policy.Policy) Policy {
	return Policy{
		Ref: p.Ref, Space: p.Space, Point: p.Point, Description: p.Description, Version: p.Version, Disabled: p.Disabled, Labels: p.Labels, Subjects: p.Subjects,
	}
}

type listPoliciesInput struct {
	Paging
	Point string `query:"point" maxLength:"40"`
	Space string `query:"space" maxLength:"63" doc:"Exactly this one."`
}

func (a *API) listPolicies(ctx context.Context, in *listPoliciesInput) (*body[List[Policy]], error) {
	part, err := a.Policy.Policies(ctx, in.Point, in.Space, in.part())
	return listPart(part, wirePolicy), err
}

type policyInput struct {
	Namespace string `path:"namespace" maxLength:"63"`
	Name      string `path:"name" maxLength:"63"`
}

func (a *API) getPolicy(ctx context.Context, in *policyInput) (*body[PolicyDetail], error) {
	p, err := a.Policy.GetPolicy(ctx, in.Namespace+"/"+in.Name)
	if err != nil {
		return nil, err
	}
	return answer(PolicyDetail{Policy: wirePolicy(p), Rego: p.Rego, MayTry: a.Policy.MaySimulate(ctx)}), nil
}

type listPolicyPointsInput struct{ Paging }

func (a *API) listPolicyPoints(_ context.Context, in *listPolicyPointsInput) (*body[List[PolicyPoint]], error) {
	about := policy.Points()
	part := page.From(slices.Collect(maps.Keys(about)), in.part(), func(name string) string { return name })
	return listPart(part, func(name string) PolicyPoint {
		return PolicyPoint{Name: name, About: about[name], Rules: policy.RulesOf(name)}
	}), nil
}

type tryPolicyInput struct {
	Body struct {
		Policy   string          `json:"policy,omitempty" maxLength:"200" doc:"The policy that it replaces; empty for a further one."`
		Rego     string          `json:"rego,omitempty" maxLength:"1048576" doc:"Empty: as the policy is now."`
		Space    string          `json:"space,omitempty" maxLength:"63"`
		Point    string          `json:"point,omitempty" maxLength:"40" doc:"That of the decision when not given."`
		Decision string          `json:"decision,omitempty" maxLength:"64" doc:"Whose input is tried."`
		Input    json.RawMessage `json:"input,omitempty" doc:"An input of one's own instead."`
	}
}

func (a *API) tryPolicy(ctx context.Context, in *tryPolicyInput) (*body[PolicyTry], error) {
	b := in.Body
	t, err := a.Policy.Try(ctx, policy.Candidate{Policy: b.Policy, Rego: b.Rego, Space: b.Space, Point: b.Point}, b.Decision, b.Input)
	if err != nil {
		return nil, err
	}
	says := t.Vote.Says
	if says == nil {
		says = map[string][]string{}
	}
	return answer(PolicyTry{Says: says, Gives: t.Vote.Gives, Error: t.Vote.Error, Notes: t.Vote.Notes, Outcome: t.Outcome, Before: t.Before}), nil
}
