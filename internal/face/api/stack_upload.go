package api

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

func (a *API) stackUploadRoutes() {
	op := operation("uploadConfiguration", http.MethodPost, "/stacks/{namespace}/{name}/configurations", "stacks", "Upload a folder as tar.gz, to be planned, and for a stack without a repository to be applied")
	op.DefaultStatus = 201
	op.MaxBodyBytes = stack.UploadLimit
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/gzip": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
	register(a, op, a.uploadConfiguration)
	register(a, operation("listConfigurations", http.MethodGet, "/stacks/{namespace}/{name}/configurations", "stacks", "What was uploaded to a stack, newest first"), a.listConfigurations)
}

type uploadInput struct {
	Named
	Preview bool `query:"preview" doc:"Only to be planned; so is every upload to a stack that has a repository."`
	archive io.Reader
}

// Resolve takes the body as it comes, at the pace of what is served.
func (in *uploadInput) Resolve(c huma.Context) []error {
	r, w := humago.Unwrap(c)
	in.archive = git.PacedBody(w, r)
	return nil
}

func (a *API) uploadConfiguration(ctx context.Context, in *uploadInput) (*body[Configuration], error) {
	c, err := a.Stacks.NewConfiguration(ctx, in.ref("stack"), in.Preview, false)
	if err == nil {
		c, err = a.Stacks.Upload(ctx, c.ID, in.archive)
	}
	if err != nil {
		return nil, err
	}
	who, err := a.people(ctx, []string{c.Actor})
	return answer(wireConfiguration(c, who)), err
}

func wireConfiguration(c stack.Configuration, who func(string) Actor) Configuration {
	return Configuration{
		ID: c.ID, Stack: c.Stack.String(), Status: c.Status, Error: c.Error, Preview: c.Speculative, Digest: c.Digest, Size: c.Size, Entries: c.Entries,
		By: who(c.Actor), Created: c.Created.UTC(),
	}
}

type listConfigurationsInput struct {
	Named
	Paging
}

func (a *API) listConfigurations(ctx context.Context, in *listConfigurationsInput) (*body[List[Configuration]], error) {
	part, err := a.Stacks.Configurations(ctx, in.ref("stack"), in.part())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, c := range part.Items {
		ids = append(ids, c.Actor)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	return listPart(part, func(c stack.Configuration) Configuration { return wireConfiguration(c, who) }), nil
}
