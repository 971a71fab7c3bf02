package gitlabtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

type hook struct {
	id      int64
	url     string
	token   string
	signing string
	events  map[string]bool
	created time.Time
}

// events of hooks; those of groups have more.
var events = []string{
	"push_events", "tag_push_events", "merge_requests_events", "note_events", "job_events", "pipeline_events", "issues_events",
	"confidential_issues_events", "confidential_note_events", "wiki_page_events", "deployment_events", "releases_events",
}

func (s *Server) hookObject(h *hook) object {
	o := object{
		"id": h.id, "url": h.url, "name": nil, "description": nil, "created_at": h.created, "enable_ssl_verification": true,
		"alert_status": "executable", "push_events_branch_filter": nil, "branch_filter_strategy": "wildcard",
	}
	if s.Signs {
		o["token_present"], o["signing_token_present"] = h.token != "", h.signing != ""
	}
	for name, on := range h.events {
		o[name] = on
	}
	return o
}

// hooked is a handler of the hooks of a project or a group.
func hooked(of string, tell func(c *call, hooks *[]*hook, events []string) answer) func(c *call) answer {
	if of == "projects" {
		return on(Maintainer, func(c *call, p *project) answer { return tell(c, &p.hooks, events) })
	}
	return func(c *call) answer {
		g := c.Server.group(c.r.PathValue("id"))
		switch {
		case g == nil || c.level(c.user, g.path) == 0:
			return missing("Group")
		case c.level(c.user, g.path) < Owner:
			return refuse(http.StatusForbidden, "403 Forbidden")
		}
		return tell(c, &g.hooks, append(slices.Clone(events), "subgroup_events", "member_events", "project_events"))
	}
}

func listHooks(c *call, hooks *[]*hook, _ []string) answer { return page(c, *hooks, c.hookObject) }

// set takes what a request says of a hook. A token that is not said stays.
func (c *call) set(h *hook, events []string) *answer {
	if u, err := url.Parse(c.text("url")); err != nil || u.Host == "" {
		got := refuse(http.StatusUnprocessableEntity, "Invalid url given")
		return &got
	}
	h.url = c.text("url")
	if token, is := c.in["token"].(string); is {
		h.token = token
	}
	if token, is := c.in["signing_token"].(string); is && c.Signs {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(token, "whsec_"))
		if err != nil || len(key) != 32 || !strings.HasPrefix(token, "whsec_") {
			got := refuse(http.StatusUnprocessableEntity, object{"signing_token": []string{"is invalid"}})
			return &got
		}
		h.signing = token
	}
	for _, name := range events {
		if on, is := c.in[name].(bool); is {
			h.events[name] = on
		} else if _, had := h.events[name]; !had {
			h.events[name] = name == "push_events"
		}
	}
	return nil
}

func addHook(c *call, hooks *[]*hook, events []string) answer {
	h := &hook{id: c.id(), events: map[string]bool{}, created: now()}
	if bad := c.set(h, events); bad != nil {
		return *bad
	}
	*hooks = append(*hooks, h)
	return answer{http.StatusCreated, c.hookObject(h)}
}

func (c *call) find(hooks []*hook) int {
	return slices.IndexFunc(hooks, func(h *hook) bool { return fmt.Sprint(h.id) == c.r.PathValue("hook") })
}

func editHook(c *call, hooks *[]*hook, events []string) answer {
	at := c.find(*hooks)
	if at < 0 {
		return missing("Not Found")
	}
	if bad := c.set((*hooks)[at], events); bad != nil {
		return *bad
	}
	return ok(c.hookObject((*hooks)[at]))
}

func deleteHook(c *call, hooks *[]*hook, _ []string) answer {
	at := c.find(*hooks)
	if at < 0 {
		return missing("Not Found")
	}
	*hooks = slices.Delete(*hooks, at, at+1)
	return answer{http.StatusNoContent, nil}
}

// send has the hooks of a project and of the groups that it is in deliver what happened.
func (s *Server) send(p *project, event, header string, body object) {
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Error(err)
		return
	}
	if s.Sent != nil {
		s.Sent(text)
	}
	all := slices.Clone(p.hooks)
	for _, g := range s.groups {
		if strings.HasPrefix(p.path, g.path+"/") {
			all = append(all, g.hooks...)
		}
	}
	for _, h := range all {
		if h.events[event] {
			s.deliver(*h, header, text)
		}
	}
}

