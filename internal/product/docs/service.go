package docs

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/docs/markdown"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Deps are the rooms this one stands on.
type Deps struct {
	DB           *store.DB
	Ledger       *ledger.Ledger
	Queue        *queue.Queue
	Access       *access.Service
	Catalog      *catalog.Service
	Repositories *repository.Service
	BaseURL      string // of this server, as people write it
	API          string // prefix of the API, such as /api/v1
	Now          func() time.Time
	Log          *slog.Logger
}

// Service shows docs. It is safe for concurrent use.
type Service struct {
	Deps
	markdown *markdown.Renderer
	cache    *cache
	checks   chan struct{} // of files that somebody sends, as many as go at once
	places   chan struct{} // of those, and of those that wait
}

// New builds the room and registers its jobs and subscriptions.
func New(d Deps) *Service {
	s := &Service{Deps: d, markdown: markdown.New(), cache: newCache(cacheBytes), checks: make(chan struct{}, sentAtOnce), places: make(chan struct{}, sentPlaces)}
	s.subscribe()
	return s
}

// at is one commit of a repository, whose reader has been asked for his rights.
type at struct {
	s          *Service
	repository string
	commit     string
}

func (a at) list(ctx context.Context, folder string) ([]string, error) {
	return a.s.Repositories.Platform().Files(ctx, a.repository, a.commit, folder)
}

func (a at) in(ctx context.Context, folder string) ([]string, error) {
	return a.s.Repositories.Platform().FilesIn(ctx, a.repository, a.commit, folder)
}

func (a at) has(ctx context.Context, files []string) ([]string, error) {
	hashes, err := a.s.Repositories.Platform().Hashes(ctx, a.repository, a.commit, files)
	return slices.Sorted(maps.Keys(hashes)), err
}

func (a at) read(ctx context.Context, files []string, limit int64) (map[string][]byte, error) {
	if len(files) == 0 {
		return nil, nil
	}
	return a.s.Repositories.Platform().ReadFiles(ctx, a.repository, a.commit, files, limit)
}

// siteKey is a folder at a commit, whoever looks at it.
type siteKey struct{ repository, commit, folder string }

type auditKey struct{ siteKey }

type pageKey struct {
	siteKey
	entity    ref.Entity
	rev, path string
}

// Site gives the docs of an entity: at the head of their branch, or at rev, which is a branch, a tag or a commit. Without any
// it is fault.NotFound.
func (s *Service) Site(ctx context.Context, r ref.Entity, rev string) (Opened, error) {
	o, _, _, err := s.open(ctx, r, rev)
	return o, err
}

func (s *Service) open(ctx context.Context, r ref.Entity, rev string) (o Opened, key siteKey, t at, err error) {
	o = Opened{Rev: rev}
	if o.Place, err = s.place(ctx, r); err != nil {
		return o, key, t, err
	}
	repo := o.Place.Repository
	var commit string
	if rev == "" {
		commit, err = s.Repositories.Platform().Head(ctx, repo.FullName(), o.Place.Branch)
	} else {
		commit, err = s.Repositories.Resolve(ctx, repo.FullName(), rev)
	}
	if err != nil {
		return o, key, t, fault.Wrap(err, "read the docs of %s", r)
	}
	key, t = siteKey{repo.ID, commit, o.Place.Folder}, at{s, repo.FullName(), commit}
	o.Site, err = s.site(ctx, key, t)
	if err != nil {
		return o, key, t, err
	}
	_, denied := s.Repositories.Authorize(ctx, repository.Write, repo.FullName())
	o.Start = o.startAt(o.Place.Start)
	o.MayEdit = denied == nil && rev == "" && !repo.Archived && !o.noEdit
	return o, key, t, nil
}

func (s *Service) site(ctx context.Context, key siteKey, t at) (*Site, error) {
	return kept(s.cache, key, func() (*Site, int, error) {
		site, err := readSite(ctx, t, key.folder)
		if err != nil {
			return nil, 0, err
		}
		site.Commit = key.commit
		return site, site.size(), nil
	})
}

// Page gives a page of the docs of an entity, by its path in the address or below the folder of pages.
func (s *Service) Page(ctx context.Context, r ref.Entity, rev, name string) (Page, Opened, error) {
	o, key, t, err := s.open(ctx, r, rev)
	if err != nil {
		return Page{}, o, err
	}
	i, ok := o.named(name)
	if !ok {
		return Page{}, o, fault.Errorf(fault.NotFound, "the docs of %s have no page %.200s", r, name)
	}
	p := o.Pages[i]
	a := addresses{o, s.API}
	shown, err := kept(s.cache, pageKey{key, r, rev, p.Path}, func() (Page, int, error) {
		made, err := s.render(ctx, a, t, p)
		return made, 2*len(made.HTML) + 2000, err
	})
	if err != nil {
		return Page{}, o, err
	}
	shown.PageRef = p
	shown.Previous, shown.Next = o.around(i)
	shown.Source = a.code(p.File, "")
	if o.MayEdit {
		shown.Edit = a.code(p.File, "edit")
	}
	return shown, o, nil
}

