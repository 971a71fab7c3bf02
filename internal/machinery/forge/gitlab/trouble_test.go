package gitlab_test

import (
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/forgetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitlab/gitlabtest"
)

func TestTrouble(t *testing.T) {
	t.Parallel()
	forgetest.Trouble(t, func(t *testing.T, url, token string) forge.Forge {
		return as(t, &gitlabtest.Server{URL: url}, token)
	})
}
