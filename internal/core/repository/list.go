package repository

import (
	"context"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Query says which repositories; its zero value means the first 50.
type Query struct {
	Space     string // exactly this space
	Namespace string
	Text      string // part of NAMESPACE/NAME or of the description
	Deleted   bool   // those that were deleted, in place of those that are there
	Creator   string // opaque id of who made them
	Archived  string // "true" or "false": only those that are, or are not
	Pushed    bool   // the last pushed first; else by name
	Limit     int    // 50 when 0, at most 200
	Cursor    string // Page.Next of the page before
}

// Page is a part of a list.
type Page struct {
	Items []Repository
	Next  string // "" at the end
}

// List gives the repositories that the principal of ctx may read, by name or by their last push; of the deleted ones those
// that it may restore.
func (s *Service) List(ctx context.Context, q Query) (Page, error) {
	w := &store.Where{}
	shown := s.visible
	if q.Deleted {
		shown = s.restorable
	}
	if err := shown(ctx, w); err != nil {
		return Page{}, err
	}
	if q.Space != "" {
		w.Add("r.space = " + w.Arg(q.Space))
	}
	if q.Namespace != "" {
		w.Add("r.namespace = " + w.Arg(strings.ToLower(q.Namespace)))
	}
	if q.Text != "" {
		w.Add("(" + w.Finds("r.namespace || '/' || r.name", q.Text) + " OR " + w.Finds("r.description", q.Text) + ")")
	}
	w.Equal("r.created_by", q.Creator)
	if q.Archived != "" {
		w.Add("r.archived = " + w.Arg(q.Archived == "true"))
	}
	if err := q.from(w); err != nil {
		return Page{}, err
	}
	if q.Limit <= 0 {
		q.Limit = 50
	}
	q.Limit = min(q.Limit, 200)
	order := "r.namespace, r.name"
	if q.Pushed {
		order = "r.pushed DESC, r.namespace DESC, r.name DESC"
	}
	var page Page
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, selectRepository+w.String()+"ORDER BY "+order+" LIMIT "+w.Arg(q.Limit+1), w.Args...)
		page.Items, err = store.Collect(rows, err, scanRepository)
		return err
	})
	if err != nil {
		return Page{}, fault.Wrap(err, "list repositories")
	}
	if len(page.Items) > q.Limit {
		page.Items = page.Items[:q.Limit]
		page.Next = q.cursor(page.Items[q.Limit-1])
	}
	return page, nil
}

// restorable narrows a list to deleted repositories: those that may be administered, and the caller's own where it may make
// some.
func (s *Service) restorable(ctx context.Context, w *store.Where) error {
	w.Add("r.deleted > 0")
	administered, err := s.access.Spaces(ctx, Manage)
	if err != nil || administered.All {
		return err
	}
	made, err := s.access.Spaces(ctx, Make)
	if err != nil {
		return err
	}
	own := "r.created_by = " + w.Arg(actor.From(ctx).ID)
	if !made.All {
		own += " AND " + w.In("r.space", made.List())
	}
	w.Add("(" + w.In("r.space", administered.List()) + " OR " + own + ")")
	return nil
}

// cursor gives the place of a repository in the list.
func (q Query) cursor(r Repository) string {
	if q.Pushed {
		return strconv.FormatInt(store.Micros(r.Pushed), 10) + " " + r.FullName()
	}
	return r.FullName()
}

// from leaves out what the parts before have shown.
func (q Query) from(w *store.Where) error {
	if q.Cursor == "" {
		return nil
	}
	name, pushed := q.Cursor, int64(0)
	var bad error
	if q.Pushed {
		when, rest, _ := strings.Cut(q.Cursor, " ")
		name = rest
		pushed, bad = strconv.ParseInt(when, 10, 64)
	}
	namespace, name, err := ParseName(name)
	if err != nil || bad != nil {
		return fault.Errorf(fault.Invalid, "the cursor is not one that a list gave")
	}
	if q.Pushed {
		w.Add("(r.pushed, r.namespace, r.name) < (" + w.Arg(pushed) + ", " + w.Arg(namespace) + ", " + w.Arg(name) + ")")
	} else {
		w.Add("(r.namespace, r.name) > (" + w.Arg(namespace) + ", " + w.Arg(name) + ")")
	}
	return nil
}

// visible narrows a list to what may be seen: the repositories of some spaces, and those that the token's scopes name.
func (s *Service) visible(ctx context.Context, w *store.Where) error {
	w.Add("r.deleted = 0")
	set, err := s.access.Spaces(ctx, Read)
	if err != nil || set.All {
		return err
	}
	seen := w.In("r.space", set.List())
	var named []string
	for _, scope := range actor.From(ctx).Scopes {
		_, object, ok := strings.Cut(scope, "=")
		if !ok {
			continue
		}
		r, err := s.open(ctx, Read, object)
		switch {
		case err == nil:
			named = append(named, r.ID)
		case !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid):
			return err
		}
	}
	if len(named) > 0 {
		seen = "(" + seen + " OR " + w.In("r.id", named) + ")"
	}
	w.Add(seen)
	return nil
}
