package repository

import (
	"context"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func insertOutside(ctx context.Context, tx *store.Tx, id string, o Outside) error {
	_, err := tx.Exec(ctx, `INSERT INTO repository_outsides (repository, integration, remote, remote_id, url, private, content, complete, fetched, mark, changed, quiet,
		listed, trouble, trouble_kind, trouble_since) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, '', 0, 0, 0, '', '', 0)`, id, o.Integration, o.Remote, o.RemoteID, o.URL, o.Private, o.Content)
	return err
}

// byRemote gives the repository that an integration knows by an id, or by the name of a remote when the id is "".
func byRemote(ctx context.Context, tx *store.Tx, integration, remoteID, remote string) (Repository, error) {
	where, value := "o.remote_id = $2", remoteID
	if remoteID == "" {
		where, value = "LOWER(o.remote) = LOWER($2)", remote
	}
	rows, err := tx.Query(ctx, selectRepository+"WHERE o.integration = $1 AND "+where+" ORDER BY r.id LIMIT 1", integration, value)
	found, err := store.Collect(rows, err, scanRepository)
	if err == nil && len(found) == 0 {
		err = fault.Errorf(fault.NotFound, "%s of %s is not connected", remote, integration)
	}
	if err != nil {
		return Repository{}, err
	}
	return found[0], nil
}

// byPage gives the repositories that have their page there, or else the former ones, which had it before they were renamed at the
// forge, those first that had it last. One that is connected twice has two rows, which learn of a new name one after the other:
// until both have, the one that was first stays first.
func byPage(ctx context.Context, tx *store.Tx, page string) (names []string, former bool, err error) {
	for _, from := range []string{
		`WHERE r.deleted = 0 AND r.id IN (
			SELECT repository FROM repository_outsides WHERE LOWER(url) = LOWER($1)
			UNION SELECT p.repository FROM repository_former_pages p JOIN repository_outsides had ON had.repository = p.repository
			JOIN repository_outsides has ON LOWER(has.url) = LOWER($1) AND has.remote_id = had.remote_id
			JOIN repositories there ON there.id = has.repository AND there.deleted = 0 WHERE p.page = LOWER($1)) ORDER BY r.id`,
		`JOIN repository_former_pages p ON p.repository = r.id WHERE r.deleted = 0 AND p.page = LOWER($1) ORDER BY p.until DESC, r.id`,
	} {
		rows, err := tx.Query(ctx, `SELECT r.namespace, r.name FROM repositories r `+from+` LIMIT 50`, page)
		names, err := store.Collect(rows, err, func(row store.Row) (string, error) {
			var namespace, name string
			err := row.Scan(&namespace, &name)
			return namespace + "/" + name, err
		})
		if err != nil || len(names) > 0 {
			return names, former, err
		}
		former = true
	}
	return nil, false, nil
}

const maxFormerPages = 20 // of one repository, the last ones

// addFormerPage notes that a repository had its page there until now.
func addFormerPage(ctx context.Context, tx *store.Tx, id, page string, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO repository_former_pages (repository, page, until) VALUES ($1, LOWER($2), $3)
		ON CONFLICT (repository, page) DO UPDATE SET until = excluded.until`, id, page, now)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM repository_former_pages WHERE repository = $1 AND page NOT IN
		(SELECT page FROM repository_former_pages WHERE repository = $1 ORDER BY until DESC, page LIMIT $2)`, id, maxFormerPages)
	return err
}

// setRemote writes where a repository lives.
func setRemote(ctx context.Context, tx *store.Tx, id string, o Outside) error {
	_, err := tx.Exec(ctx, `UPDATE repository_outsides SET remote = $2, url = $3, private = $4 WHERE repository = $1`, id, o.Remote, o.URL, o.Private)
	return err
}

// setFetched writes when something was fetched; complete says that all of its references are in the rows.
func setFetched(ctx context.Context, tx *store.Tx, id string, at time.Time, complete bool) error {
	_, err := tx.Exec(ctx, `UPDATE repository_outsides SET fetched = $2, complete = CASE WHEN $3 = 1 THEN 1 ELSE complete END WHERE repository = $1`,
		id, at, complete)
	return err
}

