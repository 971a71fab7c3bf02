package docs

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/product/docs/markdown"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// tree is where the files of a site come from.
type tree interface {
	// list gives the files below a folder, with their paths from the root. More than it can give are fault.TooLarge.
	list(ctx context.Context, folder string) ([]string, error)
	// in gives the files in a folder itself, as list does.
	in(ctx context.Context, folder string) ([]string, error)
	// has gives those of some files that are there.
	has(ctx context.Context, files []string) ([]string, error)
	// read gives files of at most limit bytes together.
	read(ctx context.Context, files []string, limit int64) (map[string][]byte, error)
}

// readSite reads what is in a folder at one commit. Without any page it is fault.NotFound.
func readSite(ctx context.Context, t tree, folder string) (*Site, error) {
	site := &Site{root: folder, files: map[string]bool{}, folders: map[string]bool{}, byFile: map[string]int{}, byPath: map[string]int{}}
	files, err := site.learn(ctx, t, folder)
	if site.large = fault.Is(err, fault.TooLarge); site.large {
		files, err = site.beside(ctx, t, folder)
	}
	if err != nil {
		return nil, err
	}
	c, err := site.configure(ctx, t, folder)
	if err != nil {
		return nil, err
	}
	docs := site.docsIn(folder, c.docsDir)
	var many error
	if site.large {
		var pages []string
		if pages, many = site.learn(ctx, t, docs); many != nil && !fault.Is(many, fault.TooLarge) {
			return nil, many
		}
		files = append(files, pages...)
		site.Problems = append(site.Problems, site.largeness(folder, docs, many))
	}
	site.choose(files, folder, docs)
	if err := site.include(ctx, t, c, files); err != nil {
		return nil, err
	}
	if len(site.Pages) == 0 && many != nil {
		return nil, fault.Errorf(fault.TooLarge, "%s has too many files to be a folder of pages; name a folder further down as docs_dir in mkdocs.yml", folderName(docs))
	}
	if len(site.Pages) == 0 {
		return nil, fault.Errorf(fault.NotFound, "there are no docs in %s: no mkdocs.yml with pages, no docs/ with Markdown and no README.md", folderName(folder))
	}
	if err := site.titles(ctx, t); err != nil {
		return nil, err
	}
	site.order(c)
	return site, nil
}

// errKnown says that a site knows as many files as it may.
var errKnown = errors.New("too many files are known")

// learn lists the files below a folder, which are known then. It fails with errKnown where they would be too many with the others.
func (site *Site) learn(ctx context.Context, t tree, folder string) ([]string, error) {
	files, err := t.list(ctx, folder)
	if err != nil {
		return nil, err
	}
	all := len(site.files)
	for _, f := range files {
		if !site.files[f] {
			all++
		}
	}
	if all > maxKnown {
		return nil, errKnown
	}
	site.listed = append(site.listed, folder)
	site.know(files)
	return files, nil
}

// ask finds out which of some files are there, which are known then.
func (site *Site) ask(ctx context.Context, t tree, files []string) ([]string, error) {
	files, err := t.has(ctx, files)
	site.know(files)
	return files, err
}

func (site *Site) know(files []string) {
	for _, f := range files {
		site.files[f] = true
		for d := folderOf(f); d != "" && !site.folders[d]; d = folderOf(d) {
			site.folders[d] = true
		}
	}
}

var configNames = []string{"mkdocs.yml", "mkdocs.yaml"}

// beside finds what a site may have beside the folder of its pages: a configuration, and READMEs. In a folder that has too many
// files itself it asks for those that are called as usual.
func (site *Site) beside(ctx context.Context, t tree, folder string) ([]string, error) {
	files, err := t.in(ctx, folder)
	if fault.Is(err, fault.TooLarge) {
		usual := []string{path.Join(folder, "README.md")}
		for _, name := range configNames {
			usual = append(usual, path.Join(folder, name))
		}
		return site.ask(ctx, t, usual)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return !isReadme(f) && !slices.Contains(configNames, path.Base(f)) })
	site.know(files)
	return files, err
}

// isReadme tells whether a file is the page that its folder begins with.
func isReadme(file string) bool {
	return isPage(file) && strings.EqualFold(strings.TrimSuffix(path.Base(file), path.Ext(file)), "readme")
}

