package gitea_test

import (
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/forgetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea"
)

func TestTrouble(t *testing.T) {
	t.Parallel()
	forgetest.Trouble(t, func(t *testing.T, url, token string) forge.Forge {
		f, err := gitea.New(gitea.Options{URL: url, Token: gitea.Fixed(token), Now: time.Now, Pause: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		return f
	})
}
