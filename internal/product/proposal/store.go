package proposal

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"strings"

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
	return store.Migrations{Room: "proposal", FS: files}
}

const columns = `id, repository, number, space, title, body, state, draft, author, source, target, head, base, target_head, standing,
merge_commit, merged_by, merge_way, auto_way, auto_by, shown, created, updated, ended, touches, there, version`

func scan(row store.Row) (p Proposal, err error) {
	var standing, touches, there string
	var created, updated, ended int64
	if err := row.Scan(&p.ID, &p.Repository, &p.Number, &p.Space, &p.Title, &p.Body, &p.State, &p.Draft, &p.Author, &p.Source, &p.Target,
		&p.Head, &p.Base, &p.targetHead, &standing, &p.Merge, &p.MergedBy, &p.MergeWay, &p.Auto.Way, &p.Auto.By, &p.shown, &created, &updated, &ended, &touches, &there, &p.Version); err != nil {
		return p, err
	}
	p.Created, p.Updated, p.Ended = store.FromMicros(created), store.FromMicros(updated), store.FromMicros(ended)
	p.Touches = strings.Fields(touches)
	if there != "" {
		if err := json.Unmarshal([]byte(there), &p.There); err != nil {
			return p, err
		}
	}
	return p, json.Unmarshal([]byte(standing), &p.Standing)
}

