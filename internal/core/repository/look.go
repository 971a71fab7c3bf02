package repository

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// reader gives git as the principal of ctx uses it.
func (s *Service) reader(ctx context.Context) *git.Git { return s.git.Asking(actor.From(ctx).ID) }

// LastCommits tells which commit changed each entry of a folder last; see git.LastCommits.
func (s *Service) LastCommits(ctx context.Context, fullName, rev, folder string) (git.Last, error) {
	dir, commit, done, err := s.at(ctx, fullName, rev)
	if err != nil {
		return git.Last{}, err
	}
	defer done()
	entries, err := s.git.Tree(ctx, dir, commit, folder)
	if err != nil {
		return git.Last{}, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = path.Base(e.Path)
	}
	return s.reader(ctx).LastCommits(ctx, dir, commit, folder, names)
}

// Entry is what is at one path.
type Entry struct {
	git.TreeEntry
	Target string // what a link says
}

// Entry gives the file, link or submodule at a path. It fails with fault.NotFound when there is none, fault.Invalid for a
// folder.
func (s *Service) Entry(ctx context.Context, fullName, rev, file string) (Entry, error) {
	dir, commit, done, err := s.at(ctx, fullName, rev)
	if err != nil {
		return Entry{}, err
	}
	defer done()
	found, err := s.git.Entries(ctx, dir, commit, []string{file})
	if err != nil {
		return Entry{}, err
	}
	clean, err := git.CheckPath(file)
	e, ok := found[clean]
	switch {
	case err != nil:
		return Entry{}, err
	case !ok:
		return Entry{}, fault.Errorf(fault.NotFound, "there is no file %.200s at %s", file, commit)
	case e.Type == "tree":
		return Entry{}, fault.Errorf(fault.Invalid, "%.200s is a folder", file)
	}
	out := Entry{TreeEntry: e}
	if e.Mode == "120000" && e.Size <= 4096 {
		if out.Target, err = s.git.Link(ctx, dir, e.Hash); err != nil {
			return Entry{}, err
		}
	}
	return out, nil
}

// Blame tells who wrote the lines of a file; see git.Blame.
func (s *Service) Blame(ctx context.Context, fullName, rev, file string, from, to int) (commit string, b git.Blame, err error) {
	dir, commit, done, err := s.at(ctx, fullName, rev)
	if err != nil {
		return "", b, err
	}
	defer done()
	b, err = s.reader(ctx).Blame(ctx, dir, commit, file, from, to)
	return commit, b, err
}

// Search looks for a text in the files of a commit; see git.Grep. A part is counted in files, and its cursor keeps the
// commit.
func (s *Service) Search(ctx context.Context, fullName, rev string, q git.Search, part page.Request) (commit string, found git.Results, next string, err error) {
	start, skip, err := skipped(part)
	if err != nil {
		return "", found, "", err
	}
	if start != "" {
		rev = start
	}
	dir, commit, done, err := s.at(ctx, fullName, rev)
	if err != nil {
		return "", found, "", err
	}
	defer done()
	q.Skip, q.Files = skip, part.Size()
	if found, err = s.reader(ctx).Grep(ctx, dir, commit, q); err == nil && found.More {
		next = after(commit, skip+part.Size())
	}
	return commit, found, next, err
}

// Bounds of a search for names.
const (
	namesGiven = 200
	namesSeen  = 1_000_000
)

// Names gives the paths of files that match what somebody types, the best first; see score. Without a text it is the
// first ones. more says that not all files were looked at, or that there are more.
func (s *Service) Names(ctx context.Context, fullName, rev, text string, limit int) (names []string, more bool, err error) {
	dir, commit, done, err := s.at(ctx, fullName, rev)
	if err != nil {
		return nil, false, err
	}
	defer done()
	if len(text) > namesGiven {
		return nil, false, fault.Errorf(fault.Invalid, "what you look for has at most %d bytes", namesGiven)
	}
	best := newBest(text, min(max(limit, 1), namesGiven))
	seen := 0
	err = s.git.Walk(ctx, dir, commit, "", func(e git.TreeEntry) error {
		if e.Type == "commit" {
			return nil
		}
		if seen++; seen > namesSeen {
			return errSeen
		}
		best.add(e.Path)
		return nil
	})
	if errors.Is(err, errSeen) || fault.Is(err, fault.TooLarge) {
		return best.names(), true, nil
	}
	return best.names(), best.dropped, err
}

var errSeen = errors.New("seen enough")

// Modules gives where the submodules of a commit come from, by path: what its .gitmodules says, as a web address.
func (s *Service) Modules(ctx context.Context, fullName, rev string) (map[string]string, error) {
	content, err := s.ReadFile(ctx, fullName, rev, ".gitmodules", 1<<20)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.TooLarge) || fault.Is(err, fault.Invalid) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	var where, from string
	keep := func() {
		if where != "" && from != "" {
			found[where] = from
		}
		where, from = "", ""
	}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			keep()
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "path":
			where = path.Clean(value)
		case "url":
			from = webAddress(value)
		}
	}
	keep()
	return found, nil
}

// webAddress gives the address at which a browser finds a remote, "" when there is none: HTTP as it is, and the host of
// SSH by HTTPS. What stands for a secret in it is left out.
func webAddress(remote string) string {
	rest, ok := strings.CutPrefix(remote, "ssh://")
	if !ok && !strings.Contains(remote, "://") {
		user, place, found := strings.Cut(remote, "@") // git@host:path
		host, way, colon := strings.Cut(place, ":")
		if !found || !colon || strings.Contains(user, "/") {
			return ""
		}
		rest, ok = host+"/"+strings.TrimPrefix(way, "/"), true
	}
	scheme := "https"
	if !ok {
		for _, s := range []string{"https", "http"} {
			if after, is := strings.CutPrefix(remote, s+"://"); is {
				rest, ok, scheme = after, true, s
			}
		}
	}
	if !ok {
		return ""
	}
	host, way, _ := strings.Cut(rest, "/")
	host = host[strings.LastIndexByte(host, '@')+1:]
	if host == "" || strings.ContainsAny(host, " \t\"'<>\\") {
		return ""
	}
	return scheme + "://" + host + "/" + strings.TrimSuffix(way, ".git")
}
