package githubtest

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

type pull struct {
	id                       int64
	number                   int
	title, body              string
	open, merged, draft      bool
	author                   *account
	head, headHash           string
	base, baseHash           string
	mergeHash                string
	created, updated, closed time.Time
	looked                   string // at which heads it was told whether it can be merged
}

// note is a comment: below a pull request, or on one of its lines.
type note struct {
	id, review       int64
	of               *pull
	author           *account
	body             string
	path, side, hash string // of one on a line
	line             int
	created, updated time.Time
}

type verdict struct {
	id          int64
	of          *pull
	author      *account
	state, body string
	hash        string
	when        time.Time
}

func (c *call) pull() *pull {
	for _, name := range []string{"pull_number", "issue_number"} {
		if c.path(name) != "" {
			for _, p := range c.repo.pulls {
				if int64(p.number) == c.number(name) {
					return p
				}
			}
		}
	}
	return nil
}

func (p *pull) state() string {
	if p.open {
		return "open"
	}
	return "closed"
}

// pullOf gives a pull request with all that GitHub tells of one anywhere.
func (s *Server) pullOf(r *repository, p *pull) obj {
	web := fmt.Sprint(s.URL, "/", r.full(), "/pull/", p.number)
	repo := s.URL + prefix + "/repos/" + r.full()
	api, issue := fmt.Sprint(repo, "/pulls/", p.number), fmt.Sprint(repo, "/issues/", p.number)
	links := map[string]string{
		"self": api, "html": web, "issue": issue, "comments": issue + "/comments", "review_comments": api + "/comments",
		"review_comment": repo + "/pulls/comments{/number}", "commits": api + "/commits", "statuses": repo + "/statuses/" + p.headHash,
	}
	hrefs := obj{}
	for name, to := range links {
		hrefs[name] = obj{"href": to}
	}
	side := func(branch, hash string) obj {
		return obj{"label": r.owner.login + ":" + branch, "ref": branch, "sha": hash, "user": s.user(r.owner), "repo": s.repository(r)}
	}
	o := obj{
		"id": p.id, "node_id": fmt.Sprint("PR_", p.id), "number": p.number, "url": api, "html_url": web, "diff_url": web + ".diff", "patch_url": web + ".patch",
		"issue_url": issue, "commits_url": links["commits"], "review_comments_url": links["review_comments"], "review_comment_url": links["review_comment"],
		"comments_url": links["comments"], "statuses_url": links["statuses"], "_links": hrefs, "state": p.state(), "locked": false, "title": p.title,
		"body": p.body, "user": s.user(p.author), "labels": []any{}, "milestone": nil, "active_lock_reason": nil, "created_at": stamp(p.created),
		"updated_at": stamp(p.updated), "closed_at": stamp(p.closed), "merged_at": nil, "merge_commit_sha": nil, "assignee": nil, "assignees": []any{},
		"requested_reviewers": []any{}, "requested_teams": []any{}, "head": side(p.head, p.headHash), "base": side(p.base, p.baseHash),
		"author_association": "MEMBER", "auto_merge": nil, "draft": p.draft, "merged": p.merged, "mergeable": nil, "mergeable_state": "unknown", "rebaseable": nil,
		"merged_by": nil, "comments": 0, "review_comments": 0, "maintainer_can_modify": false, "commits": 1, "additions": 1, "deletions": 1, "changed_files": 1,
	}
	if p.merged {
		o["merged_at"], o["merge_commit_sha"], o["merged_by"] = stamp(p.closed), p.mergeHash, s.user(p.author)
	}
	return o
}

// simple leaves out what lists don't tell.
func (s *Server) simple(r *repository, p *pull) obj {
	o := s.pullOf(r, p)
	for _, name := range []string{"merged", "mergeable", "mergeable_state", "rebaseable", "merged_by", "comments", "review_comments", "maintainer_can_modify", "commits", "additions", "deletions", "changed_files"} {
		delete(o, name)
	}
	return o
}

