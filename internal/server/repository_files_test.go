package server

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// of gives the path of an operation on the desk's repository.
func (d desk) of(what string) string { return "/repositories/" + d.repo + "/" + what }

// asked reads something of the desk's repository as somebody.
func asked[T any](d desk, who, what string, query url.Values) (T, error) {
	return client.Get[T](d.t.Context(), d.as[who], d.of(what), query)
}

// TestFilesAreReadWithTheirHistory goes from a folder to the commit that wrote a line, over the API alone.
func TestFilesAreReadWithTheirHistory(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		second := d.branch("alice", "main", map[string]string{"a.txt": "one\nTWO\nthree\n", "src/main.go": "package main\n", "page.html": "<script>alert(1)</script>\n", "bin": "\x00\x01"})
		last, err := asked[client.LastCommits](d, "rita", "tree/commits", nil)
		of := map[string]string{}
		for _, e := range last.Entries {
			of[e.Name] = e.Commit
		}
		if err != nil || !last.Complete || of["a.txt"] != second || of["src"] != second || of["CODEOWNERS"] == second || of["CODEOWNERS"] == "" {
			t.Errorf("last commits: %+v, %v", last, err)
		}
		blame, err := asked[client.Blame](d, "rita", "blame", url.Values{"path": {"a.txt"}})
		if err != nil || len(blame.Hunks) != 3 || blame.Hunks[1].Commit != second || blame.Hunks[1].Line != 2 || blame.Hunks[1].Before == "" || len(blame.Commits) != 2 {
			t.Errorf("blame: %+v, %v", blame, err)
		}
		found, err := asked[client.Found](d, "rita", "search", url.Values{"text": {"two"}, "path": {"*.txt"}})
		if err != nil || len(found.Items) != 1 || found.Items[0].Path != "a.txt" || len(found.Items[0].Lines) != 3 || found.Items[0].Lines[1].Marks[0] != [2]int{0, 3} || found.Commit != second {
			t.Errorf("found: %+v, %v", found, err)
		}
		names, err := asked[client.Paths](d, "rita", "paths", url.Values{"text": {"smain"}})
		if err != nil || !slices.Equal(names.Paths, []string{"src/main.go"}) {
			t.Errorf("names: %+v, %v", names, err)
		}
		file, err := asked[client.File](d, "rita", "file", url.Values{"path": {"a.txt"}, "ref": {second[:8]}})
		if err != nil || file.Text != "one\nTWO\nthree\n" || len(file.Hash) != 40 || file.Mode != "100644" {
			t.Errorf("the file: %+v, %v", file, err)
		}
		if file, err = asked[client.File](d, "rita", "file", url.Values{"path": {"bin"}}); err != nil || !file.Binary || file.Text != "" || file.Size != 2 {
			t.Errorf("the binary: %+v, %v", file, err)
		}
		commit, err := asked[client.CommitDetail](d, "rita", "commit", nil)
		if err != nil || commit.Hash != second || commit.Committer == "" || len(commit.Parents) != 1 {
			t.Errorf("the commit: %+v, %v", commit, err)
		}
		diff, err := asked[client.Diff](d, "rita", "commit/diff", url.Values{"ref": {second}})
		if err != nil || len(diff.Files) != 4 || diff.From != commit.Parents[0] {
			t.Errorf("its diff: %+v, %v", diff, err)
		}
		mine, err := asked[client.List[client.Commit]](d, "rita", "commits", url.Values{"author": {"nobody at all"}})
		if err != nil || len(mine.Items) != 0 {
			t.Errorf("commits of nobody: %+v, %v", mine, err)
		}
		// What the reader may not see is not found, and hostile words lead nowhere.
		for _, what := range []string{"tree/commits", "blame?path=a.txt", "search?text=two", "paths", "file?path=a.txt", "commit", "commit/diff", "commit/proposals", "raw?path=a.txt", "archive", "branches?details=true", "tags?details=true"} {
			name, query, _ := strings.Cut(what, "?")
			values, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := asked[any](d, "mallory", name, values); !fault.Is(err, fault.NotFound) {
				t.Errorf("mallory asks for %s: %v", what, err)
			}
			for _, ref := range []string{"../x", "--output=/tmp/x", "a..b", "main:a.txt", "none", "HEAD~1", "refs/roadbed/x"} {
				values.Set("ref", ref)
				var raw []byte
				if name == "branches" || name == "tags" {
					continue
				}
				err := d.admin.Do(t.Context(), "GET", d.of(name), values, nil, &raw)
				if !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid) {
					t.Errorf("%s at %q: %v", what, ref, err)
				}
			}
		}
		for _, path := range []string{"../../etc/passwd", "/etc/passwd", ".git/config", "a.txt/../../x", "a\nb", "src/../.."} {
			for _, name := range []string{"file", "raw", "blame"} {
				if _, err := asked[any](d, "rita", name, url.Values{"path": {path}}); !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid) {
					t.Errorf("%s of %q: %v", name, path, err)
				}
			}
		}
	})
}

