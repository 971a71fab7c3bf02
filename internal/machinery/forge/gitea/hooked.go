package gitea

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const mostSecret = 64 // bytes

// events are what Gitea is told to send for each kind.
var events = map[forge.Kind][]string{
	forge.KindPing:       nil,
	forge.KindPush:       {"push", "delete"},
	forge.KindProposal:   {"pull_request_only", "pull_request_assign", "pull_request_label", "pull_request_milestone", "pull_request_sync"},
	forge.KindComment:    {"pull_request_comment"},
	forge.KindReview:     {"pull_request_review"},
	forge.KindCheck:      {"status"},
	forge.KindRepository: {"repository"},
}

// kindOf gives what Gitea sends an event for.
func kindOf(event string) forge.Kind {
	switch event {
	case "push", "delete":
		return forge.KindPush
	case "pull_request_comment":
		return forge.KindComment
	case "pull_request_review", "pull_request_review_approved", "pull_request_review_rejected", "pull_request_review_comment":
		return forge.KindReview
	case "status":
		return forge.KindCheck
	case "repository":
		return forge.KindRepository
	}
	if strings.HasPrefix(event, "pull_request") {
		return forge.KindProposal
	}
	return ""
}

type hook struct {
	ID     int64             `json:"id"`
	Config map[string]string `json:"config"`
	Events []string          `json:"events"`
	Active bool              `json:"active"`
}

func (h *hook) hook() forge.Hook {
	out := forge.Hook{ID: text(h.ID), URL: h.Config["url"], Active: h.Active}
	for _, e := range h.Events {
		if k := kindOf(e); !slices.Contains(out.Kinds, k) {
			out.Kinds = append(out.Kinds, k)
		}
	}
	slices.Sort(out.Kinds)
	return out
}

// atHooks gives where the API has the webhooks of a target.
func atHooks(target forge.HookTarget, parts ...string) (string, error) {
	parts = append([]string{"hooks"}, parts...)
	switch {
	case target.Repository != "" && target.Organization == "":
		return at(target.Repository, parts...)
	case target.Organization != "" && target.Repository == "":
		return atOrganization(target.Organization, parts...)
	}
	return "", fault.Errorf(fault.Invalid, "a webhook is of a repository or of an organization")
}

// ListHooks gives all.
func (f *Forge) ListHooks(ctx context.Context, target forge.HookTarget) ([]forge.Hook, error) {
	path, err := atHooks(target)
	if err != nil {
		return nil, err
	}
	return whole(ctx, f, path, nil, all((*hook).hook))
}

// RegisterHook adds one, and only then takes away those of the same address, so that nothing is missed. Gitea does not
// change a secret.
func (f *Forge) RegisterHook(ctx context.Context, target forge.HookTarget, n forge.NewHook) (forge.Hook, error) {
	path, err := atHooks(target)
	if err != nil {
		return forge.Hook{}, err
	}
	if u, err := url.Parse(n.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return forge.Hook{}, fault.Errorf(fault.Invalid, "%.200q is not an address to send events to; write it like https://HOST/PATH", n.URL)
	}
	if len(n.Secret) > mostSecret {
		return forge.Hook{}, fault.Errorf(fault.Invalid, "the secret of a webhook has at most %d bytes", mostSecret)
	}
	var want []string
	for kind, of := range events {
		if len(n.Kinds) == 0 || slices.Contains(n.Kinds, kind) {
			want = append(want, of...)
		}
	}
	for _, kind := range n.Kinds {
		if _, ok := events[kind]; !ok {
			return forge.Hook{}, fault.Errorf(fault.Invalid, "%.100q is no kind of event", kind)
		}
	}
	before, err := f.ListHooks(ctx, target)
	if err != nil {
		return forge.Hook{}, err
	}
	var made hook
	_, err = f.send(ctx, http.MethodPost, path, nil, map[string]any{
		"type": "gitea", "active": true, "events": want,
		"config": map[string]string{"url": n.URL, "content_type": "json", "secret": n.Secret},
	}, &made)
	if err != nil {
		return forge.Hook{}, err
	}
	for _, h := range before {
		if h.URL != n.URL {
			continue
		}
		if err := f.DeleteHook(ctx, target, h.ID); err != nil && !fault.Is(err, fault.NotFound) {
			return forge.Hook{}, err
		}
	}
	return made.hook(), nil
}

// DeleteHook deletes one.
func (f *Forge) DeleteHook(ctx context.Context, target forge.HookTarget, id string) error {
	n, err := number("webhook", id)
	if err != nil {
		return err
	}
	path, err := atHooks(target, text(n))
	if err != nil {
		return err
	}
	_, err = f.send(ctx, http.MethodDelete, path, nil, nil, nil)
	return err
}