func (c *call) pulls() answer {
	out := []any{}
	for _, p := range slices.Backward(c.repo.pulls) {
		state, head, base := c.query("state"), c.query("head"), c.query("base")
		if (state == "all" || state == p.state() || state == "" && p.open) && (head == "" || head == c.repo.owner.login+":"+p.head) && (base == "" || base == p.base) {
			out = append(out, c.simple(c.repo, p))
		}
	}
	return ok(c.paged(out))
}

// show has a pull request's head fetched by its number.
func (s *Server) show(r *repository, p *pull) {
	s.tell(r, "update-ref", fmt.Sprintf("refs/pull/%d/head", p.number), p.headHash)
}

func (c *call) openPull() answer {
	head, base := strings.TrimPrefix(c.text("head"), c.repo.owner.login+":"), c.text("base")
	names := c.branchNames()
	switch {
	case c.text("title") == "":
		return invalid("PullRequest", "title", "title can't be blank")
	case !slices.Contains(names, head):
		return invalid("PullRequest", "head", "head is invalid")
	case !slices.Contains(names, base):
		return invalid("PullRequest", "base", "base is invalid")
	case slices.ContainsFunc(c.repo.pulls, func(p *pull) bool { return p.open && p.head == head && p.base == base }):
		return invalid("PullRequest", "head", "A pull request already exists for "+c.repo.owner.login+":"+head+".")
	}
	now := time.Now()
	p := &pull{
		id: c.id(), number: len(c.repo.pulls) + 1, title: c.text("title"), body: c.text("body"), open: true, draft: c.flag("draft"), author: c.who.who,
		head: head, headHash: c.resolve(c.repo, head), base: base, baseHash: c.resolve(c.repo, base), created: now, updated: now,
	}
	c.repo.pulls = append(c.repo.pulls, p)
	c.show(c.repo, p)
	c.tellPull(c.repo, p, "opened", c.who.who, nil)
	return made(c.pullOf(c.repo, p))
}

// merged gives the tree of a pull request's merge; "" when there are conflicts.
func (c *call) merged(p *pull) string {
	return c.tell(c.repo, "merge-tree", "--write-tree", c.resolve(c.repo, p.base), p.headHash)
}

// rebased puts commits onto others, in a folder for that.
func (c *call) rebased(base, head string) (string, error) {
	dir := filepath.Join(c.dir, fmt.Sprint("rebase-", c.id()))
	if _, err := c.git(c.repo.dir, "worktree", "add", "--quiet", "--detach", dir, head); err != nil {
		return "", err
	}
	if _, err := c.git(dir, "rebase", "--quiet", base); err != nil {
		return "", err
	}
	hash, err := c.git(dir, "rev-parse", "HEAD")
	if err == nil {
		_, err = c.git(c.repo.dir, "worktree", "remove", "--force", dir)
	}
	return strings.TrimSpace(hash), err
}

func (c *call) getPull() answer {
	p := c.pull()
	if p == nil {
		return missing()
	}
	base := c.resolve(c.repo, p.base)
	if c.accept("diff") {
		c.form = "application/vnd.github.diff; charset=utf-8"
		return ok([]byte(c.tell(c.repo, "diff", base+"..."+p.headHash) + "\n"))
	}
	o := c.pullOf(c.repo, p)
	if p.open {
		if heads := base + p.headHash; p.looked != heads { // GitHub finds out in the background, once it was asked
			p.looked = heads
			return ok(o)
		}
		can := c.merged(p) != ""
		o["mergeable"], o["rebaseable"], o["mergeable_state"] = can, can, map[bool]string{true: "clean", false: "dirty"}[can]
		if can && p.draft {
			o["mergeable_state"] = "draft"
		}
	}
	return ok(o)
}

func (c *call) editPull() answer {
	p := c.pull()
	if p == nil {
		return missing()
	}
	p.updated = time.Now()
	if title := c.text("title"); title != "" {
		p.title = title
		c.tellPull(c.repo, p, "edited", c.who.who, obj{"changes": obj{}})
	}
	switch state := c.text("state"); {
	case state == "closed" && p.open:
		p.open, p.closed = false, p.updated
		c.tellPull(c.repo, p, "closed", c.who.who, nil)
	case state == "open" && !p.open:
		if p.merged {
			return invalid("PullRequest", "state", "state cannot be changed. The pull request cannot be reopened.")
		}
		p.open, p.closed = true, time.Time{}
		c.tellPull(c.repo, p, "reopened", c.who.who, nil)
	}
	return ok(c.pullOf(c.repo, p))
}

