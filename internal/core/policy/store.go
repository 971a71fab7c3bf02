package policy

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations gives the room's tables.
func Migrations() store.Migrations {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return store.Migrations{Room: "policy", FS: sub}
}

// places gives "$from, $from+1, …" and the values for them.
func places(from int, values []string) (string, []any) {
	marks, args := make([]string, len(values)), make([]any, len(values))
	for i, v := range values {
		marks[i], args[i] = fmt.Sprintf("$%d", from+i), v
	}
	return strings.Join(marks, ", "), args
}

const selectPolicy = `SELECT ref, space, point, rego, version, description, attached, source FROM policy_policies`

func scanPolicy(row store.Row) (p attached, err error) {
	var to string
	if err := row.Scan(&p.Ref, &p.Space, &p.Point, &p.Rego, &p.Version, &p.Description, &to, &p.Source); err != nil {
		return p, err
	}
	return p, json.Unmarshal([]byte(to), &p.To)
}

// policiesAt gives the policies that hold at a point in one of the spaces, in the order of their references.
func policiesAt(ctx context.Context, tx *store.Tx, at string, spaces []string) ([]attached, error) {
	marks, args := places(2, spaces)
	rows, err := tx.Query(ctx, selectPolicy+` WHERE point = $1 AND disabled = 0 AND space IN (`+marks+`) ORDER BY ref`, append([]any{at}, args...)...)
	return store.Collect(rows, err, scanPolicy)
}

func policyByRef(ctx context.Context, tx *store.Tx, reference string) (attached, error) {
	return store.One(tx.QueryRow(ctx, selectPolicy+` WHERE ref = $1`, reference), scanPolicy, "%s", reference)
}

func savePolicy(ctx context.Context, tx *store.Tx, p attached, disabled bool) error {
	to, err := json.Marshal(p.To)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO policy_policies (ref, space, point, rego, version, description, disabled, attached, source) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (ref) DO UPDATE SET space = excluded.space, point = excluded.point, rego = excluded.rego, version = excluded.version,
			description = excluded.description, disabled = excluded.disabled, attached = excluded.attached, source = excluded.source`,
		p.Ref, p.Space, p.Point, p.Rego, p.Version, p.Description, disabled, string(to), p.Source)
	return err
}

func deletePolicy(ctx context.Context, tx *store.Tx, reference string) error {
	_, err := tx.Exec(ctx, `DELETE FROM policy_policies WHERE ref = $1`, reference)
	return err
}

func insertDecision(ctx context.Context, tx *store.Tx, d Decision, input string) error {
	outcome, err := json.Marshal(d.Outcome)
	if err != nil {
		return err
	}
	votes, err := json.Marshal(d.Votes)
	if err != nil {
		return err
	}
	labels, err := json.Marshal(d.Labels)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO policy_decisions (id, time, point, space, run, subject, outcome, votes, input, digest, size, labels)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		d.ID, store.Micros(d.Time), d.Point, d.Space, d.Run, d.Subject, string(outcome), string(votes), input, d.Digest, d.Size, string(labels))
	return err
}

const selectDecision = `SELECT id, time, point, space, run, subject, outcome, votes, digest, size, labels, input FROM policy_decisions`

func scanDecisionAndInput(row store.Row) (d Decision, input string, err error) {
	var at int64
	var outcome, votes, labels string
	if err := row.Scan(&d.ID, &at, &d.Point, &d.Space, &d.Run, &d.Subject, &outcome, &votes, &d.Digest, &d.Size, &labels, &input); err != nil {
		return d, "", err
	}
	d.Time = store.FromMicros(at)
	if err := json.Unmarshal([]byte(outcome), &d.Outcome); err != nil {
		return d, "", err
	}
	if err := json.Unmarshal([]byte(votes), &d.Votes); err != nil {
		return d, "", err
	}
	if err := json.Unmarshal([]byte(labels), &d.Labels); err != nil {
		return d, "", err
	}
	for _, v := range d.Votes {
		d.Policies = append(d.Policies, v.Policy)
	}
	return d, input, nil
}

func decisionByID(ctx context.Context, tx *store.Tx, id string) (Decision, string, error) {
	return scanDecisionAndInput(tx.QueryRow(ctx, selectDecision+` WHERE id = $1`, id))
}

// recorded is a decision with what is kept of its input in its row.
type recorded struct {
	Decision
	kept string
}

// conditions gives what a filter lets through; none tells that nobody may see any.
func (f Filter) conditions(visible access.Set) (where string, args []any, none bool) {
	var all []string
	add := func(condition string, value any) {
		args = append(args, value)
		all = append(all, fmt.Sprintf(condition, len(args)))
	}
	for _, c := range []struct{ column, value string }{{"point", f.Point}, {"space", f.Space}, {"run", f.Run}, {"subject", f.Subject}} {
		if c.value != "" {
			add(c.column+" = $%d", c.value)
		}
	}
	if f.Policy != "" {
		add(store.Has("votes", "$%d"), `"policy":"`+strings.ToLower(f.Policy)+`"`)
	}
	if f.Run != "" {
		all = append(all, "run <> ''") // so that the partial index serves
	}
	if !f.Since.IsZero() {
		add("time >= $%d", store.Micros(f.Since))
	}
	if f.before != "" {
		add("id < $%d", f.before)
	}
	if !visible.All {
		spaces := visible.List()
		if len(spaces) == 0 {
			return "", nil, true
		}
		marks, values := places(len(args)+1, spaces)
		all, args = append(all, "space IN ("+marks+")"), append(args, values...)
	}
	if len(all) > 0 {
		where = " WHERE " + strings.Join(all, " AND ")
	}
	return where, args, false
}

func countDecisions(ctx context.Context, tx *store.Tx, f Filter, visible access.Set) (n int, err error) {
	where, args, none := f.conditions(visible)
	if none {
		return 0, nil
	}
	err = tx.QueryRow(ctx, `SELECT count(*) FROM policy_decisions`+where, args...).Scan(&n)
	return n, err
}

func recordedDecisions(ctx context.Context, tx *store.Tx, f Filter, visible access.Set) ([]recorded, error) {
	where, args, none := f.conditions(visible)
	if none {
		return nil, nil
	}
	rows, err := tx.Query(ctx, fmt.Sprintf("%s%s ORDER BY id DESC LIMIT %d", selectDecision, where, f.Limit), args...)
	return store.Collect(rows, err, func(row store.Row) (r recorded, err error) {
		r.Decision, r.kept, err = scanDecisionAndInput(row)
		return r, err
	})
}

func decisions(ctx context.Context, tx *store.Tx, f Filter, visible access.Set) ([]Decision, error) {
	all, err := recordedDecisions(ctx, tx, f, visible)
	found := make([]Decision, len(all))
	for i, r := range all {
		found[i] = r.Decision
	}
	return found, err
}

// AnyTx tells whether any policy is in effect at a point, wherever: where there is none, nothing needs to be prepared.
func (s *Service) AnyTx(ctx context.Context, tx *store.Tx, at string) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, `SELECT count(*) FROM policy_policies WHERE point = $1 AND disabled = 0`, at).Scan(&n)
	return n > 0, fault.Wrap(err, "look for policies at the point %s", at)
}
