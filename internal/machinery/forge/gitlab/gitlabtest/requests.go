package gitlabtest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// version is between which commits a merge request was for a while.
type version struct {
	id                int64
	base, start, head string
	created           time.Time
}

type note struct {
	id       int64
	text     string
	by       *user
	system   bool
	position object
	created  time.Time
	updated  time.Time
}

type request struct {
	id, iid                   int64
	title, text, state        string
	from, to                  string
	source, target            *project
	author                    *user
	created, updated, ended   time.Time
	mergeCommit, squashCommit string
	versions                  []version // the newest last
	notes                     []*note
	approved                  []*user
	checked                   string // the two heads of which it is known whether they merge
	rebasing                  bool   // as long as nobody has asked
	failed                    string
	by                        *user // who merged or closed it
}

func (m *request) newest() version { return m.versions[len(m.versions)-1] }

func (m *request) draft() bool { return strings.HasPrefix(strings.ToLower(m.title), "draft:") }

// version gives how a merge request is now; false when it has not changed.
func (s *Server) next(m *request) (version, bool) {
	head := s.resolve(m.source, "refs/heads/"+m.from)
	start := s.resolve(m.target, "refs/heads/"+m.to)
	if m.source != m.target && head != "" {
		s.run(m.target, nil, "fetch", "--quiet", m.source.dir, head)
	}
	if head == "" || start == "" || len(m.versions) > 0 && m.newest().head == head {
		return version{}, false
	}
	base, _ := s.try(m.target, nil, "merge-base", start, head)
	return version{s.id(), base, start, head, now()}, true
}

// status tells what is in the way of a merge. What nobody has asked since a push is not known at first.
func (s *Server) mergeStatus(m *request) string {
	if m.state != "opened" {
		return "not_open"
	}
	target, head := s.resolve(m.target, "refs/heads/"+m.to), m.newest().head
	if m.checked != target+head {
		m.checked = target + head
		return "checking"
	}
	if m.draft() {
		return "draft_status"
	}
	if _, is := s.try(m.target, nil, "merge-tree", "--write-tree", target, head); !is {
		return "conflict"
	}
	if _, is := s.try(m.target, nil, "merge-base", "--is-ancestor", target, head); !is && m.target.method != "merge" {
		return "need_rebase"
	}
	return "mergeable"
}

func (c *call) basic(m *request) object {
	told, mergeStatus := 0, c.mergeStatus(m)
	for _, n := range m.notes {
		if !n.system {
			told++
		}
	}
	o := object{
		"id": m.id, "iid": m.iid, "project_id": m.target.id, "title": m.title, "description": m.text, "state": m.state,
		"created_at": m.created, "updated_at": m.updated, "merged_at": nil, "closed_at": nil, "merge_user": nil, "closed_by": nil,
		"source_branch": m.from, "target_branch": m.to, "source_project_id": m.source.id, "target_project_id": m.target.id,
		"author": c.person(m.author), "assignee": nil, "assignees": []object{}, "reviewers": []object{}, "labels": []string{}, "milestone": nil,
		"draft": m.draft(), "detailed_merge_status": mergeStatus, "has_conflicts": mergeStatus == "conflict",
		"sha": m.newest().head, "merge_commit_sha": nil, "squash_commit_sha": nil, "user_notes_count": told,
		"web_url": fmt.Sprintf("%s/%s/-/merge_requests/%d", c.URL, m.target.path, m.iid), "blocking_discussions_resolved": true,
	}
	if m.mergeCommit != "" {
		o["merge_commit_sha"] = m.mergeCommit
	}
	if m.squashCommit != "" {
		o["squash_commit_sha"] = m.squashCommit
	}
	switch m.state {
	case "merged":
		o["merged_at"], o["merge_user"] = m.ended, c.person(m.by)
	case "closed":
		o["closed_at"], o["closed_by"] = m.ended, c.person(m.by)
	}
	return o
}

