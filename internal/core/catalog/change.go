package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// change is one document that a source brings; its kind has been checked.
type change struct {
	name     ref.Entity
	document document.Document // of one from a location that is taken with many others, its places alone
	kind     document.Kind
	text     []byte // its canonical form
	etag     string
	kindOf   string // spec.type in lower case
	declared []document.Relation
	space    string
	source   string
	path     string // of its file in a location's repository
	commit   string
	ifMatch  string
	anew     bool // it may not be there
	// elsewhere tells of the same location's files whether one that is as it was has an entity; nil for no location.
	elsewhere func(path string) bool
}

// twice tells whether an entity of the same location comes from another file, which has not changed.
func (c change) twice(source, space, path string) bool {
	return c.elsewhere != nil && source == c.source && space == c.space && path != c.path && c.elsewhere(path)
}

func isTwice(path string) string {
	return "it is there twice, also in " + path + "; remove one of them"
}

// owner gives the first who is named as one.
func (c change) owner() ref.Entity {
	for _, r := range c.declared {
		if r.Type == "ownedBy" {
			return r.Target
		}
	}
	return ref.Entity{}
}

// foreign tells whether an entity is another source's.
func (c change) foreign(old *row) bool {
	return old.Source != c.source && !old.Orphan || old.Space != c.space
}

// put makes the entity what the document says.
func (s *Service) put(ctx context.Context, tx *store.Tx, c change) (Item, error) {
	item := Item{Ref: c.name}
	old, err := fetch(ctx, tx, item.Ref)
	if err != nil {
		return item, err
	}
	if old != nil && c.anew {
		return item, &fault.Error{Kind: fault.Stale, Message: "the name of " + item.Ref.String() + " is taken; give this one another name", Err: ErrThere}
	}
	if old != nil && c.twice(old.Source, old.Space, old.path) {
		item.Action, item.Message = Conflict, isTwice(old.path)
		return item, nil
	}
	if old != nil && c.foreign(old) {
		item.Action = Conflict
		item.Message, err = s.belongs(ctx, tx, old, c)
		return item, err
	}
	have := ""
	if old != nil {
		have = old.Etag
	}
	if err := fault.IfMatch(c.ifMatch, have, item.Ref.String()); err != nil {
		return item, err
	}
	next, err := s.next(ctx, tx, old, c)
	if err != nil {
		return item, err
	}
	if old != nil && bytes.Equal(old.document, next.document) && old.path == next.path && old.Source == c.source && !old.Orphan {
		item.Action = Unchanged
		if old.Error != "" {
			_, err = s.setErrors(ctx, tx, []string{item.Ref.String()}, "")
		}
		if err == nil && c.kind.Name == locationKind { // a repository that it names may be known by now
			told := document.Change{Ref: item.Ref, Space: c.space, Old: &old.Document, New: &c.document}
			err = s.locationChanged(ctx, tx, told, c.source)
		}
		return item, fault.Wrap(err, "write entity %s", item.Ref)
	}
	item.Action = Created
	told := document.Change{Ref: item.Ref, Space: c.space, New: &c.document}
	if old != nil {
		item.Action = Updated
		item.Diff = document.Diff(&old.Document, &c.document)
		told.Old = &old.Document
	}
	return item, s.commit(ctx, tx, old, next, item, told, c.kind)
}

// next gives the row after the change.
func (s *Service) next(ctx context.Context, tx *store.Tx, old *row, c change) (row, error) {
	now, who := s.now(), actorID(ctx)
	next := row{path: c.path, document: c.text, declared: c.declared}
	next.Ref, next.Space, next.Source, next.Commit, next.Document = c.name, c.space, c.source, c.commit, c.document
	next.Etag, next.Type, next.Owner = c.etag, c.kindOf, c.owner()
	next.Updated, next.UpdatedBy = now, who
	if old != nil {
		next.UID, next.Created, next.CreatedBy, next.Version = old.UID, old.Created, old.CreatedBy, old.Version+1
		return next, nil
	}
	next.UID, next.Created, next.CreatedBy = ref.NewID("ent", now), now, who
	var err error
	next.Version, err = nextVersion(ctx, tx, next.Ref)
	return next, err
}

// commit writes all that belongs to a change: the ledger entry, the entity, its version, the owner's projection.
func (s *Service) commit(ctx context.Context, tx *store.Tx, old *row, e row, item Item, told document.Change, kind document.Kind) error {
	entry, err := s.tell(ctx, tx, e, item)
	if err != nil {
		return err
	}
	text := e.document
	if item.Action == Deleted {
		text = nil
		if err = drop(ctx, tx, e.Ref); err == nil && e.Ref.Kind == userKind {
			err = s.forgetPerson(ctx, tx, e.Ref)
		}
	} else {
		err = save(ctx, tx, e)
	}
	if err != nil {
		return err
	}
	v := Version{Number: e.Version, Action: item.Action, Time: e.Updated, Actor: e.UpdatedBy, Commit: e.Commit, Source: e.Source, Entry: entry}
	if err := addVersion(ctx, tx, e, v, text); err != nil {
		return err
	}
	if err := s.indexed(tx, e, item.Action, entry); err != nil {
		return err
	}
	if kind.Name == locationKind {
		if err := s.locationChanged(ctx, tx, told, e.Source); err != nil {
			return err
		}
	}
	if kind.Changed == nil {
		return nil
	}
	told.Entry, told.Source, told.Commit = entry, e.Source, e.Commit
	err = kind.Changed(ctx, tx, told)
	return fault.Wrap(pointed(err, e.Document), "%s is refused", e.Ref)
}

