package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

type status struct {
	id                                     int64
	hash, state, context, description, url string
	who                                    *account
	when                                   time.Time
}

type run struct {
	id                                   int64
	hash, name, status, conclusion, link string
	title, summary                       any
	began, ended                         time.Time
}

func (c *call) noCommit(sha string) answer {
	return fail(http.StatusUnprocessableEntity, "No commit found for SHA: "+sha)
}

func (c *call) setStatus() answer {
	sha := c.path("sha")
	if c.resolve(c.repo, sha) != sha {
		return c.noCommit(sha)
	}
	st := &status{id: c.id(), hash: sha, state: c.text("state"), context: c.text("context"), description: c.text("description"), url: c.text("target_url"), who: c.who.who, when: time.Now()}
	if len([]rune(st.description)) > 140 {
		return invalid("Status", "description", "description is too long (maximum is 140 characters)")
	}
	c.repo.statuses = append(c.repo.statuses, st)
	o := c.statusOf(st)
	o["creator"] = c.user(st.who)
	c.tellStatus(c.repo, st)
	return made(o)
}

func (c *call) statusOf(st *status) obj {
	return obj{
		"url": c.URL + prefix + "/repos/" + c.repo.full() + "/statuses/" + st.hash, "avatar_url": c.URL + "/a.png", "id": st.id, "node_id": fmt.Sprint("S_", st.id),
		"state": st.state, "description": st.description, "target_url": st.url, "context": st.context, "created_at": stamp(st.when), "updated_at": stamp(st.when),
	}
}

// combined gives the newest status of each context.
func (c *call) combined() answer {
	sha := c.resolve(c.repo, c.path("ref"))
	if sha == "" {
		return c.noCommit(c.path("ref"))
	}
	var newest []*status
	for _, st := range slices.Backward(c.repo.statuses) {
		if st.hash == sha && !slices.ContainsFunc(newest, func(x *status) bool { return x.context == st.context }) {
			newest = append(newest, st)
		}
	}
	api := c.URL + prefix + "/repos/" + c.repo.full() + "/commits/" + sha
	return ok(obj{
		"state": "pending", "sha": sha, "total_count": len(newest), "statuses": c.paged(each(newest, c.statusOf)), "repository": c.repository(c.repo),
		"commit_url": api, "url": api + "/status",
	})
}

func (c *call) runOf(r *run) obj {
	api := fmt.Sprint(c.URL, prefix, "/repos/", c.repo.full(), "/check-runs/", r.id)
	o := obj{
		"id": r.id, "node_id": fmt.Sprint("CR_", r.id), "head_sha": r.hash, "name": r.name, "external_id": "", "url": api, "html_url": fmt.Sprint(c.URL, "/", c.repo.full(), "/runs/", r.id),
		"details_url": r.link, "status": r.status, "conclusion": nil, "started_at": stamp(r.began), "completed_at": stamp(r.ended),
		"output":      obj{"title": r.title, "summary": r.summary, "text": nil, "annotations_count": 0, "annotations_url": api + "/annotations"},
		"check_suite": obj{"id": 5}, "app": c.app(), "pull_requests": []any{},
	}
	if r.conclusion != "" {
		o["conclusion"] = r.conclusion
	}
	return o
}

// runs gives the newest run of each name.
func (c *call) runs() answer {
	sha := c.resolve(c.repo, c.path("ref"))
	if sha == "" {
		return c.noCommit(c.path("ref"))
	}
	var newest []*run
	for _, r := range slices.Backward(c.repo.ran) {
		if name := c.query("check_name"); r.hash == sha && (name == "" || name == r.name) && !slices.ContainsFunc(newest, func(x *run) bool { return x.name == r.name }) {
			newest = append(newest, r)
		}
	}
	return ok(obj{"total_count": len(newest), "check_runs": c.paged(each(newest, c.runOf))})
}

// set takes what a request says of a run.
func (c *call) set(r *run) {
	if link := c.text("details_url"); link != "" {
		r.link = link
	}
	if output, ok := c.body["output"].(obj); ok {
		r.title, r.summary = output["title"], output["summary"]
	}
	if status := c.text("status"); status != "" {
		r.status = status
	}
	if conclusion := c.text("conclusion"); conclusion != "" {
		r.status, r.conclusion, r.ended = "completed", conclusion, time.Now()
	}
}

func (c *call) createRun() answer {
	switch sha := c.text("head_sha"); {
	case !c.who.app:
		return fail(http.StatusForbidden, "You must authenticate via a GitHub App.")
	case c.resolve(c.repo, sha) != sha:
		return c.noCommit(sha)
	}
	r := &run{id: c.id(), hash: c.text("head_sha"), name: c.text("name"), status: "queued", began: time.Now(), link: c.URL + "/apps/" + AppSlug}
	c.set(r)
	c.repo.ran = append(c.repo.ran, r)
	return made(c.runOf(r))
}

func (c *call) updateRun() answer {
	for _, r := range c.repo.ran {
		if r.id == c.number("check_run_id") {
			c.set(r)
			return ok(c.runOf(r))
		}
	}
	return missing()
}
