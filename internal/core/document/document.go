package document

import (
	"maps"

	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Document is one declared thing. Documents are values, but their maps are shared: a caller that changes one
// takes a Clone first.
type Document struct {
	APIVersion string
	Kind       string
	Metadata   Metadata
	Spec       map[string]any // nil when there is none
	Rest       map[string]any // other fields of the top level, such as data; a spec that is not a mapping
	Origin     Origin

	source *source // where it was read from, for the lines of errors; nil when it came from storage
	index  int     // among the documents there
}

// Metadata is what every document says about itself.
type Metadata struct {
	Name        string
	Namespace   string // empty when the author gave none; Ref fills in "default"
	Title       string
	Description string
	Labels      map[string]string
	Annotations map[string]string
	Tags        []string
	Links       []Link
	Rest        map[string]any // generateName, finalizers, uid, …
}

// Link is one entry of metadata.links.
type Link struct {
	URL   string
	Title string
	Icon  string
	Type  string
	Rest  map[string]any
}

// Origin says where a document was read, for errors.
type Origin struct {
	File string // path within its repository, archive or command line
	Line int    // its first line, from 1; 0 when unknown
}

// Ref gives the entity that the document declares.
func (d Document) Ref() ref.Entity {
	return ref.New(d.Kind, d.Metadata.Namespace, d.Metadata.Name)
}

// Place gives what is left of d when only the places of its fields matter.
func (d Document) Place() Document {
	return Document{Origin: d.Origin, source: d.source, index: d.index}
}

// Value gives the whole document as the values of JSON. The top level and the metadata are new maps; what is
// below them is shared with d.
func (d Document) Value() map[string]any {
	v := make(map[string]any, len(d.Rest)+4)
	maps.Copy(v, d.Rest)
	v["apiVersion"] = d.APIVersion
	v["kind"] = d.Kind
	if _, odd := v["metadata"]; !odd {
		v["metadata"] = d.Metadata.value()
	}
	if d.Spec != nil {
		v["spec"] = d.Spec
	}
	return v
}

func (m Metadata) value() map[string]any {
	v := make(map[string]any, len(m.Rest)+8)
	maps.Copy(v, m.Rest)
	put(v, "name", m.Name)
	put(v, "namespace", m.Namespace)
	put(v, "title", m.Title)
	put(v, "description", m.Description)
	if m.Labels != nil {
		v["labels"] = texts(m.Labels, m.Rest["labels"])
	}
	if m.Annotations != nil {
		v["annotations"] = texts(m.Annotations, m.Rest["annotations"])
	}
	if m.Tags != nil {
		tags := make([]any, len(m.Tags))
		for i, tag := range m.Tags {
			tags[i] = tag
		}
		v["tags"] = tags
	}
	if m.Links != nil {
		links := make([]any, len(m.Links))
		for i, link := range m.Links {
			links[i] = link.value()
		}
		v["links"] = links
	}
	return v
}

func (l Link) value() map[string]any {
	v := make(map[string]any, len(l.Rest)+4)
	maps.Copy(v, l.Rest)
	put(v, "url", l.URL)
	put(v, "title", l.Title)
	put(v, "icon", l.Icon)
	put(v, "type", l.Type)
	return v
}

// put leaves out what is empty: an author's explicit empty string is kept in Rest, so it is not lost.
func put(v map[string]any, key, text string) {
	if text != "" {
		v[key] = text
	}
}

// texts joins a mapping of text with those of its keys that have nothing behind them.
func texts(m map[string]string, empty any) map[string]any {
	v := make(map[string]any, len(m))
	if empty, ok := empty.(map[string]any); ok {
		maps.Copy(v, empty)
	}
	for key, text := range m {
		v[key] = text
	}
	return v
}

// JSON gives the canonical form: keys sorted, no white space, no HTML escapes. Two documents that say the same
// have the same bytes; storage, hashes and etags rest on it.
func (d Document) JSON() []byte { return canonical(d.Value()) }

// MarshalJSON gives the canonical form.
func (d Document) MarshalJSON() ([]byte, error) { return d.JSON(), nil }

// UnmarshalJSON reads one document as FromJSON does.
func (d *Document) UnmarshalJSON(data []byte) error {
	read, err := FromJSON(data)
	if err == nil {
		*d = read
	}
	return err
}

// Clone gives a copy that shares nothing with d but its origin.
func (d Document) Clone() Document {
	d.Spec, _ = cloneValue(d.Spec).(map[string]any)
	d.Rest, _ = cloneValue(d.Rest).(map[string]any)
	m := &d.Metadata
	m.Labels, m.Annotations = maps.Clone(m.Labels), maps.Clone(m.Annotations)
	m.Tags = append([]string(nil), m.Tags...)
	m.Links = append([]Link(nil), m.Links...)
	for i := range m.Links {
		m.Links[i].Rest, _ = cloneValue(m.Links[i].Rest).(map[string]any)
	}
	m.Rest, _ = cloneValue(m.Rest).(map[string]any)
	return d
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return v
		}
		c := make(map[string]any, len(v))
		for key, value := range v {
			c[key] = cloneValue(value)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, value := range v {
			c[i] = cloneValue(value)
		}
		return c
	}
	return v
}
