package catalog

import (
	"cmp"
	"context"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TargetAt reads an address as people copy it from where they look at a file: one that ParseTarget takes, or the page of a
// file at a forge whose repository is connected, such as https://github.com/acme/shop/blob/main/catalog-info.yaml. That of a
// folder, or of the repository itself, names the catalog-info.yaml in it. A repository that the caller may not read is not
// known.
func (s *Service) TargetAt(ctx context.Context, text string) (Target, error) {
	t, _, err := s.targetAt(ctx, text, s.mayRead)
	return t, err
}

// Connector connects the repository that has its page at a forge, such as https://github.com/acme/shop, into a space, as the
// principal of ctx; false when the principal has not one way to, and Conflict when what is there is connected already.
type Connector func(ctx context.Context, space, page string) (connected bool, err error)

// Connects says how TargetToAdd connects repositories. It comes before the first location.
func (s *Service) Connects(c Connector) { s.connect = c }

// TargetToAdd is TargetAt for who is about to register it in a space: a repository that is not connected is connected there, for its
// files alone, also where one that had its page there before it was renamed is known. It needs location:write in the space.
func (s *Service) TargetToAdd(ctx context.Context, space, text string) (Target, error) {
	t, former, err := s.targetAt(ctx, text, s.mayRead)
	if s.connect == nil || !former && !fault.Is(err, fault.Invalid) {
		return t, err
	}
	space = cmp.Or(space, access.Root)
	if s.access.Authorize(ctx, "location:write", space) != nil {
		return t, err
	}
	address := strings.TrimPrefix(text, "url:")
	pages := forgePages(address)
	if u, wrong := url.Parse(address); len(pages) == 0 && wrong == nil && (u.Scheme == "https" || u.Scheme == "http") && !s.own(u.Host) && len(text) <= maxAddress {
		pages = []forgePage{{page: repositoryPage(address)}}
	}
	for _, p := range pages {
		connected, late := s.connect(ctx, space, p.page)
		if former && fault.Is(late, fault.Conflict) {
			continue // the forge leads there from the page that it had
		}
		if late != nil {
			return Target{}, late
		}
		if connected {
			return s.TargetAt(ctx, text)
		}
	}
	return t, err
}

// targetAt is TargetAt of the repositories that are known; former says that the repository has its page elsewhere by now.
func (s *Service) targetAt(ctx context.Context, text string, known func(ctx context.Context, repository string) (bool, error)) (t Target, former bool, err error) {
	t, err = s.ParseTarget(text)
	address := strings.TrimPrefix(text, "url:")
	if err == nil {
		if u, err := url.Parse(address); err == nil && strings.HasPrefix(u.Path, portalPages) {
			t.Path = fileIn(t.Path)
		}
		return t, false, nil
	}
	for _, p := range forgePages(address) {
		repository, former, err := s.repositoryOf(ctx, p.page, known)
		if err != nil {
			return Target{}, false, err
		}
		if repository != "" {
			t, err := s.targetIn(ctx, repository, p.rest)
			if p.folder {
				t.Path = fileIn(t.Path)
			}
			return t, former, err
		}
	}
	u, notAddress := url.Parse(address)
	if notAddress != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || s.own(u.Host) || len(text) > maxAddress {
		return Target{}, false, err
	}
	repository, former, err := s.repositoryOf(ctx, repositoryPage(address), known)
	if err != nil {
		return Target{}, false, err
	}
	if repository == "" {
		return Target{}, false, fault.Errorf(fault.Invalid, "%q is in no repository that is connected and that you may read; connect it first", clip(text))
	}
	t, err = Target{Repository: repository}.check()
	return t, former, err
}

// repositoryPage gives the page of a repository of its address, which may be that for git.
func repositoryPage(address string) string {
	return strings.TrimSuffix(strings.TrimSuffix(address, "/"), ".git")
}

// fileIn gives the file that a page of a folder stands for. A catalog file has an ending, so what has none is a folder.
func fileIn(at string) string {
	if strings.ContainsAny(path.Base(at), ".*?[") {
		return at
	}
	return path.Join(at, defaultFile)
}

// targetFor reads an address that a file of a space names. A file lends nobody's rights: what lies at a forge is known where the
// space may read it.
func (s *Service) targetFor(ctx context.Context, space, text string) (Target, error) {
	t, err := s.ParseTarget(text)
	if err == nil {
		return t, nil
	}
	pages := forgePages(strings.TrimPrefix(text, "url:"))
	for _, p := range pages {
		names, _, err := s.repositories.ByPage(ctx, p.page)
		if err != nil {
			return Target{}, err
		}
		for _, name := range names {
			of, err := s.repositories.SpaceOf(ctx, name)
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return Target{}, err
			}
			if within, err := s.access.Within(ctx, of, space); err != nil {
				return Target{}, err
			} else if within {
				return s.targetIn(ctx, name, p.rest)
			}
		}
	}
	if host := hostOf(text); isPrivate(host) {
		return Target{}, fault.Errorf(fault.Invalid, "%s is a private address, from which nothing is read; connect the repository, or import it, and name it here", clip(host))
	}
	if len(pages) > 0 {
		return Target{}, fault.Errorf(fault.Invalid, "%q is in no repository that is connected and that space %s may read; connect it, and refresh this location", clip(text), space)
	}
	return Target{}, err
}

