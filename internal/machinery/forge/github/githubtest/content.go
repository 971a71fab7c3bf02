package githubtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// git runs git; its fault is what it wrote.
func (s *Server) git(dir string, args ...string) (string, error) { return s.feed("", dir, args...) }

// feed is git with an input.
func (s *Server) feed(input, dir string, args ...string) (string, error) {
	if dir != "" {
		args = append([]string{"-C", dir}, args...)
	}
	c := exec.Command("git", args...)
	c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CONFIG_COUNT=2",
		"GIT_CONFIG_KEY_0=user.name", "GIT_CONFIG_VALUE_0=GitHub", "GIT_CONFIG_KEY_1=user.email", "GIT_CONFIG_VALUE_1=noreply@github.com")
	c.Stdin = strings.NewReader(input)
	var said strings.Builder
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		return string(out), fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return string(out), nil
}

// tell runs git and gives its words without the last line's end, "" when it fails.
func (s *Server) tell(r *repository, args ...string) string {
	out, err := s.git(r.dir, args...)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(out, "\n")
}

// resolve gives the commit of a branch, a tag or a hash; "" for none.
func (s *Server) resolve(r *repository, rev string) string {
	if rev == "" || rev == "HEAD" {
		rev = "main"
	}
	for _, name := range []string{"refs/heads/" + rev, "refs/tags/" + rev, rev} {
		if name != rev || len(rev) == 40 {
			if hash := s.tell(r, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}"); hash != "" {
				return hash
			}
		}
	}
	return ""
}

func (c *call) empty() bool { return c.tell(c.repo, "for-each-ref", "--count=1") == "" }

// listed is a line of ls-tree.
type listed struct{ mode, kind, hash, size, name string }

func (c *call) list(args ...string) (out []listed) {
	for line := range strings.SplitSeq(c.tell(c.repo, append([]string{"ls-tree", "-z", "--long"}, args...)...), "\x00") {
		head, name, ok := strings.Cut(line, "\t")
		if f := strings.Fields(head); ok && len(f) == 4 {
			out = append(out, listed{f[0], f[1], f[2], f[3], name})
		}
	}
	return out
}

func (l listed) bytes() int64 {
	n, err := strconv.ParseInt(l.size, 10, 64)
	if err != nil {
		return 0 // of a folder
	}
	return n
}

func (c *call) contents() answer {
	commit, at := c.resolve(c.repo, c.query("ref")), c.path("path")
	switch {
	case c.empty():
		return fail(http.StatusNotFound, "This repository is empty.")
	case commit == "":
		return fail(http.StatusNotFound, "No commit found for the ref "+c.query("ref"))
	}
	api := c.URL + prefix + "/repos/" + c.repo.full()
	entry := func(l listed, at string) obj {
		kind := map[string]string{"tree": "dir", "blob": "file", "commit": "file"}[l.kind]
		if l.mode == "120000" {
			kind = "symlink"
		}
		self, git, web := api+"/contents/"+(&urlPath{at}).String(), api+"/git/blobs/"+l.hash, c.URL+"/"+c.repo.full()+"/blob/main"
		return obj{
			"name": path.Base("/" + at), "path": at, "sha": l.hash, "size": l.bytes(), "url": self, "html_url": web, "git_url": git, "download_url": nil, "type": kind,
			"_links": obj{"self": self, "git": git, "html": web},
		}
	}
	root := listed{mode: "040000", kind: "tree", hash: c.tell(c.repo, "rev-parse", commit+"^{tree}")}
	if at != "" {
		found := c.list(commit, "--", at)
		if len(found) != 1 || found[0].name != at {
			return missing()
		}
		root = found[0]
	}
	out := entry(root, at)
	if root.kind != "tree" {
		out["encoding"], out["content"] = "base64", base64.StdEncoding.EncodeToString([]byte(c.raw(root.hash)))
		return ok(out)
	}
	entries := []any{}
	for _, l := range c.list(root.hash) {
		if len(entries) < 1000 { // more are not told
			entries = append(entries, entry(l, path.Join(at, l.name)))
		}
	}
	if !c.accept("object") {
		return ok(entries)
	}
	if at == "" {
		out["name"] = ""
	}
	out["entries"] = entries
	return ok(out)
}

