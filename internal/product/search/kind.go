package search

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/search/index"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// This room owns no kind of document. Here is how those of others, sections and runs become things of the index.

// weight tells which of two things that match alike comes first.
func weight(kind string) uint8 {
	switch kind {
	case "component":
		return 9
	case "api", "system", "template":
		return 8
	case "resource", "domain", "stack", "application", "workflow", "group", "user":
		return 7
	case "location":
		return 1
	}
	return 5
}

const (
	weightFirst   = 3 // the first section of a page
	weightSection = 2
)

// Keys of things: entities have their reference, which has neither sign.
const (
	docsKey = "#"
	runKey  = index.NewestFirst
)

func sectionKey(site string, number int) string {
	return fmt.Sprintf("%s%s/%06d", docsKey, site, number)
}

// outline is what of a document is looked for.
type outline struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name        string   `json:"name"`
		Namespace   string   `json:"namespace"`
		Title       string   `json:"title"`
		Description string   `json:"description"`
		Tags        []string `json:"tags"`
	} `json:"metadata"`
	Spec struct {
		Type       any `json:"type"`
		Lifecycle  any `json:"lifecycle"`
		System     any `json:"system"`
		Definition any `json:"definition"`
		Profile    struct {
			DisplayName any `json:"displayName"`
			Email       any `json:"email"`
		} `json:"profile"`
	} `json:"spec"`
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

const (
	mostDescription = 8 << 10
	mostDefinition  = 64 << 10
)

func cut(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "")
	}
	return text
}

// definition gives the beginning of an API's definition as a text.
func definition(v any) string {
	if s, ok := v.(string); ok {
		return cut(s, mostDefinition)
	}
	raw, err := json.Marshal(v)
	if err != nil || v == nil {
		return ""
	}
	return cut(string(raw), mostDefinition)
}

// entityDoc makes a thing of an entity. What is no document that could be read is known by its name alone.
func entityDoc(f catalog.Fed) index.Doc {
	kind, rest, _ := strings.Cut(f.Ref, ":")
	namespace, name, _ := strings.Cut(rest, "/")
	var o outline
	if err := json.Unmarshal(f.Document, &o); err != nil {
		o = outline{}
	}
	if o.Metadata.Name == "" {
		o.Metadata.Name = name
	}
	d := index.Doc{Key: f.Ref, In: index.Entities, Weight: weight(kind), Place: f.Space}
	if kind == "api" {
		d.In = index.APIs
	}
	d.Facets[index.Kind], d.Facets[index.Type] = kind, strings.ToLower(text(o.Spec.Type))
	d.Facets[index.Owner], d.Facets[index.Lifecycle], d.Facets[index.Space] = f.Owner, strings.ToLower(text(o.Spec.Lifecycle)), f.Space
	d.Facets[index.Namespace] = namespace
	d.Add(index.Name, o.Metadata.Name)
	d.Add(index.Title, cut(o.Metadata.Title, 1000))
	d.Add(index.Title, cut(text(o.Spec.Profile.DisplayName), 1000))
	for _, tag := range o.Metadata.Tags[:min(len(o.Metadata.Tags), 100)] {
		d.Add(index.Tag, cut(tag, 200))
	}
	d.Add(index.Fact, kind+" "+cut(text(o.Spec.Type), 200))
	if namespace != ref.DefaultNamespace {
		d.Add(index.Fact, namespace)
	}
	if _, owner, ok := strings.Cut(f.Owner, "/"); ok {
		d.Add(index.Fact, owner)
	}
	d.Add(index.Fact, cut(text(o.Spec.System), 200))
	d.Add(index.Fact, cut(text(o.Spec.Profile.Email), 300))
	d.Add(index.Body, cut(o.Metadata.Description, mostDescription))
	if kind == "api" {
		d.Add(index.Body, definition(o.Spec.Definition))
	}
	return d
}

// sectionDoc makes a thing of a section. The words of the page's title are those of its first section, and facts of the others,
// so that a page is not found as often as it has sections.
func sectionDoc(site, space string, s Section) index.Doc {
	d := index.Doc{Key: sectionKey(site, s.Number), In: index.Docs, Weight: weightSection, Place: site}
	d.Facets[index.Space] = space
	if s.Anchor == "" || s.Heading == s.Title {
		d.Weight = weightFirst
		d.Add(index.Title, cut(s.Title, 1000))
	} else {
		d.Add(index.Heading, cut(s.Heading, 1000))
		d.Add(index.Fact, cut(s.Title, 1000))
	}
	d.Add(index.Body, s.Text)
	return d
}

func runDoc(r run.Run) index.Doc {
	d := index.Doc{Key: runKey + r.ID, In: index.Runs, Place: r.Space}
	d.Facets[index.Type], d.Facets[index.Space] = strings.ToLower(r.Kind), r.Space
	d.Add(index.Title, cut(r.Title, 1000))
	_, id, _ := strings.Cut(r.ID, "_")
	d.Add(index.Fact, r.Kind+" "+id)
	_, subject, _ := strings.Cut(r.Subject, "/")
	_, repository, _ := strings.Cut(r.Source.Repository, "/")
	d.Add(index.Fact, cut(subject+" "+repository, 300))
	return d
}
