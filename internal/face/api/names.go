package api

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// platform is how the system principal is shown.
const platform = "Roadbed"

// people looks the names of principals up, once for an answer.
func (a *API) people(ctx context.Context, ids []string) (func(id string) Actor, error) {
	var names map[string]identity.Display
	unique := map[string]bool{}
	var asked []string
	for _, id := range ids {
		if id != "" && id != "system" && !unique[id] {
			unique[id] = true
			asked = append(asked, id)
		}
	}
	if len(asked) > 0 {
		err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
			names, err = a.Identity.Names(ctx, tx, asked)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return func(id string) Actor {
		if id == "system" || id == "" {
			return Actor{ID: id, Name: platform}
		}
		if ref.IsID(id, ref.Step) {
			return Actor{ID: id, Name: "A step"}
		}
		d, ok := names[id]
		if !ok {
			return Actor{ID: id, Name: id}
		}
		return Actor{ID: id, Ref: d.Ref.String(), Name: d.Name}
	}, nil
}