// pointed adds the document's place to what a projection refuses, unless it names a place itself.
func pointed(err error, d document.Document) error {
	if err == nil || len(fault.Details(err)) > 0 || d.Origin.File == "" || fault.KindOf(err) == fault.Internal {
		return err
	}
	return &fault.Error{Kind: fault.KindOf(err), Message: fault.Message(err), Err: err, Details: []fault.Detail{d.At(fault.Message(err), "")}}
}

func (s *Service) tell(ctx context.Context, tx *store.Tx, e row, item Item) (string, error) {
	kinds := map[Action]string{Created: "entity.created", Updated: "entity.changed", Deleted: "entity.deleted"}
	const most = 20
	var fields []string
	for _, d := range item.Diff[:min(len(item.Diff), most)] {
		fields = append(fields, d.Path)
	}
	if item.Action == Deleted {
		fields = nil
	}
	data, err := json.Marshal(struct {
		Version int      `json:"version"`
		Source  string   `json:"source"`
		Commit  string   `json:"commit,omitempty"`
		Fields  []string `json:"fields,omitempty"`
	}{e.Version, e.Source, e.Commit, clipped(fields)})
	if err != nil {
		return "", err
	}
	subject, err := s.named(ctx, tx, e.Ref, true)
	if err != nil {
		return "", err
	}
	refs, err := s.targets(ctx, tx, e.declared)
	if err != nil {
		return "", err
	}
	entry, err := s.ledger.Append(ctx, tx, ledger.Entry{Space: e.Space, Type: kinds[item.Action], Subject: subject, Refs: refs, Data: data})
	return entry, fault.Wrap(err, "note the change of %s", e.Ref)
}

// clipped bounds paths of fields, whose keys are the author's.
func clipped(fields []string) []string {
	for i, f := range fields {
		if len(f) > 200 {
			fields[i] = strings.ToValidUTF8(f[:200], "") + "…"
		}
	}
	return fields
}

// remove deletes an entity.
func (s *Service) remove(ctx context.Context, tx *store.Tx, old *row) (Item, error) {
	item := Item{Ref: old.Ref, Action: Deleted, Diff: document.Diff(&old.Document, nil)}
	gone := *old
	gone.Updated, gone.UpdatedBy = s.now(), actorID(ctx)
	gone.Version++
	gone.Commit = ""
	kind, _ := s.registry.ByName(old.Ref.Kind) // a kind that is gone has no projection
	told := document.Change{Ref: old.Ref, Space: old.Space, Old: &old.Document}
	return item, s.commit(ctx, tx, old, gone, item, told, kind)
}

// belongs says to whom an entity belongs that another source brings; to those who may not see it, only that it is there.
func (s *Service) belongs(ctx context.Context, tx *store.Tx, old *row, c change) (string, error) {
	visible, err := s.maySee(ctx, old.Space, c)
	if err != nil {
		return "", err
	}
	if !visible {
		return "the name is taken; give this one another name", nil
	}
	if id, ok := strings.CutPrefix(old.Source, locationPrefix); ok {
		if l, err := locationByID(ctx, tx, id); err == nil {
			return "it belongs to " + l.String() + " in space " + old.Space + "; change it there, or give this one another name", nil
		}
	}
	return "it belongs to the source " + old.Source + " in space " + old.Space + "; name that source, delete it first, or give this one another name", nil
}

// maySee tells whether those who are told what became of a change may see entities of a space: who applies, or the
// readers of a location, who see its space and what is below.
func (s *Service) maySee(ctx context.Context, space string, c change) (bool, error) {
	if strings.HasPrefix(c.source, locationPrefix) || actor.From(ctx).Kind == actor.System {
		return s.access.Within(ctx, space, c.space)
	}
	visible, err := s.access.Spaces(ctx, "entity:read")
	return visible.Has(space), err
}

func actorID(ctx context.Context) string {
	if id := actor.From(ctx).ID; id != "" {
		return id
	}
	return "anonymous"
}

func etag(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12])
}

func unique(relations []document.Relation) []document.Relation {
	kept := make([]document.Relation, 0, len(relations))
	var seen map[document.Relation]bool // where they are many
	if len(relations) > 16 {
		seen = make(map[document.Relation]bool, len(relations))
	}
	for _, r := range relations {
		if r.Target.IsZero() || seen[r] || seen == nil && slices.Contains(kept, r) {
			continue
		}
		if kept = append(kept, r); seen != nil {
			seen[r] = true
		}
	}
	return kept
}
