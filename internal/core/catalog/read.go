package catalog

import (
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Get gives an entity. It needs entity:read in its space; otherwise it is fault.NotFound. Of the relations that others
// declare it gives those whose entity the reader may see.
func (s *Service) Get(ctx context.Context, r ref.Entity) (Entity, error) {
	list, err := s.ByRefs(ctx, []ref.Entity{r})
	if err != nil {
		return Entity{}, err
	}
	if list[0] == nil {
		return Entity{}, access.NotFound("entity " + r.String())
	}
	return *list[0], nil
}

// GetTx gives an entity to a product, unauthorised, in its own transaction, with the relations that it declares itself.
func (s *Service) GetTx(ctx context.Context, tx *store.Tx, r ref.Entity) (Entity, error) {
	list, err := s.read(ctx, tx, []string{r.String()}, never, func(string) bool { return true })
	if err != nil {
		return Entity{}, err
	}
	if len(list) == 0 {
		return Entity{}, fault.Errorf(fault.NotFound, "entity %s does not exist", r)
	}
	return list[0], nil
}

// How many relations of each type that others declare are shown of an entity: of a few entities more of them, since a
// company's largest group has all its people. Of what has more Cut is set.
const (
	mostInverse = 2000
	moreInverse = 20_000
	fewEntities = 10
)

// mostRelations gives how many of each type of n entities are shown.
func mostRelations(n int) int {
	if n <= fewEntities {
		return moreInverse
	}
	return mostInverse
}

// addInverse adds the relations that others declare.
func addInverse(x *index.Index, visible access.Set, entities []*Entity) {
	most := mostRelations(len(entities))
	refs := make([]string, len(entities))
	for i := range entities {
		refs[i] = entities[i].Ref.String()
	}
	for i, back := range x.Inverse(refs, visible, most+1) {
		entities[i].addInverse(make([]document.Relation, 0, len(entities[i].Relations)+len(back)), back, most)
	}
}

// addInverse adds what is declared by others, at most so many of each type. The relations stand in room then, which is
// given back with them.
func (e *Entity) addInverse(room []document.Relation, back []index.Relation, most int) []document.Relation {
	if len(back) == 0 {
		return room
	}
	whole := len(back)
	back = atMostOfEach(back, most)
	e.Cut = len(back) < whole
	from := len(room)
	room = append(room, e.Relations...)
	for _, r := range back {
		room = append(room, document.Relation{Type: r.Type, Target: parseStored(r.Target)})
	}
	e.Relations = slices.Clip(sort(room[from:]))
	return room
}

// atMostOfEach keeps the first relations of each type, which stand together.
func atMostOfEach(list []index.Relation, most int) []index.Relation {
	kept, n := list[:0], 0
	for i, r := range list {
		if i > 0 && r.Type != list[i-1].Type {
			n = 0
		}
		if n++; n <= most {
			kept = append(kept, r)
		}
	}
	return kept
}

func sorted(relations []document.Relation) []document.Relation { return sort(slices.Clone(relations)) }

// pointers gives where the items of a list are.
func pointers[T any](list []T) []*T {
	all := make([]*T, len(list))
	for i := range list {
		all[i] = &list[i]
	}
	return all
}

// sort orders relations where they are, each once.
func sort(relations []document.Relation) []document.Relation {
	slices.SortFunc(relations, func(a, b document.Relation) int {
		if c := strings.Compare(a.Type, b.Type); c != 0 {
			return c
		}
		if a.Target.Kind == b.Target.Kind && a.Target.Namespace == b.Target.Namespace {
			return strings.Compare(a.Target.Name, b.Target.Name) // as most are; the texts need not be made
		}
		return strings.Compare(a.Target.String(), b.Target.String())
	})
	return slices.Compact(relations)
}

// addFiles says where the files of entities are.
func (s *Service) addFiles(ctx context.Context, ask asking, entities []*row, moment int64) error {
	known := map[string]Location{}
	find := func(id string) (Location, error) {
		l, read := known[id]
		if read {
			return l, nil
		}
		l, err := s.located.At(moment, id, func() (Location, error) {
			var l Location
			err := ask(func(tx *store.Tx) (err error) {
				l, err = locationByID(ctx, tx, id)
				return err
			})
			if fault.Is(err, fault.NotFound) {
				err = nil
			}
			return l, err
		})
		known[id] = l
		return l, err
	}
	for i := range entities {
		id, ok := strings.CutPrefix(entities[i].Source, locationPrefix)
		if !ok {
			continue
		}
		l, err := find(id)
		if err != nil {
			return err
		}
		entities[i].File, entities[i].Origin = l.file(), l.file()
		entities[i].File.Location, entities[i].File.Path = id, entities[i].path
		if l.kept || l.Origin == "" {
			continue
		}
		if l, err = find(l.Origin); err != nil {
			return err
		}
		if l.ID != "" {
			entities[i].Origin = l.file()
		}
	}
	return nil
}

func (l Location) file() File {
	return File{Location: l.ID, Repository: l.Repository, Branch: l.Branch, Path: l.Path, Commit: l.Commit, Home: l.Home}
}