func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// deliver sends one delivery in its own time, once: GitLab does not repeat those that fail.
func (s *Server) deliver(h hook, event string, body []byte) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return
	}
	key := uuid()
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "GitLab/19.0.0", "X-Gitlab-Event": event, "X-Gitlab-Instance": s.URL,
		"X-Gitlab-Webhook-UUID": uuid(), "X-Gitlab-Event-UUID": uuid(), "Idempotency-Key": key,
	} {
		r.Header.Set(name, value)
	}
	if h.token != "" {
		r.Header.Set("X-Gitlab-Token", h.token)
	}
	if h.signing != "" {
		secret, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(h.signing, "whsec_")) // it was checked
		at := strconv.FormatInt(time.Now().Unix(), 10)
		sum := hmac.New(sha256.New, secret)
		fmt.Fprintf(sum, "%s.%s.%s", key, at, body)
		r.Header.Set("webhook-id", key)
		r.Header.Set("webhook-timestamp", at)
		r.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(sum.Sum(nil)))
	}
	s.sending.Go(func() {
		client := http.Client{Timeout: 10 * time.Second}
		if got, err := client.Do(r); err == nil {
			got.Body.Close()
		}
	})
}

// projectSent is a project as deliveries have it.
func (s *Server) projectSent(p *project) object {
	address := s.URL + "/" + p.path
	level := map[string]int{"private": 0, "internal": 10, "public": 20}[p.visibility]
	return object{
		"id": p.id, "name": p.name(), "description": p.text, "web_url": address, "avatar_url": nil, "git_ssh_url": "git@gitlab.example:" + p.path + ".git",
		"git_http_url": address + ".git", "namespace": p.namespace(), "visibility_level": level, "path_with_namespace": p.path,
		"default_branch": s.head(p), "ci_config_path": "", "homepage": address, "url": "git@gitlab.example:" + p.path + ".git",
		"ssh_url": "git@gitlab.example:" + p.path + ".git", "http_url": address + ".git",
	}
}

func (s *Server) userSent(u *user) object {
	return object{"id": u.id, "name": u.name, "username": u.login, "avatar_url": nil, "email": "[REDACTED]"}
}

func (s *Server) repositorySent(p *project) object {
	return object{"name": p.name(), "url": "git@gitlab.example:" + p.path + ".git", "description": p.text, "homepage": s.URL + "/" + p.path}
}

func (s *Server) commitSent(p *project, hash string, files bool) object {
	c := s.commit(p, hash)
	o := object{
		"id": hash, "message": c["message"], "title": c["title"], "timestamp": c["committed_date"], "url": c["web_url"],
		"author": object{"name": c["author_name"], "email": c["author_email"]},
	}
	if files {
		ways := map[string][]string{"A": {}, "M": {}, "D": {}}
		for line := range strings.Lines(s.run(p, nil, "diff-tree", "--root", "--no-commit-id", "--no-renames", "-r", "--name-status", hash)) {
			way, path, _ := strings.Cut(strings.TrimSpace(line), "\t")
			ways[way] = append(ways[way], path)
		}
		o["added"], o["modified"], o["removed"] = ways["A"], ways["M"], ways["D"]
	}
	return o
}

// moved is called when somebody's push has ended.
func (s *Server) moved(p *project, by *user, before map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.movedRefs(p, by, before)
}

// movedRefs tells of the references that are not what they were, and of the merge requests that moved with them.
func (s *Server) movedRefs(p *project, by *user, before map[string]string) {
	after := s.refs(p)
	if _, has := after["refs/heads/"+s.head(p)]; !has { // the first branch is the default one
		for ref := range after {
			if strings.HasPrefix(ref, "refs/heads/") {
				s.run(p, nil, "symbolic-ref", "HEAD", ref)
				break
			}
		}
	}
	for ref := range merge(before, after) {
		if before[ref] != after[ref] {
			p.active = now()
			s.tellPush(p, by, ref, before[ref], after[ref])
		}
	}
	for _, q := range s.projects {
		for _, m := range q.requests {
			if m.source != p || m.state != "opened" {
				continue
			}
			if v, is := s.next(m); is {
				old := m.newest().head
				m.versions, m.updated = append(m.versions, v), now()
				s.show(m)
				m.notes = append(m.notes, &note{id: s.id(), text: "added 1 commit", by: by, system: true, created: now(), updated: now()})
				s.tell(m, by, "update", old, object{"updated_at": object{"previous": m.created, "current": m.updated}})
			}
		}
	}
}

