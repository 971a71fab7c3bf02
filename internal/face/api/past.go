package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
)

func (a *API) pastRoutes() {
	register(a, operation("listEntityHistory", http.MethodGet, "/entities/{kind}/{namespace}/{name}/history", "entities", "Versions of an entity, newest first"), a.listEntityHistory)
	register(a, operation("listChanges", http.MethodGet, "/changes", "entities", "What differs in the catalog between two times, newest first"), a.listChanges)
}

type historyInput struct {
	EntityInput
	Paging
	Since time.Time `query:"since"`
	Until time.Time `query:"until"`
	Actor string    `query:"actor" maxLength:"64" doc:"Opaque id."`
}

func (a *API) listEntityHistory(ctx context.Context, in *historyInput) (*body[List[EntityVersion]], error) {
	versions, err := a.Catalog.History(ctx, in.ref(), catalog.HistoryQuery{Since: in.Since, Until: in.Until, Actor: in.Actor}, in.part())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, v := range versions.Items {
		ids = append(ids, v.Actor)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	return listPart(versions, func(v catalog.Version) EntityVersion { return wireVersion(v, who) }), nil
}

func wireVersion(v catalog.Version, who func(string) Actor) EntityVersion {
	return EntityVersion{
		Version: v.Number, Action: string(v.Action), Actor: who(v.Actor), Repository: v.Repository, Commit: v.Commit, Entry: v.Entry,
		Diff: differences(v.Diff), Time: v.Time,
	}
}

// differences tells what changed, a line a field.
func differences(all []document.Difference) string {
	var b strings.Builder
	for _, d := range all {
		switch {
		case d.Added:
			fmt.Fprintf(&b, "+ %s: %v\n", d.Path, d.New)
		case d.Removed:
			fmt.Fprintf(&b, "- %s: %v\n", d.Path, d.Old)
		default:
			fmt.Fprintf(&b, "~ %s: %v → %v\n", d.Path, d.Old, d.New)
		}
	}
	return b.String()
}

type changesInput struct {
	Paging
	From      time.Time `query:"from" required:"true"`
	To        time.Time `query:"to" doc:"Now when absent."`
	Kind      string    `query:"kind" maxLength:"500" doc:"Names or plurals, with commas."`
	Space     string    `query:"space" maxLength:"500" doc:"With commas."`
	Namespace string    `query:"namespace" maxLength:"500" doc:"With commas."`
	Owner     string    `query:"owner" maxLength:"2000" doc:"References, with commas; a bare name is a group."`
	Type      string    `query:"type" maxLength:"500" doc:"spec.type, with commas."`
	Text      string    `query:"text" maxLength:"200" doc:"Words that occur in name, title, description or tags."`
}

func (a *API) listChanges(ctx context.Context, in *changesInput) (*body[List[EntityChange]], error) {
	to := in.To
	if to.IsZero() {
		to = a.Now()
	}
	q := catalog.Query{Kinds: words(in.Kind), Space: words(in.Space), Namespace: words(in.Namespace), Owner: words(in.Owner), Type: words(in.Type), Text: in.Text}
	changes, err := a.Catalog.Changes(ctx, q, in.From, to, in.part())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, c := range changes.Items {
		ids = append(ids, c.Last.Actor)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	return listPart(changes, func(c catalog.Between) EntityChange {
		return EntityChange{
			Ref: c.Ref.String(), Kind: c.Kind, Space: c.Space, Action: string(c.Action), Versions: c.Count, Last: wireVersion(c.Last, who), Diff: differences(c.Diff),
		}
	}), nil
}
