package catalog

import (
	"context"
	"encoding/json"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// marked is the entry that tells that some of a group of entities have another error than before, or are orphans.
const marked = "entities.marked"

// group names entities by a key of the index.
type group struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func ofSource(source string) group { return group{index.KeySource, source} }

// mark notes why a source's latest text of entities, which are of a group, was not taken.
func (s *Service) mark(ctx context.Context, tx *store.Tx, space string, g group, names []string, why string) error {
	news, err := s.setErrors(ctx, tx, names, why)
	if err != nil || !news {
		return err
	}
	return s.tellMarks(ctx, tx, space, g)
}

// keepOrphans notes that no file declares entities of a group any more.
func (s *Service) keepOrphans(ctx context.Context, tx *store.Tx, space string, g group, names []string) error {
	news := false
	err := among(tx.Dialect(), nil, names, func(in string, args []any) error {
		n, err := tx.Exec(ctx, `UPDATE entities SET orphan = 1 WHERE orphan = 0 AND ref `+in, args...)
		news = news || n > 0
		return fault.Wrap(err, "note that entities are orphans")
	})
	if err != nil || !news {
		return err
	}
	tx.OnCommit(func() { s.follower.index.Touch(names...) })
	return s.tellMarks(ctx, tx, space, g)
}

// tellMarks tells that something is noted of entities of a group.
func (s *Service) tellMarks(ctx context.Context, tx *store.Tx, space string, g group) error {
	data, err := json.Marshal(g)
	if err != nil {
		return err
	}
	if space == "" {
		space = access.Root
	}
	_, err = s.ledger.Append(ctx, tx, ledger.Entry{Space: space, Type: marked, Subject: g.Value, Data: data})
	return fault.Wrap(err, "note what is wrong with entities")
}

// setErrors sets the errors of entities, "" for none, and tells whether that is news. Others learn of it from what the
// caller tells.
func (s *Service) setErrors(ctx context.Context, tx *store.Tx, names []string, message string) (news bool, err error) {
	err = among(tx.Dialect(), []any{clip(message)}, names, func(in string, args []any) error {
		n, err := tx.Exec(ctx, `UPDATE entities SET error = $1 WHERE error <> $1 AND ref `+in, args...)
		news = news || n > 0
		return fault.Wrap(err, "note the error of entities")
	})
	if news {
		tx.OnCommit(func() { s.follower.index.Touch(names...) })
	}
	return news, err
}
