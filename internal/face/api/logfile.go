package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

func (a *API) logFileRoutes() {
	op := operation("downloadLog", http.MethodGet, "/runs/{id}/steps/{step}/log/file", "runs", "All that a step has written until now, as a file")
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The log, as it was written", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: "string"}}},
	}}
	register(a, op, a.downloadLog)
}

type downloadLogInput struct {
	RunInput
	Step    string `path:"step" maxLength:"200" doc:"Id or key."`
	Attempt int    `query:"attempt" minimum:"0" doc:"0 for the newest."`
}

// downloadLog writes a log piece by piece, so that its size costs no memory. A file that can't be read to its end breaks
// the connection, for a client takes no shorter log for the whole one.
func (a *API) downloadLog(ctx context.Context, in *downloadLogInput) (*huma.StreamResponse, error) {
	p := make([]byte, logChunk)
	n, _, _, err := a.Runs.ReadLog(ctx, in.ID, in.Step, in.Attempt, 0, p)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "text/plain; charset=utf-8")
		c.SetHeader("Content-Disposition", fmt.Sprintf("attachment; filename=%q", in.ID+".log"))
		for offset := int64(0); n > 0; {
			if _, err := c.BodyWriter().Write(p[:n]); err != nil {
				return // the client is gone
			}
			offset += int64(n)
			if n, _, _, err = a.Runs.ReadLog(ctx, in.ID, in.Step, in.Attempt, offset, p); err != nil {
				a.Log.ErrorContext(ctx, "read a log for its download", "run", in.ID, "step", in.Step, "offset", offset, "error", err)
				panic(http.ErrAbortHandler)
			}
		}
	}}, nil
}