// largeness tells what is not looked at where a folder has so many files that only those of the pages are known, if these are.
func (site *Site) largeness(folder, docs string, many error) Problem {
	if many != nil {
		return Problem{File: docs, Message: folderName(docs) + " has so many files that it is not taken as the folder of the pages; name one further down as docs_dir in mkdocs.yml"}
	}
	return Problem{File: docs, Message: folderName(folder) + " has so many files that links out of " + folderName(docs) + " are not looked at"}
}

// docsIn gives the folder of the pages.
func (site *Site) docsIn(folder, docsDir string) string {
	docs, ok := within(folder, docsDir)
	if !ok {
		site.Problems = append(site.Problems, Problem{File: site.Config, Message: "docs_dir " + docsDir + " leads out of the repository"})
		docs, _ = within(folder, "docs")
	}
	return docs
}

func (site *Site) configure(ctx context.Context, t tree, folder string) (config, error) {
	for _, name := range configNames {
		file, _ := within(folder, name)
		if !site.files[file] {
			continue
		}
		found, err := t.read(ctx, []string{file}, maxConfig)
		if fault.Is(err, fault.TooLarge) {
			site.Problems = append(site.Problems, Problem{File: file, Message: "it is larger than 1 MiB, and is not read"})
			err = nil
		}
		if err != nil {
			return config{}, err
		}
		c, wrong := readConfig(file, found[file])
		site.Config, site.Title, site.Description, site.noEdit = file, c.name, c.description, c.noEdit
		site.Problems = append(site.Problems, wrong...)
		return c, nil
	}
	return config{docsDir: "docs"}, nil
}

// choose finds the pages: those in the folder of pages, or the README alone. A README beside that folder is the first page
// when the folder has none.
func (site *Site) choose(files []string, folder, docs string) {
	site.Docs = docs
	below := docs + "/"
	if docs == "" {
		below = ""
	}
	var pages []string
	if docs != folder || site.Config != "" {
		pages = site.pagesBelow(files, below)
	}
	if len(pages) > maxPages {
		site.Problems = append(site.Problems, Problem{File: docs, Message: "the site has more than 2000 pages; those at the end are left out"})
		pages = pages[:maxPages]
	}
	for _, f := range pages {
		at := pagePath(f[len(below):])
		if _, taken := site.byPath[at]; !taken { // an index wins over a README
			site.add(PageRef{Path: at, File: f})
		}
	}
	if _, has := site.byPath[""]; has {
		return
	}
	for _, f := range files {
		if folderOf(f) == folder && isReadme(f) {
			if len(pages) == 0 {
				site.Docs = folder
			}
			site.Pages = slices.Insert(site.Pages, 0, PageRef{Path: "", File: f})
			site.index()
			return
		}
	}
}

// pagesBelow gives the pages of a folder, in their order.
func (site *Site) pagesBelow(files []string, below string) (pages []string) {
	for _, f := range files {
		switch {
		case !strings.HasPrefix(f, below) || !isPage(f) || hidden(f[len(below):]):
		case !utf8.ValidString(f): // no address leads there, and no database keeps it
			site.Problems = append(site.Problems, Problem{File: strings.ToValidUTF8(f, "\uFFFD"), Message: "the name of this file is not text in UTF-8, so that it is no page; rename it"})
		default:
			pages = append(pages, f)
		}
	}
	slices.SortFunc(pages, func(a, b string) int { return comparePages(a[len(below):], b[len(below):]) })
	return pages
}

func hidden(file string) bool { return strings.HasPrefix(file, ".") || strings.Contains(file, "/.") }

// comparePages orders files as a reader expects them: an index first, then the pages of a folder, then its folders.
func comparePages(a, b string) int {
	aParts, bParts := strings.Split(a, "/"), strings.Split(b, "/")
	for i := range min(len(aParts), len(bParts)) {
		aLeaf, bLeaf := i == len(aParts)-1, i == len(bParts)-1
		if aParts[i] == bParts[i] {
			continue
		}
		if aLeaf != bLeaf {
			if aLeaf {
				return -1
			}
			return 1
		}
		if aLeaf {
			if d := cmp.Compare(rank(aParts[i]), rank(bParts[i])); d != 0 {
				return d
			}
		}
		return strings.Compare(aParts[i], bParts[i])
	}
	return len(aParts) - len(bParts)
}

func rank(name string) int {
	switch strings.ToLower(strings.TrimSuffix(name, path.Ext(name))) {
	case "index":
		return 0
	case "readme":
		return 1
	}
	return 2
}

