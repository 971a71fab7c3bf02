package gitlabtest

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

func (s *Server) person(u *user) object {
	return object{"id": u.id, "username": u.login, "name": u.name, "state": "active", "avatar_url": nil, "web_url": s.URL + "/" + u.login}
}

func self(c *call) answer {
	if c.user.oauth {
		return refuse(http.StatusBadRequest, "400 Bad request - This endpoint requires token type to be a personal access token")
	}
	return ok(object{
		"id": c.user.id, "name": "of a test", "revoked": false, "active": true, "scopes": c.user.scopes, "user_id": c.user.id,
		"created_at": now(), "expires_at": "2099-12-31",
	})
}

func namespace(c *call) answer {
	key := c.r.PathValue("id")
	if u := c.Server.user(key); u == c.user && u != nil {
		return ok(object{"id": -u.id, "name": u.name, "path": u.login, "kind": "user", "full_path": u.login, "web_url": c.URL + "/" + u.login})
	}
	if g := c.Server.group(key); g != nil && c.level(c.user, g.path) > 0 {
		return ok(object{"id": g.id, "name": g.path, "path": last(g.path), "kind": "group", "full_path": g.path, "web_url": c.URL + "/groups/" + g.path})
	}
	return missing("Namespace")
}

func last(path string) string { return path[strings.LastIndex(path, "/")+1:] }

func (s *Server) projectObject(p *project) object {
	_, full := s.try(p, nil, "rev-parse", "--quiet", "--verify", "HEAD")
	return object{
		"id": p.id, "name": p.name(), "path": p.name(), "path_with_namespace": p.path, "name_with_namespace": strings.ReplaceAll(p.path, "/", " / "),
		"description": p.text, "visibility": p.visibility, "archived": p.archived, "empty_repo": !full, "default_branch": s.head(p),
		"http_url_to_repo": s.URL + "/" + p.path + ".git", "ssh_url_to_repo": "git@gitlab.example:" + p.path + ".git", "web_url": s.URL + "/" + p.path,
		"created_at": p.created, "last_activity_at": p.active, "merge_method": p.method, "creator_id": p.creator.id, "marked_for_deletion_on": nil,
		"topics":    append([]string{}, p.topics...),
		"namespace": object{"id": 1, "name": p.namespace(), "path": last(p.namespace()), "kind": "group", "full_path": p.namespace(), "web_url": s.URL + "/" + p.namespace()},
	}
}

func (s *Server) head(p *project) string {
	return strings.TrimPrefix(s.run(p, nil, "symbolic-ref", "HEAD"), "refs/heads/")
}

func (c *call) project(p *project) object { return c.projectObject(p) }

func (c *call) visible(keep func(p *project) bool) []*project {
	var out []*project
	for _, p := range c.projects {
		if c.level(c.user, p.namespace()) > 0 && keep(p) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *project) int { return cmp.Compare(a.id, b.id) })
	if c.r.FormValue("order_by") != "id" || c.r.FormValue("sort") != "asc" {
		slices.Reverse(out) // the newest first
	}
	return out
}

func listProjects(c *call) answer {
	after := int64(0)
	_, _ = fmt.Sscan(c.r.FormValue("id_after"), &after)
	return page(c, c.visible(func(p *project) bool { return p.id > after }), c.project)
}

func groupProjects(c *call) answer {
	g := c.Server.group(c.r.PathValue("id"))
	if g == nil || c.level(c.user, g.path) == 0 {
		return missing("Group")
	}
	return page(c, c.visible(func(p *project) bool {
		return p.namespace() == g.path || c.r.FormValue("include_subgroups") == "true" && strings.HasPrefix(p.path, g.path+"/")
	}), c.project)
}

func userProjects(c *call) answer {
	if c.Server.user(c.r.PathValue("id")) == nil {
		return missing("User")
	}
	return page(c, c.visible(func(p *project) bool { return p.namespace() == c.r.PathValue("id") }), c.project)
}

var legal = regexp.MustCompile(`^[a-zA-Z0-9_.][a-zA-Z0-9_.-]*$`)

