package github_test

import (
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/forgetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/github"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/github/githubtest"
)

func withToken(t *testing.T, s *githubtest.Server, token string) *github.GitHub {
	t.Helper()
	return open(t, github.Options{URL: s.URL, Token: token})
}

func open(t *testing.T, o github.Options) *github.GitHub {
	t.Helper()
	o.Now, o.Pause = time.Now, time.Millisecond
	g, err := github.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func ground(t *testing.T, s *githubtest.Server, f forge.Forge) *forgetest.Ground {
	t.Helper()
	return &forgetest.Ground{
		Forge: f, Reviewer: withToken(t, s, s.Token(githubtest.Bob)), Stranger: withToken(t, s, "ghp_nobody"), Hooks: github.Hooks{}, Kind: "github",
		Organization: githubtest.Organization, Team: githubtest.Team, Login: githubtest.Ann, ReviewerName: githubtest.Bob,
	}
}

func TestWithAToken(t *testing.T) {
	t.Parallel()
	forgetest.Test(t, func(t *testing.T) *forgetest.Ground {
		s := githubtest.Start(t)
		return ground(t, s, withToken(t, s, s.Token(githubtest.Ann)))
	})
}

func TestAsAnApp(t *testing.T) {
	t.Parallel()
	forgetest.Test(t, func(t *testing.T) *forgetest.Ground {
		s := githubtest.Start(t)
		g := ground(t, s, open(t, github.Options{URL: s.URL, App: &github.App{ID: githubtest.AppID, Key: s.AppKey(), Installation: s.Installation()}}))
		g.Login, g.App = githubtest.AppSlug+"[bot]", true
		return g
	})
}