// TestRawFilesRunNowhere looks at the headers that a browser gets with what somebody committed.
func TestRawFilesRunNowhere(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		large := strings.Repeat("x", 3<<20)
		d.branch("alice", "main", map[string]string{"page.html": "<script>alert(1)</script>\n", "x.svg": "<svg onload='alert(1)'/>", "bin": "\x00\x01", "large.txt": large, "tool.js": "alert(1)"})
		get := func(query, tag string) (*http.Response, string) {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), "GET", d.url+"/api/v1"+d.of("raw")+"?path="+query, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+d.as["rita"].Token)
			r.Header.Set("If-None-Match", tag)
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			return response, string(body)
		}
		for query, want := range map[string][2]string{
			"page.html": {"text/plain; charset=utf-8", ""}, "x.svg": {"image/svg+xml", ""}, "bin": {"application/octet-stream", "attachment; filename=bin"},
			"tool.js": {"text/plain; charset=utf-8", ""}, "a.txt&download=true": {"text/plain; charset=utf-8", "attachment; filename=a.txt"},
		} {
			response, _ := get(query, "")
			h := response.Header
			if h.Get("Content-Type") != want[0] || h.Get("Content-Disposition") != want[1] || h.Get("X-Content-Type-Options") != "nosniff" ||
				!strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || !strings.HasPrefix(h.Get("Cache-Control"), "private") {
				t.Errorf("%s: %d %v", query, response.StatusCode, h)
			}
		}
		response, body := get("large.txt", "")
		if body != large || response.ContentLength != int64(len(large)) {
			t.Errorf("a large file has %d bytes, and says %d", len(body), response.ContentLength)
		}
		if again, _ := get("large.txt", response.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("the same again is %d", again.StatusCode)
		}
		var archive []byte
		if err := d.as["rita"].Do(t.Context(), "GET", d.of("archive"), url.Values{"ref": {"main"}}, nil, &archive); err != nil {
			t.Fatal(err)
		}
		z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
		if err != nil || !slices.ContainsFunc(z.File, func(f *zip.File) bool { return f.Name == "shop-main/page.html" }) {
			t.Errorf("the archive: %d bytes, %v", len(archive), err)
		}
	})
}