// setSeen writes what was seen of it at the forge.
func setSeen(ctx context.Context, tx *store.Tx, id string, v view) error {
	_, err := tx.Exec(ctx, `UPDATE repository_outsides SET mark = $2, changed = $3, quiet = $4, listed = $5 WHERE repository = $1`,
		id, v.mark, v.changed, v.quiet, v.listed)
	return err
}

// setTrouble writes why a repository can't be fetched, or that it can.
func setTrouble(ctx context.Context, tx *store.Tx, id string, o Outside) error {
	_, err := tx.Exec(ctx, `UPDATE repository_outsides SET trouble = $2, trouble_kind = $3, trouble_since = $4 WHERE repository = $1`,
		id, o.Trouble, o.TroubleKind, o.TroubleSince)
	return err
}

// outsider is what the loop needs to know of a repository.
type outsider struct{ id, integration string }

func outsiders(ctx context.Context, tx *store.Tx) ([]outsider, error) {
	rows, err := tx.Query(ctx, `SELECT repository, integration FROM repository_outsides`)
	return store.Collect(rows, err, func(row store.Row) (o outsider, err error) {
		err = row.Scan(&o.id, &o.integration)
		return o, err
	})
}

// connected gives the full names, by ids at the forge, of the repositories that are connected by an integration.
func connected(ctx context.Context, tx *store.Tx, integration string, ids []string) (map[string]Repository, error) {
	w := &store.Where{}
	w.Add("o.integration = " + w.Arg(integration))
	w.Add(w.In("o.remote_id", ids))
	rows, err := tx.Query(ctx, selectRepository+w.String(), w.Args...)
	found, err := store.Collect(rows, err, scanRepository)
	byID := map[string]Repository{}
	for _, r := range found {
		byID[r.Outside.RemoteID] = r
	}
	return byID, err
}

// addOutgoing notes a reference that is about to move at the forge, and by whom.
func addOutgoing(ctx context.Context, tx *store.Tx, id, name, hash string, m mark, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO repository_outgoing (repository, ref, hash, actor, platform, cause, run, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (repository, ref, hash) DO UPDATE SET actor = excluded.actor, platform = excluded.platform, cause = excluded.cause,
		run = excluded.run, at = excluded.at`, id, name, hash, m.actor, m.platform, m.cause, m.run, now)
	return err
}

func dropOutgoing(ctx context.Context, tx *store.Tx, id, name, hash string) error {
	_, err := tx.Exec(ctx, `DELETE FROM repository_outgoing WHERE repository = $1 AND ref = $2 AND hash = $3`, id, name, hash)
	return err
}

// outgoing gives who moved a reference to a hash at the forge from here, after a time. NotFound when nobody did.
func outgoing(ctx context.Context, tx *store.Tx, id, name, hash string, after time.Time) (m mark, err error) {
	err = tx.QueryRow(ctx, `SELECT actor, platform, cause, run FROM repository_outgoing WHERE repository = $1 AND ref = $2 AND hash = $3 AND at > $4`,
		id, name, hash, after).Scan(&m.actor, &m.platform, &m.cause, &m.run)
	return m, err
}

// addTold notes that something a forge told is in the ledger; it gives false when it was there already.
func addTold(ctx context.Context, tx *store.Tx, id, digest string, now time.Time) (bool, error) {
	n, err := tx.Exec(ctx, `INSERT INTO repository_told (repository, digest, at) VALUES ($1, $2, $3) ON CONFLICT (repository, digest) DO NOTHING`,
		id, digest, now)
	return n == 1, err
}

// forget drops what is too old to come again.
func forget(ctx context.Context, tx *store.Tx, before time.Time) error {
	if _, err := tx.Exec(ctx, `DELETE FROM repository_told WHERE at < $1`, before); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM repository_outgoing WHERE at < $1`, before)
	return err
}
