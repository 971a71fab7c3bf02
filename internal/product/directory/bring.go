package directory

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// entry is a person or a group, wherever it comes from, as the catalog is to have it.
type entry struct {
	kind, name, what string // what is how the directory calls it: a user name, a DN
	display, email   string
	description      string
	memberOf         []string // names of groups, of a person
	children         []string // names of groups, of a group
	annotations      map[string]string
	kept             string // why it can't be taken and stays as it was; "" when it can
}

func (e entry) ref(d Directory) ref.Entity { return ref.New(e.kind, d.Spec.Namespace, e.name) }

// document gives what the catalog takes. The file that it says it is from tells what a problem is about.
func (e entry) document(d Directory) (document.Document, error) {
	profile := map[string]any{}
	for key, text := range map[string]string{"displayName": e.display, "email": e.email} {
		if text != "" {
			profile[key] = text
		}
	}
	spec := map[string]any{"profile": profile}
	if e.kind == User {
		spec["memberOf"] = named(d, e.memberOf)
	} else {
		spec["type"], spec["children"] = "team", named(d, e.children)
	}
	annotations := map[string]any{}
	for key, text := range e.annotations {
		annotations[key] = text
	}
	metadata := map[string]any{"name": e.name, "namespace": d.Spec.Namespace, "annotations": annotations}
	if e.description != "" {
		metadata["description"] = e.description
	}
	doc, err := document.FromValue(map[string]any{"apiVersion": "backstage.io/v1alpha1", "kind": e.kind, "metadata": metadata, "spec": spec})
	doc.Origin.File = e.what
	return doc, err
}

func named(d Directory, names []string) []any {
	slices.Sort(names)
	all := make([]any, len(names))
	for i, name := range names {
		all[i] = ref.New(Group, d.Spec.Namespace, name).String()
	}
	return all
}

// errOvertaken ends a look that another one, or a change of the directory, has overtaken.
var errOvertaken = errors.New("the directory has changed meanwhile")

// still fails when the directory is not as it was when this was begun.
func (d Directory) still(ctx context.Context, tx *store.Tx) error {
	now, err := byName(ctx, tx, d.Name)
	if fault.Is(err, fault.NotFound) || err == nil && (now.generation != d.generation || now.version != d.version) {
		return errOvertaken
	}
	return err
}

// bring makes the catalog say what entries do, and no more where they are all. refused tells by the reference why one was not
// taken: it stays as it was, if it is there, as does what is in keep.
func (s *Service) bring(ctx context.Context, d Directory, entries []entry, gone []ref.Entity, keep map[ref.Entity]string, whole bool, mostGone int) (out catalog.Brought, refused map[ref.Entity]string, err error) {
	within, err := s.Access.Within(ctx, d.Target(), d.Space)
	if err != nil {
		return out, nil, err
	}
	if !within {
		return out, nil, fault.Errorf(fault.Conflict, "the space %s of the people is not in %s, which is the directory's, nor below it", d.Target(), d.Space)
	}
	set := catalog.Set{Space: d.Target(), Source: d.source(), Remove: gone, Keep: map[ref.Entity]string{}, Whole: whole, MostGone: mostGone, Still: d.still}
	maps.Copy(set.Keep, keep)
	refused = map[ref.Entity]string{}
	for _, e := range entries {
		why := e.kept
		if why == "" {
			doc, err := e.document(d)
			if err == nil {
				set.Documents = append(set.Documents, doc)
				continue
			}
			why = cut(fault.Message(err), mostReason)
		}
		set.Keep[e.ref(d)], refused[e.ref(d)] = why, why
	}
	if out, err = s.Catalog.Bring(ctx, set); err != nil {
		return out, nil, err
	}
	why := map[string]string{}
	for _, detail := range out.Details {
		if why[detail.File] == "" {
			why[detail.File] = cut(detail.Message, mostReason)
		}
	}
	for _, e := range entries {
		r := e.ref(d)
		if out.Taken[r] || refused[r] != "" {
			continue
		}
		if refused[r] = why[e.what]; refused[r] == "" {
			refused[r] = "the catalog has not taken it"
		}
	}
	return out, refused, nil
}
