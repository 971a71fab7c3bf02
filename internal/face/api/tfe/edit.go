package tfe

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
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
		if pause(ctx, tries) != nil {
			return err
		}
	}
}

// pause lets a moment pass, so that many who change one document do not meet each time.
func pause(ctx context.Context, tries int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(mathrand.N(time.Duration(tries) * 20 * time.Millisecond)):
		return nil
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

// declare makes a document that is not there yet.
func (h *Handler) declare(ctx context.Context, space string, d document.Document) error {
	_, err := h.Catalog.Apply(ctx, catalog.Apply{Space: space, Source: source, Documents: []document.Document{d}, New: true})
	if errors.Is(err, catalog.ErrThere) {
		err = nameTaken()
	}
	return err
}

func nameTaken() error { return fault.Errorf(fault.Invalid, "Name has already been taken") }

// declareTitled makes a document that clients know by its title, and gives its reference: where its name is taken it gets another
// one, if it is free to be made then.
func (h *Handler) declareTitled(ctx context.Context, space string, d document.Document, free func() error) (ref.Entity, error) {
	name := d.Metadata.Name
	for tries := 1; ; tries++ {
		_, err := h.Catalog.Apply(ctx, catalog.Apply{Space: space, Source: source, Documents: []document.Document{d}, New: true})
		if !errors.Is(err, catalog.ErrThere) || tries == mostTries {
			return d.Ref(), err
		}
		if _, err := h.Catalog.Get(ctx, d.Ref()); fault.Is(err, fault.NotFound) && tries < mostTries/2 {
			if err := pause(ctx, tries); err != nil { // it is about to be there, or the caller may not see it
				return d.Ref(), err
			}
			continue
		}
		if err := free(); err != nil { // of two at once of one title
			return d.Ref(), err
		}
		d.Metadata.Title = cmp.Or(d.Metadata.Title, name)
		d.Metadata.Name = name + "-" + strings.ToLower(rand.Text())[:6]
	}
}

// mayEdit tells whether the caller may change a document here. What a repository declares is changed there, and what somebody else
// writes by them.
func (h *Handler) mayEdit(ctx context.Context, e catalog.Entity) error {
	if err := h.Access.Authorize(ctx, "entity:write", e.Space); err != nil {
		return err
	}
	switch {
	case e.File.Location != "":
		return fault.Errorf(fault.Conflict, "%s is declared in a repository; change it there", e.Ref)
	case strings.Contains(e.Source, ":"):
		return fault.Errorf(fault.Conflict, "%s comes from %s, which would write it again; change it there", e.Ref, e.Source)
	}
	return nil
}
