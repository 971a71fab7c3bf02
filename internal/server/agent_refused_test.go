package server

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain/toolchaintest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	workerremote "github.com/roadbed-dev/roadbed/internal/machinery/worker/remote"
)

// TestAnAgentTellsOfAProgramThatItDoesNotTake: it downloads another one, and the step's log says what was wrong with the server's.
func TestAnAgentTellsOfAProgramThatItDoesNotTake(t *testing.T) {
	t.Parallel()
	given := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(workerremote.HeaderEngine, "terragrunt@0.98.3")
		w.Header().Set(workerremote.HeaderSum, strings.Repeat("0", 64))
		_, _ = w.Write(standsIn("0.98.3"))
	}))
	defer given.Close()
	site := toolchaintest.New(t, nil, nil)
	site.Release(t, "terragrunt", "0.98.3", map[string][]byte{"terragrunt": standsIn("0.98.3")})
	a := &agent{AgentOptions: AgentOptions{Server: given.URL}}
	toolReleases(&a.Options, site)
	a.engine = &engine{cache: toolchain.New(toolchain.Options{Dir: t.TempDir(), Download: true, Terragrunt: a.TerragruntReleases, HTTP: site.Transport()}), log: slog.New(slog.DiscardHandler)}
	a.hub = workerremote.New(workerremote.Options{
		Server: given.URL, HTTP: http.DefaultTransport, Token: func() (string, error) { return "token", nil }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	var log bytes.Buffer
	tool, err := a.lend(t.Context(), worker.Lease{}, "terragrunt@~0.98", &log)
	if err != nil || len(tool.Mounts) == 0 {
		t.Fatalf("%+v, %v", tool, err)
	}
	wantInOrder(t, log.String(), "roadbed: the SHA-256 of Terragrunt 0.98.3, as it came from "+given.URL+", is ", "; it is not taken\n", "roadbed: downloaded Terragrunt 0.98.3 from "+site.Mirror("terragrunt"))
}
