package gitlabtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const zero = "0000000000000000000000000000000000000000"

// command gives git in a repository, as somebody.
func (s *Server) command(p *project, by *user, args ...string) *exec.Cmd {
	c := exec.Command("git", append([]string{"-c", "core.quotePath=false"}, args...)...)
	c.Dir = p.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "LC_ALL=C.UTF-8"}
	if by != nil {
		for _, who := range []string{"AUTHOR", "COMMITTER"} {
			c.Env = append(c.Env, "GIT_"+who+"_NAME="+by.name, "GIT_"+who+"_EMAIL="+by.login+"@example.com")
		}
	}
	return c
}

// try runs git and gives what it says; false when it fails.
func (s *Server) try(p *project, by *user, args ...string) (string, bool) {
	out, err := s.command(p, by, args...).Output()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		s.t.Error(err)
	}
	return strings.TrimSuffix(string(out), "\n"), err == nil
}

// run is try for what does not fail.
func (s *Server) run(p *project, by *user, args ...string) string {
	out, ok := s.try(p, by, args...)
	if !ok {
		s.t.Errorf("git %v fails in %s", args, p.path)
	}
	return out
}

// resolve gives the commit of a branch, a tag or a commit; "" for none.
func (s *Server) resolve(p *project, rev string) string {
	if rev == "" {
		rev = "HEAD"
	}
	for _, prefix := range []string{"refs/heads/", "refs/tags/", ""} {
		if out, ok := s.try(p, nil, "rev-parse", "--quiet", "--verify", "--end-of-options", prefix+rev+"^{commit}"); ok {
			return out
		}
	}
	return ""
}

func (s *Server) refs(p *project) map[string]string {
	refs := map[string]string{}
	for line := range strings.Lines(s.run(p, nil, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags")) {
		hash, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		refs[name] = hash
	}
	return refs
}

// commits gives commits as GitLab does, of a list of hashes.
func (s *Server) commit(p *project, hash string) object {
	f := strings.SplitN(s.run(p, nil, "show", "--no-patch", "--format=%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B", hash, "--"), "\x00", 9)
	title, _, _ := strings.Cut(f[8], "\n")
	return object{
		"id": f[0], "short_id": f[0][:8], "parent_ids": strings.Fields(f[1]), "title": title, "message": f[8],
		"author_name": f[2], "author_email": f[3], "authored_date": f[4],
		"committer_name": f[5], "committer_email": f[6], "committed_date": f[7], "created_at": f[7],
		"web_url": s.URL + "/" + p.path + "/-/commit/" + f[0], "trailers": object{}, "extended_trailers": object{},
	}
}

func (s *Server) rangeOf(p *project, args ...string) (hashes []string) {
	return strings.Fields(s.run(p, nil, append([]string{"rev-list"}, args...)...))
}

// diffs gives what changed between two commits as GitLab does: file by file, hunks only.
func (s *Server) diffs(p *project, from, to string) []object {
	out := []object{}
	text := s.run(p, nil, "diff", "--find-renames", "--no-color", "--no-ext-diff", from, to) + "\n"
	for file := range strings.SplitSeq("\n"+text, "\ndiff --git ") {
		if strings.TrimSpace(file) == "" {
			continue
		}
		head, hunks, _ := strings.Cut(file, "\n@@ ")
		if hunks != "" {
			hunks = "@@ " + strings.TrimSuffix(hunks, "\n") + "\n"
		}
		names, _, _ := strings.Cut(head, "\n")
		half := len(names) / 2
		d := object{
			"old_path": strings.TrimPrefix(names[:half], "a/"), "new_path": strings.TrimPrefix(names[half+1:], "b/"),
			"a_mode": "100644", "b_mode": "100644", "new_file": false, "deleted_file": false, "renamed_file": false, "diff": hunks,
		}
		for line := range strings.Lines(head) {
			line = strings.TrimSpace(line)
			switch value := line[strings.LastIndex(line, " ")+1:]; {
			case strings.HasPrefix(line, "new file mode "):
				d["new_file"], d["a_mode"], d["b_mode"] = true, "0", value
			case strings.HasPrefix(line, "deleted file mode "):
				d["deleted_file"], d["a_mode"], d["b_mode"] = true, value, "0"
			case strings.HasPrefix(line, "rename from "):
				d["renamed_file"], d["old_path"] = true, strings.TrimPrefix(line, "rename from ")
			case strings.HasPrefix(line, "rename to "):
				d["new_path"] = strings.TrimPrefix(line, "rename to ")
			}
		}
		out = append(out, d)
	}
	return out
}

// inDiff tells whether a comment may stand on a line: one that was added by its new number, one that was removed by its
// old one, one that stayed by both.
func (s *Server) inDiff(p *project, from, to, oldPath, newPath string, oldLine, newLine int) bool {
	text := s.run(p, nil, "diff", "--find-renames", "--no-color", "--unified=1000000", from, to, "--", oldPath, newPath)
	_, body, ok := strings.Cut(text, "\n@@ ")
	if !ok {
		return false
	}
	_, body, _ = strings.Cut(body, "\n")
	a, b := 0, 0
	for line := range strings.Lines(body) {
		switch line[0] {
		case '+':
			b++
			if oldLine == 0 && newLine == b {
				return true
			}
		case '-':
			a++
			if oldLine == a && newLine == 0 {
				return true
			}
		case ' ':
			a, b = a+1, b+1
			if oldLine == a && newLine == b {
				return true
			}
		}
	}
	return false
}

// rebase puts what is on one commit alone onto another, and gives the new commit; false when that conflicts.
func (s *Server) rebase(p *project, by *user, head, onto string) (string, bool) {
	dir := filepath.Join(s.dir, "rebase", time.Now().Format("150405.000000000"))
	s.run(p, nil, "worktree", "add", "--quiet", "--detach", dir, head)
	defer s.run(p, nil, "worktree", "remove", "--force", dir)
	if _, ok := s.try(p, by, "-C", dir, "rebase", "--quiet", onto); !ok {
		return "", false
	}
	return s.run(p, nil, "-C", dir, "rev-parse", "HEAD"), true
}
