package discovery

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/integration"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Deps are the rooms this one stands on.
type Deps struct {
	DB           *store.DB
	Ledger       *ledger.Ledger
	Access       *access.Service
	Catalog      *catalog.Service
	Integrations *integration.Service
	Repositories *repository.Service
	Now          func() time.Time
	Log          *slog.Logger
}

// Service looks at organizations. It is safe for concurrent use.
type Service struct {
	Deps

	mu      sync.Mutex
	looking map[string]bool // that this server looks at now
	ended   chan struct{}   // is closed when a look of this server ends
}

// New gives the service. It needs the tables of Migrations, and Run.
func New(d Deps) *Service {
	return &Service{Deps: d, looking: map[string]bool{}, ended: make(chan struct{})}
}

// busy tells whether this server looks at a Discovery, and gives what tells the end of the next look.
func (s *Service) busy(name string) (bool, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looking[name], s.ended
}

// List gives the Discoveries of the spaces in which the caller has entity:read, by name; space narrows it to one.
func (s *Service) List(ctx context.Context, space string, part page.Request) (list page.Of[Discovery], err error) {
	visible, err := s.Access.Spaces(ctx, "entity:read")
	if err != nil {
		return list, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := listed(ctx, tx, visible, space, part)
		list = page.Cut(all, part, func(d Discovery) string { return d.Name })
		return err
	})
	for i := range list.Items {
		list.Items[i].Busy, _ = s.busy(list.Items[i].Name)
	}
	return list, fault.Wrap(err, "list discoveries")
}

// Get gives a Discovery (NAMESPACE/NAME) to whoever has entity:read in its space; otherwise NotFound.
func (s *Service) Get(ctx context.Context, name string) (d Discovery, err error) {
	name = strings.ToLower(name)
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		d, err = byName(ctx, tx, name)
		return err
	})
	what := "discovery " + clip(name, 130)
	if fault.Is(err, fault.NotFound) || err == nil && d.ended {
		return Discovery{}, access.NotFound(what)
	}
	if err != nil {
		return Discovery{}, err
	}
	if err := s.Access.ReadOrNotFound(ctx, "entity:read", d.Space, what); err != nil {
		return Discovery{}, err
	}
	d.Busy, _ = s.busy(d.Name)
	return d, nil
}

// Found gives the repositories that a Discovery found, by name; state narrows it to one of the states. It needs location:write in
// its space, since it tells of everything that the integration sees.
func (s *Service) Found(ctx context.Context, name, state string, part page.Request) (list page.Of[Found], err error) {
	d, err := s.Get(ctx, name)
	if err != nil {
		return list, err
	}
	if err := s.Access.Authorize(ctx, "location:write", d.Space); err != nil {
		return list, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := listedFound(ctx, tx, d.Name, state, part)
		list = page.Cut(all, part, func(f Found) string { return f.Name + " " + f.ID + " " + f.integration })
		return err
	})
	if err != nil {
		return list, fault.Wrap(err, "list what discovery %s found", d.Name)
	}
	for i, f := range list.Items {
		if f.repository == "" {
			continue
		}
		r, err := s.Repositories.Platform().ByID(ctx, f.repository)
		if err == nil && s.Access.AuthorizeObject(ctx, repository.Read, r.Space, r.FullName()) == nil {
			list.Items[i].Repository = r.FullName()
		}
	}
	return list, nil
}

// waitTime is how long who asks for a look waits for its end; it goes on by itself.
const waitTime = 20 * time.Second

// Look has an organization looked at now, and waits for that for up to 20 seconds: Busy tells that it is still under way. It
// needs location:write in the Discovery's space. What is found, or fails, is no error.
func (s *Service) Look(ctx context.Context, name string) (Discovery, error) {
	d, err := s.Get(ctx, name)
	if err != nil {
		return d, err
	}
	if err := s.Access.Authorize(ctx, "location:write", d.Space); err != nil {
		return Discovery{}, err
	}
	before := d.Looked
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		s.DB.Notify(tx, channel)
		return sooner(ctx, tx, d.Name, s.Now())
	})
	if err != nil {
		return d, fault.Wrap(err, "look at %s", d.Name)
	}
	late := time.NewTimer(waitTime)
	defer late.Stop()
	for {
		_, ended := s.busy(d.Name)
		if d, err = s.Get(ctx, name); err != nil || d.Looked.After(before) && !d.Busy {
			return d, err
		}
		select {
		case <-ended:
		case <-late.C:
			d.Busy = true
			return d, nil
		case <-ctx.Done():
			return d, fault.Errorf(fault.Canceled, "wait for the look: %w", ctx.Err())
		}
	}
}

// previewFiles is how many repositories a preview asks for their file.
const previewFiles = 100

// Preview tells what a Discovery document would find, without writing anything: at most 100 repositories are asked for their
// file, the others are pending. It needs space:admin in the space ("" is the root), as applying the document does, and fails as the forge does.
func (s *Service) Preview(ctx context.Context, space string, doc document.Document) (Counts, []Found, error) {
	if space == "" {
		space = access.Root
	}
	if err := s.Access.Authorize(ctx, "space:admin", space); err != nil {
		return Counts{}, nil, err
	}
	if doc.Kind != kindName || doc.APIVersion != "roadbed.dev/v1" {
		return Counts{}, nil, fault.Errorf(fault.Invalid, "%.100q is not a %s; give one document of that kind", doc.Kind, kindName)
	}
	spec, wrong := read(doc)
	if wrong = append(doc.Check(), wrong...); len(wrong) > 0 {
		return Counts{}, nil, fault.At(kindName+" "+doc.Metadata.Name+" is not valid", wrong...)
	}
	d := Discovery{Name: doc.Ref().Namespace + "/" + doc.Ref().Name, Space: space, Spec: spec}
	return s.preview(ctx, d)
}

func clip(text string, most int) string {
	text = strings.ReplaceAll(text, "\x00", "")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
