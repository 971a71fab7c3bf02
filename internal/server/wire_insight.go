package server

import (
	"context"
	"time"

	"github.com/roadbed-dev/roadbed/internal/product/docs"
	"github.com/roadbed-dev/roadbed/internal/product/insight"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (h *House) wireInsight() *insight.Service {
	return insight.New(insight.Deps{
		DB: h.DB, Ledger: h.Ledger, Queue: h.Queue, Access: h.Access, Catalog: h.Catalog, Runs: h.Runs, Docs: judgedDocs{h.Docs}, Now: time.Now, Log: h.Log,
	})
}

// judgedDocs tells product/insight of docs.
type judgedDocs struct{ docs *docs.Service }

func (j judgedDocs) Of(ctx context.Context, e ref.Entity) (insight.Documented, error) {
	pages, broken, err := j.docs.ProjectionOf(ctx, e)
	return insight.Documented{Pages: pages, Broken: broken}, err
}

// Reads gives what the reader may see: nothing where the docs are not to be opened.
func (j judgedDocs) Reads(ctx context.Context, e ref.Entity) (insight.Documented, error) {
	switch _, err := j.docs.Site(ctx, e, ""); {
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Denied), fault.Is(err, fault.Invalid), fault.Is(err, fault.TooLarge):
		return insight.Documented{}, nil
	case err != nil:
		return insight.Documented{}, err
	}
	return j.Of(ctx, e)
}

func (j judgedDocs) Entities(ctx context.Context, site string) ([]string, error) {
	all, err := j.docs.Projection(ctx, []string{site})
	var names []string
	for _, p := range all {
		for _, e := range p.Entities {
			names = append(names, e.Ref)
		}
	}
	return names, err
}
