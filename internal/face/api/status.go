package api

import (
	"context"
	"net/http"
)

func (a *API) statusRoutes() {
	register(a, operation("getStatus", http.MethodGet, "/status", "status", "What this installation is and has"), a.getStatus)
}

func (a *API) getStatus(ctx context.Context, _ *none) (*body[Status], error) {
	return answer(Status{Version: a.Version, GitURL: baseURL(ctx) + "/git", Registry: hostOf(ctx), Features: a.Features()}), nil
}
