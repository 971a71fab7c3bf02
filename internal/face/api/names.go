package api

import (
	"context"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// platform is how the system principal is shown.
const platform = "Roadbed"

const (
	fewNames  = 10
	namesTime = 5 * time.Second // that PostgreSQL may take for them
)

// readNames reads the names of principals: up to 500 by one query.
func (a *API) readNames(ctx context.Context, ids []string) (names map[string]identity.Display, err error) {
	read := a.DB.Read
	if len(ids) <= identity.AtOnce {
		read = a.DB.ReadOne
	}
	err = read(ctx, func(tx *store.Tx) (err error) {
		names, err = a.Identity.Names(ctx, tx, ids)
		return err
	})
	return names, err
}

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
	var err error
	switch {
	case len(asked) > fewNames:
		names, err = a.readNames(ctx, asked)
	case len(asked) > 0: // together with those of other answers
		names, err = a.names.Of(ctx, a.DB, asked)
	}
	if err != nil {
		return nil, err
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
