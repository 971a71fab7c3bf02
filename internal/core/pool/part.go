package pool

import (
	"context"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Query chooses pools of a space.
type Query struct {
	Search    string // a part of the title
	ByCreated bool   // the oldest first; by title otherwise
	Down      bool   // the other way round
	page.Place
}

func (q Query) order() string {
	down := ""
	if q.Down {
		down = " DESC"
	}
	if q.ByCreated {
		return "created" + down + ", name" + down
	}
	return "title" + down + ", name" + down
}

// Part gives a part of the pools of a space, and how many there are of them. Permission: pool:read in the space.
func (s *Service) Part(ctx context.Context, space string, q Query) (list []Pool, total int, err error) {
	if err := s.Access.Authorize(ctx, "pool:read", space); err != nil {
		return nil, 0, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		w := &store.Where{}
		w.Add("space = " + w.Arg(space))
		w.Add(w.Finds("title", q.Search))
		if list, total, err = store.Part(ctx, tx, poolColumns, "pools", w, q.order(), q.Offset, q.Size(), scan); err != nil {
			return err
		}
		for i := range list {
			if err := s.count(ctx, tx, &list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return list, total, fault.Wrap(err, "list the worker pools of %s", space)
}

// Titled gives the pools of a space that have one of some titles, by name, without how they do. Permission: pool:read in the space.
func (s *Service) Titled(ctx context.Context, space string, titles ...string) (list []Pool, err error) {
	if err := s.Access.Authorize(ctx, "pool:read", space); err != nil {
		return nil, err
	}
	plain := make([]string, len(titles))
	for i, title := range titles {
		plain[i] = strings.ReplaceAll(strings.ToValidUTF8(title, ""), "\x00", "")
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w := &store.Where{}
		w.Add("space = " + w.Arg(space))
		w.Add(w.In("title", plain))
		rows, err := tx.Query(ctx, columns+w.String()+"ORDER BY name", w.Args...)
		list, err = store.Collect(rows, err, scan)
		return err
	})
	return list, fault.Wrap(err, "look for worker pools of %s", space)
}