func (c *call) mergePull() answer {
	p := c.pull()
	if p == nil {
		return missing()
	}
	if sha := c.text("sha"); sha != "" && sha != p.headHash {
		return fail(http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	}
	tree := ""
	if p.open && !p.draft {
		tree = c.merged(p)
	}
	if tree == "" {
		return fail(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	}
	base := c.resolve(c.repo, p.base)
	title, body := c.text("commit_title"), c.text("commit_message")
	if title == "" {
		title = fmt.Sprintf("%s (#%d)", p.title, p.number)
	}
	message := strings.TrimSpace(title + "\n\n" + body)
	var hash string
	var err error
	commit := func(parents ...string) string {
		args := []string{"commit-tree", tree, "-m", message}
		for _, p := range parents {
			args = append(args, "-p", p)
		}
		var out string
		out, err = c.git(c.repo.dir, args...)
		return strings.TrimSpace(out)
	}
	switch c.text("merge_method") {
	case "squash":
		hash = commit(base)
	case "rebase":
		hash, err = c.rebased(base, p.headHash)
	default:
		hash = commit(base, p.headHash)
	}
	if err == nil {
		_, err = c.git(c.repo.dir, "update-ref", "refs/heads/"+p.base, hash)
	}
	if err != nil {
		return fail(http.StatusMethodNotAllowed, err.Error())
	}
	p.open, p.merged, p.mergeHash, p.closed = false, true, hash, time.Now()
	p.updated = p.closed
	c.moved(c.repo, c.who.who)
	c.tellPull(c.repo, p, "closed", c.who.who, nil)
	return ok(obj{"sha": hash, "merged": true, "message": "Pull Request successfully merged"})
}

func (s *Server) reactions(of string) obj {
	o := obj{"url": of + "/reactions", "total_count": 0}
	for _, name := range []string{"+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket"} {
		o[name] = 0
	}
	return o
}

// noteOf gives a comment, of the one kind or the other.
func (s *Server) noteOf(r *repository, n *note) obj {
	repo, web := s.URL+prefix+"/repos/"+r.full(), fmt.Sprint(s.URL, "/", r.full(), "/pull/", n.of.number)
	o := obj{
		"id": n.id, "node_id": fmt.Sprint("IC_", n.id), "user": s.user(n.author), "body": n.body, "created_at": stamp(n.created), "updated_at": stamp(n.updated),
		"author_association": "MEMBER",
	}
	if n.path == "" {
		o["url"], o["html_url"] = fmt.Sprint(repo, "/issues/comments/", n.id), fmt.Sprint(web, "#issuecomment-", n.id)
		o["issue_url"], o["performed_via_github_app"] = fmt.Sprint(repo, "/issues/", n.of.number), nil
		o["reactions"] = s.reactions(o["url"].(string))
		return o
	}
	self, pull := fmt.Sprint(repo, "/pulls/comments/", n.id), fmt.Sprint(repo, "/pulls/", n.of.number)
	o["url"], o["html_url"], o["pull_request_url"] = self, fmt.Sprint(web, "#discussion_r", n.id), pull
	o["_links"] = obj{"self": obj{"href": self}, "html": obj{"href": o["html_url"]}, "pull_request": obj{"href": pull}}
	o["pull_request_review_id"], o["diff_hunk"], o["path"], o["commit_id"], o["original_commit_id"] = n.review, "@@ -1 +1 @@", n.path, n.hash, n.hash
	o["line"], o["original_line"], o["side"], o["subject_type"], o["reactions"] = n.line, n.line, n.side, "line", s.reactions(self)
	return o
}

// said gives comments of one kind that changed since a time, oldest first.
func (c *call) said(p *pull, onLines bool) []any {
	since, err := time.Parse(time.RFC3339, c.query("since"))
	out := []any{}
	for _, n := range c.repo.notes {
		if n.of == p && (n.path != "") == onLines && (err != nil || n.updated.After(since)) {
			out = append(out, c.noteOf(c.repo, n))
		}
	}
	return out
}

func (c *call) comments() answer {
	p := c.pull()
	if p == nil {
		return missing()
	}
	return ok(c.paged(c.said(p, false)))
}

func (c *call) lineComments() answer {
	p := c.pull()
	if p == nil {
		return missing()
	}
	return ok(c.paged(c.said(p, true)))
}

func (c *call) addComment() answer {
	p := c.pull()
	if p == nil {
		return missing()
	}
	now := time.Now().Truncate(time.Second)
	n := &note{id: c.id(), of: p, author: c.who.who, body: c.text("body"), created: now, updated: now}
	c.repo.notes = append(c.repo.notes, n)
	c.tellComment(c.repo, n, "created")
	return made(c.noteOf(c.repo, n))
}

func (c *call) note(onLine bool) *note {
	for _, n := range c.repo.notes {
		if n.id == c.number("comment_id") && (n.path != "") == onLine {
			return n
		}
	}
	return nil
}

func (c *call) getNote(onLine bool) answer {
	n := c.note(onLine)
	if n == nil {
		return missing()
	}
	if body := c.text("body"); c.r.Method == http.MethodPatch && body != "" {
		n.body, n.updated = body, time.Now().Truncate(time.Second)
	}
	return ok(c.noteOf(c.repo, n))
}

func (c *call) getComment() answer      { return c.getNote(false) }
func (c *call) editComment() answer     { return c.getNote(false) }
func (c *call) getLineComment() answer  { return c.getNote(true) }
func (c *call) editLineComment() answer { return c.getNote(true) }

func (s *Server) verdictOf(r *repository, v *verdict) obj {
	pull, web := fmt.Sprint(s.URL, prefix, "/repos/", r.full(), "/pulls/", v.of.number), fmt.Sprint(s.URL, "/", r.full(), "/pull/", v.of.number, "#pullrequestreview-", v.id)
	return obj{
		"id": v.id, "node_id": fmt.Sprint("PRR_", v.id), "user": s.user(v.author), "body": v.body, "state": v.state, "html_url": web, "pull_request_url": pull,
		"_links": obj{"html": obj{"href": web}, "pull_request": obj{"href": pull}}, "submitted_at": stamp(v.when), "commit_id": v.hash, "author_association": "MEMBER",
	}
}

func (c *call) reviews() answer {
	p := c.pull()
	if p == nil {
		return missing()
	}
	out := []any{}
	for _, v := range c.repo.reviewed {
		if v.of == p {
			out = append(out, c.verdictOf(c.repo, v))
		}
	}
	return ok(c.paged(out))
}

func (c *call) review() answer {
	p := c.pull()
	if p == nil {
		return missing()
	}
	state := map[string]string{"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}[c.text("event")]
	if state != "COMMENTED" && p.author == c.who.who {
		return invalid("PullRequestReview", "event", "Can not approve your own pull request")
	}
	now := time.Now().Truncate(time.Second)
	v := &verdict{id: c.id(), of: p, author: c.who.who, state: state, body: c.text("body"), hash: c.text("commit_id"), when: now}
	if v.hash == "" {
		v.hash = p.headHash
	}
	notes, _ := c.body["comments"].([]any)
	for _, x := range notes {
		told, _ := x.(obj)
		line, _ := told["line"].(float64)
		n := &note{id: c.id(), review: v.id, of: p, author: v.author, hash: v.hash, line: int(line), created: now, updated: now}
		n.path, _ = told["path"].(string)
		n.side, _ = told["side"].(string)
		n.body, _ = told["body"].(string)
		if n.path == "" || n.line < 1 {
			return invalid("PullRequestReviewComment", "line", "line must be part of the diff")
		}
		c.repo.notes = append(c.repo.notes, n)
	}
	c.repo.reviewed = append(c.repo.reviewed, v)
	c.tellReview(c.repo, v)
	for _, n := range c.repo.notes {
		if n.review == v.id {
			c.tellLineComment(c.repo, n)
		}
	}
	return ok(c.verdictOf(c.repo, v))
}