func merge(a, b map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{a, b} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

func (s *Server) tellPush(p *project, by *user, ref, from, to string) {
	kind, header, commits := "push", "Push Hook", []object{}
	var hashes []string
	switch {
	case strings.HasPrefix(ref, "refs/tags/"):
		kind, header = "tag_push", "Tag Push Hook"
	case from != "" && to != "":
		hashes = s.rangeOf(p, "--reverse", "--max-count=20", from+".."+to)
	}
	for _, h := range hashes {
		commits = append(commits, s.commitSent(p, h, true))
	}
	orZero := func(h string) string {
		if h == "" {
			return zero
		}
		return h
	}
	body := object{
		"object_kind": kind, "event_name": kind, "before": orZero(from), "after": orZero(to), "ref": ref, "ref_protected": false,
		"checkout_sha": nil, "message": nil, "user_id": by.id, "user_name": by.name, "user_username": by.login, "user_email": "", "user_avatar": nil,
		"project_id": p.id, "project": s.projectSent(p), "commits": commits, "total_commits_count": len(commits), "push_options": object{},
		"repository": s.repositorySent(p),
	}
	if to != "" {
		body["checkout_sha"] = s.resolve(p, to)
	}
	s.send(p, kind+"_events", header, body)
}

// sent is a merge request as deliveries have it.
func (s *Server) sent(m *request) object {
	stateID := map[string]int{"opened": 1, "closed": 2, "merged": 3}[m.state]
	const form = "2006-01-02 15:04:05 UTC"
	o := object{
		"id": m.id, "iid": m.iid, "title": m.title, "description": m.text, "state": m.state, "state_id": stateID, "author_id": m.author.id,
		"assignee_id": nil, "assignee_ids": []int{}, "reviewer_ids": []int{}, "labels": []object{}, "milestone_id": nil,
		"created_at": m.created.Format(form), "updated_at": m.updated.Format(form), "draft": m.draft(), "work_in_progress": m.draft(),
		"source_branch": m.from, "target_branch": m.to, "source_project_id": m.source.id, "target_project_id": m.target.id,
		"source": s.projectSent(m.source), "target": s.projectSent(m.target), "last_commit": s.commitSent(m.target, m.newest().head, false),
		"merge_commit_sha": nil, "merge_status": "unchecked", "detailed_merge_status": "checking", "merge_error": nil,
		"url": fmt.Sprintf("%s/%s/-/merge_requests/%d", s.URL, m.target.path, m.iid), "blocking_discussions_resolved": true,
	}
	if m.mergeCommit != "" {
		o["merge_commit_sha"] = m.mergeCommit
	}
	return o
}

func (s *Server) tell(m *request, by *user, action, oldHead string, changes object) {
	is := s.sent(m)
	is["action"] = action
	if oldHead != "" {
		is["oldrev"] = oldHead
	}
	if changes == nil {
		changes = object{"merge_status": object{"previous": "preparing", "current": "unchecked"}}
	}
	s.send(m.target, "merge_requests_events", "Merge Request Hook", object{
		"object_kind": "merge_request", "event_type": "merge_request", "user": s.userSent(by), "project": s.projectSent(m.target),
		"repository": s.repositorySent(m.target), "object_attributes": is, "labels": []object{}, "changes": changes,
	})
}

func (s *Server) tellNote(m *request, n *note, action string) {
	is := object{
		"id": n.id, "note": n.text, "noteable_type": "MergeRequest", "noteable_id": m.id, "author_id": n.by.id, "project_id": m.target.id,
		"created_at": n.created.Format("2006-01-02 15:04:05 UTC"), "updated_at": n.updated.Format("2006-01-02 15:04:05 UTC"),
		"system": n.system, "action": action, "position": nil, "line_code": nil, "commit_id": nil, "attachment": nil, "st_diff": nil,
		"discussion_id": fmt.Sprintf("%040x", n.id), "type": nil,
		"url": fmt.Sprintf("%s/%s/-/merge_requests/%d#note_%d", s.URL, m.target.path, m.iid, n.id),
	}
	if n.position != nil {
		is["position"], is["type"] = n.position, "DiffNote"
	}
	s.send(m.target, "note_events", "Note Hook", object{
		"object_kind": "note", "event_type": "note", "user": s.userSent(n.by), "project_id": m.target.id, "project": s.projectSent(m.target),
		"repository": s.repositorySent(m.target), "object_attributes": is, "merge_request": s.sent(m),
	})
}

// pipeline tells of the pipeline that a status belongs to.
func (s *Server) pipeline(p *project, st *status) {
	s.send(p, "pipeline_events", "Pipeline Hook", object{
		"object_kind": "pipeline", "object_attributes": object{
			"id": 1, "iid": 1, "name": nil, "ref": s.head(p), "tag": false, "sha": st.sha, "before_sha": zero, "source": "external", "status": st.state,
			"detailed_status": st.state, "stages": []string{"external"}, "created_at": st.created.Format("2006-01-02 15:04:05 UTC"), "finished_at": nil,
			"duration": nil, "queued_duration": nil, "variables": []object{}, "url": fmt.Sprintf("%s/%s/-/pipelines/1", s.URL, p.path),
		},
		"merge_request": nil, "user": s.userSent(st.author), "project": s.projectSent(p), "commit": s.commitSent(p, st.sha, false), "builds": []object{},
	})
}