func (s *Service) render(ctx context.Context, a addresses, t at, p PageRef) (Page, error) {
	source, err := s.Repositories.Platform().ReadFile(ctx, t.repository, t.commit, p.File, markdown.MaxPage)
	if err != nil {
		return Page{}, fault.Wrap(err, "read %s", p.File)
	}
	out, err := s.markdown.Render(source, markdown.Options{Resolve: func(l markdown.Link) markdown.Resolved { return a.resolve(p, l) }})
	if err != nil {
		return Page{}, fault.Wrap(err, "%s", p.File)
	}
	made := Page{Description: out.Description, HTML: out.HTML, Headings: out.Headings, Mermaid: out.Mermaid, Commit: t.commit}
	for _, l := range out.Links {
		if to := a.o.follow(p, l.Target); to.wrong != "" && len(made.Problems) < 100 {
			made.Problems = append(made.Problems, Problem{File: p.File, Line: l.Line, Target: l.Target, Message: to.wrong})
		}
	}
	for _, problem := range out.Problems {
		made.Problems = append(made.Problems, Problem{File: p.File, Line: problem.Line, Message: problem.Message})
	}
	return made, nil
}

// File opens a file of the repository that an entity's docs are in, such as an image of a page, at their commit. The caller
// closes it.
func (s *Service) File(ctx context.Context, r ref.Entity, rev, file string) (*git.Blob, error) {
	p, err := s.place(ctx, r)
	if err != nil {
		return nil, err
	}
	if rev == "" {
		if rev, err = s.Repositories.Platform().Head(ctx, p.Repository.FullName(), p.Branch); err != nil {
			return nil, err
		}
	}
	return s.Repositories.OpenFile(ctx, p.Repository.FullName(), rev, file)
}

// Check tells what is wrong with the docs of an entity: links that lead nowhere, and what can't be read.
func (s *Service) Check(ctx context.Context, r ref.Entity, rev string) (Report, error) {
	o, key, t, err := s.open(ctx, r, rev)
	if err != nil {
		return Report{}, err
	}
	a, err := s.audited(ctx, key, t, o.Site)
	return a.report, err
}

func (s *Service) audited(ctx context.Context, key siteKey, t at, site *Site) (audit, error) {
	return kept(s.cache, auditKey{key}, func() (audit, int, error) {
		a, err := s.audit(ctx, t, site)
		size := 1000
		for _, p := range a.report.Problems {
			size += len(p.File) + len(p.Message) + len(p.Target) + 100
		}
		for _, x := range a.texts {
			size += len(x.section.Text) + len(x.section.Heading) + 200
		}
		return a, size, err
	})
}

// Sections gives the text of an entity's docs at the head, part by part, for an index of texts.
func (s *Service) Sections(ctx context.Context, r ref.Entity) ([]Section, error) {
	o, key, t, err := s.open(ctx, r, "")
	if err != nil {
		return nil, err
	}
	a, err := s.audited(ctx, key, t, o.Site)
	if err != nil {
		return nil, err
	}
	sections := make([]Section, len(a.texts))
	for i, x := range a.texts {
		sections[i] = Section{
			Entity: r.String(), Path: x.page.Path, Title: x.page.Title, Anchor: x.section.ID, Heading: x.section.Heading, Text: x.section.Text, Commit: t.commit,
		}
	}
	return sections, nil
}

// Search finds sections of an entity's docs that have all words of a text, at the head or at rev: titles first.
func (s *Service) Search(ctx context.Context, r ref.Entity, rev, text string, part page.Request) (page.Of[Found], error) {
	const mostWords, mostText = 10, 200
	words := strings.Fields(strings.ToLower(text))
	if len(words) == 0 || len(words) > mostWords || len(text) > mostText {
		return page.Of[Found]{}, fault.Errorf(fault.Invalid, "write one to %d words to look for", mostWords)
	}
	o, key, t, err := s.open(ctx, r, rev)
	if err != nil {
		return page.Of[Found]{}, err
	}
	a, err := s.audited(ctx, key, t, o.Site)
	if err != nil {
		return page.Of[Found]{}, err
	}
	return search(a.texts, words, part), nil
}
