package proposal

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// outsideWords gives what is kept of a forge's comments and reviews of a proposal, by the forge's ids.
func outsideWords(ctx context.Context, tx *store.Tx, proposal string) (w words, err error) {
	w = words{comments: map[string]Comment{}, reviews: map[string]Review{}}
	if err := tx.QueryRow(ctx, "SELECT looks FROM proposals WHERE id = $1", proposal).Scan(&w.looks); err != nil {
		return w, fault.Wrap(err, "count the looks")
	}
	rows, err := tx.Query(ctx, "SELECT "+commentColumns+" FROM proposal_comments WHERE proposal = $1 AND there <> ''", proposal)
	comments, err := store.Collect(rows, err, scanComment)
	if err != nil {
		return w, fault.Wrap(err, "read the comments")
	}
	for _, c := range comments {
		w.comments[c.There] = c
	}
	rows, err = tx.Query(ctx, "SELECT "+reviewColumns+" FROM proposal_reviews WHERE proposal = $1 AND there <> ''", proposal)
	reviews, err := store.Collect(rows, err, scanReview)
	for _, r := range reviews {
		w.reviews[r.There] = r
	}
	return w, fault.Wrap(err, "read the reviews")
}

// kept tells whether a comment or a review of a forge is kept already, as another may have done meanwhile.
func kept(ctx context.Context, tx *store.Tx, table, proposal, there string) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM "+table+" WHERE proposal = $1 AND there = $2", proposal, there).Scan(&n)
	return n > 0, err
}

// countLook tells that a look at the forge is the last that was written, when no other was written since it began. A look
// of 0 outruns all that have begun.
func countLook(ctx context.Context, tx *store.Tx, id string, look int64) error {
	n, err := tx.Exec(ctx, "UPDATE proposals SET looks = looks + 1 WHERE id = $1 AND CAST($2 AS BIGINT) IN (looks + 1, 0)", id, look)
	if err == nil && n == 0 {
		return errOutrun
	}
	return fault.Wrap(err, "count the looks")
}

// lastLook refuses when another look than the given was written last. It holds the proposal until the transaction ends.
func lastLook(ctx context.Context, tx *store.Tx, id string, look int64) error {
	var last int64
	err := tx.QueryRow(ctx, "SELECT looks FROM proposals WHERE id = $1"+tx.ForUpdate(), id).Scan(&last)
	if err == nil && last != look {
		return errOutrun
	}
	return fault.Wrap(err, "count the looks")
}

func insertOutsideComment(ctx context.Context, tx *store.Tx, proposal string, c Comment) (fresh bool, err error) {
	if there, err := kept(ctx, tx, "proposal_comments", proposal, c.There); err != nil || there {
		return false, err
	}
	return true, insertComment(ctx, tx, proposal, c)
}

// claimComment gives a comment that was kept as the platform's account's to who said it here; false when that is done.
func claimComment(ctx context.Context, tx *store.Tx, proposal string, c Comment) (id string, claimed bool, err error) {
	n, err := tx.Exec(ctx, `UPDATE proposal_comments SET author = $3, body = $4, reply_to = $5, path = $6, start_line = $7, line = $8, old = $9, commit_id = $10, quote = $11,
 now_commit = '', login = '', posted = 1 WHERE proposal = $1 AND there = $2 AND posted = 0`, proposal, c.There, c.Author, c.Body, c.ReplyTo, c.Path, c.Start, c.Line, c.Old, c.Commit, c.Quote)
	if err == nil {
		err = tx.QueryRow(ctx, "SELECT id FROM proposal_comments WHERE proposal = $1 AND there = $2", proposal, c.There).Scan(&id)
	}
	return id, n > 0, fault.Wrap(err, "keep whose comment it is")
}

// commanded tells whether a comment of a forge was read for commands before: one that was gone and came again is the same.
func commanded(ctx context.Context, tx *store.Tx, proposal, there string) (bool, error) {
	return kept(ctx, tx, "proposal_commands", proposal, there)
}

func insertOutsideReview(ctx context.Context, tx *store.Tx, proposal string, r Review) (fresh bool, err error) {
	if there, err := kept(ctx, tx, "proposal_reviews", proposal, r.There); err != nil || there {
		return false, err
	}
	return true, insertReview(ctx, tx, proposal, r)
}

func dropComment(ctx context.Context, tx *store.Tx, id string) error {
	_, err := tx.Exec(ctx, "DELETE FROM proposal_comments WHERE id = $1", id)
	return fault.Wrap(err, "drop the comment")
}

func saveVerdict(ctx context.Context, tx *store.Tx, id, verdict string) error {
	_, err := tx.Exec(ctx, "UPDATE proposal_reviews SET verdict = $2 WHERE id = $1", id, verdict)
	return fault.Wrap(err, "keep the verdict")
}

// setOutsideCheck keeps a check of a forge, unless a run says one of its name.
func setOutsideCheck(ctx context.Context, tx *store.Tx, repository, commit string, c Check) (changed bool, err error) {
	known, err := checks(ctx, tx, repository, commit)
	if err != nil {
		return false, err
	}
	for _, k := range known {
		if k.Name == c.Name && k.Run != "" {
			return false, nil
		}
	}
	return setCheck(ctx, tx, repository, commit, c)
}

// outsideOpen gives the open proposals of a repository, by number.
func outsideOpen(ctx context.Context, tx *store.Tx, repository string) (map[int]Proposal, error) {
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM proposals WHERE repository = $1 AND state = 'open'", repository)
	all, err := store.Collect(rows, err, scan)
	byNumber := make(map[int]Proposal, len(all))
	for _, p := range all {
		byNumber[p.Number] = p
	}
	return byNumber, err
}
