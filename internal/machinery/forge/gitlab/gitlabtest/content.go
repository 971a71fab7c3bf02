package gitlabtest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func rawFile(c *call, p *project) answer {
	commit := c.resolve(p, c.r.FormValue("ref"))
	if commit == "" {
		return missing("Commit")
	}
	at := commit + ":" + c.r.PathValue("path")
	if kind, ok := c.try(p, nil, "cat-file", "-t", at); !ok || kind != "blob" {
		return missing("File")
	}
	text, err := c.command(p, nil, "cat-file", "blob", at).Output()
	if err != nil {
		c.t.Error(err)
	}
	return ok(raw{"text/plain; charset=utf-8", text})
}

func listTree(c *call, p *project) answer {
	commit, folder := c.resolve(p, c.r.FormValue("ref")), strings.Trim(c.r.FormValue("path"), "/")
	if commit == "" {
		return missing("Tree")
	}
	args := []string{"ls-tree", "-z", "-t"}
	if c.r.FormValue("recursive") == "true" {
		args = append(args, "-r")
	}
	text, is := c.try(p, nil, append(args, commit+":"+folder)...)
	if !is {
		return answer{http.StatusNotFound, object{"message": "404 invalid revision or path Not Found"}}
	}
	nodes := []object{}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\x00"), "\x00") {
		meta, name, ok := strings.Cut(line, "\t")
		if f := strings.Fields(meta); ok {
			full := strings.TrimPrefix(folder+"/"+name, "/")
			nodes = append(nodes, object{"id": f[2], "name": last(full), "type": f[1], "path": full, "mode": f[0]})
		}
	}
	slices.SortStableFunc(nodes, func(a, b object) int { // folders first
		return cmp.Compare(b["type"].(string), a["type"].(string))
	})
	return page(c, nodes, func(o object) object { return o })
}

func (c *call) commits(p *project, hashes []string) answer {
	return page(c, hashes, func(h string) object { return c.commit(p, h) })
}

func listCommits(c *call, p *project) answer {
	commit := c.resolve(p, c.r.FormValue("ref_name"))
	if commit == "" {
		return missing("Repository")
	}
	args := []string{commit}
	if path := c.r.FormValue("path"); path != "" {
		args = append(args, "--", path)
	}
	return c.commits(p, c.rangeOf(p, args...))
}

func getCommit(c *call, p *project) answer {
	commit := c.resolve(p, c.r.PathValue("sha"))
	if commit == "" {
		return missing("Commit")
	}
	return ok(c.commit(p, commit))
}

func mergeBase(c *call, p *project) answer {
	var commits []string
	for _, ref := range c.r.URL.Query()["refs[]"] {
		commit := c.resolve(p, ref)
		if commit == "" {
			return refuse(http.StatusBadRequest, "400 Bad request - Could not find ref: "+ref)
		}
		commits = append(commits, commit)
	}
	base, is := c.try(p, nil, append([]string{"merge-base"}, commits...)...)
	if !is {
		return missing("Merge Base")
	}
	return ok(c.commit(p, base))
}

func compare(c *call, p *project) answer {
	from, to := c.resolve(p, c.r.FormValue("from")), c.resolve(p, c.r.FormValue("to"))
	if from == "" || to == "" {
		return missing("Ref")
	}
	base, is := c.try(p, nil, "merge-base", from, to)
	if !is {
		return missing("Merge Base")
	}
	commits, newest := []object{}, object(nil)
	for _, h := range c.rangeOf(p, "--reverse", from+".."+to) {
		newest = c.commit(p, h)
		commits = append(commits, newest)
	}
	return ok(object{
		"commit": newest, "commits": commits, "diffs": c.diffs(p, base, to), "compare_timeout": false, "compare_same_ref": from == to,
		"web_url": c.URL + "/" + p.path + "/-/compare/" + from + "..." + to,
	})
}

func tarball(c *call, p *project) answer {
	commit := c.resolve(p, c.r.FormValue("sha"))
	if commit == "" {
		return missing("File")
	}
	text, err := c.command(p, nil, "archive", "--format=tar.gz", "--prefix="+p.name()+"-"+commit+"/", commit).Output()
	if err != nil {
		c.t.Error(err)
	}
	return ok(raw{"application/octet-stream", text})
}

func (c *call) branch(p *project, name, commit string) object {
	return object{
		"name": name, "commit": c.commit(p, commit), "protected": name == c.head(p), "default": name == c.head(p), "merged": false,
		"can_push": true, "developers_can_push": false, "developers_can_merge": false, "web_url": c.URL + "/" + p.path + "/-/tree/" + name,
	}
}

