package ledger

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Report is what Verify found.
type Report struct {
	Entries  int64  // that are as they were sealed
	Head     int64  // position of the last one
	HeadHash []byte // compare it with one that was noted elsewhere: it stands for the whole history
	Pending  int64  // that were appended and wait to be sealed; nothing stands for them yet
	Broken   *Break // the first thing that is wrong; nil when all is well
}

// Break is a place where the ledger is not as it was sealed.
type Break struct {
	Position int64
	Why      string
}

// Verify reads the whole ledger, in pieces and while it is in use, and checks positions, hashes, the index
// of refs, the head and the cursors. Only an unreadable database is an error; what is wrong is in Report.Broken.
func Verify(ctx context.Context, db *store.DB) (Report, error) {
	var report Report
	var end int64
	var endHash []byte
	var cursor, mentioned int64
	err := db.Read(ctx, func(tx *store.Tx) (err error) {
		if end, endHash, err = head(ctx, tx, ""); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT (SELECT COALESCE(MAX(position), 0) FROM ledger_cursors), (SELECT COUNT(*) FROM ledger_pending)`).
			Scan(&cursor, &report.Pending)
	})
	if err != nil {
		return report, fault.Wrap(err, "verify the ledger")
	}
	for report.Broken == nil && report.Head < end {
		before := report.Head
		n, err := verifyPiece(ctx, db, &report, end)
		if err != nil {
			return report, fault.Wrap(err, "verify the ledger after %d", before)
		}
		mentioned += n
		if report.Head == before && report.Broken == nil {
			report.Broken = &Break{before + 1, fmt.Sprintf("the last entries are missing, up to %d", end)}
		}
	}
	switch {
	case report.Broken != nil:
	case !bytes.Equal(report.HeadHash, endHash):
		report.Broken = &Break{end, "its hash is not the one that was noted as the head"}
	case cursor > end:
		report.Broken = &Break{end + 1, fmt.Sprintf("the last entries are missing: a subscriber has read up to %d", cursor)}
	default:
		report.Broken, err = verifyEnd(ctx, db, end, mentioned)
	}
	return report, fault.Wrap(err, "verify the ledger")
}

// verifyEnd looks for rows that belong to no entry: behind the head, or in the index of refs, which has
// mentioned rows for the entries up to end.
func verifyEnd(ctx context.Context, db *store.DB, end, mentioned int64) (broken *Break, err error) {
	err = db.Read(ctx, func(tx *store.Tx) error {
		now, _, err := head(ctx, tx, "")
		if err != nil {
			return err
		}
		var last, refs, behind int64
		if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(position), 0) FROM ledger_entries`).Scan(&last); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT COUNT(CASE WHEN position <= $1 THEN 1 END), COUNT(CASE WHEN position > $2 THEN 1 END)
			FROM ledger_refs`, end, now).Scan(&refs, &behind); err != nil {
			return err
		}
		switch {
		case last > now:
			broken = &Break{now + 1, "an entry was added behind the head"}
		case refs != mentioned || behind > 0:
			broken = &Break{end, "the index of refs has rows that no entry mentions"}
		}
		return nil
	})
	return broken, err
}

// verifyPiece checks the next entries after report.Head and gives how many refs they mention.
func verifyPiece(ctx context.Context, db *store.DB, report *Report, end int64) (mentioned int64, err error) {
	err = db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+columns+` FROM ledger_entries e
			WHERE e.position > $1 AND e.position <= $2 ORDER BY e.position LIMIT $3`, report.Head, end, maxLimit)
		entries, err := store.Collect(rows, err, scan)
		if err != nil {
			return err
		}
		for _, e := range entries {
			why := wrong(e, report.Head+1, report.HeadHash)
			if why == "" {
				why, err = wrongRefs(ctx, tx, e)
			}
			if err != nil {
				return err
			}
			if why != "" {
				report.Broken = &Break{report.Head + 1, why}
				return nil
			}
			report.Entries++
			report.Head, report.HeadHash = e.Position, e.Hash
			mentioned += int64(len(e.mentions()))
		}
		return nil
	})
	return mentioned, err
}

func wrong(e Entry, position int64, previous []byte) string {
	switch {
	case e.Position != position:
		return fmt.Sprintf("the entry is missing; the next one is %d", e.Position)
	case !bytes.Equal(e.Previous, previous):
		return "it does not follow the entry before it: one of them was replaced or moved"
	case !bytes.Equal(e.Hash, e.sum()):
		return "its content was changed after it was sealed"
	}
	return ""
}

func wrongRefs(ctx context.Context, tx *store.Tx, e Entry) (string, error) {
	mentions := e.mentions()
	if len(mentions) == 0 {
		return "", nil
	}
	args, marks := []any{e.Position}, make([]string, len(mentions))
	for i, m := range mentions {
		args = append(args, m)
		marks[i] = fmt.Sprintf("$%d", i+2)
	}
	var found int
	err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM ledger_refs WHERE position = $1 AND ref IN (`+strings.Join(marks, ", ")+`)`,
		args...).Scan(&found)
	if err != nil || found == len(mentions) {
		return "", err
	}
	return "the index of refs does not show it where it belongs", nil
}
