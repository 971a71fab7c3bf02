package pool

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Spec is what a WorkerPool document says.
type Spec struct {
	// Shared lets stacks of the spaces below use the pool, too.
	Shared bool `json:"shared,omitempty"`
	// Image is in what steps run that name none, on agents that run containers.
	Image string `json:"image,omitempty"`
}

// Right is what it takes to declare a pool and to work with its agents and tokens.
const Right = "pool:admin"

// Kinds gives the documents of this room.
func Kinds(s *Service) []document.Kind {
	return []document.Kind{{
		APIVersions: []string{"roadbed.dev/v1"}, Name: "WorkerPool", Plural: "workerpools", Restricted: true, Right: Right,
		Description: "Machines of your own that run steps: agents that dial out and show a token of the pool.",
		Validate: func(d document.Document) []fault.Detail {
			spec, wrong := read(d)
			return append(wrong, s.checkImage(d, spec)...)
		},
		Changed: s.documentChanged,
	}}
}

func read(d document.Document) (Spec, []fault.Detail) {
	var spec Spec
	if err := document.Decode(d, &spec); err != nil {
		return spec, fault.Details(err)
	}
	return spec, nil
}

// Name reads the name of a pool as documents have it: NAMESPACE/NAME, or NAME in a namespace.
func Name(text, namespace string) (string, error) {
	r, err := ref.Parse(text, "workerpool", namespace)
	if err != nil || r.Kind != "workerpool" {
		return "", fault.Errorf(fault.Invalid, "%.200q is not the name of a worker pool; write NAMESPACE/NAME", text)
	}
	return r.Namespace + "/" + r.Name, nil
}

// Mark gives the mark of runs whose commands a pool runs, by which they are found before they have steps.
func Mark(name string) string { return "pool:" + name }

// mayGo refuses to forget a pool that runs need: what is under way would be cut off, and what waits would wait for ever.
func (s *Service) mayGo(ctx context.Context, tx *store.Tx, name string) error {
	if lock := tx.ForUpdate(); lock != "" {
		if _, err := store.One(tx.QueryRow(ctx, columns+" WHERE name = $1"+lock, name), scan, "worker pool %s", name); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	n, err := s.Runs.NeedingTx(ctx, tx, name, Mark(name))
	if err == nil && n > 0 {
		err = fault.Errorf(fault.Conflict, "the worker pool %s has %d %s under way or waiting; let them end, discard or cancel them first", name, n, plural(n, "run"))
	}
	return err
}

// documentChanged keeps the row of a pool, in the transaction of its document. With a pool go its tokens and agents.
func (s *Service) documentChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	name := c.Ref.Namespace + "/" + c.Ref.Name
	if c.New == nil {
		if err := s.mayGo(ctx, tx, name); err != nil {
			return err
		}
		for _, statement := range []string{"DELETE FROM pool_tokens WHERE pool = $1", "DELETE FROM pool_agents WHERE pool = $1", "DELETE FROM pools WHERE name = $1"} {
			if _, err := tx.Exec(ctx, statement, name); err != nil {
				return fault.Wrap(err, "forget worker pool %s", name)
			}
		}
		return nil
	}
	spec, wrong := read(*c.New)
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("WorkerPool %s is not valid", c.New.Metadata.Name), wrong...)
	}
	shared := 0
	if spec.Shared {
		shared = 1
	}
	_, err := tx.Exec(ctx, `INSERT INTO pools (name, space, description, shared, drained, image, title, created) VALUES ($1, $2, $3, $4, 0, $5, $6, $7)
 ON CONFLICT (name) DO UPDATE SET space=excluded.space, description=excluded.description, shared=excluded.shared, image=excluded.image, title=excluded.title`,
		name, c.Space, strings.TrimSpace(c.New.Metadata.Description), shared, spec.Image, cmp.Or(c.New.Metadata.Title, c.Ref.Name), store.Micros(s.Now()))
	return fault.Wrap(err, "keep worker pool %s", name)
}

// Usable tells whether what is of a space may name a pool: Invalid with the words of what to do when it may not. What
// the space may not use is not told from what is not there.
func (s *Service) Usable(ctx context.Context, tx *store.Tx, name, space string) error {
	p, err := byName(ctx, tx, name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err == nil {
		served, failure := s.serves(ctx, p, space)
		if failure != nil || served {
			return failure
		}
	}
	return fault.Errorf(fault.Invalid, "there is no worker pool %s that the space %s may use; name one of the space, or one of a space above that is shared", name, space)
}

// serves tells whether a pool is for a space: its own, and where it is shared those below that inherit.
func (s *Service) serves(ctx context.Context, p Pool, space string) (bool, error) {
	if p.Space == space || !p.Shared {
		return p.Space == space, nil
	}
	return s.Access.MayUse(ctx, space, p.Space)
}