func hostOf(text string) string {
	u, err := url.Parse(strings.TrimPrefix(text, "url:"))
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// isPrivate tells whether a host is one of this machine or of a network that is nobody else's.
func isPrivate(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast()
	}
	for _, name := range []string{"localhost", "local", "internal"} {
		if host == name || strings.HasSuffix(host, "."+name) {
			return true
		}
	}
	return false
}

// targetIn reads what comes behind a repository in an address.
func (s *Service) targetIn(ctx context.Context, repository, rest string) (t Target, err error) {
	home, err := s.repositories.Home(ctx, repository)
	if err != nil {
		return t, err
	}
	t.Repository = repository
	if t.Branch, t.Path, err = s.branchOf(ctx, repository, rest); err != nil {
		return t, err
	}
	if t.Branch == home.Branch {
		t.Branch = ""
	}
	return t.check()
}

// repositoryOf gives the first known repository of a page, or "".
func (s *Service) repositoryOf(ctx context.Context, page string, known func(ctx context.Context, repository string) (bool, error)) (repository string, former bool, err error) {
	if s.repositories == nil {
		return "", false, nil
	}
	names, former, err := s.repositories.ByPage(ctx, page)
	if err != nil {
		return "", false, err
	}
	for _, name := range names {
		if is, err := known(ctx, name); is || err != nil {
			return name, former, err
		}
	}
	return "", false, nil
}

// branchOf divides what comes behind a repository in an address. The name of a branch may have slashes: it is the shortest that
// there is, or else the first part.
func (s *Service) branchOf(ctx context.Context, repository, rest string) (branch, file string, err error) {
	const most = 5 // parts of the name of a branch
	for i, c := range rest {
		if c != '/' {
			continue
		}
		if strings.Count(rest[:i], "/") >= most {
			break
		}
		_, err := s.repositories.Head(ctx, repository, rest[:i])
		if err == nil {
			return rest[:i], rest[i+1:], nil
		}
		if !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid) {
			return "", "", err
		}
	}
	branch, file, _ = strings.Cut(rest, "/")
	return branch, file, nil
}

// forgePage is an address at a forge: the page of a repository, and behind it a branch with the path of a file, or perhaps
// of a folder.
type forgePage struct {
	page, rest string
	folder     bool
}

const (
	maxForgePages = 10
	maxAddress    = 2000
	rawGitHub     = "raw.githubusercontent.com"
)

// forgePages reads the addresses of GitHub, GitLab and Gitea. An address may be read in two ways where a repository has the
// name of a verb.
func forgePages(text string) (pages []forgePage) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(text) > maxAddress {
		return nil
	}
	origin := u.Scheme + "://" + u.Host
	if u.Host == rawGitHub {
		parts := strings.SplitN(strings.TrimPrefix(u.Path, "/"), "/", 3)
		if len(parts) < 3 {
			return nil
		}
		return []forgePage{{"https://github.com/" + parts[0] + "/" + parts[1], strings.TrimPrefix(parts[2], "refs/heads/"), false}}
	}
	for _, verb := range []string{
		"/-/blob/", "/-/raw/", "/-/edit/", "/-/tree/", "/src/branch/", "/raw/branch/", "/_edit/", "/blob/", "/raw/", "/edit/", "/tree/",
	} {
		for from := 0; ; {
			i := strings.Index(u.Path[from:], verb)
			if i < 0 || len(pages) >= maxForgePages {
				break
			}
			repository, rest := u.Path[:from+i], u.Path[from+i+len(verb):]
			if strings.Count(repository, "/") >= 2 && rest != "" {
				pages = append(pages, forgePage{origin + repository, rest, strings.HasSuffix(verb, "/tree/") || verb == "/src/branch/"})
			}
			from += i + 1
		}
	}
	return pages
}
