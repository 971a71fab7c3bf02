package proposal

import (
	"context"
	"fmt"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// speeches gives what products say of a proposal, as it is kept, by topic.
func speeches(ctx context.Context, tx *store.Tx, proposal string) (map[string]string, error) {
	rows, err := tx.Query(ctx, "SELECT topic, speech FROM proposal_speeches WHERE proposal = $1", proposal)
	out := map[string]string{}
	_, err = store.Collect(rows, err, func(row store.Row) (topic string, err error) {
		var speech string
		err = row.Scan(&topic, &speech)
		out[topic] = speech
		return topic, err
	})
	return out, fault.Wrap(err, "read what is said of a proposal")
}

// voiceOf gives the platform's comment; the zero value when there is none.
func voiceOf(ctx context.Context, tx *store.Tx, proposal string) (voiced, error) {
	v, err := store.One(tx.QueryRow(ctx, "SELECT comment, said FROM proposal_voices WHERE proposal = $1", proposal), func(row store.Row) (v voiced, err error) {
		return v, row.Scan(&v.comment, &v.said)
	}, "comment of the platform")
	if fault.Is(err, fault.NotFound) {
		return voiced{}, nil
	}
	return v, err
}

func saveVoice(ctx context.Context, tx *store.Tx, proposal string, v voiced) error {
	_, err := tx.Exec(ctx, `INSERT INTO proposal_voices (proposal, comment, said) VALUES ($1,$2,$3)
 ON CONFLICT (proposal) DO UPDATE SET comment = excluded.comment, said = excluded.said`, proposal, v.comment, v.said)
	return fault.Wrap(err, "keep where the platform's comment is")
}

// newestCommands gives the newest commands of some words that comments at the forge gave, the newest first.
func newestCommands(ctx context.Context, tx *store.Tx, proposal string, words []string, most int) ([]Command, error) {
	if len(words) == 0 {
		return nil, nil
	}
	w := &store.Where{}
	w.Equal("proposal", proposal)
	w.Add(w.In("name", words))
	w.Add("there <> ''")
	rows, err := tx.Query(ctx, "SELECT "+commandColumns+" FROM proposal_commands"+w.String()+fmt.Sprintf(" ORDER BY created DESC, comment DESC, ordinal DESC LIMIT %d", most), w.Args...)
	return store.Collect(rows, err, scanCommand)
}

// strangersOf gives the accounts that were told that they are nobody's.
func strangersOf(ctx context.Context, tx *store.Tx, proposal string) ([]string, error) {
	rows, err := tx.Query(ctx, "SELECT login FROM proposal_strangers WHERE proposal = $1 ORDER BY login", proposal)
	return store.Collect(rows, err, func(row store.Row) (login string, err error) { return login, row.Scan(&login) })
}

// keepStranger notes such an account, unless it is noted, or there are enough of them.
func keepStranger(ctx context.Context, tx *store.Tx, proposal, login string) (fresh bool, err error) {
	known, err := strangersOf(ctx, tx, proposal)
	if err != nil || len(known) >= strangersMost || slices.Contains(known, login) {
		return false, err
	}
	_, err = tx.Exec(ctx, "INSERT INTO proposal_strangers (proposal, login) VALUES ($1,$2) ON CONFLICT DO NOTHING", proposal, login)
	return err == nil, fault.Wrap(err, "note a stranger")
}
