package repository

import (
	"context"
	"encoding/json"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// pushesLookedAt bounds how far back Pusher looks.
const pushesLookedAt = 200

// Pusher gives the principal that pushed a commit as the head of a branch or tag, as the ledger tells it among the
// newest pushes; "system" when it does not.
func (p Platform) Pusher(ctx context.Context, repository, commit string) (string, error) {
	var entries []ledger.Entry
	err := p.s.db.Read(ctx, func(tx *store.Tx) (err error) {
		entries, err = p.s.ledger.List(ctx, tx, ledger.Query{
			Ref: Subject(repository), Types: []string{"repository.pushed"}, Descending: true, Limit: pushesLookedAt,
		})
		return err
	})
	if err != nil {
		return "", fault.Wrap(err, "find who pushed %s", commit)
	}
	for _, e := range entries {
		var push Push
		if json.Unmarshal(e.Data, &push) == nil && push.New == commit {
			return e.Actor, nil
		}
	}
	return "system", nil
}