// urlPath is a path within an address.
type urlPath struct{ path string }

func (u *urlPath) String() string {
	return strings.NewReplacer("%", "%25", " ", "%20", "#", "%23", "?", "%3F").Replace(u.path)
}

// raw gives a blob as it is.
func (c *call) raw(hash string) string {
	out, err := c.git(c.repo.dir, "cat-file", "blob", hash)
	if err != nil {
		c.t.Error(err)
	}
	return out
}

func (c *call) tree() answer {
	sha := c.path("tree_sha")
	if c.tell(c.repo, "cat-file", "-t", sha) != "tree" {
		return missing()
	}
	args := []string{sha}
	if c.query("recursive") != "" {
		args = []string{"-r", "-t", sha}
	}
	api := c.URL + prefix + "/repos/" + c.repo.full() + "/git"
	entries := each(c.list(args...), func(l listed) obj {
		o := obj{"path": l.name, "mode": l.mode, "type": l.kind, "sha": l.hash, "url": api + "/" + l.kind + "s/" + l.hash}
		if l.kind == "blob" {
			o["size"] = l.bytes()
		}
		return o
	})
	return ok(obj{"sha": sha, "url": api + "/trees/" + sha, "tree": entries, "truncated": false})
}

func (c *call) blob() answer {
	sha := c.path("file_sha")
	if c.tell(c.repo, "cat-file", "-t", sha) != "blob" {
		return missing()
	}
	if text := c.raw(sha); c.accept("raw") {
		c.form = "application/vnd.github.raw+json; charset=utf-8"
		return ok([]byte(text))
	}
	text := c.raw(sha)
	return ok(obj{"sha": sha, "node_id": "B_" + sha, "size": len(text), "url": c.URL + prefix + "/repos/" + c.repo.full() + "/git/blobs/" + sha, "content": base64.StdEncoding.EncodeToString([]byte(text)), "encoding": "base64"})
}

const logForm = "--format=%H%x1f%T%x1f%P%x1f%an%x1f%ae%x1f%aI%x1f%cn%x1f%ce%x1f%cI%x1f%B%x1e"

type logged struct {
	hash, tree                                           string
	parents                                              []string
	author, authorMail, authored, committer, mail, dated string
	message                                              string
}

// history gives commits by what git log takes.
func (s *Server) history(r *repository, args ...string) (out []logged) {
	for text := range strings.SplitSeq(s.tell(r, append([]string{"log", logForm}, args...)...), "\x1e") {
		f := strings.Split(strings.TrimPrefix(text, "\n"), "\x1f")
		if len(f) == 10 {
			out = append(out, logged{f[0], f[1], strings.Fields(f[2]), f[3], f[4], f[5], f[6], f[7], f[8], strings.TrimRight(f[9], "\n")})
		}
	}
	return out
}

// login gives the account of an address; nil for none.
func (s *Server) login(mail string) any {
	name, _, _ := strings.Cut(mail, "@")
	if a := s.accounts[name]; a != nil {
		return s.user(a)
	}
	return nil
}

func zulu(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return t.UTC().Format(time.RFC3339)
}

func (c *call) commitOf(l logged) obj {
	api, web := c.URL+prefix+"/repos/"+c.repo.full(), c.URL+"/"+c.repo.full()
	return obj{
		"sha": l.hash, "node_id": "C_" + l.hash, "url": api + "/commits/" + l.hash, "html_url": web + "/commit/" + l.hash, "comments_url": api + "/commits/" + l.hash + "/comments",
		"author": c.login(l.authorMail), "committer": c.login(l.mail),
		"parents": each(l.parents, func(p string) obj {
			return obj{"sha": p, "url": api + "/commits/" + p, "html_url": web + "/commit/" + p}
		}),
		"commit": obj{
			"url": api + "/git/commits/" + l.hash, "message": l.message, "comment_count": 0, "tree": obj{"sha": l.tree, "url": api + "/git/trees/" + l.tree},
			"author":       obj{"name": l.author, "email": l.authorMail, "date": zulu(l.authored)},
			"committer":    obj{"name": l.committer, "email": l.mail, "date": zulu(l.dated)},
			"verification": obj{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil},
		},
	}
}

