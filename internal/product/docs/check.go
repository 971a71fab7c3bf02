package docs

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/product/docs/markdown"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// audit is what all pages of a site say.
type audit struct {
	report Report
	texts  []text
}

// text is a section of a page.
type text struct {
	page    PageRef
	section markdown.Section
}

// audit reads every page of a site.
func (s *Service) audit(ctx context.Context, t tree, site *Site) (audit, error) {
	a := audit{report: Report{Commit: site.Commit, Pages: len(site.Pages), Problems: slices.Clone(site.Problems)}}
	names := make([]string, len(site.Pages))
	for i, p := range site.Pages {
		names[i] = p.File
	}
	found, err := t.read(ctx, names, maxSite)
	if err != nil {
		return a, err
	}
	pages := make([]markdown.Page, len(site.Pages)) // what links lead to, and where they do
	var kept bounds
	for i, p := range site.Pages {
		if err := ctx.Err(); err != nil {
			return a, fault.Errorf(fault.Canceled, "the check was broken off: %w", err)
		}
		read, err := s.markdown.Read(found[p.File])
		if err != nil {
			a.report.add(Problem{File: p.File, Message: fault.Message(err)})
			continue
		}
		for _, problem := range read.Problems {
			a.report.add(Problem{File: p.File, Line: problem.Line, Message: problem.Message})
		}
		for _, section := range read.Sections {
			if section.Text = cut(section.Text, sectionMax); !kept.section(p, section) {
				break
			}
			a.texts = append(a.texts, text{p, section})
		}
		if kept.linksOf(p, len(read.Links)) {
			pages[i].Links = read.Links
		}
		if kept.page(p, len(read.Anchors)) {
			pages[i].Anchors = read.Anchors
		}
	}
	a.report.Problems = slices.Insert(a.report.Problems, 0, kept.problems...)
	for i, p := range site.Pages {
		for _, l := range pages[i].Links {
			a.report.Links++
			if why := site.judge(p, l, pages); why != "" {
				a.report.add(Problem{File: p.File, Line: l.Line, Target: l.Target, Message: why})
			}
		}
	}
	return a, nil
}

// bounds counts what is kept of the pages of a site.
type bounds struct {
	sections, text, anchors, links int
	full                           bool // of sections or text
	problems                       []Problem
}

// section tells whether one more is kept of a page.
func (b *bounds) section(p PageRef, section markdown.Section) bool {
	if !b.full && (b.sections == maxSections || b.text >= textMax) {
		b.full = true
		b.problems = append(b.problems, Problem{File: p.File, Message: fmt.Sprintf(
			"the site has more than %d headings or %d MiB of text, and the search finds nothing of what comes after; give parts of the site to other entities (techdocs-ref), or write fewer headings", maxSections, textMax>>20)})
	}
	b.sections++
	b.text += len(section.Text) + len(section.Heading)
	return !b.full
}

// page tells whether links are held to the anchors of one more.
func (b *bounds) page(p PageRef, anchors int) bool {
	return b.fits(&b.anchors, anchors, maxAnchors, p, "anchors, and links to those")
}

// linksOf tells whether those of one more are looked at.
func (b *bounds) linksOf(p PageRef, links int) bool {
	return b.fits(&b.links, links, maxLinks, p, "links, and those")
}

// fits counts more of something, and tells whether it is at most so many with these. Of the first page that has too many people
// are told.
func (b *bounds) fits(n *int, more, most int, p PageRef, what string) bool {
	had := *n
	if *n += more; had <= most && *n > most {
		b.problems = append(b.problems, Problem{File: p.File, Message: fmt.Sprintf(
			"the site has more than %d %s of this page and of the pages after it are not looked at; give parts of the site to other entities (techdocs-ref)", most, what)})
	}
	return *n <= most
}

func (r *Report) add(p Problem) {
	if len(r.Problems) >= maxReport {
		r.More = true
		return
	}
	r.Problems = append(r.Problems, p)
}

