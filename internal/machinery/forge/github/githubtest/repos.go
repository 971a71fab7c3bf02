package githubtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

type repository struct {
	id                       int64
	owner                    *account
	name, description        string
	private, archived        bool
	created, changed, pushed time.Time
	dir                      string
	refs                     map[string]string // as last seen
	keys                     []*key
	hooks                    []*hook
	pulls                    []*pull
	notes                    []*note
	reviewed                 []*verdict
	statuses                 []*status
	ran                      []*run
}

type key struct {
	id          int64
	title, text string
	readOnly    bool
	made        time.Time
}

func (r *repository) full() string { return r.owner.login + "/" + r.name }

// find gives a repository by its full name.
func (s *Server) find(full string) *repository {
	for _, r := range s.repositories {
		if strings.EqualFold(r.full(), full) {
			return r
		}
	}
	return nil
}

// user gives an account as GitHub writes it everywhere.
func (s *Server) user(a *account) obj {
	web, api := s.URL+"/"+a.login, s.URL+prefix+"/users/"+a.login
	return obj{
		"login": a.login, "id": a.id, "node_id": fmt.Sprint("U_", a.id), "avatar_url": web + ".png", "gravatar_id": "", "url": api, "html_url": web,
		"followers_url": api + "/followers", "following_url": api + "/following{/other_user}", "gists_url": api + "/gists{/gist_id}",
		"starred_url": api + "/starred{/owner}{/repo}", "subscriptions_url": api + "/subscriptions", "organizations_url": api + "/orgs",
		"repos_url": api + "/repos", "events_url": api + "/events{/privacy}", "received_events_url": api + "/received_events",
		"type": a.kind, "site_admin": false, "user_view_type": "public",
	}
}

func (s *Server) publicUser(a *account) obj {
	u := s.user(a)
	for _, name := range []string{"bio", "blog", "company", "email", "hireable", "location", "name"} {
		u[name] = nil
	}
	for _, name := range []string{"followers", "following", "public_gists", "public_repos"} {
		u[name] = 0
	}
	u["created_at"], u["updated_at"] = stamp(a.created), stamp(a.created)
	return u
}

func (s *Server) simpleOrganization() obj {
	a := s.accounts[Organization]
	api := s.URL + prefix + "/orgs/" + a.login
	return obj{
		"login": a.login, "id": a.id, "node_id": "O_1", "url": api, "repos_url": api + "/repos", "events_url": api + "/events", "hooks_url": api + "/hooks",
		"issues_url": api + "/issues", "members_url": api + "/members{/member}", "public_members_url": api + "/public_members{/member}",
		"avatar_url": s.URL + "/acme.png", "description": "of a test",
	}
}

func (s *Server) team() obj {
	api := s.URL + prefix + "/organizations/1/team/7"
	return obj{
		"id": 7, "node_id": "T_7", "url": api, "html_url": s.URL + "/orgs/acme/teams/builders", "name": "Builders", "slug": Team, "description": nil,
		"privacy": "closed", "permission": "push", "members_url": api + "/members{/member}", "repositories_url": api + "/repos", "parent": nil,
		"type": "organization", "organization_id": s.accounts[Organization].id,
	}
}

// repository gives a repository with all that GitHub tells of one anywhere.
func (s *Server) repository(r *repository) obj {
	web, api := s.URL+"/"+r.full(), s.URL+prefix+"/repos/"+r.full()
	o := obj{
		"id": r.id, "node_id": fmt.Sprint("R_", r.id), "name": r.name, "full_name": r.full(), "private": r.private, "owner": s.user(r.owner),
		"html_url": web, "description": r.description, "fork": false, "url": api, "homepage": nil, "language": nil, "forks_count": 0, "forks": 0,
		"stargazers_count": 0, "watchers_count": 0, "watchers": 0, "size": 0, "default_branch": "main", "open_issues_count": 0, "open_issues": 0,
		"is_template": false, "topics": []any{}, "has_issues": true, "has_projects": true, "has_wiki": true, "has_pages": false, "has_downloads": true,
		"has_discussions": false, "archived": r.archived, "disabled": false, "visibility": map[bool]string{true: "private", false: "public"}[r.private],
		"pushed_at": stamp(r.pushed), "created_at": stamp(r.created), "updated_at": stamp(r.changed), "license": nil, "allow_forking": true,
		"network_count": 0, "subscribers_count": 0, "web_commit_signoff_required": false, "mirror_url": nil,
		"clone_url": web + ".git", "svn_url": web, "git_url": "git" + strings.TrimPrefix(web, "http") + ".git", "ssh_url": "git@127.0.0.1:" + r.full() + ".git",
	}
	for name, rest := range map[string]string{
		"forks": "/forks", "keys": "/keys{/key_id}", "collaborators": "/collaborators{/collaborator}", "teams": "/teams", "hooks": "/hooks",
		"issue_events": "/issues/events{/number}", "events": "/events", "assignees": "/assignees{/user}", "branches": "/branches{/branch}", "tags": "/tags",
		"blobs": "/git/blobs{/sha}", "git_tags": "/git/tags{/sha}", "git_refs": "/git/refs{/sha}", "trees": "/git/trees{/sha}", "statuses": "/statuses/{sha}",
		"languages": "/languages", "stargazers": "/stargazers", "contributors": "/contributors", "subscribers": "/subscribers", "subscription": "/subscription",
		"commits": "/commits{/sha}", "git_commits": "/git/commits{/sha}", "comments": "/comments{/number}", "issue_comment": "/issues/comments{/number}",
		"contents": "/contents/{+path}", "compare": "/compare/{base}...{head}", "merges": "/merges", "archive": "/{archive_format}{/ref}",
		"downloads": "/downloads", "issues": "/issues{/number}", "pulls": "/pulls{/number}", "milestones": "/milestones{/number}",
		"notifications": "/notifications{?since,all,participating}", "labels": "/labels{/name}", "releases": "/releases{/id}", "deployments": "/deployments",
	} {
		o[name+"_url"] = api + rest
	}
	return o
}

