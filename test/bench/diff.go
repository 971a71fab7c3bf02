package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

const (
	diffFiles  = 500
	diffRounds = 40
)

// diffFigures measures what the portal asks for when somebody opens the files of a proposal that changes 500 of them,
// beside what the git program needs for the same diff.
func diffFigures(ctx context.Context, b *bench) error {
	s, err := start(ctx, b.dir)
	if err != nil {
		return err
	}
	defer s.stop()
	me, err := newPerson(filepath.Join(b.dir, "home"), s.api.Token)
	if err != nil {
		return err
	}
	r, err := client.Post[client.Repository](ctx, s.api, "/repositories", map[string]string{"name": "reviewed"})
	if err != nil {
		return err
	}
	work := filepath.Join(b.dir, "work")
	if _, err := me.git(ctx, "", "init", "--quiet", work); err != nil {
		return err
	}
	if _, err := me.gitWith(ctx, work, reviewedHistory(), "fast-import", "--quiet"); err != nil {
		return err
	}
	if _, err := me.git(ctx, work, "push", "--quiet", r.CloneURL, "main", "feature"); err != nil {
		return err
	}
	began := time.Now()
	opened, err := client.Post[client.ProposalDetail](ctx, s.api, "/repositories/default/reviewed/proposals", map[string]string{"title": "Change it all", "source": "feature"})
	if err != nil {
		return err
	}
	figure("proposal_opened", time.Since(began).Seconds()*1000, "ms")
	path := fmt.Sprintf("/repositories/default/reviewed/proposals/%d", opened.Number)
	var diffs, pages, git spread
	for range diffRounds {
		began := time.Now()
		if _, err := client.Get[client.ProposalDetail](ctx, s.api, path, nil); err != nil {
			return err
		}
		pages = append(pages, time.Since(began))
		began = time.Now()
		d, err := client.Get[client.Diff](ctx, s.api, path+"/diff", nil)
		if err != nil {
			return err
		}
		diffs = append(diffs, time.Since(began))
		if len(d.Files) != diffFiles || d.Truncated || d.Files[0].Patch == "" {
			return fmt.Errorf("the diff has %d files", len(d.Files))
		}
		took, err := me.timed(ctx, work, "diff", "-M", "main", "feature")
		if err != nil {
			return err
		}
		git = append(git, took)
	}
	figure("proposal_first_diff_of_500_files", diffs[0].Seconds()*1000, "ms")
	pages.show("proposal_page")
	b.most("proposal_diff_of_500_files_p50", diffs.at(0.5), 300, "ms")
	b.most("proposal_diff_of_500_files_p99", diffs.at(0.99), 300, "ms")
	figure("git_diff_of_500_files_p50", git.at(0.5), "ms")
	return nil
}

// reviewedHistory is a project of 5,000 files, and a branch that changes a tenth of them in three places each.
func reviewedHistory() string {
	var out strings.Builder
	commit := func(branch, from string, at int) {
		fmt.Fprintf(&out, "commit refs/heads/%s\ncommitter Bench <bench@example.com> %d +0000\ndata 6\nchange\n%s", branch, 1_700_000_000+at, from)
	}
	write := func(n int, changed bool) {
		text := ""
		for line := range 200 {
			word := "some line"
			if changed && line%90 == n%50 {
				word = "another line"
			}
			text += fmt.Sprintf("%s %d of file %d\n", word, line, n)
		}
		fmt.Fprintf(&out, "M 100644 inline src/part%02d/file%04d.go\ndata %d\n%s\n", n%80, n, len(text), text)
	}
	commit("main", "", 0)
	for n := range 10 * diffFiles {
		write(n, false)
	}
	commit("feature", "from refs/heads/main\n", 60)
	for n := range diffFiles {
		write(10*n, true)
	}
	return out.String()
}