func (c *call) commits() answer {
	if c.empty() {
		return fail(http.StatusConflict, "Git Repository is empty.")
	}
	commit := c.resolve(c.repo, c.query("sha"))
	if commit == "" {
		return missing()
	}
	args := []string{commit, "--"}
	if at := c.query("path"); at != "" {
		args = append(args, at)
	}
	return ok(c.paged(each(c.history(c.repo, args...), c.commitOf)))
}

func (c *call) commit() answer {
	commit := c.resolve(c.repo, c.path("ref"))
	if commit == "" {
		return fail(http.StatusUnprocessableEntity, "No commit found for SHA: "+c.path("ref"))
	}
	return ok(c.commitOf(c.history(c.repo, "-1", commit)[0]))
}

// files gives what changes between two trees.
func (c *call) files(base, head string) []any {
	out := []any{}
	api := c.URL + prefix + "/repos/" + c.repo.full()
	fields := strings.Split(c.tell(c.repo, "diff", "-M", "-z", "--raw", "--no-abbrev", base, head), "\x00")
	for i := 0; i+1 < len(fields); {
		about := strings.Fields(fields[i])
		name, old := fields[i+1], ""
		i += 2
		if about[4][0] == 'R' {
			old, name = name, fields[i]
			i++
		}
		_, patch, _ := strings.Cut(c.tell(c.repo, "diff", "-M", base, head, "--", name), "\n@@")
		if patch != "" {
			patch = "@@" + patch
		}
		added, deleted := strings.Count(patch, "\n+"), strings.Count(patch, "\n-")
		web := c.URL + "/" + c.repo.full()
		o := obj{
			"sha": about[3], "filename": name, "status": map[byte]string{'A': "added", 'M': "modified", 'D': "removed", 'R': "renamed", 'T': "changed"}[about[4][0]],
			"additions": added, "deletions": deleted, "changes": added + deleted, "patch": patch,
			"blob_url": web + "/blob/" + head, "raw_url": web + "/raw/" + head, "contents_url": api + "/contents/" + (&urlPath{name}).String() + "?ref=" + head,
		}
		if old != "" {
			o["previous_filename"] = old
		}
		out = append(out, o)
	}
	return out
}

func (c *call) compare() answer {
	from, to, _ := strings.Cut(c.path("basehead"), "...")
	base, head := c.resolve(c.repo, from), c.resolve(c.repo, to)
	if base == "" || head == "" {
		return missing()
	}
	common := c.tell(c.repo, "merge-base", base, head)
	if common == "" {
		return fail(http.StatusNotFound, "No common ancestor between "+from+" and "+to+".")
	}
	ahead := c.history(c.repo, "--reverse", common+".."+head)
	behind := len(c.history(c.repo, head+".."+base))
	status := "identical"
	switch {
	case len(ahead) > 0 && behind > 0:
		status = "diverged"
	case len(ahead) > 0:
		status = "ahead"
	case behind > 0:
		status = "behind"
	}
	web, api := c.URL+"/"+c.repo.full()+"/compare/"+base+"..."+head, c.URL+prefix+"/repos/"+c.repo.full()+"/compare/"+base+"..."+head
	return ok(obj{
		"url": api, "html_url": web, "permalink_url": web, "diff_url": web + ".diff", "patch_url": web + ".patch",
		"base_commit": c.commitOf(c.history(c.repo, "-1", base)[0]), "merge_base_commit": c.commitOf(c.history(c.repo, "-1", common)[0]),
		"status": status, "ahead_by": len(ahead), "behind_by": behind, "total_commits": len(ahead),
		"commits": each(ahead[max(0, len(ahead)-250):], c.commitOf), "files": c.files(common, head),
	})
}

// tarball leads to another place, as GitHub does.
func (c *call) tarball() answer {
	commit := c.resolve(c.repo, c.path("ref"))
	if commit == "" {
		return missing()
	}
	c.w.Header().Set("Location", fmt.Sprint(c.URL, "/codeload/", c.repo.id, "/", commit))
	return answer{http.StatusFound, nil}
}

