package directory

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Rights to a directory. A token may be narrowed to one: directory:write=NAMESPACE/NAME.
const (
	Read  = "directory:read"
	Write = "directory:write"
)

// Deps are the rooms this one stands on.
type Deps struct {
	DB      *store.DB
	Ledger  *ledger.Ledger
	Queue   *queue.Queue
	Access  *access.Service
	Secrets *secret.Service
	Catalog *catalog.Service
	Dial    func(ctx context.Context, network, address string) (net.Conn, error) // that LDAP servers are reached by
	Now     func() time.Time
	Log     *slog.Logger
}

// Service brings people and groups. It is safe for concurrent use.
type Service struct {
	Deps
	turns sync.Map // name of a directory → chan struct{}: who brings something has it
}

// New gives the service, whose jobs are those of the queue. It needs the tables of Migrations.
func New(d Deps) *Service {
	s := &Service{Deps: d}
	s.handle()
	return s
}

// clean gives the full name that is meant; only a full one is taken.
func clean(name string) (string, error) {
	if namespace, rest, ok := strings.Cut(name, "/"); !ok || namespace == "" || rest == "" || len(name) > 200 {
		return "", fault.Errorf(fault.Invalid, "%.200q is not the name of a directory; write NAMESPACE/NAME", name)
	}
	return strings.ToLower(name), nil
}

// lookup gives a directory without asking for a right.
func (s *Service) lookup(ctx context.Context, name string) (d Directory, err error) {
	if name, err = clean(name); err != nil {
		return d, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if d, err = byName(ctx, tx, name); err != nil {
			return err
		}
		return d.count(ctx, tx)
	})
	return d, err
}

// Get gives a directory to whoever has directory:read in its space; otherwise NotFound.
func (s *Service) Get(ctx context.Context, name string) (Directory, error) {
	d, err := s.lookup(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return Directory{}, access.NotFound("directory " + name)
	}
	if err != nil {
		return Directory{}, err
	}
	if err := s.Access.ReadOrNotFound(ctx, Read, d.Space, "directory "+name); err != nil {
		return Directory{}, err
	}
	return d, nil
}

// List gives the directories of the spaces in which the caller has directory:read, by name; space narrows it to one.
func (s *Service) List(ctx context.Context, space string, part page.Request) (list page.Of[Directory], err error) {
	visible, err := s.Access.Spaces(ctx, Read)
	if err != nil {
		return list, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		found, err := listed(ctx, tx, visible, space, part)
		if err != nil {
			return err
		}
		list = page.Cut(found, part, func(d Directory) string { return d.Name })
		for i := range list.Items {
			if err := list.Items[i].count(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	return list, fault.Wrap(err, "list directories")
}

// Look reads a directory now, or brings all that was written to it up to date in the catalog, for whoever has directory:write
// for it. What is found, a server that does not answer included, is in the status.
func (s *Service) Look(ctx context.Context, name string) (Directory, error) {
	d, err := s.writable(ctx, name)
	if err != nil {
		return d, err
	}
	if err := s.look(ctx, d.Name); err != nil {
		return Directory{}, err
	}
	return s.lookup(ctx, d.Name)
}

// writable gives a directory to whoever has directory:write for it: Denied to others who may see it, NotFound to the rest.
func (s *Service) writable(ctx context.Context, name string) (d Directory, err error) {
	if name, err = clean(name); err != nil {
		return d, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		d, err = byName(ctx, tx, name)
		return err
	})
	if fault.Is(err, fault.NotFound) {
		if _, err := s.Access.Spaces(ctx, Write); err != nil {
			return d, err // nobody is signed in
		}
		return d, access.NotFound("directory " + name)
	}
	if err != nil {
		return d, err
	}
	err = s.Access.AuthorizeObject(ctx, Write, d.Space, d.Name)
	if fault.Is(err, fault.Denied) && s.Access.Authorize(ctx, Read, d.Space) != nil {
		err = access.NotFound("directory " + name)
	}
	if err != nil {
		return Directory{}, err
	}
	return d, nil
}

// tell appends to the ledger what happened to a directory. No names go there: what is in the ledger can't be forgotten.
func (s *Service) tell(ctx context.Context, tx *store.Tx, d Directory, kind string, data map[string]any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Type: kind, Space: d.Space, Subject: "directory:" + d.Name, Data: raw})
	return fault.Wrap(err, "note %s of %s", kind, d.Name)
}

// turn waits until nobody else of this server brings something of the directory.
func (s *Service) turn(ctx context.Context, name string) (done func(), err error) {
	c, _ := s.turns.LoadOrStore(name, make(chan struct{}, 1))
	mine := c.(chan struct{})
	select {
	case mine <- struct{}{}:
		return func() { <-mine }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