func (c *call) full(m *request) object {
	o, v := c.basic(m), m.newest()
	o["diff_refs"] = object{"base_sha": v.base, "start_sha": v.start, "head_sha": v.head}
	o["merge_error"], o["changes_count"], o["user"] = nil, strconv.Itoa(len(c.diffs(m.target, v.base, v.head))), object{"can_merge": true}
	if m.failed != "" {
		o["merge_error"] = m.failed
	}
	if c.r.FormValue("include_rebase_in_progress") == "true" {
		o["rebase_in_progress"] = m.rebasing
		m.rebasing = false
	}
	if c.r.FormValue("include_diverged_commits_count") == "true" {
		o["diverged_commits_count"] = len(c.rangeOf(m.target, v.head+".."+c.resolve(m.target, "refs/heads/"+m.to)))
	}
	return o
}

func openRequest(c *call, source *project) answer {
	target := source
	if id := c.number("target_project_id"); id != 0 {
		if target = c.Server.project(fmt.Sprint(id)); target == nil || c.level(c.user, target.namespace()) == 0 {
			return missing("Project")
		}
	}
	m := &request{
		title: c.text("title"), text: c.text("description"), state: "opened", from: c.text("source_branch"), to: c.text("target_branch"),
		source: source, target: target, author: c.user, created: now(), updated: now(),
	}
	for _, other := range target.requests {
		if other.state == "opened" && other.source == source && other.from == m.from && other.to == m.to {
			return refuse(http.StatusConflict, []string{fmt.Sprintf("Another open merge request already exists for this source branch: !%d", other.iid)})
		}
	}
	v, is := c.next(m)
	switch {
	case m.title == "":
		return refuse(http.StatusBadRequest, object{"title": []string{"can't be blank"}})
	case !is:
		return refuse(http.StatusBadRequest, []string{fmt.Sprintf("Source branch %q does not exist", m.from)})
	}
	m.versions, m.id, m.iid = []version{v}, c.id(), int64(len(target.requests)+1)
	target.requests = append(target.requests, m)
	c.show(m)
	c.tell(m, c.user, "open", "", nil)
	return answer{http.StatusCreated, c.full(m)}
}

// show has a merge request's head fetched by its number.
func (s *Server) show(m *request) {
	s.run(m.target, nil, "update-ref", fmt.Sprintf("refs/merge-requests/%d/head", m.iid), m.newest().head)
}

func listRequests(c *call, p *project) answer {
	var found []*request
	for _, m := range p.requests {
		if want := c.r.FormValue("state"); want != "" && want != "all" && want != m.state ||
			c.r.FormValue("source_branch") != "" && c.r.FormValue("source_branch") != m.from ||
			c.r.FormValue("target_branch") != "" && c.r.FormValue("target_branch") != m.to {
			continue
		}
		found = append(found, m)
	}
	slices.Reverse(found)
	return page(c, found, c.basic)
}

func getRequest(c *call, _ *project, m *request) answer { return ok(c.full(m)) }

func editRequest(c *call, _ *project, m *request) answer {
	switch event := c.text("state_event"); {
	case event == "close" && m.state == "opened":
		m.state, m.ended, m.by = "closed", now(), c.user
		c.tell(m, c.user, "close", "", object{"state_id": object{"previous": 1, "current": 2}})
	case event == "reopen" && m.state == "closed":
		m.state = "opened"
		c.tell(m, c.user, "reopen", "", object{"state_id": object{"previous": 2, "current": 1}})
	}
	m.updated = now()
	return ok(c.full(m))
}

