package gitlab_test

import (
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/forgetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitlab"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitlab/gitlabtest"
)

// ground is a GitLab with a group, a group below it, and three people.
func ground(t *testing.T) *gitlabtest.Server {
	t.Helper()
	s := gitlabtest.New(t)
	s.User("ann", "token-of-ann", "api")
	s.User("rob", "token-of-rob", "api")
	s.Group("acme", map[string]int{"ann": gitlabtest.Owner})
	s.Group("acme/platform", map[string]int{"ann": gitlabtest.Owner, "rob": gitlabtest.Developer})
	s.Group("acme/platform/reviewers", map[string]int{"rob": gitlabtest.Developer})
	return s
}

func as(t *testing.T, s *gitlabtest.Server, token string) *gitlab.Forge {
	t.Helper()
	f, err := gitlab.New(gitlab.Options{URL: s.URL, Token: gitlab.Fixed(token), Now: time.Now, Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestForge(t *testing.T) {
	forgetest.Test(t, func(t *testing.T) *forgetest.Ground {
		s := ground(t)
		s.Signs = true
		return &forgetest.Ground{
			Forge: as(t, s, "token-of-ann"), Reviewer: as(t, s, "token-of-rob"), Stranger: as(t, s, "token-of-nobody"), Hooks: gitlab.Hooks{}, Kind: "gitlab",
			Organization: "acme/platform", Team: "reviewers", Login: "ann", ReviewerName: "rob", Lacks: []string{"refusal"},
			MayMerge: func(_ *testing.T, repository, way string) {
				method := "ff"
				if way == forge.MergeCommit {
					method = "merge"
				}
				s.MergeMethod(repository, method)
			},
		}
	})
}