func (s *Server) codeload(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	i := slices.IndexFunc(s.repositories, func(x *repository) bool { return fmt.Sprint(x.id) == r.PathValue("id") })
	var repo *repository
	if i >= 0 {
		repo = s.repositories[i]
	}
	s.mu.Unlock()
	if repo == nil {
		http.NotFound(w, r)
		return
	}
	commit := r.PathValue("commit")
	w.Header().Set("Content-Type", "application/x-gzip")
	c := exec.CommandContext(r.Context(), "git", "-C", repo.dir, "archive", "--format=tar.gz", "--prefix="+repo.owner.login+"-"+repo.name+"-"+commit[:7]+"/", commit)
	c.Stdout = w
	if err := c.Run(); err != nil {
		s.t.Error(err)
	}
}

func (c *call) branchNames() []string {
	out := strings.Fields(c.tell(c.repo, "for-each-ref", "--format=%(refname)", "refs/heads"))
	for i := range out {
		out[i] = strings.TrimPrefix(out[i], "refs/heads/")
	}
	return out
}

func (c *call) branches() answer {
	api := c.URL + prefix + "/repos/" + c.repo.full()
	return ok(c.paged(each(c.branchNames(), func(name string) obj {
		hash := c.resolve(c.repo, name)
		return obj{"name": name, "commit": obj{"sha": hash, "url": api + "/commits/" + hash}, "protected": false}
	})))
}

func (c *call) branch() answer {
	name := c.path("branch")
	if !slices.Contains(c.branchNames(), name) {
		return fail(http.StatusNotFound, "Branch not found")
	}
	api := c.URL + prefix + "/repos/" + c.repo.full() + "/branches/" + name
	return ok(obj{
		"name": name, "commit": c.commitOf(c.history(c.repo, "-1", "refs/heads/"+name)[0]), "_links": obj{"self": api, "html": c.URL + "/" + c.repo.full() + "/tree/" + name},
		"protected": false, "protection": obj{"enabled": false, "required_status_checks": obj{"enforcement_level": "off", "contexts": []any{}, "checks": []any{}}},
		"protection_url": api + "/protection",
	})
}

func (c *call) createRef() answer {
	ref, sha := c.text("ref"), c.text("sha")
	switch {
	case c.tell(c.repo, "rev-parse", "--verify", "--quiet", ref) != "":
		return fail(http.StatusUnprocessableEntity, "Reference already exists")
	case c.resolve(c.repo, sha) != sha:
		return fail(http.StatusUnprocessableEntity, "Object does not exist")
	}
	if _, err := c.git(c.repo.dir, "update-ref", ref, sha); err != nil {
		return fail(http.StatusUnprocessableEntity, "Reference name is not valid")
	}
	c.moved(c.repo, c.who.who)
	url := c.URL + prefix + "/repos/" + c.repo.full() + "/git/" + ref
	return made(obj{"ref": ref, "node_id": "REF_1", "url": url, "object": obj{"sha": sha, "type": "commit", "url": url}})
}

func (c *call) deleteRef() answer {
	ref := "refs/" + c.path("ref")
	if c.tell(c.repo, "rev-parse", "--verify", "--quiet", ref) == "" {
		return fail(http.StatusUnprocessableEntity, "Reference does not exist")
	}
	if _, err := c.git(c.repo.dir, "update-ref", "-d", ref); err != nil {
		return fail(http.StatusUnprocessableEntity, err.Error())
	}
	c.moved(c.repo, c.who.who)
	return gone()
}

func (c *call) tags() answer {
	names := strings.Fields(c.tell(c.repo, "for-each-ref", "--sort=-refname", "--format=%(refname:strip=2)", "refs/tags"))
	api := c.URL + prefix + "/repos/" + c.repo.full()
	return ok(c.paged(each(names, func(name string) obj {
		hash := c.resolve(c.repo, name)
		return obj{"name": name, "node_id": "TAG_1", "commit": obj{"sha": hash, "url": api + "/commits/" + hash}, "zipball_url": api + "/zipball/refs/tags/" + name, "tarball_url": api + "/tarball/refs/tags/" + name}
	})))
}
