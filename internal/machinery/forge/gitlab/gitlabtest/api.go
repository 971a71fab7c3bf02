package gitlabtest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	gl "gitlab.com/gitlab-org/api/client-go"
)

type object = map[string]any

// call is one request to the API.
type call struct {
	*Server
	w    http.ResponseWriter
	r    *http.Request
	user *user
	in   object // of a request with a body
}

// answer is what a handler gives: a status and what is to be JSON.
type answer struct {
	status int
	body   any
}

func ok(body any) answer { return answer{http.StatusOK, body} }

func refuse(status int, words any) answer { return answer{status, object{"message": words}} }

func missing(what string) answer { return refuse(http.StatusNotFound, "404 "+what+" Not Found") }

// raw is an answer that is not JSON.
type raw struct {
	kind string
	text []byte
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.smart)
	handle := func(route string, shape any, tell func(c *call) answer) {
		method, path, _ := strings.Cut(route, " ")
		mux.HandleFunc(method+" /api/v4/"+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, shape, tell) })
	}
	mux.HandleFunc("GET /oauth/token/info", func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, nil, func(c *call) answer {
			return ok(object{"resource_owner_id": c.user.id, "scope": c.user.scopes, "expires_in": 7200})
		})
	})
	handle("GET user", gl.User{}, func(c *call) answer { return ok(c.person(c.user)) })
	handle("GET users", []gl.User{}, func(c *call) answer {
		var found []*user
		if u := c.Server.user(c.r.FormValue("username")); u != nil {
			found = append(found, u)
		}
		return page(c, found, c.person)
	})
	handle("GET personal_access_tokens/self", gl.PersonalAccessToken{}, self)
	handle("GET metadata", gl.Metadata{}, func(*call) answer {
		return ok(object{"version": "19.0.0-fake", "revision": "0000000", "enterprise": true, "kas": object{"enabled": false}})
	})
	handle("GET namespaces/{id}", gl.Namespace{}, namespace)

	handle("GET projects", []gl.Project{}, listProjects)
	handle("POST projects", gl.Project{}, createProject)
	handle("GET groups/{id}/projects", []gl.Project{}, groupProjects)
	handle("GET users/{id}/projects", []gl.Project{}, userProjects)
	handle("GET projects/{id}", gl.Project{}, on(Developer, func(c *call, p *project) answer { return ok(c.project(p)) }))
	handle("DELETE projects/{id}", nil, on(Owner, deleteProject))
	handle("POST projects/{id}/archive", gl.Project{}, on(Owner, archive(true)))
	handle("POST projects/{id}/unarchive", gl.Project{}, on(Owner, archive(false)))
	handle("GET projects/{id}/deploy_keys", []gl.ProjectDeployKey{}, on(Maintainer, listKeys))
	handle("POST projects/{id}/deploy_keys", gl.ProjectDeployKey{}, on(Maintainer, addKey))
	handle("DELETE projects/{id}/deploy_keys/{key}", nil, on(Maintainer, deleteKey))

	handle("GET groups", []gl.Group{}, listGroups)
	handle("GET groups/{id}/descendant_groups", []gl.Group{}, listDescendants)
	handle("GET groups/{id}/members", []gl.GroupMember{}, members(false))
	handle("GET groups/{id}/members/all", []gl.GroupMember{}, members(true))

	handle("GET projects/{id}/repository/files/{path}/raw", nil, on(Developer, rawFile))
	handle("GET projects/{id}/repository/tree", []gl.TreeNode{}, on(Developer, listTree))
	handle("GET projects/{id}/repository/commits", []gl.Commit{}, on(Developer, listCommits))
	handle("GET projects/{id}/repository/commits/{sha}", gl.Commit{}, on(Developer, getCommit))
	handle("GET projects/{id}/repository/compare", gl.Compare{}, on(Developer, compare))
	handle("GET projects/{id}/repository/merge_base", gl.Commit{}, on(Developer, mergeBase))
	handle("GET projects/{id}/repository/archive.tar.gz", nil, on(Developer, tarball))
	handle("GET projects/{id}/repository/branches", []gl.Branch{}, on(Developer, listBranches))
	handle("GET projects/{id}/repository/branches/{name}", gl.Branch{}, on(Developer, getBranch))
	handle("POST projects/{id}/repository/branches", gl.Branch{}, on(Developer, createBranch))
	handle("DELETE projects/{id}/repository/branches/{name}", nil, on(Developer, deleteBranch))
	handle("GET projects/{id}/repository/tags", []gl.Tag{}, on(Developer, listTags))
	handle("GET projects/{id}/repository/commits/{sha}/statuses", []gl.CommitStatus{}, on(Developer, listStatuses))
	handle("POST projects/{id}/statuses/{sha}", gl.CommitStatus{}, on(Developer, setStatus))

	handle("POST projects/{id}/merge_requests", gl.MergeRequest{}, on(Developer, openRequest))
	handle("GET projects/{id}/merge_requests", []gl.BasicMergeRequest{}, on(Developer, listRequests))
	const one = "projects/{id}/merge_requests/{iid}"
	handle("GET "+one, gl.MergeRequest{}, of(getRequest))
	handle("PUT "+one, gl.MergeRequest{}, of(editRequest))
	handle("PUT "+one+"/merge", gl.MergeRequest{}, of(mergeRequest))
	handle("PUT "+one+"/rebase", nil, of(rebaseRequest))
	handle("GET "+one+"/raw_diffs", nil, of(rawDiffs))
	handle("GET "+one+"/versions", []gl.MergeRequestDiffVersion{}, of(listVersions))
	handle("GET "+one+"/versions/{version}", gl.MergeRequestDiffVersion{}, of(getVersion))
	handle("GET "+one+"/notes", []gl.Note{}, of(listNotes))
	handle("POST "+one+"/notes", gl.Note{}, of(addNote))
	handle("PUT "+one+"/notes/{note}", gl.Note{}, of(editNote))
	handle("POST "+one+"/discussions", gl.Discussion{}, of(addDiscussion))
	handle("GET "+one+"/approvals", gl.MergeRequestApprovals{}, of(func(c *call, _ *project, m *request) answer { return ok(c.approvals(m)) }))
	handle("POST "+one+"/approve", gl.MergeRequestApprovals{}, of(approve))
	handle("POST "+one+"/unapprove", nil, of(unapprove))

	for _, of := range []string{"projects", "groups"} {
		handle("GET "+of+"/{id}/hooks", []gl.GroupHook{}, hooked(of, listHooks))
		handle("POST "+of+"/{id}/hooks", gl.GroupHook{}, hooked(of, addHook))
		handle("PUT "+of+"/{id}/hooks/{hook}", gl.GroupHook{}, hooked(of, editHook))
		handle("DELETE "+of+"/{id}/hooks/{hook}", nil, hooked(of, deleteHook))
	}
	return mux
}