// mergeRequest merges by the method of the project.
func mergeRequest(c *call, p *project, m *request) answer {
	head, ref := m.newest().head, "refs/heads/"+m.to
	switch sha := c.text("sha"); {
	case c.level(c.user, p.namespace()) < Maintainer && m.to == c.head(p): // it is protected
		return refuse(http.StatusUnauthorized, "401 Unauthorized")
	case m.state != "opened" || m.draft():
		return refuse(http.StatusMethodNotAllowed, "405 Method Not Allowed")
	case sha != "" && sha != head:
		return refuse(http.StatusConflict, "SHA does not match HEAD of source branch: "+head)
	}
	target := c.resolve(p, ref)
	tree, merges := c.try(p, nil, "merge-tree", "--write-tree", target, head)
	_, ahead := c.try(p, nil, "merge-base", "--is-ancestor", target, head)
	if !merges || !ahead && p.method != "merge" {
		return refuse(http.StatusUnprocessableEntity, "Branch cannot be merged")
	}
	before, tip := c.refs(p), head
	if c.truth("squash") {
		m.squashCommit = c.run(p, c.user, "commit-tree", tree, "-p", target, "-m", cmp.Or(c.text("squash_commit_message"), m.title))
		tip = m.squashCommit
	}
	if p.method != "ff" {
		text := cmp.Or(c.text("merge_commit_message"), fmt.Sprintf("Merge branch '%s' into '%s'\n\n%s\n\nSee merge request %s!%d", m.from, m.to, m.title, p.path, m.iid))
		m.mergeCommit = c.run(p, c.user, "commit-tree", tree, "-p", target, "-p", tip, "-m", text)
		tip = m.mergeCommit
	}
	c.run(p, nil, "update-ref", ref, tip, target)
	m.state, m.ended, m.updated, m.by = "merged", now(), now(), c.user
	c.tell(m, c.user, "merge", "", object{"state_id": object{"previous": 1, "current": 3}})
	if c.truth("should_remove_source_branch") && m.source == p {
		c.run(p, nil, "update-ref", "-d", "refs/heads/"+m.from)
	}
	c.movedRefs(p, c.user, before)
	return ok(c.full(m))
}

func rebaseRequest(c *call, p *project, m *request) answer {
	if m.state != "opened" {
		return refuse(http.StatusMethodNotAllowed, "405 Method Not Allowed")
	}
	m.rebasing, m.failed = true, ""
	tip, is := c.rebase(p, c.user, m.newest().head, c.resolve(p, "refs/heads/"+m.to))
	if !is {
		m.failed = "Rebase failed: Rebase locally, resolve all conflicts, then push the branch. Try again."
	} else {
		before := c.refs(p)
		c.run(p, nil, "update-ref", "refs/heads/"+m.from, tip)
		c.movedRefs(p, c.user, before)
	}
	return answer{http.StatusAccepted, object{"rebase_in_progress": true}}
}

func rawDiffs(c *call, p *project, m *request) answer {
	v := m.newest()
	text := c.run(p, nil, "diff", "--find-renames", "--no-color", v.base, v.head) + "\n"
	if c.Cut {
		text = text[:1+max(0, strings.LastIndex(text, "\ndiff --git "))]
	}
	return ok(raw{"text/plain", []byte(text)})
}

func (v version) object(m *request) object {
	return object{
		"id": v.id, "head_commit_sha": v.head, "base_commit_sha": v.base, "start_commit_sha": v.start, "created_at": v.created,
		"merge_request_id": m.id, "state": "collected", "real_size": "1",
	}
}

func listVersions(c *call, _ *project, m *request) answer {
	newest := slices.Clone(m.versions)
	slices.Reverse(newest)
	return page(c, newest, func(v version) object { return v.object(m) })
}

func getVersion(c *call, p *project, m *request) answer {
	for _, v := range m.versions {
		if fmt.Sprint(v.id) == c.r.PathValue("version") {
			o := v.object(m)
			o["diffs"], o["commits"] = c.diffs(p, v.base, v.head), []object{}
			return ok(o)
		}
	}
	return missing("Not Found")
}

func (c *call) note(m *request, n *note) object {
	o := object{
		"id": n.id, "type": nil, "body": n.text, "author": c.person(n.by), "system": n.system, "created_at": n.created, "updated_at": n.updated,
		"noteable_id": m.id, "noteable_type": "MergeRequest", "project_id": m.target.id, "noteable_iid": m.iid, "resolvable": n.position != nil,
		"internal": false, "confidential": false, "attachment": nil,
	}
	if n.position != nil {
		o["type"], o["position"], o["resolved"] = "DiffNote", n.position, false
	}
	return o
}

