package docs

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/product/docs/definition"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Defined is the definition of an API at a moment.
type Defined struct {
	definition.Definition
	At     string // the version of the entity, or the commit that was asked for
	Commit string // that the text came with; "" when it was applied
	Text   string
	Error  string // why it could only be read as a text
}

// Changed is what is different between two definitions of an API.
type Changed struct {
	From, To Defined // without their texts
	Breaking int
	Changes  []definition.Change
	More     bool
	Older    bool // no older definition was found in as many versions as are looked at, and there are more
}

// Definition gives what an API's entity says of it (spec.definition): now, with at a number as a version of the entity had it, also
// of one that is deleted by now, and with a branch, a tag or a commit as the file says that declares it; see catalog.AtCommit. It
// needs entity:read, and repository:read for the last.
func (s *Service) Definition(ctx context.Context, r ref.Entity, at string) (Defined, error) {
	e, err := s.entity(ctx, r, at)
	if err != nil {
		return Defined{}, err
	}
	return s.defined(ctx, e, at)
}

// entity gives the entity whose definition is asked for. Of one that is deleted by now a version can be asked for, of which
// catalog.AtVersion tells whether the caller may read it.
func (s *Service) entity(ctx context.Context, r ref.Entity, at string) (catalog.Entity, error) {
	e, err := s.Catalog.Get(ctx, r)
	if number, is := versionNumber(at); is && fault.Is(err, fault.NotFound) {
		return catalog.Entity{Ref: r, Version: number}, nil
	}
	return e, err
}

// versionNumber reads what names a version of an entity. A number that is longer is the beginning of a commit.
func versionNumber(at string) (number int, is bool) {
	const longest = 6
	number, err := strconv.Atoi(at)
	return number, err == nil && len(at) <= longest
}

func (s *Service) defined(ctx context.Context, e catalog.Entity, at string) (Defined, error) {
	d, doc := Defined{At: at}, e.Document
	number, isVersion := versionNumber(at)
	var err error
	switch {
	case at == "":
		d.At, d.Commit = strconv.Itoa(e.Version), e.Commit
	case isVersion:
		var v catalog.Version
		if doc, v, err = s.Catalog.AtVersion(ctx, e.Ref, number); err != nil {
			return d, err
		}
		d.Commit = v.Commit
	default:
		if doc, d.Commit, err = s.declaredAt(ctx, e, at); err != nil {
			return d, err
		}
	}
	text, ok := doc.Spec["definition"].(string)
	if !ok {
		if doc.Spec["definition"] == nil {
			return d, fault.Errorf(fault.NotFound, "%s has no definition (spec.definition)", e.Ref)
		}
		raw, err := json.Marshal(doc.Spec["definition"]) // it came from $json or $yaml
		if err != nil {
			return d, err
		}
		text = string(raw)
	}
	kind, _ := doc.Spec["type"].(string)
	d.Text = text
	d.Definition, err = definition.Parse(kind, text)
	if err != nil {
		d.Definition, d.Error = definition.Definition{Format: definition.Text}, cut(fault.Message(err), 1000)
		for _, detail := range fault.Details(err) {
			d.Error = cut(d.Error+"\n"+detail.String(), 2000)
		}
	}
	return d, nil
}

// declaredAt reads an entity's document from the file that declares it, at a branch, a tag or a commit.
func (s *Service) declaredAt(ctx context.Context, e catalog.Entity, rev string) (document.Document, string, error) {
	switch {
	case e.UID == "":
		return document.Document{}, "", fault.Errorf(fault.NotFound, "%s is deleted; name a version by its number", e.Ref)
	case e.File.Repository == "":
		return document.Document{}, "", fault.Errorf(fault.Invalid, "%s was applied, so it has versions and no commits; name a version by its number", e.Ref)
	}
	commit, err := s.Repositories.Resolve(ctx, e.File.Repository, rev)
	if err != nil {
		return document.Document{}, "", err
	}
	d, err := s.Catalog.AtCommit(ctx, e.Ref, commit)
	return d, commit, err
}

// Changes tells what changed in the definition of an API from one version, branch or commit to another; see Definition. Without
// from it is the last version with another definition, and without to what is now.
func (s *Service) Changes(ctx context.Context, r ref.Entity, from, to string) (Changed, error) {
	e, err := s.entity(ctx, r, to)
	if err != nil {
		return Changed{}, err
	}
	var c Changed
	if c.To, err = s.defined(ctx, e, to); err != nil {
		return c, err
	}
	if from == "" {
		c.From, c.Older, err = s.before(ctx, e, c.To)
	} else {
		c.From, err = s.defined(ctx, e, from)
	}
	if err != nil {
		return c, err
	}
	for _, d := range []Defined{c.From, c.To} {
		if d.Error != "" {
			return c, fault.Errorf(fault.Invalid, "the definition of %s at %s can't be compared: %s", r, d.At, d.Error)
		}
	}
	if c.To.Format == definition.Text && c.From.Text != c.To.Text {
		return c, fault.Errorf(fault.Invalid, "definitions of this format are not compared; those of OpenAPI, AsyncAPI, GraphQL and protobuf are")
	}
	c.Changes, c.More = definition.Compare(c.From.Definition, c.To.Definition)
	for _, change := range c.Changes {
		if change.Breaking {
			c.Breaking++
		}
	}
	c.From.Text, c.To.Text = "", ""
	return c, nil
}

// Versions are how many Changes looks at for another definition when it is not told from where.
const Versions = 50

// before gives the last version that had another definition; what is compared itself when there is none. With more there may be
// one in older versions than were looked at.
func (s *Service) before(ctx context.Context, e catalog.Entity, now Defined) (d Defined, more bool, err error) {
	newest := e.Version
	if n, err := strconv.Atoi(now.At); err == nil && n < newest {
		newest = n
	}
	last := max(0, newest-Versions)
	for number := newest; number > last; number-- {
		d, err := s.defined(ctx, e, strconv.Itoa(number))
		if fault.Is(err, fault.NotFound) {
			continue // deleted then, or hidden
		}
		if err != nil || d.Text != now.Text {
			return d, false, err
		}
	}
	return now, last > 0, nil
}