func createProject(c *call) answer {
	space := ""
	switch id := c.number("namespace_id"); {
	case id < 0:
		for _, u := range c.users {
			if u.id == -id {
				space = u.login
			}
		}
	default:
		if g := c.Server.group(fmt.Sprint(id)); g != nil {
			space = g.path
		}
	}
	path := cmp.Or(c.text("path"), c.text("name"))
	switch {
	case space == "" || c.level(c.user, space) < Maintainer:
		return refuse(http.StatusBadRequest, object{"namespace": []string{"is not valid"}})
	case !legal.MatchString(path) || strings.HasSuffix(path, ".git"):
		return refuse(http.StatusBadRequest, object{"path": []string{"can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.git' or end in '.atom'."}})
	case c.Server.project(space+"/"+path) != nil:
		return refuse(http.StatusBadRequest, object{
			"project_namespace.name": []string{"has already been taken"}, "name": []string{"has already been taken"}, "path": []string{"has already been taken"},
		})
	}
	p, err := c.create(space+"/"+path, c.user)
	if err != nil {
		c.t.Error(err)
		return refuse(http.StatusInternalServerError, "500 Internal Server Error")
	}
	p.text, p.visibility = c.text("description"), cmp.Or(c.text("visibility"), "private")
	return answer{http.StatusCreated, c.project(p)}
}

func deleteProject(c *call, p *project) answer {
	c.projects = slices.DeleteFunc(c.projects, func(q *project) bool { return q == p })
	return answer{http.StatusAccepted, object{"message": "202 Accepted"}}
}

func archive(to bool) func(c *call, p *project) answer {
	return func(c *call, p *project) answer {
		p.archived = to
		return answer{http.StatusCreated, c.project(p)}
	}
}

func (k *deployKey) object() object {
	return object{"id": k.id, "title": k.title, "key": k.key, "can_push": k.canPush, "created_at": k.created, "expires_at": nil}
}

func listKeys(c *call, p *project) answer { return page(c, p.keys, (*deployKey).object) }

func addKey(c *call, p *project) answer {
	kind, key, _ := strings.Cut(c.text("key"), " ")
	if blob, err := base64.StdEncoding.DecodeString(key); err != nil || !strings.Contains(string(blob), kind) || len(blob) < 32 {
		return refuse(http.StatusBadRequest, object{"deploy_key.fingerprint": []string{"cannot be generated"}, "key": []string{"is invalid"}})
	}
	k := &deployKey{c.id(), c.text("title"), c.text("key"), c.truth("can_push"), now()}
	p.keys = append(p.keys, k)
	return answer{http.StatusCreated, k.object()}
}

func deleteKey(c *call, p *project) answer {
	at := slices.IndexFunc(p.keys, func(k *deployKey) bool { return fmt.Sprint(k.id) == c.r.PathValue("key") })
	if at < 0 {
		return missing("Deploy Key")
	}
	p.keys = slices.Delete(p.keys, at, at+1)
	return answer{http.StatusNoContent, nil}
}

func (c *call) groupObject(g *group) object {
	return object{
		"id": g.id, "name": last(g.path), "path": last(g.path), "full_path": g.path, "full_name": strings.ReplaceAll(g.path, "/", " / "),
		"description": "", "visibility": "private", "web_url": c.URL + "/groups/" + g.path, "marked_for_deletion_on": nil,
	}
}

func (c *call) seen(keep func(g *group) bool) []*group {
	var out []*group
	for _, g := range c.groups {
		if c.level(c.user, g.path) > 0 && keep(g) {
			out = append(out, g)
		}
	}
	return out
}

func listGroups(c *call) answer {
	return page(c, c.seen(func(*group) bool { return true }), c.groupObject)
}

func listDescendants(c *call) answer {
	g := c.Server.group(c.r.PathValue("id"))
	if g == nil || c.level(c.user, g.path) == 0 {
		return missing("Group")
	}
	return page(c, c.seen(func(below *group) bool { return strings.HasPrefix(below.path, g.path+"/") }), c.groupObject)
}

// members gives a group's own members, or also those from the groups above it.
func members(inherited bool) func(c *call) answer {
	return func(c *call) answer {
		g := c.Server.group(c.r.PathValue("id"))
		if g == nil || c.level(c.user, g.path) == 0 {
			return missing("Group")
		}
		var out []*user
		for _, u := range c.users {
			if g.members[u] > 0 || inherited && u.login != g.path && c.level(u, g.path) > 0 {
				out = append(out, u)
			}
		}
		return page(c, out, func(u *user) object {
			o := c.person(u)
			o["access_level"], o["expires_at"], o["created_at"] = c.level(u, g.path), nil, now()
			return o
		})
	}
}
