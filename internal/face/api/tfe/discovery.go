package tfe

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/roadbed-dev/roadbed/internal/face/api/registry"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// Discovery is where clients look which protocols a host speaks.
const Discovery = "/.well-known/terraform.json"

// ServeDiscovery tells which there are: what is not there is not named.
func (h *Handler) ServeDiscovery(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "max-age=300")
	_ = json.NewEncoder(w).Encode(object{
		"login.v1": object{"client": clientID, "grant_types": []string{"authz_code"}, "authz": Authorize, "token": TokenPath, "ports": []int{firstPort, lastPort}},
		"tfe.v2":   Prefix, "tfe.v2.1": Prefix, "tfe.v2.2": Prefix, "state.v2": Prefix,
		"modules.v1": registry.Modules, "providers.v1": registry.Providers,
	})
}

// Pages are the addresses that clients tell people to look at, as the service that this protocol comes from has them.
const Pages = "/app/"

// ServePages sends people on to the portal's own pages.
func (h *Handler) ServePages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Pages+"{organization}/{workspace}/runs/{run}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/runs/"+runID(r.PathValue("run")), http.StatusFound) //nolint:gosec // to a page of this server, whatever its name
	})
	mux.HandleFunc("GET "+Pages+"{organization}/workspaces/{workspace}", func(w http.ResponseWriter, r *http.Request) {
		space, name := r.PathValue("organization"), r.PathValue("workspace")
		http.Redirect(w, r, "/stacks/"+url.PathEscape(stack.HomeNamespace(space))+"/"+url.PathEscape(name), http.StatusFound)
	})
	mux.HandleFunc("GET "+Pages+"settings/tokens", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/tokens", http.StatusFound) })
	mux.HandleFunc("GET "+Pages, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/stacks", http.StatusFound) })
	return mux
}