func (c *call) create() answer {
	owner := c.accounts[Organization]
	if c.path("org") == "" {
		owner = c.who.who
	}
	name := c.text("name")
	if c.find(owner.login+"/"+name) != nil {
		a := invalid("Repository", "name", "name already exists on this account")
		a.body.(obj)["message"] = "Repository creation failed."
		return a
	}
	now := time.Now().Truncate(time.Second)
	r := &repository{id: c.id(), owner: owner, name: name, description: c.text("description"), private: c.flag("private"), created: now, changed: now, pushed: now, refs: map[string]string{}}
	r.dir = filepath.Join(c.dir, fmt.Sprint(r.id))
	if _, err := c.git("", "init", "--quiet", "--bare", "--initial-branch=main", r.dir); err != nil {
		return fail(http.StatusServiceUnavailable, err.Error())
	}
	if _, err := c.git(r.dir, "config", "http.receivepack", "true"); err != nil {
		return fail(http.StatusServiceUnavailable, err.Error())
	}
	c.repositories = append(c.repositories, r)
	return made(c.repository(r))
}

// Commit writes a file to the branch main of a repository, as somebody, and gives the commit.
func (s *Server) Commit(name, login, file, text string) string {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	r, by := s.find(name), s.accounts[login]
	if r == nil || by == nil {
		s.t.Fatalf("there is no repository %s, or nobody is called %s", name, login)
	}
	from := ""
	if tip := s.resolve(r, "main"); tip != "" {
		from = "from " + tip + "\n"
	}
	input := fmt.Sprintf("commit refs/heads/main\ncommitter %s <%s@example.com> %d +0000\ndata %d\n%s\n%sM 100644 inline %s\ndata %d\n%s\n",
		login, login, time.Now().Unix(), len(file), file, from, file, len(text), text)
	if _, err := s.feed(input, r.dir, "fast-import", "--quiet"); err != nil {
		s.t.Fatal(err)
	}
	s.moved(r, by)
	return s.resolve(r, "main")
}

func (c *call) edit() answer {
	if archived, ok := c.body["archived"].(bool); ok {
		c.repo.archived = archived
	}
	c.repo.changed = time.Now()
	return ok(c.repository(c.repo))
}

func (c *call) remove() answer {
	c.repositories = slices.DeleteFunc(c.repositories, func(r *repository) bool { return r == c.repo })
	return gone()
}

func (s *Server) keyOf(k *key) obj {
	return obj{
		"id": k.id, "key": k.text, "url": fmt.Sprint(s.URL, prefix, "/user/keys/", k.id), "title": k.title, "verified": true,
		"created_at": stamp(k.made), "read_only": k.readOnly, "added_by": Ann, "last_used": nil,
	}
}

func (c *call) addKey() answer {
	kind, text, _ := strings.Cut(c.text("key"), " ")
	if _, err := base64.StdEncoding.DecodeString(text); err != nil || text == "" || !strings.HasPrefix(kind, "ssh-") {
		return invalid("PublicKey", "key", "key is invalid. You must supply a key in OpenSSH public key format")
	}
	k := &key{id: c.id(), title: c.text("title"), text: c.text("key"), readOnly: c.flag("read_only"), made: time.Now()}
	c.repo.keys = append(c.repo.keys, k)
	return made(c.keyOf(k))
}

func (c *call) deleteKey() answer {
	before := len(c.repo.keys)
	c.repo.keys = slices.DeleteFunc(c.repo.keys, func(k *key) bool { return k.id == c.number("key_id") })
	if len(c.repo.keys) == before {
		return missing()
	}
	return gone()
}