// serve answers one request, all others waiting meanwhile.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, shape any, tell func(c *call) answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{Server: s, w: w, r: r}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c.user = s.byToken(token)
	w.Header().Set("RateLimit-Limit", "1000000")
	w.Header().Set("RateLimit-Remaining", strconv.Itoa(max(0, s.left-1)))
	w.Header().Set("RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10))
	var got answer
	switch {
	case s.left <= 0:
		w.Header().Set("Retry-After", "60")
		got = refuse(http.StatusTooManyRequests, "Too Many Requests")
	case c.user == nil:
		got = refuse(http.StatusUnauthorized, "401 Unauthorized")
	case !slices.Contains(c.user.scopes, "api") && !strings.HasSuffix(r.URL.Path, "/self") && !strings.HasSuffix(r.URL.Path, "/info"):
		got = answer{http.StatusForbidden, object{"error": "insufficient_scope", "error_description": "The request requires higher privileges than provided by the access token.", "scope": "api"}}
	case r.Body != http.NoBody && json.NewDecoder(io.LimitReader(r.Body, 10<<20)).Decode(&c.in) != nil && r.ContentLength > 0:
		got = refuse(http.StatusBadRequest, "400 Bad Request")
	default:
		s.left--
		s.taken++
		got = tell(c)
		if got.status < 300 && shape != nil {
			if err := conforms(got.body, shape); err != nil {
				s.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
			}
		}
	}
	c.send(got)
}

// send writes an answer, or that it is the one that the client has.
func (c *call) send(got answer) {
	text, kind := []byte(nil), "application/json"
	switch body := got.body.(type) {
	case nil:
	case raw:
		text, kind = body.text, body.kind
	default:
		var err error
		if text, err = json.Marshal(body); err != nil {
			c.t.Error(err)
		}
	}
	c.w.Header().Set("Content-Type", kind)
	if c.r.Method == http.MethodGet && got.status == http.StatusOK {
		mark := fmt.Sprintf(`W/"%x"`, sha256.Sum256(text))
		c.w.Header().Set("ETag", mark)
		if c.r.Header.Get("If-None-Match") == mark {
			c.w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	c.w.WriteHeader(got.status)
	_, _ = c.w.Write(text) // a client that went away
}

// on is a handler of a project that the caller may see, and in which they have a level.
func on(level int, tell func(c *call, p *project) answer) func(c *call) answer {
	return func(c *call) answer {
		p := c.Server.project(c.r.PathValue("id"))
		switch {
		case p == nil || c.level(c.user, p.namespace()) == 0:
			return missing("Project")
		case c.level(c.user, p.namespace()) < level:
			return refuse(http.StatusForbidden, "403 Forbidden")
		}
		return tell(c, p)
	}
}

// of is a handler of a merge request.
func of(tell func(c *call, p *project, m *request) answer) func(c *call) answer {
	return on(Developer, func(c *call, p *project) answer {
		for _, m := range p.requests {
			if fmt.Sprint(m.iid) == c.r.PathValue("iid") {
				return tell(c, p, m)
			}
		}
		return missing("Not Found")
	})
}

// page cuts a list as GitLab does, which gives 100 items at most.
func page[T any](c *call, all []T, as func(T) object) answer {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(c.r.FormValue(name)); err == nil && n > 0 {
			return n
		}
		return otherwise
	}
	at, per := number("page", 1), min(number("per_page", 20), 100)
	h := c.w.Header()
	h.Set("X-Page", strconv.Itoa(at))
	h.Set("X-Per-Page", strconv.Itoa(per))
	h.Set("X-Total", strconv.Itoa(len(all)))
	h.Set("X-Total-Pages", strconv.Itoa(max(1, (len(all)+per-1)/per)))
	h.Set("X-Next-Page", "")
	from, to := min((at-1)*per, len(all)), min(at*per, len(all))
	if to < len(all) {
		h.Set("X-Next-Page", strconv.Itoa(at+1))
	}
	out := []object{}
	for _, x := range all[from:to] {
		out = append(out, as(x))
	}
	return ok(out)
}

// text and truth read a field of the request's body.
func (c *call) text(name string) string {
	s, _ := c.in[name].(string)
	return s
}

func (c *call) truth(name string) bool {
	b, _ := c.in[name].(bool)
	return b
}

func (c *call) number(name string) int64 {
	n, _ := c.in[name].(float64)
	return int64(n)
}
