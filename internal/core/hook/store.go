package hook

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations gives the tables of this room.
func Migrations() store.Migrations {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return store.Migrations{Room: "hook", FS: files}
}

const columns = `number, integration, delivery, size, stored, received, state, rounds, repeats, repeated, kind, name, lane, repository, sender, attempts, due, handled, outcome`

func scanDelivery(row store.Row) (Delivery, error) {
	var d Delivery
	var stored, received, repeated, due, handled int64
	err := row.Scan(&d.Number, &d.Integration, &d.ID, &d.Size, &stored, &received, &d.State, &d.rounds, &d.Repeats, &repeated,
		&d.Kind, &d.Name, &d.lane, &d.Repository, &d.Sender, &d.Attempts, &due, &handled, &d.Outcome)
	d.Kept = stored > 0
	d.Received, d.Repeated, d.Due, d.Handled = store.FromMicros(received), store.FromMicros(repeated), store.FromMicros(due), store.FromMicros(handled)
	return d, err
}

func getDelivery(ctx context.Context, tx *store.Tx, integration string, number int64) (Delivery, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+columns+" FROM hook_deliveries WHERE number = $1 AND integration = $2", number, integration),
		scanDelivery, "delivery %d of integration %s", number, integration)
}

func listDeliveries(ctx context.Context, tx *store.Tx, integration string, q Query, part page.Request) (list page.Of[Delivery], err error) {
	before, err := part.Number()
	if err != nil {
		return list, err
	}
	w := &store.Where{}
	w.Equal("integration", integration)
	if q.State != "" {
		w.Add("state = '" + map[string]string{Received: Received, Done: Done, Ignored: Ignored, Failed: Failed}[q.State] + "'") // as it stands in an index
	}
	w.Equal("kind", q.Kind)
	if before > 0 {
		w.Add("number < " + w.Arg(before))
	}
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM hook_deliveries"+w.String()+"ORDER BY number DESC LIMIT "+w.Arg(part.Window()), w.Args...)
	all, err := store.Collect(rows, err, scanDelivery)
	return page.Cut(all, part, func(d Delivery) string { return number(d.Number) }), err
}

// reopen has a delivery handled again.
func reopen(ctx context.Context, tx *store.Tx, number int64) error {
	_, err := tx.Exec(ctx, `UPDATE hook_deliveries SET state = 'received', sorted = 0, rounds = rounds + 1, attempts = 0, due = 0, handled = 0, outcome = ''
WHERE number = $1`, number)
	return err
}

func readTraffic(ctx context.Context, tx *store.Tx, integration string) (t Traffic, err error) {
	var last int64
	err = tx.QueryRow(ctx, `SELECT received FROM hook_deliveries WHERE integration = $1 ORDER BY number DESC LIMIT 1`, integration).Scan(&last)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return t, err
	}
	t.Last = store.FromMicros(last)
	if err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM hook_deliveries WHERE integration = $1 AND state = 'received'`, integration).Scan(&t.Waiting); err != nil {
		return t, err
	}
	err = tx.QueryRow(ctx, `SELECT count, last, reason, client FROM hook_refusals WHERE integration = $1`, integration).Scan(&t.Refused.Count, &last, &t.Refused.Reason, &t.Refused.Client)
	if fault.Is(err, fault.NotFound) {
		return t, nil
	}
	t.Refused.Last = store.FromMicros(last)
	return t, err
}

// setSorted writes what a delivery is about, unless it was sorted meanwhile.
func setSorted(ctx context.Context, tx *store.Tx, d Delivery, now time.Time) (bool, error) {
	handled := int64(0)
	if d.State != Received {
		handled = store.Micros(now)
	}
	n, err := tx.Exec(ctx, `UPDATE hook_deliveries SET sorted = 1, state = $1, kind = $2, name = $3, lane = $4, repository = $5, sender = $6, handled = $7, outcome = $8
WHERE number = $9 AND sorted = 0 AND rounds = $10`, d.State, string(d.Kind), d.Name, d.lane, d.Repository, d.Sender, handled, d.Outcome, d.Number, d.rounds)
	return n == 1, err
}

// setHandled writes what came of an attempt, unless the delivery came again meanwhile.
func setHandled(ctx context.Context, tx *store.Tx, d Delivery) (bool, error) {
	n, err := tx.Exec(ctx, `UPDATE hook_deliveries SET state = $1, attempts = $2, due = $3, handled = $4, outcome = $5 WHERE number = $6 AND state = 'received' AND rounds = $7`,
		d.State, d.Attempts, store.Micros(d.Due), store.Micros(d.Handled), d.Outcome, d.Number, d.rounds)
	return n == 1, err
}

// tell appends what happened to a delivery.
func (s *Service) tell(ctx context.Context, tx *store.Tx, space, kind string, d Delivery, reason string) error {
	data := map[string]any{"number": d.Number, "delivery": clip(d.ID, 300), "kind": d.Kind, "name": clip(d.Name, 300), "repository": clip(d.Repository, 500)}
	if reason != "" {
		data["reason"] = clip(reason, 1000)
	}
	return s.append(ctx, tx, space, kind, d.Integration, data)
}

func (s *Service) append(ctx context.Context, tx *store.Tx, space, kind, integration string, data map[string]any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Space: space, Type: kind, Subject: "integration:" + integration, Data: raw})
	return err
}
