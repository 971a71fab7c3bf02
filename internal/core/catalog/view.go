package catalog

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// SavedView is a list of entities that somebody keeps under a name: for themselves, or for all who may read in a space.
type SavedView struct {
	ID      string
	Name    string
	Space   string // "" for the author alone
	Query   string // parameters of the list, as in its address: kind=component&owner=team
	Author  string // id of a principal
	Created time.Time
	Updated time.Time
	Version int
}

// Etag gives what a change of the view may be held to.
func (v SavedView) Etag() string {
	return etag([]byte(v.ID + "\n" + v.Updated.UTC().Format(time.RFC3339Nano)))
}

// Bounds of views.
const (
	viewPrefix   = "viw"
	maxViewName  = 100
	maxViewQuery = 4000
	maxViews     = 200 // of one person, or of one space
)

// viewWords are the parameters that a view may have.
func viewWords() []string {
	return []string{"kind", "space", "namespace", "owner", "type", "lifecycle", "system", "tag", "text", "below", "mine", "starred", "gap", "location", "failed", "orphan", "sort", "columns"}
}

// checkView holds a view to its form, and gives it in that form: the parameters in order.
func checkView(v *SavedView) error {
	v.Name = strings.TrimSpace(v.Name)
	if v.Name == "" || len(v.Name) > maxViewName || strings.ContainsAny(v.Name, "\n\r\x00") {
		return fault.Errorf(fault.Invalid, "the name of a view is one line of 1 to %d bytes", maxViewName)
	}
	values, err := url.ParseQuery(strings.TrimPrefix(v.Query, "?"))
	if err != nil || len(v.Query) > maxViewQuery {
		return fault.Errorf(fault.Invalid, "a view is the parameters of a list, such as kind=component&owner=team, at most %d bytes", maxViewQuery)
	}
	for name, all := range values {
		if !slices.Contains(viewWords(), name) || len(all) != 1 {
			return fault.Errorf(fault.Invalid, "%q is no parameter of a view, or is there twice; choose of %s", name, strings.Join(viewWords(), ", "))
		}
		if strings.TrimSpace(all[0]) == "" {
			values.Del(name)
		}
	}
	v.Query = values.Encode()
	return nil
}

// mayView asks for the right to change a view: entity:write in the space that it is shared with.
func (s *Service) mayView(ctx context.Context, space string) error {
	if space == "" {
		return nil
	}
	if err := s.access.Authorize(ctx, "entity:write", space); err != nil {
		return err
	}
	if exists, err := s.access.Exists(ctx, space); err != nil || !exists {
		return orNotFound(err, "there is no space %s", space)
	}
	return nil
}

