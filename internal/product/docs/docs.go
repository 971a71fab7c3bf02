package docs

import (
	"path"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/product/docs/markdown"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Bounds of a site.
const (
	maxPages    = 2000
	maxSite     = 64 << 20 // bytes of its pages
	maxKnown    = 200_000  // files of a large repository, with those of all sites that are included
	maxConfig   = 1 << 20
	maxNav      = 5000 // entries
	maxDepth    = 10   // of the navigation
	maxReport   = 1000 // problems
	sectionMax  = 32 << 10
	textMax     = 8 << 20 // bytes of a site that search sees
	maxSections = 20_000  // of a site that search sees
	maxAnchors  = 200_000 // of a site that links are held to
	maxLinks    = 200_000 // of a site that are looked at
)

// Place is where the docs of an entity are.
type Place struct {
	Entity     ref.Entity
	Repository repository.Repository
	Branch     string
	Folder     string // of the site, from the root of the repository; "" for the root
	Convention bool   // nobody said so: they are beside the file that declares the entity
	Start      string // where those of another entity tell of this one, as its author wrote it; "" for the first page
}

// Item is an entry of the navigation.
type Item struct {
	Title   string
	Page    *string // path of the page; nil for a heading or an address
	Address string  // elsewhere
	Items   []Item
}

// PageRef names a page of a site.
type PageRef struct {
	Path  string // in the address: guide/install; "" for the first page
	File  string // from the root of the repository
	Title string
}

// Site is the docs at one commit.
type Site struct {
	Title       string
	Description string
	Commit      string
	Config      string // the file mkdocs.yml, from the root of the repository; "" without one
	Docs        string // the folder of the pages
	Nav         []Item
	Pages       []PageRef // in the order of the navigation, then those that it leaves out
	Problems    []Problem // of the configuration and the navigation

	byPath  map[string]int
	byFile  map[string]int
	files   map[string]bool // of the repository, as far as they are known
	folders map[string]bool
	root    string
	large   bool     // it has so many files that they are not all known
	listed  []string // folders whose files are
	noEdit  bool

	included map[string]*included // by includeKey
}

// Opened is a site as a reader sees it.
type Opened struct {
	*Site
	Place   Place
	Rev     string // what the reader asked for; "" for the head
	Start   string // path of the page to begin with; "" for the first one
	MayEdit bool
}

// Page is a page as it is shown.
type Page struct {
	PageRef
	Description    string
	HTML           string
	Headings       []markdown.Heading
	Mermaid        bool
	Commit         string
	Edit           string // address of the editor; "" when the reader may not write, or the site has it off
	Source         string // address of the file
	Previous, Next *PageRef
	Problems       []Problem
}

// Problem is something that is wrong in the files of a site.
type Problem struct {
	File    string
	Line    int
	Target  string // of a link
	Message string
}

// Report is what is wrong with a site.
type Report struct {
	Commit   string
	Pages    int
	Links    int
	Problems []Problem
	More     bool // there are more than are told
}

// Listed is an entity that has docs.
type Listed struct {
	Entity     string
	Title      string // of the site
	Repository string
	Commit     string
	Pages      int
	Broken     int
	Updated    time.Time
}

// Found is a section that a search found.
type Found struct {
	Path    string
	Title   string
	Anchor  string
	Heading string
	Excerpt string
}

// Section is a part of a page, for an index of texts.
type Section struct {
	Entity  string
	Path    string
	Title   string // of the page
	Anchor  string
	Heading string
	Text    string
	Commit  string
}

// isPage tells whether a file is a page.
func isPage(file string) bool {
	switch strings.ToLower(path.Ext(file)) {
	case ".md", ".markdown", ".mdown", ".mkd":
		return true
	}
	return false
}

// pagePath gives the path of a page in the address, from its file below the folder of pages.
func pagePath(file string) string {
	file = strings.TrimSuffix(file, path.Ext(file))
	switch dir, base := path.Split(file); strings.ToLower(base) {
	case "index", "readme":
		return strings.TrimSuffix(dir, "/")
	}
	return file
}

// within joins a path to a folder; ok is false when it leads out of the root.
func within(folder, name string) (joined string, ok bool) {
	joined = path.Join(folder, name)
	switch {
	case joined == ".":
		return "", true
	case joined == ".." || strings.HasPrefix(joined, "../") || strings.HasPrefix(joined, "/"):
		return "", false
	}
	return joined, true
}

// humanized gives the title of a file that has none: getting-started.md is "Getting started".
func humanized(file string) string {
	name := strings.TrimSuffix(path.Base(file), path.Ext(file))
	name = strings.TrimSpace(strings.NewReplacer("-", " ", "_", " ").Replace(name))
	if name == "" {
		return file
	}
	if strings.EqualFold(name, "index") || strings.EqualFold(name, "readme") {
		return "Home"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}
