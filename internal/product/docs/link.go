package docs

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/product/docs/markdown"
)

// target is where a link of a page leads.
type target struct {
	page    int    // index of a page; -1 for none
	file    string // of the repository
	folder  bool
	anchor  string
	outside string // an address as it is
	wrong   string // why it leads nowhere
}

// follow finds where a link leads that a page names.
func (site *Site) follow(from PageRef, link string) target {
	nowhere := func(why string) target { return target{page: -1, wrong: why} }
	u, err := url.Parse(strings.TrimSpace(link))
	switch {
	case err != nil:
		return nowhere("it is no address")
	case u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "mailto" || u.Scheme == "tel" || u.Host != "":
		return target{page: -1, outside: link}
	case u.Scheme != "":
		return nowhere("addresses of " + u.Scheme + " are not shown")
	case u.Path == "" && u.Fragment == "" && u.RawQuery == "":
		return nowhere("it names nothing")
	case u.Path == "":
		return target{page: site.byFile[from.File], anchor: u.Fragment}
	}
	to := site.at(from, u.Path)
	to.anchor = u.Fragment
	return to
}

// at finds a path that a page names: relative to its file, as in the repository, or to its address, as on a site of MkDocs.
func (site *Site) at(from PageRef, name string) target {
	var tries []string
	if rest, absolute := strings.CutPrefix(name, "/"); absolute {
		tries = []string{path.Join(site.Docs, rest), path.Clean(rest)}
	} else {
		tries = []string{path.Join(folderOf(from.File), name)}
	}
	for _, file := range tries {
		if to, ok := site.file(file); ok {
			return to
		}
	}
	if strings.HasPrefix(name, "/") {
		return target{page: -1, outside: name, wrong: "an address that begins with / leads out of the docs; write it relative to the page"}
	}
	// With MkDocs a page guide/install.md is at guide/install/, which people's HTML may be relative to.
	page := path.Join(from.Path, name)
	if rank(path.Base(from.File)) < 2 || strings.HasPrefix(page, "..") {
		page = path.Join(path.Dir(from.Path+"/x"), name)
	}
	if page = strings.TrimPrefix(page, "/"); page == "." {
		page = ""
	}
	if i, ok := site.byPath[strings.TrimSuffix(page, "/")]; ok && !strings.HasPrefix(page, "..") {
		return target{page: i, file: site.Pages[i].File}
	}
	if len(site.included) > 0 && isPage(name) { // among the pages as the plugin for monorepos puts them together
		dir := from.Path
		if rank(path.Base(from.File)) == 2 {
			dir = folderOf(from.Path)
		}
		if i, ok := site.byPath[pagePath(path.Join(dir, name))]; ok {
			return target{page: i, file: site.Pages[i].File}
		}
	}
	file := tries[0]
	if file == ".." || strings.HasPrefix(file, "../") {
		return target{page: -1, wrong: "it leads out of the repository"}
	}
	if !site.knows(file) {
		return target{page: -1, file: file}
	}
	if isPage(file) {
		return target{page: -1, wrong: "there is no page " + file}
	}
	return target{page: -1, wrong: "there is no file " + file}
}

// file finds a page, a file or a folder of the repository.
func (site *Site) file(file string) (target, bool) {
	if file == "." {
		file = ""
	}
	if i, ok := site.byFile[file]; ok {
		return target{page: i, file: file}, true
	}
	if site.files[file] {
		return target{page: -1, file: file}, true
	}
	if site.folders[file] || file == "" {
		for _, name := range []string{"index.md", "README.md"} {
			if i, ok := site.byFile[path.Join(file, name)]; ok {
				return target{page: i, file: site.Pages[i].File}, true
			}
		}
		return target{page: -1, file: file, folder: true}, true
	}
	return target{}, false
}

// knows tells whether it is known what there is at a path.
func (site *Site) knows(file string) bool {
	return slices.ContainsFunc(site.listed, func(folder string) bool { return inFolder(folder, file) })
}

// inFolder tells whether a file is in a folder, or in one of its folders.
func inFolder(folder, file string) bool {
	return folder == "" || strings.HasPrefix(file, folder+"/")
}

// addresses makes the addresses of an opened site in the portal and in the API.
type addresses struct {
	o   Opened
	api string // prefix of the API
}

func (a addresses) query(values url.Values) string {
	if a.o.Rev != "" {
		values.Set("ref", a.o.Rev)
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// page is the address of a page in the portal.
func (a addresses) page(p, anchor string) string {
	e := a.o.Place.Entity
	address := "/docs/" + url.PathEscape(e.Namespace) + "/" + url.PathEscape(e.Kind) + "/" + url.PathEscape(e.Name)
	if p != "" {
		address += "/" + escaped(p)
	}
	address += a.query(url.Values{})
	if anchor != "" {
		address += "#" + url.PathEscape(anchor)
	}
	return address
}

func escaped(p string) string { return (&url.URL{Path: "/" + p}).EscapedPath()[1:] }

// raw is the address of a file as it is.
func (a addresses) raw(file string) string {
	e := a.o.Place.Entity
	return a.api + "/entities/" + url.PathEscape(e.Kind) + "/" + url.PathEscape(e.Namespace) + "/" + url.PathEscape(e.Name) +
		"/docs/file" + a.query(url.Values{"path": {file}})
}

// code is the address of a file or folder on the page of its repository.
func (a addresses) code(file, look string) string {
	values := url.Values{"path": {file}}
	switch {
	case a.o.Rev != "":
		values.Set("ref", a.o.Rev)
	case a.o.Place.Branch != a.o.Place.Repository.DefaultBranch:
		values.Set("ref", a.o.Place.Branch)
	}
	if look != "" {
		values.Set("look", look)
	}
	return "/repositories/" + a.o.Place.Repository.FullName() + "?" + values.Encode()
}

// resolve gives the address of a link of a page.
func (a addresses) resolve(from PageRef, l markdown.Link) markdown.Resolved {
	site := a.o.Site
	to := site.follow(from, l.Target)
	switch {
	case to.outside != "" && l.Image && !strings.HasPrefix(to.outside, "/"):
		return markdown.Resolved{Address: to.outside, Outside: true}
	case to.outside != "":
		return markdown.Resolved{Address: to.outside}
	case to.wrong != "":
		return markdown.Resolved{}
	case to.page >= 0 && site.Pages[to.page].File == from.File && to.anchor != "":
		return markdown.Resolved{Address: "#" + to.anchor}
	case to.page >= 0:
		return markdown.Resolved{Address: a.page(site.Pages[to.page].Path, to.anchor)}
	case to.folder:
		return markdown.Resolved{Address: a.code(to.file+"/", "")}
	case l.Image || served(to.file):
		return markdown.Resolved{Address: a.raw(to.file)}
	}
	address := a.code(to.file, "")
	if to.anchor != "" {
		address += "#" + url.PathEscape(to.anchor)
	}
	return markdown.Resolved{Address: address}
}

// served tells whether a link to a file is to the file itself rather than to the page that shows it.
func served(file string) bool {
	switch strings.ToLower(path.Ext(file)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".ico", ".svg", ".pdf", ".zip", ".gz", ".tgz", ".pptx", ".docx", ".xlsx", ".drawio":
		return true
	}
	return false
}
