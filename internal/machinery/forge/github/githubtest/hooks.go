package githubtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/cgi" //nolint:gosec // its old defect is mended in all versions of Go that build this
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

type hook struct {
	id            int64
	at            string // address of its own in the API
	url, secret   string
	events        []string
	active        bool
	made, changed time.Time
}

// delivery is what is to be sent.
type delivery struct {
	hook  *hook
	event string
	url   string
	sign  string
	body  []byte
}

func (s *Server) hookOf(h *hook) obj {
	config := obj{"url": h.url, "content_type": "json", "insecure_ssl": "0"}
	if h.secret != "" {
		config["secret"] = "********"
	}
	o := obj{
		"id": h.id, "url": h.at, "type": "Repository", "name": "web", "active": h.active, "events": h.events, "config": config, "ping_url": h.at + "/pings",
		"deliveries_url": h.at + "/deliveries", "created_at": stamp(h.made), "updated_at": stamp(h.changed),
	}
	if strings.Contains(h.at, "/orgs/") {
		o["type"] = "Organization"
		return o
	}
	o["test_url"], o["last_response"] = h.at+"/test", obj{"code": nil, "status": "unused", "message": nil}
	return o
}

// hooked gives the list of webhooks that the address names.
func (c *call) hooked() (list *[]*hook, at string) {
	if c.repo == nil {
		return &c.hooks, c.URL + prefix + "/orgs/" + Organization + "/hooks/"
	}
	return &c.repo.hooks, c.URL + prefix + "/repos/" + c.repo.full() + "/hooks/"
}

// configure takes what a request says of a webhook.
func (c *call) configure(h *hook) {
	if config, ok := c.body["config"].(obj); ok {
		h.url, _ = config["url"].(string)
		h.secret, _ = config["secret"].(string)
	}
	if events, ok := c.body["events"].([]any); ok {
		h.events = nil
		for _, e := range events {
			name, _ := e.(string)
			h.events = append(h.events, name)
		}
	}
	h.active, h.changed = c.flag("active"), time.Now()
}

func (c *call) addHook() answer {
	list, at := c.hooked()
	h := &hook{id: c.id(), events: []string{"push"}, made: time.Now()}
	h.at = fmt.Sprint(at, h.id)
	c.configure(h)
	if u, err := url.Parse(h.url); err != nil || u.Host == "" {
		return invalid("Hook", "url", "url is missing a scheme")
	}
	if slices.ContainsFunc(*list, func(x *hook) bool { return x.url == h.url }) {
		return invalid("Hook", "", "Hook already exists on this repository")
	}
	*list = append(*list, h)
	payload := obj{"zen": "Keep it logically awesome.", "hook_id": h.id, "hook": c.hookOf(h)}
	if c.repo != nil {
		payload["repository"] = c.repository(c.repo)
	}
	payload["sender"] = c.user(c.who.who)
	c.post(h, "ping", "", payload)
	return made(c.hookOf(h))
}

func (c *call) editHook() answer {
	list, _ := c.hooked()
	for _, h := range *list {
		if h.id == c.number("hook_id") {
			c.configure(h)
			return ok(c.hookOf(h))
		}
	}
	return missing()
}

func (c *call) deleteHook() answer {
	list, _ := c.hooked()
	before := len(*list)
	*list = slices.DeleteFunc(*list, func(h *hook) bool { return h.id == c.number("hook_id") })
	if len(*list) == before {
		return missing()
	}
	return gone()
}

// tellAll sends an event to who wants it.
func (s *Server) tellAll(r *repository, event, action string, who *account, payload obj) {
	if action != "" {
		payload["action"] = action
	}
	if payload["repository"] == nil {
		payload["repository"] = s.repository(r)
	}
	payload["sender"] = s.user(who)
	if r.owner.kind == "Organization" {
		payload["organization"] = s.simpleOrganization()
	}
	for _, h := range slices.Concat(r.hooks, s.hooks) {
		if h.active && (slices.Contains(h.events, event) || slices.Contains(h.events, "*")) {
			s.post(h, event, action, payload)
		}
	}
}

func (s *Server) post(h *hook, event, action string, payload obj) {
	body, err := json.Marshal(payload)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.checks.webhook(event, action, body)
	if u, err := url.Parse(h.url); err == nil && net.ParseIP(u.Hostname()).IsLoopback() { // nothing leaves the machine
		s.queue <- &delivery{h, event, h.url, h.secret, body}
	}
}