func (site *Site) add(p PageRef) {
	site.byPath[p.Path], site.byFile[p.File] = len(site.Pages), len(site.Pages)
	site.Pages = append(site.Pages, p)
}

func (site *Site) index() {
	clear(site.byPath)
	clear(site.byFile)
	for i, p := range site.Pages {
		site.byPath[p.Path], site.byFile[p.File] = i, i
	}
}

// titles gives each page the title that it gives itself.
func (site *Site) titles(ctx context.Context, t tree) error {
	names := make([]string, len(site.Pages))
	for i, p := range site.Pages {
		names[i] = p.File
	}
	found, err := t.read(ctx, names, maxSite)
	if fault.Is(err, fault.TooLarge) {
		site.Problems = append(site.Problems, Problem{File: site.Docs, Message: "the pages have more than 64 MiB together; they are named by their files"})
		err = nil
	}
	if err != nil {
		return err
	}
	for i, p := range site.Pages {
		title := markdown.Title(found[p.File])
		if title == "" {
			title = humanized(p.File)
		}
		site.Pages[i].Title = title
	}
	return nil
}

// order makes the navigation, and puts the pages in its order.
func (site *Site) order(c config) {
	if c.nav != nil {
		n := navReader{site: site, file: site.Config, docs: site.Docs}
		site.Nav = n.items(c.nav, 1)
		site.Problems = append(site.Problems, n.wrong...)
		var pages []PageRef
		seen := map[int]bool{}
		for _, i := range n.order {
			if !seen[i] {
				seen[i] = true
				pages = append(pages, site.Pages[i])
			}
		}
		for i, p := range site.Pages {
			if !seen[i] {
				pages = append(pages, p)
			}
		}
		site.Pages = pages
		site.index()
	}
	if len(site.Nav) == 0 {
		site.Nav = site.natural()
	}
	if site.Title == "" {
		site.Title = site.Pages[0].Title
	}
}

// natural is the navigation of the files as they lie.
func (site *Site) natural() []Item {
	return naturally(site.Pages, func(p PageRef) string {
		if site.Docs == "" || p.Path == "" {
			return p.Path
		}
		return strings.TrimPrefix(p.File, site.Docs+"/")
	})
}

// naturally gives an entry to each page, below those of the folders that its name has.
func naturally(pages []PageRef, name func(PageRef) string) []Item {
	root := &folderNode{}
	for _, p := range pages {
		at := root
		parts := strings.Split(name(p), "/")
		for _, folder := range parts[:min(len(parts)-1, maxDepth-1)] {
			at = at.folder(folder)
		}
		path := p.Path
		at.items = append(at.items, &folderNode{item: Item{Title: p.Title, Page: &path}})
	}
	return root.list()
}

type folderNode struct {
	item  Item
	name  string
	items []*folderNode
}

func (f *folderNode) folder(name string) *folderNode {
	for _, n := range f.items {
		if n.name == name {
			return n
		}
	}
	n := &folderNode{name: name, item: Item{Title: humanized(name)}}
	f.items = append(f.items, n)
	return n
}

func (f *folderNode) list() []Item {
	items := make([]Item, len(f.items))
	for i, n := range f.items {
		items[i] = n.item
		if n.name != "" {
			items[i].Items = n.list()
		}
	}
	return items
}

// named finds a page by its path in the address or below the folder of pages.
func (site *Site) named(name string) (i int, ok bool) {
	name = strings.Trim(name, "/")
	if i, ok = site.byPath[name]; !ok {
		i, ok = site.byFile[path.Join(site.Docs, name)]
	}
	return i, ok
}

// startAt gives the path of a page that an entity names as the one which tells of it; "" where there is none.
func (site *Site) startAt(name string) string {
	name, _, _ = strings.Cut(name, "#")
	if i, ok := site.named(name); ok {
		return site.Pages[i].Path
	}
	return ""
}

// around gives the pages before and after one.
func (site *Site) around(i int) (previous, next *PageRef) {
	if i > 0 {
		previous = &site.Pages[i-1]
	}
	if i+1 < len(site.Pages) {
		next = &site.Pages[i+1]
	}
	return previous, next
}

// size is about what a site takes in memory.
func (site *Site) size() int {
	n := 1000
	for f := range site.files {
		n += len(f) + 40
	}
	for _, p := range site.Pages {
		n += len(p.Path) + len(p.File) + len(p.Title) + 300
	}
	return n
}
