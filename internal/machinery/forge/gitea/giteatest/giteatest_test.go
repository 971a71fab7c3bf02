package giteatest_test

import (
	"net/http"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea/giteatest"
)

func TestAGiteaRunsForATest(t *testing.T) {
	t.Parallel()
	s := giteatest.Start(t)
	ann := s.Person("ann", "write:organization", "read:user")
	s.Person("bob", "read:user")
	s.Organization(ann, "shop", "developers", "bob")
	if got := s.Do("", http.MethodGet, "/version", nil)["version"]; got != giteatest.Version {
		t.Errorf("the version is %v", got)
	}
	if got := s.Do(ann, http.MethodGet, "/user", nil)["login"]; got != "ann" {
		t.Errorf("the token is %v's", got)
	}
	if got := s.Do(ann, http.MethodGet, "/orgs/shop", nil)["name"]; got != "shop" {
		t.Errorf("the organization is %v", got)
	}
}
