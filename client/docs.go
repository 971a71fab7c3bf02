package client

import "time"

// Docs are the docs of an entity at a commit.
type Docs struct {
	Entity      string        `json:"entity"`
	Title       string        `json:"title"`
	Description string        `json:"description,omitempty"`
	Repository  string        `json:"repository"`
	Branch      string        `json:"branch"`
	Folder      string        `json:"folder,omitempty" doc:"Of the repository, in which they are."`
	Commit      string        `json:"commit"`
	Convention  bool          `json:"convention,omitempty" doc:"The entity does not say where its docs are; they are beside the file that declares it."`
	Start       string        `json:"start,omitempty" doc:"Path of the page that tells of this entity, of another one's docs; the first page without it."`
	Nav         []DocsItem    `json:"nav"`
	Pages       []DocsPageRef `json:"pages" doc:"In the order in which they are read."`
	Problems    []DocsProblem `json:"problems,omitempty" doc:"Of the configuration and the navigation."`
}

// DocsItem is an entry of the navigation: a page, an address elsewhere, or a heading over others.
type DocsItem struct {
	Title   string     `json:"title"`
	Path    *string    `json:"path,omitempty" doc:"Of a page; empty for the first one."`
	Address string     `json:"address,omitempty"`
	Items   []DocsItem `json:"items,omitempty"`
}

// DocsPageRef names a page.
type DocsPageRef struct {
	Path  string `json:"path" doc:"Empty for the first page."`
	Title string `json:"title"`
	File  string `json:"file" doc:"From the root of the repository."`
}

// DocsPage is a page as it is shown.
type DocsPage struct {
	DocsPageRef
	Description string        `json:"description,omitempty"`
	HTML        string        `json:"html" doc:"Safe to show. Ids in it begin with doc-."`
	Headings    []DocsHeading `json:"headings"`
	Mermaid     bool          `json:"mermaid,omitempty" doc:"It has diagrams: elements of the class doc-mermaid."`
	Commit      string        `json:"commit"`
	Edit        string        `json:"edit,omitempty" doc:"Path of the portal's editor, where the caller may write."`
	Source      string        `json:"source" doc:"Path of the portal's page of the file."`
	Previous    *DocsPageRef  `json:"previous,omitempty"`
	Next        *DocsPageRef  `json:"next,omitempty"`
	Problems    []DocsProblem `json:"problems,omitempty"`
}

// DocsHeading is a heading of a page.
type DocsHeading struct {
	Level int    `json:"level"`
	ID    string `json:"id" doc:"What a link names; the element's id has doc- before it."`
	Text  string `json:"text"`
}

// DocsProblem is something wrong in a file.
type DocsProblem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Target  string `json:"target,omitempty" doc:"Of a link."`
	Message string `json:"message"`
}

// DocsReport is what is wrong with docs.
type DocsReport struct {
	Commit   string        `json:"commit,omitempty"`
	Pages    int           `json:"pages"`
	Links    int           `json:"links"`
	Problems []DocsProblem `json:"problems"`
	More     bool          `json:"more,omitempty" doc:"There are more than are told."`
}

// DocsFound is a section that a search found.
type DocsFound struct {
	Path    string `json:"path"`
	Title   string `json:"title" doc:"Of the page."`
	Anchor  string `json:"anchor,omitempty"`
	Heading string `json:"heading,omitempty"`
	Excerpt string `json:"excerpt,omitempty"`
}

// DocsListed is an entity that has docs.
type DocsListed struct {
	Entity     string    `json:"entity"`
	Title      string    `json:"title"`
	Repository string    `json:"repository"`
	Commit     string    `json:"commit"`
	Pages      int       `json:"pages"`
	Broken     int       `json:"broken" doc:"Problems that its check found when its pages changed last."`
	Updated    time.Time `json:"updated" doc:"When its pages changed."`
}

// DocsFiles are files of a folder whose docs are to be checked. POST /docs/check.
type DocsFiles struct {
	Pages  map[string]string `json:"pages" doc:"Pages and mkdocs.yml, by their paths."`
	Others []string          `json:"others,omitempty" maxItems:"20000" nullable:"false" doc:"Paths of the other files, which links may lead to."`
}
