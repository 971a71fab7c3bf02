package stack

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

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
	Search   string             // a part of the name
	Wildcard string             // the whole name, with * for any text at its beginning or end
	Tags     []string           // all of them
	Without  []string           // none of them
	Labels   map[string]string  // all of them, with any value for ""
	Current  func(run.Run) bool // only those whose current run it takes; nil for all
	Order    string             // ByName for ""
	Down     bool               // the other way round
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
	return holds("',' || substr("+column+", 2)", w.Arg(text))
}

// holds gives the condition that a text has another in it, in upper and lower case as it is: LIKE sees none on SQLite.
func holds(text, part string) string {
	return "(replace(" + text + ", " + part + ", '') <> (" + text + "))"
}

func (q WorkspaceQuery) narrow(space string) *store.Where {
	w := &store.Where{}
	w.Add("s.deleted = 0")
	w.Add("s.space = " + w.Arg(space))
	if text := strings.ToLower(clean(q.Search)); text != "" {
		w.Add("w.name LIKE " + w.Arg("%"+escape(text)+"%") + " ESCAPE '^'")
	}
	if text := strings.ToLower(clean(q.Wildcard)); text != "" {
		open, shut, part := "", "", escape(strings.Trim(text, "*"))
		if strings.HasPrefix(text, "*") {
			open = "%"
		}
		if strings.HasSuffix(text, "*") {
			shut = "%"
		}
		w.Add("w.name LIKE " + w.Arg(open+part+shut) + " ESCAPE '^'")
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
			w.Add(holds("',' || substr(w.labels, 2)", w.Arg(","+string(raw)+":")))
		}
	}
	return w
}

func (q WorkspaceQuery) order() string {
	columns := []string{"w.name", "s.ref"}
	if q.Order == ByChange {
		columns = []string{"s.updated", "w.name", "s.ref"}
	}
	if q.Down && q.Order != ByCurrent {
		for i := range columns {
			columns[i] += " DESC"
		}
	}
	return strings.Join(columns, ", ")
}

// Workspaces gives a part of the stacks of a space, and how many there are of them.
// Permission: stack:read in the space; otherwise NotFound, as for a space that is not there.
func (s *Service) Workspaces(ctx context.Context, space string, q WorkspaceQuery) (list []Workspace, total int, err error) {
	if err := s.MaySpace(ctx, space); err != nil {
		return nil, 0, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if q.Current != nil || q.Order == ByCurrent {
			list, total, err = s.workspacesByRuns(ctx, tx, space, q)
		} else {
			list, total, err = store.Part(ctx, tx, workspaceColumns, workspaces, q.narrow(space), q.order(), q.Offset, q.Size(), scanWorkspace)
		}
		return fault.Wrap(err, "list the workspaces of %s", space)
	})
	return list, total, err
}

// workspacesByRuns looks at the current runs of all workspaces that are asked for, in as many statements as there are thousands.
func (s *Service) workspacesByRuns(ctx context.Context, tx *store.Tx, space string, q WorkspaceQuery) ([]Workspace, int, error) {
	w := q.narrow(space)
	rows, err := tx.Query(ctx, "SELECT s.ref"+fromWorkspaces+w.String()+"ORDER BY "+q.order(), w.Args...)
	names, err := store.Collect(rows, err, scanText)
	if err != nil {
		return nil, 0, err
	}
	type begun struct {
		name string
		at   time.Time
	}
	var left []begun
	err = inParts(names, func(part []string) error {
		all := make([]WorkspaceStatus, len(part))
		stacks := make([]Stack, len(part))
		for i, name := range part {
			r, err := parseStack(name)
			if err != nil {
				return err
			}
			stacks[i] = Stack{Ref: r, Space: space}
		}
		last, err := s.lastRuns(ctx, tx, stacks)
		if err != nil {
			return err
		}
		for i, stack := range stacks {
			all[i].Stack = stack
			if r, ok := last[subject(stack)]; ok {
				all[i].Last = &r
			}
		}
		if err := s.currentRuns(ctx, tx, all); err != nil {
			return err
		}
		for i, st := range all {
			one := begun{name: part[i]}
			if st.Current != nil {
				one.at = st.Current.Created
			}
			if q.Current == nil || st.Current != nil && q.Current(*st.Current) {
				left = append(left, one)
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	if q.Order == ByCurrent {
		slices.SortStableFunc(left, func(a, b begun) int {
			switch {
			case a.at.IsZero() != b.at.IsZero():
				if a.at.IsZero() {
					return 1
				}
				return -1
			case q.Down:
				return b.at.Compare(a.at)
			}
			return a.at.Compare(b.at)
		})
	}
	from := min(max(q.Offset, 0), len(left))
	var wanted []string
	for _, one := range left[from:min(from+q.Size(), len(left))] {
		wanted = append(wanted, one.name)
	}
	found, err := workspacesNamed(ctx, tx, wanted)
	list := make([]Workspace, 0, len(wanted))
	for _, name := range wanted {
		if w, ok := found[name]; ok {
			list = append(list, w)
		}
	}
	return list, len(left), err
}

func scanText(row store.Row) (text string, err error) { return text, row.Scan(&text) }

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
