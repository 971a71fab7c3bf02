package remote

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Headers of an engine that a server gives.
const (
	HeaderEngine = "Roadbed-Engine" // NAME@VERSION
	HeaderSum    = "Roadbed-Sha256" // in hex
	QueryTool    = "tool"           // as the job names it
	QuerySystem  = "system"         // GOOS/GOARCH of who asks
)

// Engine asks the server for an engine that the job of a leased step names. NotFound when the server has none for the system.
// The version is told before anything of the program is read.
func (h *Hub) Engine(ctx context.Context, lease, tool string) (name, version string, r toolchain.Received, err error) {
	answer, err := h.request(ctx, http.MethodGet, at(lease, "engine"), url.Values{QueryTool: {tool}, QuerySystem: {h.o.Hello.System}}, nil)
	if err != nil {
		return "", "", r, err
	}
	name, version, _ = strings.Cut(answer.Header.Get(HeaderEngine), "@")
	r = toolchain.Received{Body: answer.Body, Sum: answer.Header.Get(HeaderSum)}
	if toolchain.Check(name, version) != nil || len(r.Sum) != 64 {
		answer.Body.Close()
		return "", "", toolchain.Received{}, fault.Errorf(fault.Unavailable, "%s answers with something that is no engine", h.o.Server)
	}
	return name, version, r, nil
}