func (c *call) names(p *project, prefix string) (names []string, refs map[string]string) {
	refs = c.refs(p)
	for ref := range refs {
		if name, ok := strings.CutPrefix(ref, prefix); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, refs
}

func listBranches(c *call, p *project) answer {
	names, refs := c.names(p, "refs/heads/")
	return page(c, names, func(name string) object { return c.branch(p, name, refs["refs/heads/"+name]) })
}

func getBranch(c *call, p *project) answer {
	name := c.r.PathValue("name")
	commit := c.refs(p)["refs/heads/"+name]
	if commit == "" {
		return missing("Branch")
	}
	return ok(c.branch(p, name, commit))
}

func createBranch(c *call, p *project) answer {
	name, commit := c.text("branch"), c.resolve(p, c.text("ref"))
	before := c.refs(p)
	switch _, is := c.try(p, nil, "check-ref-format", "--branch", name); {
	case !is:
		return refuse(http.StatusBadRequest, "Branch name is invalid")
	case before["refs/heads/"+name] != "":
		return refuse(http.StatusBadRequest, "Branch already exists")
	case commit == "":
		return refuse(http.StatusBadRequest, "Invalid reference name: "+c.text("ref"))
	}
	c.run(p, nil, "update-ref", "refs/heads/"+name, commit)
	c.movedRefs(p, c.user, before)
	return answer{http.StatusCreated, c.branch(p, name, commit)}
}

func deleteBranch(c *call, p *project) answer {
	name := c.r.PathValue("name")
	before := c.refs(p)
	switch {
	case before["refs/heads/"+name] == "":
		return missing("Branch")
	case name == c.head(p):
		return refuse(http.StatusMethodNotAllowed, "Cannot remove HEAD branch")
	}
	c.run(p, nil, "update-ref", "-d", "refs/heads/"+name)
	c.movedRefs(p, c.user, before)
	return answer{http.StatusNoContent, nil}
}

func listTags(c *call, p *project) answer {
	names, refs := c.names(p, "refs/tags/")
	return page(c, names, func(name string) object {
		message, target := "", refs["refs/tags/"+name]
		if kind := c.run(p, nil, "cat-file", "-t", target); kind == "tag" {
			message = c.run(p, nil, "for-each-ref", "--format=%(contents)", "refs/tags/"+name)
		}
		return object{"name": name, "message": message, "target": target, "commit": c.commit(p, c.resolve(p, "refs/tags/"+name)), "release": nil, "protected": false, "created_at": nil}
	})
}

func (c *call) status(s *status) object {
	return object{
		"id": s.id, "sha": s.sha, "ref": "main", "status": s.state, "name": s.name, "description": s.text, "target_url": s.url,
		"created_at": s.created, "started_at": nil, "finished_at": nil, "allow_failure": false, "coverage": nil, "pipeline_id": 1, "author": c.person(s.author),
	}
}

func listStatuses(c *call, p *project) answer {
	commit := c.resolve(p, c.r.PathValue("sha"))
	if commit == "" {
		return missing("Commit")
	}
	newest := map[string]*status{}
	var names []string
	for _, s := range p.statuses {
		if s.sha == commit {
			if newest[s.name] == nil {
				names = append(names, s.name)
			}
			newest[s.name] = s
		}
	}
	return page(c, names, func(name string) object { return c.status(newest[name]) })
}

// setStatus makes a new status when the one of that name has ended, and refuses one that is so already.
func setStatus(c *call, p *project) answer {
	commit, state, name := c.resolve(p, c.r.PathValue("sha")), c.text("state"), cmp.Or(c.text("name"), c.text("context"), "default")
	event, is := map[string]string{"pending": "enqueue", "running": "run", "success": "success", "failed": "drop", "canceled": "cancel", "skipped": "skip"}[state]
	switch {
	case commit == "":
		return missing("Commit")
	case !is:
		return answer{http.StatusBadRequest, object{"error": "state does not have a valid value"}}
	case len([]rune(c.text("description"))) > 255:
		return refuse(http.StatusBadRequest, object{"description": []string{"is too long (maximum is 255 characters)"}})
	}
	at := slices.IndexFunc(p.statuses, func(s *status) bool {
		return s.sha == commit && s.name == name && (s.state == "pending" || s.state == "running")
	})
	if at < 0 {
		at = len(p.statuses)
		p.statuses = append(p.statuses, &status{id: c.id(), sha: commit, name: name, created: now(), author: c.user})
	}
	s := p.statuses[at]
	if s.state == state {
		return refuse(http.StatusBadRequest, fmt.Sprintf("Cannot transition status via :%s from :%s (Reason(s): Status cannot transition via %q)", event, state, event))
	}
	s.state, s.text, s.url = state, c.text("description"), c.text("target_url")
	c.pipeline(p, s)
	return answer{http.StatusCreated, c.status(s)}
}
