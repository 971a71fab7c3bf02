package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
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

// logReader reads one log at any place.
type logReader func(offset int64, p []byte) (int, error)

// ReadAt implements io.ReaderAt.
func (r logReader) ReadAt(p []byte, offset int64) (int, error) {
	n, err := r(offset, p)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// downloadLog gives the log as it is now, or the ranges of it that are asked for, piece by piece, so that its size costs no
// memory. One that can't be read to its end breaks the connection: its length was told before.
func (a *API) downloadLog(ctx context.Context, in *downloadLogInput) (*huma.StreamResponse, error) {
	if in.Attempt == 0 { // one log from its beginning to its end
		var err error
		if in.Attempt, err = a.Runs.Attempt(ctx, in.ID, in.Step); err != nil {
			return nil, err
		}
	}
	_, size, _, err := a.Runs.ReadLog(ctx, in.ID, in.Step, in.Attempt, 0, nil)
	if err != nil {
		return nil, err
	}
	read := logReader(func(offset int64, p []byte) (int, error) {
		n, _, _, err := a.Runs.ReadLog(ctx, in.ID, in.Step, in.Attempt, offset, p)
		if err != nil {
			a.Log.ErrorContext(ctx, "read a log for its download", "run", in.ID, "step", in.Step, "offset", offset, "error", err)
		}
		return n, err
	})
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "text/plain; charset=utf-8")
		c.SetHeader("Content-Disposition", fmt.Sprintf("attachment; filename=%q", in.ID+".log"))
		r, w := humago.Unwrap(c)
		http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(read, 0, size))
	}}, nil
}