func listNotes(c *call, _ *project, m *request) answer {
	notes := slices.Clone(m.notes)
	if c.r.FormValue("sort") != "asc" {
		slices.Reverse(notes)
	}
	return page(c, notes, func(n *note) object { return c.note(m, n) })
}

func (c *call) say(m *request, position object) *note {
	n := &note{id: c.id(), text: c.text("body"), by: c.user, position: position, created: now(), updated: now()}
	m.notes = append(m.notes, n)
	c.tellNote(m, n, "create")
	return n
}

func addNote(c *call, _ *project, m *request) answer {
	if c.text("body") == "" {
		return refuse(http.StatusBadRequest, "400 Bad request - Note {:note=>[\"can't be blank\"]}")
	}
	return answer{http.StatusCreated, c.note(m, c.say(m, nil))}
}

func editNote(c *call, _ *project, m *request) answer {
	for _, n := range m.notes {
		if fmt.Sprint(n.id) != c.r.PathValue("note") {
			continue
		}
		if n.by != c.user {
			return refuse(http.StatusForbidden, "403 Forbidden")
		}
		n.text, n.updated = c.text("body"), now()
		c.tellNote(m, n, "update")
		return ok(c.note(m, n))
	}
	return missing("Note")
}

func addDiscussion(c *call, p *project, m *request) answer {
	at, _ := c.in["position"].(object)
	text := func(name string) string { s, _ := at[name].(string); return s }
	line := func(name string) int { n, _ := at[name].(float64); return int(n) }
	is := slices.ContainsFunc(m.versions, func(v version) bool {
		return v.base == text("base_sha") && v.start == text("start_sha") && v.head == text("head_sha")
	})
	if !is || text("position_type") != "text" || !c.inDiff(p, text("base_sha"), text("head_sha"), text("old_path"), text("new_path"), line("old_line"), line("new_line")) {
		return refuse(http.StatusBadRequest, `400 Bad request - Note {:line_code=>["can't be blank", "must be a valid line code"]}`)
	}
	n := c.say(m, at)
	return answer{http.StatusCreated, object{"id": fmt.Sprintf("%040x", n.id), "individual_note": false, "notes": []object{c.note(m, n)}}}
}

func (c *call) approvals(m *request) object {
	by := []object{}
	for _, u := range m.approved {
		by = append(by, object{"user": c.person(u)})
	}
	return object{
		"id": m.id, "iid": m.iid, "project_id": m.target.id, "title": m.title, "description": m.text, "state": m.state,
		"created_at": m.created, "updated_at": m.updated, "merge_status": "can_be_merged", "approved": true, "approvals_required": 0, "approvals_left": 0,
		"approved_by": by, "user_has_approved": slices.Contains(m.approved, c.user), "user_can_approve": !slices.Contains(m.approved, c.user) && c.user != m.author,
	}
}

func approve(c *call, _ *project, m *request) answer {
	switch sha := c.text("sha"); {
	case sha != "" && sha != m.newest().head:
		return refuse(http.StatusConflict, "SHA does not match HEAD of source branch: "+m.newest().head)
	case slices.Contains(m.approved, c.user) || c.user == m.author:
		return refuse(http.StatusUnauthorized, "401 Unauthorized")
	}
	m.approved = append(m.approved, c.user)
	c.tell(m, c.user, "approved", "", object{})
	return answer{http.StatusCreated, c.approvals(m)}
}

func unapprove(c *call, _ *project, m *request) answer {
	if !slices.Contains(m.approved, c.user) {
		return missing("Not Found")
	}
	m.approved = slices.DeleteFunc(m.approved, func(u *user) bool { return u == c.user })
	c.tell(m, c.user, "unapproved", "", object{})
	return answer{http.StatusCreated, nil}
}