// TestAnEditBecomesAProposal changes a file without a clone, where the rules let only proposals in.
func TestAnEditBecomesAProposal(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		d.apply("{apiVersion: roadbed.dev/v1, kind: BranchRule, metadata: {name: main}, spec: {push: proposals}}")
		file, err := asked[client.File](d, "alice", "file", url.Values{"path": {"a.txt"}})
		if err != nil {
			t.Fatal(err)
		}
		change := client.NewCommit{Branch: "main", Message: "Say two", Changes: []client.FileChange{{Path: "a.txt", Text: "one\n2\nthree\n", Base: &file.Hash}}}
		if _, err := client.Post[client.Committed](ctx, d.alice, d.of("commits"), change); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "proposals only") {
			t.Errorf("straight to main: %v", err)
		}
		change.Branch, change.From = "alice/two", "main"
		for who, kind := range map[string]fault.Kind{"rita": fault.Denied, "mallory": fault.NotFound} {
			if _, err := client.Post[client.Committed](ctx, d.as[who], d.of("commits"), change); !fault.Is(err, kind) {
				t.Errorf("%s: %v", who, err)
			}
		}
		made, err := client.Post[client.Committed](ctx, d.alice, d.of("commits"), change)
		if err != nil || made.Branch != "alice/two" || len(made.Commit) != 40 {
			t.Fatalf("made %+v, %v", made, err)
		}
		p, err := client.Post[client.ProposalDetail](ctx, d.alice, d.at(), map[string]string{"source": made.Branch})
		if err != nil || p.Head != made.Commit || p.Title != "Say two" {
			t.Fatalf("proposed %+v, %v", p, err)
		}
		branches, err := asked[client.List[client.Branch]](d, "rita", "branches", url.Values{"details": {"true"}})
		if err != nil || len(branches.Items) != 2 {
			t.Fatalf("branches %+v, %v", branches, err)
		}
		if b := branches.Items[0]; b.Name != "alice/two" || b.Proposal != 1 || *b.Ahead != 1 || *b.Behind != 0 || b.Last.Subject != "Say two" || b.ByProposals {
			t.Errorf("the branch is %+v", b)
		}
		if b := branches.Items[1]; b.Name != "main" || !b.Protected || !b.ByProposals {
			t.Errorf("main is %+v", b)
		}
		again := change
		again.Branch, again.From, again.Message = "alice/two", "", "Say two again"
		if _, err := client.Post[client.Committed](ctx, d.alice, d.of("commits"), again); !fault.Is(err, fault.Conflict) || len(fault.Details(err)) != 1 {
			t.Errorf("on a file that has changed: %v", err)
		}
		merged, err := d.merge("alice", 1, map[string]any{"way": "merge"})
		if err != nil {
			t.Fatal(err)
		}
		d.until(1, "merged", func(p client.ProposalDetail) bool { return p.State == "merged" })
		for _, ref := range []string{made.Commit, merged.MergeCommit} {
			list, err := asked[client.List[client.Proposal]](d, "rita", "commit/proposals", url.Values{"ref": {ref}})
			if err != nil || len(list.Items) != 1 || list.Items[0].Number != 1 {
				t.Errorf("%s was brought by %+v, %v", ref, list, err)
			}
		}
		for who, want := range map[string]string{"rita": "", "alice": "write"} {
			r, err := client.Get[client.Repository](ctx, d.as[who], "/repositories/"+d.repo, nil)
			if err != nil || strings.Join(r.Can, " ") != want {
				t.Errorf("%s may %q, %v", who, r.Can, err)
			}
		}
		if r, err := client.Get[client.Repository](ctx, d.admin, "/repositories/"+d.repo, nil); err != nil || strings.Join(r.Can, " ") != "write admin" {
			t.Errorf("the administrator may %q, %v", r.Can, err)
		}
		tag, err := client.Post[client.Tag](ctx, d.alice, d.of("tags"), client.NewRef{Name: "v1", Message: "The first"})
		if err != nil || tag.Message != "The first" || tag.Tagger != "alice" || tag.Last == nil {
			t.Errorf("the tag is %+v, %v", tag, err)
		}
		if err := d.alice.Do(ctx, "DELETE", d.of("tags"), url.Values{"name": {"v1"}}, nil, nil); err != nil {
			t.Error(err)
		}
		if made, err := client.Post[client.Committed](ctx, d.alice, d.of("branches"), client.NewRef{Name: "release", At: "main"}); err != nil || made.Commit != merged.MergeCommit {
			t.Errorf("the branch is at %+v, %v", made, err)
		}
	})
}
