package github

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const versionHeader = "X-GitHub-Enterprise-Version"

// Health asks who the caller is. A fine-grained token does not tell its permissions.
func (g *GitHub) Health(ctx context.Context) (forge.Health, error) {
	if g.app != nil {
		h, err := g.app.health(ctx)
		if err != nil {
			return forge.Health{}, err
		}
		if _, _, err = g.api.RateLimit.Get(ctx); err != nil && !fault.Is(told(err), fault.NotFound) { // a server without limits has none
			return forge.Health{}, told(err)
		}
		h.Rate = g.transport.Rate()
		return h, nil
	}
	user, answer, err := g.api.Users.Get(ctx, "")
	if err != nil {
		return forge.Health{}, told(err)
	}
	h := forge.Health{Login: user.GetLogin(), Version: answer.Header.Get(versionHeader), Rate: g.transport.Rate()}
	if told, ok := answer.Header["X-Oauth-Scopes"]; ok {
		h.Scopes = strings.FieldsFunc(strings.Join(told, ","), func(r rune) bool { return r == ',' || r == ' ' })
		h.Missing = missing(h.Scopes)
	}
	for _, form := range []string{"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700"} {
		if at, err := time.Parse(form, answer.Header.Get("GitHub-Authentication-Token-Expiration")); err == nil {
			h.Expires = at
		}
	}
	return h, nil
}

// missing gives the scopes that the contract needs beside those, which contain others.
func missing(scopes []string) []string {
	var out []string
	for _, need := range [][]string{{"repo"}, {"read:org", "write:org", "admin:org"}, {"admin:org_hook"}, {"delete_repo"}} {
		if !slices.ContainsFunc(need, func(s string) bool { return slices.Contains(scopes, s) }) {
			out = append(out, need[0])
		}
	}
	return out
}

// self gives the caller's login, which does not change with the credentials.
func (g *GitHub) self(ctx context.Context) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.login != "" {
		return g.login, nil
	}
	if g.app != nil {
		a, _, err := g.app.api.Apps.Get(ctx, "")
		if err != nil {
			return "", told(err)
		}
		g.login = a.GetSlug() + "[bot]"
		return g.login, nil
	}
	u, _, err := g.api.Users.Get(ctx, "")
	if err != nil {
		return "", told(err)
	}
	g.login = u.GetLogin()
	return g.login, nil
}

// Clone gives an App's token for this repository alone; a token that was given is the same for all.
func (g *GitHub) Clone(ctx context.Context, repository string) (forge.Clone, error) {
	if _, _, err := split(repository); err != nil {
		return forge.Clone{}, err
	}
	c := forge.Clone{URL: g.web + "/" + repository + ".git", Username: "x-access-token", Password: g.token}
	if g.app == nil {
		return c, nil
	}
	t, err := g.app.tokenFor(ctx, repository)
	c.Password, c.Expires = t.value, t.ends
	return c, err
}