// SaveView keeps a view: a new one without an id, else the one with it. Of one's own it needs nothing; of one that is shared
// with a space entity:write there. ifMatch is for fault.IfMatch. It fails with fault.Conflict for a name that is taken.
func (s *Service) SaveView(ctx context.Context, v SavedView, ifMatch string) (SavedView, error) {
	who, err := person(ctx)
	if err != nil {
		return v, err
	}
	if err := s.mayView(ctx, v.Space); err != nil {
		return v, err
	}
	if err := checkView(&v); err != nil {
		return v, err
	}
	kind, now := "view.saved", s.now()
	old := SavedView{}
	if v.ID != "" {
		if old, err = s.GetView(ctx, v.ID); err != nil {
			return v, err
		}
		if err := s.mayView(ctx, old.Space); err != nil {
			return v, err
		}
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		v.Author, v.Created, v.Updated, v.Version = who, now, now, 1
		if v.ID == "" {
			v.ID = ref.NewID(viewPrefix, now)
			if err := fault.IfMatch(ifMatch, "", "the view"); err != nil {
				return err
			}
		} else {
			stored, err := scanView(tx.QueryRow(ctx, viewColumns+` WHERE id = $1`+tx.ForUpdate(), v.ID))
			if err != nil {
				return err
			}
			if stored.Space != old.Space || stored.Author != old.Author {
				return fault.Errorf(fault.Conflict, "the view was shared otherwise at the same moment; read it again")
			}
			if err := fault.IfMatch(ifMatch, stored.Etag(), "the view "+stored.Name); err != nil {
				return err
			}
			v.Author, v.Created, v.Version = stored.Author, stored.Created, stored.Version+1
			if v.Space == "" && v.Author != who {
				return fault.Errorf(fault.Invalid, "a view of somebody else stays shared; save one of your own")
			}
		}
		if err := s.viewFits(ctx, tx, v); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO catalog_views (id, name, space, query, author, created, updated, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, space = excluded.space, query = excluded.query, updated = excluded.updated, version = excluded.version`,
			v.ID, v.Name, v.Space, v.Query, v.Author, store.Micros(v.Created), store.Micros(v.Updated), v.Version)
		if err != nil {
			return fault.Wrap(err, "save a view")
		}
		return s.tellView(ctx, tx, v, kind)
	})
	v.Created, v.Updated = store.FromMicros(store.Micros(v.Created)), store.FromMicros(store.Micros(v.Updated))
	return v, err
}

// viewFits refuses a name that is taken, and more views than are kept.
func (s *Service) viewFits(ctx context.Context, tx *store.Tx, v SavedView) error {
	where, of := `space = $1`, v.Space
	if v.Space == "" {
		where, of = `space = '' AND author = $1`, v.Author
	}
	var same, all int
	err := tx.QueryRow(ctx, `SELECT COALESCE(SUM(CASE WHEN name = $2 THEN 1 ELSE 0 END), 0), COUNT(*) FROM catalog_views WHERE `+where+` AND id <> $3`, of, v.Name, v.ID).Scan(&same, &all)
	switch {
	case err != nil:
		return fault.Wrap(err, "look for views")
	case same > 0:
		return fault.Errorf(fault.Conflict, "there is a view %q already; choose another name", v.Name)
	case all >= maxViews:
		return fault.Errorf(fault.Conflict, "there are %d views, which is as many as are kept; delete some first", maxViews)
	}
	return nil
}

func (s *Service) tellView(ctx context.Context, tx *store.Tx, v SavedView, kind string) error {
	space := v.Space
	if space == "" {
		space = access.Root
	}
	_, err := s.ledger.Append(ctx, tx, ledger.Entry{Space: space, Type: kind, Subject: v.ID})
	return fault.Wrap(err, "note a view")
}

const viewColumns = `SELECT id, name, space, query, author, created, updated, version FROM catalog_views`

func scanView(r store.Row) (v SavedView, err error) {
	var created, updated int64
	err = r.Scan(&v.ID, &v.Name, &v.Space, &v.Query, &v.Author, &created, &updated, &v.Version)
	v.Created, v.Updated = store.FromMicros(created), store.FromMicros(updated)
	return v, err
}

// GetView gives a view of the reader's own, or one that is shared with a space in which the reader may read entities
// (entity:read); otherwise it is fault.NotFound.
func (s *Service) GetView(ctx context.Context, id string) (v SavedView, err error) {
	who, err := person(ctx)
	if err != nil {
		return v, access.NotFound("view " + id)
	}
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil {
		return v, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		v, err = scanView(tx.QueryRow(ctx, viewColumns+` WHERE id = $1`, id))
		return err
	})
	if fault.Is(err, fault.NotFound) || err == nil && !(v.Space == "" && v.Author == who || v.Space != "" && visible.Has(v.Space)) {
		return SavedView{}, access.NotFound("view " + id)
	}
	return v, fault.Wrap(err, "read a view")
}

// Views gives the reader's own views, and those that are shared with a space in which the reader may read entities, by id.
func (s *Service) Views(ctx context.Context, part page.Request) (page.Of[SavedView], error) {
	who, err := person(ctx)
	if err != nil {
		return page.Of[SavedView]{}, nil //nolint:nilerr // who has not signed in has none
	}
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil {
		return page.Of[SavedView]{}, err
	}
	w := &store.Where{}
	w.After("id", part.Cursor)
	mine := `space = '' AND author = ` + w.Arg(who)
	switch {
	case visible.All:
		w.Add(`(` + mine + ` OR space <> '')`)
	case visible.Empty():
		w.Add(mine)
	default:
		w.Add(`(` + mine + ` OR ` + w.In("space", visible.List()) + `)`)
	}
	var all []SavedView
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, viewColumns+w.String()+` ORDER BY id LIMIT `+w.Arg(part.Window()), w.Args...)
		all, err = store.Collect(rows, err, scanView)
		return err
	})
	return page.Cut(all, part, func(v SavedView) string { return v.ID }), fault.Wrap(err, "list views")
}

// DeleteView forgets a view. Of one's own it needs nothing; of one that is shared entity:write in its space.
func (s *Service) DeleteView(ctx context.Context, id, ifMatch string) error {
	v, err := s.GetView(ctx, id)
	if err != nil {
		return err
	}
	if err := s.mayView(ctx, v.Space); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *store.Tx) error {
		stored, err := scanView(tx.QueryRow(ctx, viewColumns+` WHERE id = $1`+tx.ForUpdate(), id))
		if err != nil {
			return err
		}
		if stored.Space != v.Space {
			return fault.Errorf(fault.Conflict, "the view was shared otherwise at the same moment; read it again")
		}
		if err := fault.IfMatch(ifMatch, stored.Etag(), "the view "+stored.Name); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM catalog_views WHERE id = $1`, id); err != nil {
			return fault.Wrap(err, "delete a view")
		}
		return s.tellView(ctx, tx, v, "view.deleted")
	})
}

// forgetKept takes away what was kept for somebody who is gone; what they have shared stays.
func forgetKept(ctx context.Context, tx *store.Tx, who string) error {
	for _, statement := range []string{`DELETE FROM entity_stars WHERE person = $1`, `DELETE FROM catalog_views WHERE author = $1 AND space = ''`} {
		if _, err := tx.Exec(ctx, statement, who); err != nil {
			return fault.Wrap(err, "forget what was kept for somebody")
		}
	}
	return nil
}