// send sends deliveries one after the other.
func (s *Server) send(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-s.queue:
			s.deliver(ctx, d)
		}
	}
}

func (s *Server) deliver(ctx context.Context, d *delivery) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(d.body))
	if err != nil {
		s.t.Error(err)
		return
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		s.t.Error(err)
		return
	}
	kind := "repository"
	if strings.Contains(d.hook.at, "/orgs/") {
		kind = "organization"
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "GitHub-Hookshot/0000000", "X-GitHub-Event": d.event, "X-GitHub-Hook-ID": fmt.Sprint(d.hook.id),
		"X-GitHub-Delivery": fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), "X-GitHub-Hook-Installation-Target-Type": kind,
	} {
		r.Header.Set(name, value)
	}
	if d.sign != "" {
		mac := hmac.New(sha256.New, []byte(d.sign))
		mac.Write(d.body)
		r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return // nobody is there any more
	}
	answer.Body.Close()
}

func (s *Server) tellPull(r *repository, p *pull, action string, who *account, more obj) {
	payload := obj{"number": p.number, "pull_request": s.pullOf(r, p)}
	maps.Copy(payload, more)
	s.tellAll(r, "pull_request", action, who, payload)
}

// issue gives a pull request as the issue that it is, too.
func (s *Server) issue(r *repository, p *pull) obj {
	repo, web := s.URL+prefix+"/repos/"+r.full(), fmt.Sprint(s.URL, "/", r.full(), "/pull/", p.number)
	api := fmt.Sprint(repo, "/issues/", p.number)
	o := obj{
		"url": api, "repository_url": repo, "labels_url": api + "/labels{/name}", "comments_url": api + "/comments", "events_url": api + "/events", "html_url": web,
		"id": p.id, "node_id": fmt.Sprint("PR_", p.id), "number": p.number, "title": p.title, "user": s.user(p.author), "labels": []any{}, "state": p.state(), "locked": false,
		"assignee": nil, "assignees": []any{}, "milestone": nil, "comments": 1, "created_at": stamp(p.created), "updated_at": stamp(p.updated), "closed_at": stamp(p.closed),
		"author_association": "MEMBER", "active_lock_reason": nil, "body": p.body, "reactions": s.reactions(api), "timeline_url": api + "/timeline",
		"performed_via_github_app": nil, "state_reason": nil, "draft": p.draft,
	}
	links := obj{"url": fmt.Sprint(repo, "/pulls/", p.number), "html_url": web, "diff_url": web + ".diff", "patch_url": web + ".patch", "merged_at": nil}
	if p.merged {
		links["merged_at"] = stamp(p.closed)
	}
	o["pull_request"] = links
	return o
}

func (c *call) tellComment(r *repository, n *note, action string) {
	c.tellAll(r, "issue_comment", action, c.who.who, obj{"issue": c.issue(r, n.of), "comment": c.noteOf(r, n)})
}

func (c *call) tellLineComment(r *repository, n *note) {
	comment := c.noteOf(r, n)
	comment["position"], comment["original_position"], comment["start_line"], comment["original_start_line"], comment["start_side"] = 1, 1, nil, nil, nil
	c.tellAll(r, "pull_request_review_comment", "created", c.who.who, obj{"pull_request": c.simple(r, n.of), "comment": comment})
}

func (c *call) tellReview(r *repository, v *verdict) {
	review := c.verdictOf(r, v)
	review["state"] = strings.ToLower(v.state)
	c.tellAll(r, "pull_request_review", "submitted", c.who.who, obj{"pull_request": c.simple(r, v.of), "review": review})
}

func (c *call) tellStatus(r *repository, st *status) {
	c.tellAll(r, "status", "", c.who.who, obj{
		"id": st.id, "sha": st.hash, "name": r.full(), "avatar_url": nil, "target_url": st.url, "context": st.context, "description": st.description, "state": st.state,
		"commit": c.commitOf(c.history(r, "-1", st.hash)[0]), "branches": []any{}, "created_at": stamp(st.when), "updated_at": stamp(st.when),
	})
}

const nothing = "0000000000000000000000000000000000000000"

