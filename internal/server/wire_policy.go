package server

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// people gives those who can act to policies.
func (h *House) people(ctx context.Context, ids []string) (map[string]policy.Person, error) {
	var found map[string]identity.Display
	err := h.DB.Read(ctx, func(tx *store.Tx) (err error) {
		found, err = h.Identity.Names(ctx, tx, ids)
		return err
	})
	people := map[string]policy.Person{}
	for id, d := range found {
		if d.Ref == (ref.Entity{}) {
			continue
		}
		login := d.Ref.String()
		if d.Ref.Kind == "user" && d.Ref.Namespace == ref.DefaultNamespace {
			login = d.Ref.Name
		}
		people[id] = policy.Person{Login: login, Name: d.Name}
	}
	return people, err
}