// judge tells why a link leads nowhere; "" when it leads somewhere, or to where nobody here can look.
func (site *Site) judge(from PageRef, l markdown.Link, pages []markdown.Page) string {
	to := site.follow(from, l.Target)
	switch {
	case to.wrong != "":
		return to.wrong
	case to.page >= 0 && to.anchor != "" && pages[to.page].Anchors != nil && !pages[to.page].Anchors[to.anchor]:
		if strings.HasPrefix(to.anchor, "fn:") || strings.HasPrefix(to.anchor, "fnref") || to.anchor == "top" {
			return ""
		}
		return "there is no heading #" + to.anchor + " on " + site.Pages[to.page].File
	}
	return ""
}

// cut bounds a text at a character.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// Bounds of files that somebody sends to be checked.
const (
	sentFiles = 20_000
	sentBytes = 64 << 20

	sentAtOnce = 2 // checks; each may have so much in memory
	sentPlaces = 8 // of these and of others that wait, which have as much
)

// PlaceForCheck takes a place among those whose files are checked by CheckFiles, or wait for that. It is taken before the files
// are read, which fill memory, and given back with leave. It fails with fault.Unavailable where there is none.
func (s *Service) PlaceForCheck() (leave func(), err error) {
	select {
	case s.places <- struct{}{}:
		return func() { <-s.places }, nil
	default:
		return nil, fault.Errorf(fault.Unavailable, "the docs of %d others are checked or wait for it, as many as may; try again in a moment", sentPlaces)
	}
}

// CheckFiles tells what is wrong with the docs in files that somebody sends, by their paths: the pages with their contents, and
// the names of the others. It asks for no right, and reads nothing but what it is given. Few are checked at once, and the others wait;
// it fails with fault.Canceled where ctx ends meanwhile. Who calls it has a PlaceForCheck.
func (s *Service) CheckFiles(ctx context.Context, files map[string][]byte) (Report, error) {
	size := 0
	for _, content := range files {
		size += len(content)
	}
	if len(files) > sentFiles || size > sentBytes {
		return Report{}, fault.Errorf(fault.TooLarge, "at most %d files of %d MiB together are checked", sentFiles, sentBytes>>20)
	}
	sent := sentTree{}
	for name, content := range files {
		clean, ok := within("", name)
		if !ok || clean == "" {
			return Report{}, fault.Errorf(fault.Invalid, "%.200q is not the path of a file", name)
		}
		sent[clean] = content
	}
	select {
	case s.checks <- struct{}{}:
		defer func() { <-s.checks }()
	case <-ctx.Done():
		return Report{}, fault.Errorf(fault.Canceled, "the check was broken off before it began: %w", context.Cause(ctx))
	}
	site, err := readSite(ctx, sent, "")
	if err != nil {
		return Report{}, err
	}
	a, err := s.audit(ctx, sent, site)
	return a.report, err
}

// sentTree is files in memory.
type sentTree map[string][]byte

func (t sentTree) list(_ context.Context, folder string) ([]string, error) {
	var files []string
	for name := range t {
		if folder == "" || strings.HasPrefix(name, folder+"/") {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return files, nil
}

func (t sentTree) in(_ context.Context, folder string) (files []string, err error) {
	for name := range t {
		if folderOf(name) == folder {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return files, nil
}

func (t sentTree) has(_ context.Context, files []string) (there []string, err error) {
	for _, f := range files {
		if _, ok := t[f]; ok {
			there = append(there, f)
		}
	}
	return there, nil
}

func (t sentTree) read(_ context.Context, files []string, limit int64) (map[string][]byte, error) {
	found := map[string][]byte{}
	var size int64
	for _, f := range files {
		if content, ok := t[path.Clean(f)]; ok {
			if size += int64(len(content)); size > limit {
				return nil, fault.Errorf(fault.TooLarge, "the files have more than %d bytes", limit)
			}
			found[f] = content
		}
	}
	return found, nil
}