// moved tells of the references that are not where they were.
func (s *Server) moved(r *repository, who *account) {
	now := map[string]string{}
	for line := range strings.Lines(s.tell(r, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags")) {
		ref, hash, _ := strings.Cut(strings.TrimSpace(line), " ")
		now[ref] = hash
	}
	all := maps.Clone(now)
	maps.Copy(all, r.refs)
	was := r.refs
	r.refs = now
	for _, ref := range slices.Sorted(maps.Keys(all)) {
		if was[ref] == now[ref] {
			continue
		}
		r.pushed = time.Now()
		s.tellPush(r, ref, was[ref], now[ref], who)
		branch := strings.TrimPrefix(ref, "refs/heads/")
		for _, p := range r.pulls {
			switch {
			case !p.open || p.head != branch:
			case now[ref] == "":
				p.open, p.closed, p.updated = false, r.pushed, r.pushed
				s.tellPull(r, p, "closed", who, nil)
			default:
				before := p.headHash
				p.headHash, p.updated = now[ref], r.pushed
				s.show(r, p)
				s.tellPull(r, p, "synchronize", who, obj{"before": before, "after": p.headHash})
			}
		}
	}
}

func (s *Server) tellPush(r *repository, ref, before, after string, who *account) {
	web := s.URL + "/" + r.full()
	person := func(name, mail string) obj { return obj{"name": name, "email": mail, "username": who.login} }
	commitOf := func(l logged) obj {
		added, removed, modified := []any{}, []any{}, []any{}
		for line := range strings.Lines(s.tell(r, "diff-tree", "--root", "--no-commit-id", "-r", "--name-status", l.hash)) {
			switch how, name, _ := strings.Cut(strings.TrimSpace(line), "\t"); how {
			case "A":
				added = append(added, name)
			case "D":
				removed = append(removed, name)
			default:
				modified = append(modified, name)
			}
		}
		return obj{
			"id": l.hash, "tree_id": l.tree, "distinct": true, "message": l.message, "timestamp": l.dated, "url": web + "/commit/" + l.hash,
			"author": person(l.author, l.authorMail), "committer": person(l.committer, l.mail), "added": added, "removed": removed, "modified": modified,
		}
	}
	commits := []any{}
	var head any
	if after != "" {
		head = commitOf(s.history(r, "-1", after)[0])
		if before != "" {
			commits = each(s.history(r, "--reverse", before+".."+after), commitOf)
		}
	}
	repo := s.repository(r)
	repo["created_at"], repo["pushed_at"], repo["master_branch"], repo["stargazers"] = r.created.Unix(), r.pushed.Unix(), "main", 0
	orNothing := func(hash string) string {
		if hash == "" {
			return nothing
		}
		return hash
	}
	s.tellAll(r, "push", "", who, obj{
		"ref": ref, "before": orNothing(before), "after": orNothing(after), "created": before == "", "deleted": after == "", "forced": false, "base_ref": nil,
		"compare": web + "/compare/x...y", "commits": commits, "head_commit": head, "repository": repo, "pusher": obj{"name": who.login, "email": nil},
	})
}

// serveGit serves a repository to git.
func (s *Server) serveGit(w http.ResponseWriter, r *http.Request) {
	name, isGit := strings.CutSuffix(r.PathValue("name"), ".git")
	_, password, signed := r.BasicAuth()
	s.mu.Lock()
	repo, who := s.find(r.PathValue("owner")+"/"+name), s.granted(password)
	s.mu.Unlock()
	switch {
	case !signed || who == nil:
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		http.Error(w, "Invalid username or token.", http.StatusUnauthorized)
		return
	case !isGit || repo == nil || !who.may(repo):
		http.Error(w, "Repository not found.", http.StatusNotFound)
		return
	}
	core, err := s.git("", "--exec-path")
	if err != nil {
		s.t.Error(err)
	}
	rest := strings.TrimPrefix(r.URL.Path, "/"+r.PathValue("owner")+"/"+r.PathValue("name"))
	r.URL.Path = "/" + filepath.Base(repo.dir) + rest
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(core), "git-http-backend"), Stderr: s.t.Output(),
		Env: []string{"GIT_PROJECT_ROOT=" + s.dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=" + who.who.login, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null"},
	}
	backend.ServeHTTP(w, r)
	if strings.HasSuffix(rest, "/git-receive-pack") {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.moved(repo, who.who)
	}
}
