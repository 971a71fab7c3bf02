package catalog

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/url"
	"path"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
)

// Home is where people look at the files of a repository.
type Home struct {
	Forge  string `json:"forge,omitempty"` // github, gitlab or gitea; "" for a repository that is hosted here
	URL    string `json:"url,omitempty"`   // of its page at the forge
	Branch string `json:"branch,omitempty"`
}

// Annotations that Backstage's clients look for.
const (
	AnnotationLocation = "backstage.io/managed-by-location"
	AnnotationOrigin   = "backstage.io/managed-by-origin-location"
	AnnotationSource   = "backstage.io/source-location"
	AnnotationView     = "backstage.io/view-url"
	AnnotationEdit     = "backstage.io/edit-url"
	AnnotationOrphan   = "backstage.io/orphan"
)

// Whence gives the annotations that Backstage writes when it reads an entity: where it came from, which is never taken from its
// own text, and where that can be looked at and edited, for which the author's word counts. base is this server's address.
func Whence(e Entity, base string) (always, usual map[string]string) {
	if e.Orphan {
		defer func() { always[AnnotationOrphan] = "true" }()
	}
	if e.File.Repository == "" {
		from := "apply:" + e.Space + "/" + e.Source
		if e.File.Location != "" { // of an orphan, and gone
			from = e.Source
		}
		return map[string]string{AnnotationLocation: from, AnnotationOrigin: from}, nil
	}
	always = map[string]string{AnnotationLocation: "url:" + e.File.Address(base), AnnotationOrigin: "url:" + e.Origin.Address(base)}
	usual = map[string]string{AnnotationSource: "url:" + e.File.Folder(base), AnnotationView: e.File.View(base), AnnotationEdit: e.File.Edit(base)}
	return always, usual
}

// Annotated gives an entity's document with the annotations of Whence.
func Annotated(e Entity, base string) document.Document {
	d := e.Document
	always, said := Whence(e, base)
	if said == nil {
		said = make(map[string]string, len(d.Metadata.Annotations)+len(always))
	}
	maps.Copy(said, d.Metadata.Annotations)
	maps.Copy(said, always)
	d.Metadata.Annotations = said
	return d
}

// Address gives the address of a file, as a Location may name it.
func (f File) Address(base string) string {
	switch f.Home.Forge {
	case "":
		return f.hosted(base, f.Path)
	case "gitlab":
		return f.at("/-/blob/", f.Path)
	case "gitea":
		return f.at("/src/branch/", f.Path)
	}
	return f.at("/blob/", f.Path)
}

// GeneratedPrefix begins the name of a Location entity that Backstage makes for a location that was registered.
const GeneratedPrefix = "generated-"

// Generated gives the name of that entity, which is a hash of the address.
func (f File) Generated(base string) string {
	sum := sha1.Sum([]byte("url:" + f.Address(base)))
	return GeneratedPrefix + hex.EncodeToString(sum[:])
}

// Folder gives the address of the folder that a file is in, which ends in a slash.
func (f File) Folder(base string) string {
	folder := path.Dir(f.Path) + "/"
	if folder == "./" {
		folder = ""
	}
	switch f.Home.Forge {
	case "":
		return f.hosted(base, folder)
	case "gitlab":
		return f.at("/-/tree/", folder)
	case "gitea":
		return f.at("/src/branch/", folder)
	}
	return f.at("/tree/", folder)
}

// View gives the page on which a file is shown.
func (f File) View(base string) string {
	if f.Home.Forge == "" {
		return f.page(base, "")
	}
	return f.Address(base)
}

// Edit gives the page on which a file is edited.
func (f File) Edit(base string) string {
	switch f.Home.Forge {
	case "":
		return f.page(base, "edit")
	case "gitlab":
		return f.at("/-/edit/", f.Path)
	case "gitea":
		return f.at("/_edit/", f.Path)
	}
	return f.at("/edit/", f.Path)
}

// at gives an address at the forge.
func (f File) at(verb, file string) string {
	branch := f.Branch
	if branch == "" {
		branch = f.Home.Branch
	}
	return strings.TrimSuffix(f.Home.URL, "/") + verb + escaped(branch) + "/" + escaped(file)
}

// hosted gives the address under which this server serves a file itself, and which ParseTarget reads.
func (f File) hosted(base, file string) string {
	address := strings.TrimSuffix(base, "/") + "/git/" + f.Repository + "/" + escaped(file)
	if f.Branch != "" {
		address += "?ref=" + url.QueryEscape(f.Branch)
	}
	return address
}

func (f File) page(base, look string) string {
	query := url.Values{"path": {f.Path}}
	if f.Branch != "" {
		query.Set("ref", f.Branch)
	}
	if look != "" {
		query.Set("look", look)
	}
	return strings.TrimSuffix(base, "/") + "/repositories/" + f.Repository + "?" + query.Encode()
}

func escaped(file string) string { return (&url.URL{Path: "/" + file}).EscapedPath()[1:] }

// StatusItem is one entry of status.items as Backstage has it.
type StatusItem struct {
	Type    string      `json:"type"`
	Level   string      `json:"level"`
	Message string      `json:"message"`
	Error   StatusError `json:"error"`
}

// StatusError is an error as Backstage serialises it.
type StatusError struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

// StatusItems says in Backstage's form why the latest text of an entity was not taken; none when it was.
func StatusItems(e Entity) []StatusItem {
	if e.Error == "" {
		return nil
	}
	return []StatusItem{{
		Type: "backstage.io/catalog-processing", Level: "error",
		Message: "InputError: " + e.Error, Error: StatusError{Name: "InputError", Message: e.Error},
	}}
}

func writeHome(h Home) (string, error) {
	text, err := json.Marshal(h)
	return string(text), err
}

func readHome(text string) (h Home, err error) {
	err = json.Unmarshal([]byte(text), &h)
	return h, err
}
