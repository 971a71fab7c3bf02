package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
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
	wrote, err := a.authors(ctx, versions.Items)
	if err != nil {
		return nil, err
	}
	return listPart(versions, func(v catalog.Version) EntityVersion {
		w := wireVersion(v, who)
		w.Author = wrote[v.Commit]
		return w
	}), nil
}

// authors tells who wrote the commits of versions, by their hashes, as far as the caller may read and this server has them.
func (a *API) authors(ctx context.Context, versions []catalog.Version) (map[string]string, error) {
	commits := map[string][]string{}
	for _, v := range versions {
		if list := commits[v.Repository]; v.Repository != "" && v.Commit != "" && !slices.Contains(list, v.Commit) {
			commits[v.Repository] = append(list, v.Commit)
		}
	}
	wrote := map[string]string{}
	for repository, hashes := range commits {
		found, err := a.Repositories.Commits(ctx, repository, hashes)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Denied):
			a.Log.WarnContext(ctx, "the history of an entity names no authors", "repository", repository, "error", err)
		}
		for hash, c := range found {
			wrote[hash] = c.Author.Name
		}
	}
	return wrote, nil
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
		case d.Path == "" && d.Added:
			wholeDocument(&b, "+ ", d.New)
		case d.Path == "" && d.Removed:
			wholeDocument(&b, "- ", d.Old)
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

func wholeDocument(b *strings.Builder, sign string, value any) {
	text, err := yaml.Marshal(value)
	if err != nil {
		text = fmt.Append(nil, value)
	}
	for line := range strings.Lines(string(text)) {
		b.WriteString(sign + line)
	}
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
