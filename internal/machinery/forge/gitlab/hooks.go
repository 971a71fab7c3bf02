package gitlab

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	mostHooks  = 1000 // of one project or group
	mostSecret = 64   // bytes
)

// switches are the events of a webhook by the kinds of the contract. Projects tell of themselves to their group alone.
var switches = map[forge.Kind][]string{
	forge.KindPush: {"push_events", "tag_push_events"}, forge.KindProposal: {"merge_requests_events"}, forge.KindReview: {"merge_requests_events"},
	forge.KindComment: {"note_events"}, forge.KindCheck: {"pipeline_events", "job_events"}, forge.KindRepository: {"project_events"},
}

// kept is a webhook as GitLab gives it: the client library does not know all of it.
type kept map[string]any

func (k kept) id() string {
	n, _ := k["id"].(float64)
	return strconv.FormatInt(int64(n), 10)
}

func (k kept) is(name string) bool {
	on, _ := k[name].(bool)
	return on
}

func (k kept) hook() forge.Hook {
	address, _ := k["url"].(string)
	alert, _ := k["alert_status"].(string)
	h := forge.Hook{ID: k.id(), URL: address, Active: alert == "" || alert == "executable"}
	known := map[string]bool{}
	for kind, events := range switches {
		for _, e := range events {
			known[e] = true
		}
		if slices.ContainsFunc(events, k.is) {
			h.Kinds = append(h.Kinds, kind)
		}
	}
	for name := range k {
		if strings.HasSuffix(name, "_events") && !known[name] && k.is(name) && !slices.Contains(h.Kinds, "") {
			h.Kinds = append(h.Kinds, "")
		}
	}
	slices.Sort(h.Kinds)
	return h
}

// call asks GitLab for what the client library has no words for.
func (f *Forge) call(ctx context.Context, method, path string, in, out any) (*gl.Response, error) {
	r, err := f.api.NewRequest(method, path, in, []gl.RequestOptionFunc{gl.WithContext(ctx)})
	if err != nil {
		return nil, wrong(err)
	}
	answer, err := f.api.Do(r, out)
	return answer, wrong(err)
}

// at gives the path of a target's webhooks.
func at(t forge.HookTarget) (string, error) {
	if t.Organization != "" {
		return "groups/" + gl.PathEscape(t.Organization) + "/hooks", checkGroup(t.Organization)
	}
	return "projects/" + gl.PathEscape(t.Repository) + "/hooks", checkRepository(t.Repository)
}

func (f *Forge) hooks(ctx context.Context, path string) ([]kept, error) {
	all, _, err := whole(mostHooks, func(o gl.ListOptions) (got []kept, answer *gl.Response, err error) {
		answer, err = f.call(ctx, http.MethodGet, path, &o, &got)
		return got, answer, err
	})
	return all, err
}

// ListHooks gives the webhooks of a project or a group.
func (f *Forge) ListHooks(ctx context.Context, target forge.HookTarget) ([]forge.Hook, error) {
	path, err := at(target)
	if err != nil {
		return nil, err
	}
	all, err := f.hooks(ctx, path)
	if err != nil {
		return nil, err
	}
	out := make([]forge.Hook, len(all))
	for i, k := range all {
		out[i] = k.hook()
	}
	return out, nil
}

// RegisterHook adds a webhook, or changes the one that has its address. A GitLab that can sign deliveries is then told to
// send the secret itself no more.
func (f *Forge) RegisterHook(ctx context.Context, target forge.HookTarget, h forge.NewHook) (forge.Hook, error) {
	path, err := at(target)
	if err != nil {
		return forge.Hook{}, err
	}
	switch u, err := url.Parse(h.URL); {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return forge.Hook{}, fault.Errorf(fault.Invalid, "%.200q is not the address of a webhook; write https://HOST/PATH", h.URL)
	case len(h.Secret) > mostSecret:
		return forge.Hook{}, fault.Errorf(fault.Invalid, "the secret of a webhook has %d bytes; at most %d can be used", len(h.Secret), mostSecret)
	}
	all, err := f.hooks(ctx, path)
	if err != nil {
		return forge.Hook{}, err
	}
	method := http.MethodPost
	if i := slices.IndexFunc(all, func(k kept) bool { return k["url"] == h.URL }); i >= 0 {
		method, path = http.MethodPut, path+"/"+all[i].id()
	}
	body := map[string]any{"url": h.URL, "enable_ssl_verification": true}
	for kind, events := range switches {
		for _, e := range events {
			on, _ := body[e].(bool)
			body[e] = on || len(h.Kinds) == 0 || slices.Contains(h.Kinds, kind)
		}
	}
	if h.Secret != "" {
		body["token"], body["signing_token"] = h.Secret, signingToken(h.Secret)
	}
	var made kept
	if _, err = f.call(ctx, method, path, body, &made); err != nil {
		return forge.Hook{}, err
	}
	if made.is("signing_token_present") && h.Secret != "" {
		if method == http.MethodPost {
			path += "/" + made.id()
		}
		body["token"] = ""
		delete(body, "signing_token")
		if _, err = f.call(ctx, http.MethodPut, path, body, &made); err != nil {
			return forge.Hook{}, err
		}
	}
	return made.hook(), nil
}

// DeleteHook deletes a webhook.
func (f *Forge) DeleteHook(ctx context.Context, target forge.HookTarget, id string) error {
	path, err := at(target)
	if err != nil {
		return err
	}
	n, err := checkID(id, "webhook")
	if err != nil {
		return err
	}
	_, err = f.call(ctx, http.MethodDelete, path+"/"+strconv.FormatInt(n, 10), nil, nil)
	return err
}
