package github

import (
	"context"
	"net/url"
	"slices"

	gh "github.com/google/go-github/v75/github"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// eventsOf gives GitHub's events of a kind.
func eventsOf(k forge.Kind) []string {
	switch k {
	case forge.KindPush:
		return []string{"push"}
	case forge.KindProposal:
		return []string{"pull_request"}
	case forge.KindComment:
		return []string{"issue_comment", "pull_request_review_comment"}
	case forge.KindReview:
		return []string{"pull_request_review"}
	case forge.KindCheck:
		return []string{"check_run", "status"}
	case forge.KindRepository:
		return []string{"repository"}
	}
	return nil
}

func allKinds() []forge.Kind {
	return []forge.Kind{forge.KindPush, forge.KindProposal, forge.KindComment, forge.KindReview, forge.KindCheck, forge.KindRepository}
}

// kindOf gives the kind of an event, "" for one that the contract does not have.
func kindOf(event string) forge.Kind {
	for _, k := range allKinds() {
		if slices.Contains(eventsOf(k), event) {
			return k
		}
	}
	return ""
}

// hooker are the library's calls for the webhooks of a repository or of an organization.
type hooker struct {
	list   func(o gh.ListOptions) ([]*gh.Hook, *gh.Response, error)
	create func(h *gh.Hook) (*gh.Hook, *gh.Response, error)
	edit   func(id int64, h *gh.Hook) (*gh.Hook, *gh.Response, error)
	delete func(id int64) (*gh.Response, error)
}

func (g *GitHub) hooker(ctx context.Context, t forge.HookTarget) (hooker, error) {
	if t.Organization != "" {
		org, s := t.Organization, g.api.Organizations
		return hooker{
			func(o gh.ListOptions) ([]*gh.Hook, *gh.Response, error) { return s.ListHooks(ctx, org, &o) },
			func(h *gh.Hook) (*gh.Hook, *gh.Response, error) { return s.CreateHook(ctx, org, h) },
			func(id int64, h *gh.Hook) (*gh.Hook, *gh.Response, error) { return s.EditHook(ctx, org, id, h) },
			func(id int64) (*gh.Response, error) { return s.DeleteHook(ctx, org, id) },
		}, checkOwner(org)
	}
	owner, repo, err := split(t.Repository)
	s := g.api.Repositories
	return hooker{
		func(o gh.ListOptions) ([]*gh.Hook, *gh.Response, error) { return s.ListHooks(ctx, owner, repo, &o) },
		func(h *gh.Hook) (*gh.Hook, *gh.Response, error) { return s.CreateHook(ctx, owner, repo, h) },
		func(id int64, h *gh.Hook) (*gh.Hook, *gh.Response, error) { return s.EditHook(ctx, owner, repo, id, h) },
		func(id int64) (*gh.Response, error) { return s.DeleteHook(ctx, owner, repo, id) },
	}, err
}

func hookOf(h *gh.Hook) forge.Hook {
	out := forge.Hook{ID: id(h.GetID()), URL: h.GetConfig().GetURL(), Active: h.GetActive()}
	for _, e := range h.Events {
		kinds := []forge.Kind{kindOf(e)}
		if e == "*" {
			kinds = allKinds()
		}
		for _, k := range kinds {
			if !slices.Contains(out.Kinds, k) {
				out.Kinds = append(out.Kinds, k)
			}
		}
	}
	return out
}

// ListHooks gives all webhooks.
func (g *GitHub) ListHooks(ctx context.Context, target forge.HookTarget) ([]forge.Hook, error) {
	s, err := g.hooker(ctx, target)
	if err != nil {
		return nil, err
	}
	return whole(s.list, hookOf)
}

// RegisterHook makes a webhook, or sets the one of the same address anew with its secret.
func (g *GitHub) RegisterHook(ctx context.Context, target forge.HookTarget, h forge.NewHook) (forge.Hook, error) {
	s, err := g.hooker(ctx, target)
	if err != nil {
		return forge.Hook{}, err
	}
	if u, err := url.Parse(h.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return forge.Hook{}, fault.Errorf(fault.Invalid, "%.200q is not an address that GitHub can send to; write https://HOST/…", h.URL)
	}
	kinds := h.Kinds
	if len(kinds) == 0 {
		kinds = allKinds()
	}
	form, secure, active := "json", "0", true
	set := &gh.Hook{Active: &active, Config: &gh.HookConfig{URL: &h.URL, ContentType: &form, InsecureSSL: &secure}}
	if h.Secret != "" {
		set.Config.Secret = &h.Secret
	}
	for _, k := range kinds {
		events := eventsOf(k)
		if events == nil && k != forge.KindPing { // which comes unasked
			return forge.Hook{}, fault.Errorf(fault.Invalid, "GitHub has no event for %.40q", k)
		}
		set.Events = append(set.Events, events...)
	}
	all, err := whole(s.list, hookOf)
	if err != nil {
		return forge.Hook{}, err
	}
	i := slices.IndexFunc(all, func(x forge.Hook) bool { return x.URL == h.URL })
	var got *gh.Hook
	if i < 0 {
		got, _, err = s.create(set)
	} else {
		var n int64
		if n, err = number(all[i].ID); err == nil {
			got, _, err = s.edit(n, set)
		}
	}
	if err != nil {
		return forge.Hook{}, taken(told(err))
	}
	return hookOf(got), nil
}

// DeleteHook deletes a webhook.
func (g *GitHub) DeleteHook(ctx context.Context, target forge.HookTarget, hook string) error {
	s, err := g.hooker(ctx, target)
	if err != nil {
		return err
	}
	n, err := number(hook)
	if err != nil {
		return err
	}
	_, err = s.delete(n)
	return told(err)
}
