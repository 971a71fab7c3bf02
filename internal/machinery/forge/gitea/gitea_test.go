package gitea_test

import (
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/forgetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea/giteatest"
)

func open(t *testing.T, url, token string) *gitea.Forge {
	t.Helper()
	f, err := gitea.New(gitea.Options{URL: url, Token: gitea.Fixed(token), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The contract holds against a real Gitea.
func TestGitea(t *testing.T) {
	t.Parallel()
	forgetest.Test(t, func(t *testing.T) *forgetest.Ground {
		s := giteatest.Start(t)
		scopes := []string{"write:repository", "write:issue", "write:organization", "read:user"}
		ann, bob := s.Person("ann", scopes...), s.Person("bob", scopes...)
		s.Organization(ann, "shop", "developers", "bob")
		return &forgetest.Ground{
			Forge: open(t, s.URL, ann), Reviewer: open(t, s.URL, bob), Stranger: open(t, s.URL, "0123456789012345678901234567890123456789"),
			Hooks: gitea.Hooks{}, Kind: "gitea",
			Organization: "shop", Team: "developers", Login: "ann", ReviewerName: "bob",
			Lacks: []string{"rate"},
		}
	})
}

var _ forge.Forge = (*gitea.Forge)(nil)
