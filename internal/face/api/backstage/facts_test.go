package backstage_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fact is what a back end of Backstage 1.55 answered to a request over testdata/entities.yaml.
type fact struct {
	Do       string
	Body     *string
	Status   int
	Error    string // name
	Errors   bool   // of an entity that was validated
	Items    []map[string]any
	AnyOrder bool
	Total    *int
	Pages    *string // the cursors
	Link     bool
	Facets   map[string]any
	Entity   map[string]any
}

// TestBackstageAnswersTheSame asks what a real back end was asked, and wants the same.
func TestBackstageAnswersTheSame(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/facts.json")
	if err != nil {
		t.Fatal(err)
	}
	var facts []fact
	if err := json.Unmarshal(text, &facts); err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, b *bench) {
		b.applyFile("testdata/entities.yaml")
		for _, f := range facts {
			var body []any
			told := f.Do
			if f.Body != nil {
				body = append(body, *f.Body)
				told += " " + *f.Body
			}
			got := b.ask("system", f.Do, body...)
			if got.status != f.Status {
				t.Errorf("%s: status %d, want %d: %s", told, got.status, f.Status, got.text)
				continue
			}
			if why := f.differs(got); why != "" {
				t.Errorf("%s: %s", told, why)
			}
		}
	})
}

func (f fact) differs(got answer) string {
	switch {
	case f.Error != "":
		var problem struct{ Error struct{ Name string } }
		got.read(&problem)
		return cmp.Diff(f.Error, problem.Error.Name)
	case f.Errors:
		var wrong struct {
			Errors []struct{ Name, Message string }
		}
		got.read(&wrong)
		if len(wrong.Errors) == 0 || wrong.Errors[0].Name == "" || wrong.Errors[0].Message == "" {
			return "no errors in " + got.text
		}
	case f.Facets != nil:
		var facets struct{ Facets map[string]any }
		got.read(&facets)
		return cmp.Diff(f.Facets, facets.Facets)
	case f.Entity != nil:
		var e map[string]any
		got.read(&e)
		return cmp.Diff(f.Entity, plain(e))
	case f.Items != nil:
		return f.differsInItems(got)
	}
	return ""
}

func (f fact) differsInItems(got answer) string {
	var list struct {
		Items      []map[string]any
		TotalItems int
		PageInfo   map[string]string
	}
	if strings.HasPrefix(got.text, "[") {
		got.read(&list.Items)
	} else {
		got.read(&list)
	}
	order := func(items []map[string]any) (texts []string) {
		for _, e := range items {
			text, err := json.Marshal(plain(e))
			if err != nil {
				got.t.Fatal(err)
			}
			texts = append(texts, string(text))
		}
		if f.AnyOrder {
			slices.Sort(texts)
		}
		return texts
	}
	if diff := cmp.Diff(order(f.Items), order(list.Items)); diff != "" {
		return diff
	}
	if f.Total != nil && *f.Total != list.TotalItems {
		return cmp.Diff(*f.Total, list.TotalItems)
	}
	if (got.header.Get("Link") != "") != f.Link {
		return "the link is " + got.header.Get("Link")
	}
	if f.Pages == nil {
		return ""
	}
	var pages []string
	for name := range list.PageInfo {
		pages = append(pages, name)
	}
	return cmp.Diff(*f.Pages, strings.Join(pages, " "))
}

// plain is an entity without what each server has of its own.
func plain(e map[string]any) map[string]any {
	metadata, ok := e["metadata"].(map[string]any)
	if !ok {
		return e
	}
	delete(metadata, "uid")
	delete(metadata, "etag")
	if annotations, ok := metadata["annotations"].(map[string]any); ok {
		for key := range annotations {
			if strings.HasPrefix(key, "backstage.io/managed-by-") {
				delete(annotations, key)
			}
		}
	}
	return e
}