// insert keeps a new proposal. One that lives at a forge has its number; a hosted one gets the repository's next.
func insert(ctx context.Context, tx *store.Tx, p *Proposal) error {
	if p.There == nil {
		if err := number(ctx, tx, p); err != nil {
			return err
		}
	}
	standing, there, err := p.packed()
	if err != nil {
		return err
	}
	n, err := tx.Exec(ctx, `INSERT INTO proposals (`+columns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,$26,$27)
 ON CONFLICT DO NOTHING`,
		p.ID, p.Repository, p.Number, p.Space, p.Title, p.Body, p.State, p.Draft, p.Author, p.Source, p.Target, p.Head, p.Base, p.targetHead, standing,
		p.Merge, p.MergedBy, p.MergeWay, p.Auto.Way, p.Auto.By, p.shown, store.Micros(p.Created), store.Micros(p.Updated), store.Micros(p.Ended), strings.Join(p.Touches, "\n"), there, p.Version)
	if err == nil && n == 0 {
		return fault.Errorf(fault.Conflict, "there is an open proposal of %s into %s already", p.Source, p.Target)
	}
	return fault.Wrap(err, "keep the proposal")
}

// packed gives what is kept as text.
func (p *Proposal) packed() (standing, there string, err error) {
	s, err := json.Marshal(p.Standing)
	if err != nil || p.There == nil {
		return string(s), "", err
	}
	t, err := json.Marshal(p.There)
	return string(s), string(t), err
}

// number gives a hosted proposal its number.
func number(ctx context.Context, tx *store.Tx, p *Proposal) error {
	err := tx.QueryRow(ctx, `INSERT INTO proposal_numbers (repository, last) VALUES ($1, 1)
 ON CONFLICT (repository) DO UPDATE SET last = proposal_numbers.last + 1 RETURNING last`, p.Repository).Scan(&p.Number)
	return fault.Wrap(err, "number the proposal")
}

// save writes a proposal that was read in the same transaction.
func save(ctx context.Context, tx *store.Tx, p *Proposal) error {
	standing, there, err := p.packed()
	if err != nil {
		return err
	}
	p.Version++
	_, err = tx.Exec(ctx, `UPDATE proposals SET title=$2, body=$3, state=$4, draft=$5, target=$6, head=$7, base=$8, standing=$9, merge_commit=$10,
 merged_by=$11, merge_way=$12, auto_way=$13, auto_by=$14, updated=$15, ended=$16, version=$17, there=$18, touches=$19, target_head=$20 WHERE id=$1`,
		p.ID, p.Title, p.Body, p.State, p.Draft, p.Target, p.Head, p.Base, standing, p.Merge, p.MergedBy, p.MergeWay, p.Auto.Way, p.Auto.By,
		store.Micros(p.Updated), store.Micros(p.Ended), p.Version, there, strings.Join(p.Touches, "\n"), p.targetHead)
	return fault.Wrap(err, "keep proposal %d", p.Number)
}

// saveShown writes what the references of a proposal lead to.
func saveShown(ctx context.Context, tx *store.Tx, id, shown string) error {
	_, err := tx.Exec(ctx, "UPDATE proposals SET shown = $2 WHERE id = $1", id, shown)
	return fault.Wrap(err, "keep what proposal %s leads to", id)
}

// byNumber gives a proposal; locked, it stays as it is until the transaction ends.
func byNumber(ctx context.Context, tx *store.Tx, repository string, number int, lock string) (Proposal, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+columns+" FROM proposals WHERE repository = $1 AND number = $2"+lock, repository, number), scan, "proposal %d", number)
}

func byID(ctx context.Context, tx *store.Tx, id, lock string) (Proposal, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+columns+" FROM proposals WHERE id = $1"+lock, id), scan, "proposal %s", id)
}

// openOf gives the open proposals that a branch is the source or the target of.
func openOf(ctx context.Context, tx *store.Tx, repository, branch string) ([]Proposal, error) {
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM proposals WHERE repository = $1 AND state = 'open' AND (source = $2 OR target = $2) ORDER BY number", repository, branch)
	return store.Collect(rows, err, scan)
}

// fromSource gives the open proposals of a source.
func fromSource(ctx context.Context, tx *store.Tx, repository, branch string) ([]Proposal, error) {
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM proposals WHERE repository = $1 AND state = 'open' AND source = $2 ORDER BY number", repository, branch)
	return store.Collect(rows, err, scan)
}

// openAt gives the open proposals whose head is a commit.
func openAt(ctx context.Context, tx *store.Tx, repository, commit string) ([]Proposal, error) {
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM proposals WHERE repository = $1 AND state = 'open' AND head = $2 ORDER BY number", repository, commit)
	return store.Collect(rows, err, scan)
}

const commentColumns = `id, author, body, path, start_line, line, old, commit_id, quote, now_commit, now_start, now_line, reply_to, review, resolved,
applied, login, there, posted, created, updated`

func scanComment(row store.Row) (c Comment, err error) {
	var created, updated int64
	err = row.Scan(&c.ID, &c.Author, &c.Body, &c.Path, &c.Start, &c.Line, &c.Old, &c.Commit, &c.Quote, &c.at, &c.Now.Start, &c.Now.Line, &c.ReplyTo, &c.Review,
		&c.Resolved, &c.Applied, &c.Login, &c.There, &c.Posted, &created, &updated)
	c.Created, c.Updated = store.FromMicros(created), store.FromMicros(updated)
	return c, err
}

func insertComment(ctx context.Context, tx *store.Tx, proposal string, c Comment) error {
	var n int
	if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM proposal_comments WHERE proposal = $1", proposal).Scan(&n); err != nil {
		return fault.Wrap(err, "count the comments")
	}
	if n >= commentsMost {
		return fault.Errorf(fault.TooLarge, "a proposal has at most %d comments; open another one", commentsMost)
	}
	_, err := tx.Exec(ctx, "INSERT INTO proposal_comments (proposal, "+commentColumns+") VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22)",
		proposal, c.ID, c.Author, c.Body, c.Path, c.Start, c.Line, c.Old, c.Commit, c.Quote, c.at, c.Now.Start, c.Now.Line, c.ReplyTo, c.Review, c.Resolved,
		c.Applied, c.Login, c.There, c.Posted, store.Micros(c.Created), store.Micros(c.Updated))
	return fault.Wrap(err, "keep the comment")
}

func saveComment(ctx context.Context, tx *store.Tx, c Comment) error {
	_, err := tx.Exec(ctx, "UPDATE proposal_comments SET body = $2, resolved = $3, applied = $4, updated = $5 WHERE id = $1", c.ID, c.Body, c.Resolved, c.Applied, store.Micros(c.Updated))
	return fault.Wrap(err, "keep the comment")
}

func commentByID(ctx context.Context, tx *store.Tx, proposal, id, lock string) (Comment, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+commentColumns+" FROM proposal_comments WHERE proposal = $1 AND id = $2"+lock, proposal, id), scanComment, "comment %s", id)
}

// comments gives those of a proposal, the oldest first.
func comments(ctx context.Context, tx *store.Tx, proposal string, part page.Request) ([]Comment, error) {
	w := &store.Where{}
	w.Equal("proposal", proposal)
	w.After("id", part.Cursor)
	rows, err := tx.Query(ctx, "SELECT "+commentColumns+" FROM proposal_comments"+w.String()+" ORDER BY id LIMIT "+w.Arg(part.Window()), w.Args...)
	return store.Collect(rows, err, scanComment)
}

// talksOf gives the comments that begin talks about lines, the oldest first.
func talksOf(ctx context.Context, tx *store.Tx, proposal string) ([]Comment, error) {
	rows, err := tx.Query(ctx, "SELECT "+commentColumns+" FROM proposal_comments WHERE proposal = $1 AND path <> '' AND reply_to = '' ORDER BY id", proposal)
	return store.Collect(rows, err, scanComment)
}

// savePlaces writes where the lines of talks are now, of those that were not placed by somebody else meanwhile.
func savePlaces(ctx context.Context, tx *store.Tx, talks []Comment, places map[string]Span, head, base string) error {
	for _, c := range talks {
		at := head
		if c.Old {
			at = base
		}
		now := places[c.ID]
		_, err := tx.Exec(ctx, "UPDATE proposal_comments SET now_commit = $2, now_start = $3, now_line = $4 WHERE id = $1 AND now_commit = $5", c.ID, at, now.Start, now.Line, c.at)
		if err != nil {
			return fault.Wrap(err, "place the talks")
		}
	}
	return nil
}

// openTalks counts the talks about lines that nobody settled.
func openTalks(ctx context.Context, tx *store.Tx, proposal string) (n int, err error) {
	err = tx.QueryRow(ctx, "SELECT COUNT(*) FROM proposal_comments WHERE proposal = $1 AND path <> '' AND reply_to = '' AND resolved = ''", proposal).Scan(&n)
	return n, fault.Wrap(err, "count the talks")
}

// assignees gives who looks after proposals, by the proposals' ids.
func assignees(ctx context.Context, tx *store.Tx, proposals ...string) (map[string][]string, error) {
	out := map[string][]string{}
	if len(proposals) == 0 {
		return out, nil
	}
	w := &store.Where{}
	w.Add(w.In("proposal", proposals))
	rows, err := tx.Query(ctx, "SELECT proposal, person FROM proposal_assignees"+w.String()+" ORDER BY proposal, person", w.Args...)
	_, err = store.Collect(rows, err, func(row store.Row) (id string, err error) {
		var person string
		err = row.Scan(&id, &person)
		out[id] = append(out[id], person)
		return id, err
	})
	return out, fault.Wrap(err, "read who looks after proposals")
}

// assign replaces who looks after a proposal.
func assign(ctx context.Context, tx *store.Tx, proposal string, people []string) error {
	if _, err := tx.Exec(ctx, "DELETE FROM proposal_assignees WHERE proposal = $1", proposal); err != nil {
		return fault.Wrap(err, "assign the proposal")
	}
	for _, id := range people {
		if _, err := tx.Exec(ctx, "INSERT INTO proposal_assignees (proposal, person) VALUES ($1,$2) ON CONFLICT DO NOTHING", proposal, id); err != nil {
			return fault.Wrap(err, "assign the proposal")
		}
	}
	return nil
}

// askedOf gives the owners whose approval a proposal lacks.
func askedOf(ctx context.Context, tx *store.Tx, proposal string) ([]string, error) {
	rows, err := tx.Query(ctx, "SELECT owner FROM proposal_asked WHERE proposal = $1", proposal)
	return store.Collect(rows, err, func(row store.Row) (owner string, err error) { return owner, row.Scan(&owner) })
}

// saveAsked replaces them.
func saveAsked(ctx context.Context, tx *store.Tx, proposal string, owners []string) error {
	if _, err := tx.Exec(ctx, "DELETE FROM proposal_asked WHERE proposal = $1", proposal); err != nil {
		return fault.Wrap(err, "keep who is asked")
	}
	for _, owner := range owners {
		if _, err := tx.Exec(ctx, "INSERT INTO proposal_asked (proposal, owner) VALUES ($1,$2)", proposal, owner); err != nil {
			return fault.Wrap(err, "keep who is asked")
		}
	}
	return nil
}

const commandColumns = "comment, ordinal, proposal, name, arguments, author, scopes, there, state, answer, created"

func scanCommand(row store.Row) (c Command, err error) {
	var scopes string
	var created int64
	if err := row.Scan(&c.Comment, &c.Ordinal, &c.Proposal, &c.Name, &c.Arguments, &c.Author, &scopes, &c.there, &c.State, &c.Answer, &created); err != nil {
		return c, err
	}
	c.Created = store.FromMicros(created)
	return c, json.Unmarshal([]byte(scopes), &c.scopes)
}

func insertCommand(ctx context.Context, tx *store.Tx, c Command) error {
	scopes, err := json.Marshal(c.scopes)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO proposal_commands ("+commandColumns+") VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
		c.Comment, c.Ordinal, c.Proposal, c.Name, c.Arguments, c.Author, string(scopes), c.there, c.State, c.Answer, store.Micros(c.Created))
	return fault.Wrap(err, "keep the command /%s", c.Name)
}

// saveAnswer writes what became of a command, unless that is written already.
func saveAnswer(ctx context.Context, tx *store.Tx, c Command) (changed bool, err error) {
	n, err := tx.Exec(ctx, "UPDATE proposal_commands SET state = $3, answer = $4 WHERE comment = $1 AND ordinal = $2 AND state IN ('waiting', 'passed')", c.Comment, c.Ordinal, c.State, c.Answer)
	return n > 0, fault.Wrap(err, "answer the command /%s", c.Name)
}

// commandsOf gives the commands of comments, in the order in which they were given.
func commandsOf(ctx context.Context, tx *store.Tx, comments []string) ([]Command, error) {
	if len(comments) == 0 {
		return nil, nil
	}
	w := &store.Where{}
	w.Add(w.In("comment", comments))
	rows, err := tx.Query(ctx, "SELECT "+commandColumns+" FROM proposal_commands"+w.String()+" ORDER BY comment, ordinal", w.Args...)
	return store.Collect(rows, err, scanCommand)
}

const reviewColumns = "id, author, verdict, body, head, login, there, posted, created"

func scanReview(row store.Row) (r Review, err error) {
	var created int64
	err = row.Scan(&r.ID, &r.Author, &r.Verdict, &r.Body, &r.Head, &r.Login, &r.There, &r.Posted, &created)
	r.Created = store.FromMicros(created)
	return r, err
}

func insertReview(ctx context.Context, tx *store.Tx, proposal string, r Review) error {
	_, err := tx.Exec(ctx, "INSERT INTO proposal_reviews (proposal, "+reviewColumns+") VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)",
		proposal, r.ID, r.Author, r.Verdict, r.Body, r.Head, r.Login, r.There, r.Posted, store.Micros(r.Created))
	return fault.Wrap(err, "keep the review")
}

// reviews gives those of a proposal, the oldest first, of the newest 1,000.
func reviews(ctx context.Context, tx *store.Tx, proposal string) ([]Review, error) {
	rows, err := tx.Query(ctx, "SELECT "+reviewColumns+" FROM (SELECT "+reviewColumns+" FROM proposal_reviews WHERE proposal = $1 ORDER BY id DESC LIMIT 1000) newest ORDER BY id", proposal)
	return store.Collect(rows, err, scanReview)
}

// reviewsOf gives the verdicts on proposals, the oldest first, by the proposals' ids.
func reviewsOf(ctx context.Context, tx *store.Tx, proposals []string) (map[string][]Review, error) {
	w := &store.Where{}
	w.Add(w.In("proposal", proposals))
	w.Add("verdict <> " + w.Arg(Commented))
	rows, err := tx.Query(ctx, "SELECT proposal, author, verdict, head FROM proposal_reviews"+w.String()+" ORDER BY id", w.Args...)
	out := map[string][]Review{}
	_, err = store.Collect(rows, err, func(row store.Row) (id string, err error) {
		var r Review
		err = row.Scan(&id, &r.Author, &r.Verdict, &r.Head)
		out[id] = append(out[id], r)
		return id, err
	})
	return out, fault.Wrap(err, "read the reviews of proposals")
}

// checksOf counts the checks of commits by state, by "REPOSITORY COMMIT".
func checksOf(ctx context.Context, tx *store.Tx, repositories, commits []string) (map[string]map[string]int, error) {
	w := &store.Where{}
	w.Add(w.In("repository", repositories))
	w.Add(w.In("commit_id", commits))
	rows, err := tx.Query(ctx, "SELECT repository, commit_id, state, COUNT(*) FROM proposal_checks"+w.String()+" GROUP BY repository, commit_id, state", w.Args...)
	out := map[string]map[string]int{}
	_, err = store.Collect(rows, err, func(row store.Row) (state string, err error) {
		var repository, commit string
		var n int
		err = row.Scan(&repository, &commit, &state, &n)
		at := repository + " " + commit
		if out[at] == nil {
			out[at] = map[string]int{}
		}
		out[at][state] = n
		return state, err
	})
	return out, fault.Wrap(err, "count the checks of proposals")
}

const checkColumns = "name, state, description, url, run, updated"

func scanCheck(row store.Row) (c Check, err error) {
	var updated int64
	err = row.Scan(&c.Name, &c.State, &c.Description, &c.URL, &c.Run, &updated)
	c.Updated = store.FromMicros(updated)
	return c, err
}

// setCheck replaces the check of a name; changed is false when it says the same as before.
func setCheck(ctx context.Context, tx *store.Tx, repository, commit string, c Check) (changed bool, err error) {
	n, err := tx.Exec(ctx, `INSERT INTO proposal_checks (repository, commit_id, name, state, description, url, run, updated) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)
 ON CONFLICT (repository, commit_id, name) DO UPDATE SET state=excluded.state, description=excluded.description, url=excluded.url, run=excluded.run, updated=excluded.updated
 WHERE proposal_checks.state <> excluded.state OR proposal_checks.description <> excluded.description OR proposal_checks.url <> excluded.url OR proposal_checks.run <> excluded.run`,
		repository, commit, c.Name, c.State, c.Description, c.URL, c.Run, store.Micros(c.Updated))
	return n > 0, fault.Wrap(err, "keep the check %s", c.Name)
}

// checks gives what is said of a commit, by name, at most 500.
func checks(ctx context.Context, tx *store.Tx, repository, commit string) ([]Check, error) {
	rows, err := tx.Query(ctx, "SELECT "+checkColumns+" FROM proposal_checks WHERE repository = $1 AND commit_id = $2 ORDER BY name LIMIT 500", repository, commit)
	return store.Collect(rows, err, scanCheck)
}

// rule is the projection of a BranchRule.
type rule struct {
	ref  string
	spec Spec
}

// rulesOf gives the rules of some spaces, by reference.
func rulesOf(ctx context.Context, tx *store.Tx, spaces []string) ([]rule, error) {
	w := &store.Where{}
	w.Add(w.In("space", spaces))
	rows, err := tx.Query(ctx, "SELECT ref, spec FROM branch_rules"+w.String()+" ORDER BY ref", w.Args...)
	return store.Collect(rows, err, func(row store.Row) (r rule, err error) {
		var text string
		if err := row.Scan(&r.ref, &text); err != nil {
			return r, err
		}
		return r, json.Unmarshal([]byte(text), &r.spec)
	})
}
