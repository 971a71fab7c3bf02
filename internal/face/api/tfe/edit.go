package tfe

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// source is that of the documents which this protocol declares.
const source = "terraform"

// mostTries bounds how often a document is read and changed because somebody else has changed it meanwhile: clients of this
// protocol do not try again.
const mostTries = 10

// edit changes a document as the caller: change is given what there is, and tells whether it has changed that. It is called
// again for a document that somebody else has changed meanwhile.
func (h *Handler) edit(ctx context.Context, which ref.Entity, change func(d *document.Document) (bool, error)) error {
	return h.editEntity(ctx, which, func(_ catalog.Entity, d *document.Document) (bool, error) { return change(d) })
}

// editEntity is edit for a change that has to know of the entity, too.
func (h *Handler) editEntity(ctx context.Context, which ref.Entity, change func(e catalog.Entity, d *document.Document) (bool, error)) error {
	for tries := 1; ; tries++ {
		err := h.editOnce(ctx, which, change)
		if !fault.Is(err, fault.Stale) || tries == mostTries {
			return err
		}
		select { // so that many who change one document do not meet each time
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(time.Duration(tries) * 20 * time.Millisecond)):
		}
	}
}

func (h *Handler) editOnce(ctx context.Context, which ref.Entity, change func(e catalog.Entity, d *document.Document) (bool, error)) error {
	e, err := h.Catalog.Get(ctx, which)
	if err != nil {
		return err
	}
	d := e.Document
	d.Spec, d.Metadata.Tags = clone(d.Spec), slices.Clone(d.Metadata.Tags)
	changed, err := change(e, &d)
	if err != nil || !changed {
		return err
	}
	if err := h.mayEdit(ctx, e); err != nil {
		return err
	}
	_, err = h.Catalog.Apply(ctx, catalog.Apply{Space: e.Space, Source: e.Source, Documents: []document.Document{d}, IfMatch: e.Etag})
	return err
}

// mayEdit tells whether the caller may change a document here. What a repository declares is changed there.
func (h *Handler) mayEdit(ctx context.Context, e catalog.Entity) error {
	if err := h.Access.Authorize(ctx, "entity:write", e.Space); err != nil {
		return err
	}
	if strings.Contains(e.Source, ":") {
		return fault.Errorf(fault.Conflict, "%s is declared in a repository; change it there", e.Ref)
	}
	return nil
}
