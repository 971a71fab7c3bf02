package proposal

import (
	"context"
	"net/url"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// foldedBytes is the size of one file's patch from which on it is folded in a diff of all files.
const foldedBytes = 64 << 10

// DiffQuery says what of a proposal's diff is wanted.
type DiffQuery struct {
	File        string // this one alone, however large; "" for all, with large ones folded
	Since       string // head that was looked at: only what was done since; "" for all
	IgnoreSpace bool
	Bytes       int64 // that all patches may have, none of them folded; 0 for the usual bounds
}

// Diff gives what a proposal changes: its head against what it has in common with the target, or against an earlier head.
// Permission: repository:read.
func (s *Service) Diff(ctx context.Context, repo string, number int, q DiffQuery) (from, to string, d git.Diff, err error) {
	r, p, err := s.find(ctx, repository.Read, repo, number)
	if err != nil {
		return "", "", d, err
	}
	limits := git.DiffLimits{Bytes: q.Bytes, FileBytes: foldedBytes, IgnoreSpace: q.IgnoreSpace}
	if q.Bytes > 0 {
		limits.FileBytes = 0
	}
	if q.File != "" {
		limits.FileBytes, limits.Paths = 0, []string{q.File}
	}
	if q.Since == "" {
		if q.File != "" { // with the name that it had before
			limits.Paths, err = s.formerly(ctx, r, p, q.File)
			if err != nil {
				return "", "", d, err
			}
		}
		d, err = s.Repositories.Platform().Diff(ctx, r.FullName(), p.Standing.Base, p.Head, limits)
		return p.Standing.Base, p.Head, d, err
	}
	if !git.IsHash(q.Since) {
		return "", "", d, fault.Errorf(fault.Invalid, "%.100q is not the full hash of a commit", q.Since)
	}
	d, err = s.Repositories.Platform().Interdiff(ctx, r.FullName(), p.Base, q.Since, p.Standing.Base, p.Head, limits)
	return q.Since, p.Head, d, err
}

// formerly gives a file's path, and the one that it was renamed from.
func (s *Service) formerly(ctx context.Context, r repository.Repository, p Proposal, file string) ([]string, error) {
	d, err := s.Repositories.Platform().Diff(ctx, r.FullName(), p.Standing.Base, p.Head, git.DiffLimits{Bytes: 1, FileBytes: 1})
	if err != nil {
		return nil, err
	}
	for _, f := range d.Files {
		if f.Path == file && f.OldPath != file {
			return []string{file, f.OldPath}, nil
		}
	}
	return []string{file}, nil
}

// Commits gives the commits that a proposal brings, the newest first. Permission: repository:read.
func (s *Service) Commits(ctx context.Context, repo string, number int, part page.Request) (list page.Of[git.Commit], err error) {
	r, p, err := s.find(ctx, repository.Read, repo, number)
	if err != nil {
		return list, err
	}
	skip, err := part.Number()
	if err != nil || skip > 100_000 {
		return list, err
	}
	commits, err := s.Repositories.Platform().Brings(ctx, r.FullName(), p.Standing.Base, p.Head, int(skip), part.Window())
	return page.Cut(commits, part, func(git.Commit) string { return strconv.FormatInt(skip+int64(part.Size()), 10) }), err
}

// Comments gives what was said of a proposal, the oldest first. Permission: repository:read.
func (s *Service) Comments(ctx context.Context, repo string, number int, part page.Request) (list page.Of[Comment], err error) {
	_, p, err := s.find(ctx, repository.Read, repo, number)
	if err != nil {
		return list, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := comments(ctx, tx, p.ID, part)
		if err != nil {
			return err
		}
		list = page.Cut(all, part, func(c Comment) string { return c.ID })
		ids, at := make([]string, len(list.Items)), map[string]int{}
		for i, c := range list.Items {
			ids[i], at[c.ID] = c.ID, i
		}
		given, err := commandsOf(ctx, tx, ids)
		for _, c := range given {
			list.Items[at[c.Comment]].Commands = append(list.Items[at[c.Comment]].Commands, c)
		}
		return err
	})
	return list, fault.Wrap(err, "list the comments of proposal %d", number)
}

// Checks gives what is said of a commit, by name. Permission: repository:read.
func (s *Service) Checks(ctx context.Context, repo, commit string, part page.Request) (list page.Of[Check], err error) {
	r, err := s.Repositories.Get(ctx, repo)
	if err != nil {
		return list, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := checks(ctx, tx, r.ID, commit)
		list = page.From(all, part, func(c Check) string { return c.Name })
		return err
	})
	return list, fault.Wrap(err, "list the checks of %.8s", commit)
}

// SetCheck says how a check of a commit stands; setting it again replaces it. Permission: repository:write. A check that
// a run says can't be set by anybody else: Conflict.
func (s *Service) SetCheck(ctx context.Context, repo, commit string, c Check) error {
	r, err := s.Repositories.Authorize(ctx, repository.Write, repo)
	if err != nil {
		return err
	}
	if err := oneLine("the name of the check", c.Name, 200); err != nil {
		return err
	}
	if err := checkText("the description", c.Description, 500, true); err != nil {
		return err
	}
	switch c.State {
	case CheckPending, CheckPassed, CheckFailed:
	default:
		return fault.Errorf(fault.Invalid, "%.100q is no state of a check; choose pending, passed or failed", c.State)
	}
	if u, err := url.Parse(c.URL); c.URL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
		return fault.Errorf(fault.Invalid, "%.200q is no address; write https://…", c.URL)
	}
	if !git.IsHash(commit) {
		return fault.Errorf(fault.Invalid, "%.100q is not the full hash of a commit", commit)
	}
	if _, err := s.Repositories.Platform().CommitAt(ctx, r.FullName(), commit); err != nil {
		return err
	}
	c.Updated = s.Now()
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		known, err := checks(ctx, tx, r.ID, commit)
		if err != nil {
			return err
		}
		for _, k := range known {
			if k.Name == c.Name && k.Run != "" {
				return fault.Errorf(fault.Conflict, "the check %s is said by run %s; choose another name", c.Name, k.Run)
			}
		}
		if len(known) >= checksMost {
			return fault.Errorf(fault.TooLarge, "a commit has at most %d checks", checksMost)
		}
		changed, err := setCheck(ctx, tx, r.ID, commit, c)
		if err != nil || !changed {
			return err
		}
		if err := s.tellCheck(ctx, tx, r, commit, c); err != nil {
			return err
		}
		if err := s.askSayCheck(ctx, tx, r, commit, c.Name); err != nil {
			return err
		}
		return s.askAt(ctx, tx, r.ID, commit)
	})
}

// checksMost bounds the checks of one commit.
const checksMost = 200

func (s *Service) tellCheck(ctx context.Context, tx *store.Tx, r repository.Repository, commit string, c Check) error {
	return s.append(ctx, tx, actor.From(ctx).ID, r, "check.set", r.Subject(), nil, map[string]any{"repository": r.FullName(), "commit": commit, "name": c.Name, "state": c.State})
}
