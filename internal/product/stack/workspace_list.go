package stack

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Orders of a list of workspaces.
const (
	ByName    = "name"
	ByChange  = "change" // of their documents
	ByCurrent = "run"    // when their current runs began; those that never ran come last
)

// WorkspaceQuery chooses workspaces of a space.
type WorkspaceQuery struct {
	Search   string            // a part of the name
	Wildcard string            // the whole name, with * for any text at its beginning or end
	Tags     []string          // all of them
	Without  []string          // none of them
	Labels   map[string]string // all of them, with any value for ""
	Current  []run.Choice      // only those whose current run one fits; nil for all
	Order    string            // ByName for ""
	Down     bool              // the other way round
	page.Place
}

// element is how a list of texts, or a mapping of them, has one, in JSON that is written without spaces. A comma is before each; no
// text has a quote after a comma, since a backslash is between.
func element(column string, w *store.Where, parts ...string) string {
	text := ","
	for i, part := range parts {
		raw, _ := json.Marshal(clean(part)) // a text always encodes
		if text += string(raw); i == 0 && len(parts) > 1 {
			text += ":"
		}
	}
	return w.Has("(',' || substr("+column+", 2))", text)
}

func (q WorkspaceQuery) narrow(space string) *store.Where {
	w := &store.Where{}
	w.Add("s.deleted = 0")
	w.Add("s.space = " + w.Arg(space))
	if text := strings.ToLower(clean(q.Search)); text != "" {
		w.Add(w.Has("w.name", text)) // which is in lower case
	}
	if text := strings.ToLower(clean(q.Wildcard)); text != "" {
		part := strings.Trim(text, "*")
		switch open, shut := strings.HasPrefix(text, "*"), strings.HasSuffix(text, "*"); {
		case open && shut:
			w.Add(w.Has("w.name", part))
		case open:
			w.Add(w.Ends("w.name", part))
		case shut:
			w.Add(w.Begins("w.name", part))
		default:
			w.Equal("w.name", part)
		}
	}
	for _, tag := range q.Tags {
		w.Add(element("w.tags", w, tag))
	}
	for _, tag := range q.Without {
		w.Add("NOT " + element("w.tags", w, tag))
	}
	for _, key := range slices.Sorted(maps.Keys(q.Labels)) {
		if value := q.Labels[key]; value != "" {
			w.Add(element("w.labels", w, key, value))
		} else {
			raw, _ := json.Marshal(clean(key))
			w.Add(w.Has("(',' || substr(w.labels, 2))", ","+string(raw)+":"))
		}
	}
	return w
}

func (q WorkspaceQuery) order() string {
	down := ""
	if q.Down {
		down = " DESC"
	}
	switch q.Order {
	case ByChange:
		return "s.updated" + down + ", w.name" + down + ", s.ref" + down
	case ByCurrent:
		return "CASE WHEN c.id IS NULL THEN 1 ELSE 0 END, c.created" + down + ", w.name, s.ref"
	}
	return "w.name" + down + ", s.ref" + down
}

// Workspaces gives a part of the stacks of a space, and how many there are of them.
// Permission: stack:read in the space; otherwise NotFound, as for a space that is not there.
func (s *Service) Workspaces(ctx context.Context, space string, q WorkspaceQuery) (list []Workspace, total int, err error) {
	if err := s.MaySpace(ctx, space); err != nil {
		return nil, 0, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		w, from := q.narrow(space), workspaces
		if q.Current != nil || q.Order == ByCurrent {
			from += run.Join("c", currentID(w))
		}
		if q.Current != nil {
			w.Add(run.Joined(w, "c", q.Current))
		}
		list, total, err = store.Part(ctx, tx, workspaceColumns, from, w, q.order(), q.Offset, q.Size(), scanWorkspace)
		return fault.Wrap(err, "list the workspaces of %s", space)
	})
	return list, total, err
}

// currentID gives the expression of the id of a workspace's current run, as currentRuns gives it.
func currentID(w *store.Where) string {
	return "COALESCE(" + run.HolderOf("'"+lockPrefix+"' || s.ref") + ", " + run.EndOf(w, "s.space", "s.ref", waitingRuns(), false) + ", " +
		run.EndOf(w, "s.space", "s.ref", settlingRuns(), true) + ")"
}

func workspacesNamed(ctx context.Context, tx *store.Tx, names []string) (map[string]Workspace, error) {
	found := map[string]Workspace{}
	err := eachOf(ctx, tx, "SELECT "+workspaceColumns+fromWorkspaces, "s.deleted = 0 AND s.ref", names, func(row store.Row) error {
		w, err := scanWorkspace(row)
		found[w.Ref.String()] = w
		return err
	})
	return found, fault.Wrap(err, "find %d workspaces", len(names))
}

// WorkspacesOf gives the workspaces of stacks that the caller may read, by reference. Permission: stack:read; others are left out.
func (s *Service) WorkspacesOf(ctx context.Context, refs []ref.Entity) (all map[ref.Entity]Workspace, err error) {
	readable, err := s.Access.Spaces(ctx, "stack:read")
	if err != nil || len(refs) == 0 {
		return nil, err
	}
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = r.String()
	}
	slices.Sort(names)
	all = map[ref.Entity]Workspace{}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		found, err := workspacesNamed(ctx, tx, slices.Compact(names))
		for _, w := range found {
			if readable.Has(w.Space) {
				all[w.Ref] = w
			}
		}
		return err
	})
	return all, err
}

// Tagged is a workspace with its tags.
type Tagged struct {
	Ref  ref.Entity
	ID   string
	Tags []string
}

// Tagged gives the workspaces of a space that have tags. Permission: stack:read in the space; otherwise NotFound.
func (s *Service) Tagged(ctx context.Context, space string) (list []Tagged, err error) {
	if err := s.MaySpace(ctx, space); err != nil {
		return nil, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT s.ref, w.id, w.tags"+fromWorkspaces+"WHERE s.deleted = 0 AND s.space = $1 AND w.tags <> '[]' ORDER BY s.ref", space)
		list, err = store.Collect(rows, err, func(row store.Row) (t Tagged, err error) {
			var name, tags string
			if err := row.Scan(&name, &t.ID, &tags); err != nil {
				return t, err
			}
			if t.Ref, err = parseStack(name); err != nil {
				return t, err
			}
			return t, json.Unmarshal([]byte(tags), &t.Tags)
		})
		return fault.Wrap(err, "find the tags of %s", space)
	})
	return list, err
}
