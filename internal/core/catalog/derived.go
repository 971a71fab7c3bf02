package catalog

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const annotationKey = "metadata.annotations."

// derived gives a filter that says of sources and files what f says of the annotations that tell where an entity is from.
// They are in no document: an address changes when a repository moves, and no entity with it.
func (s *Service) derived(ctx context.Context, f index.Filter) (index.Filter, error) {
	all := func(list []index.Filter) ([]index.Filter, error) {
		out := make([]index.Filter, len(list))
		for i, part := range list {
			var err error
			if out[i], err = s.derived(ctx, part); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	switch f := f.(type) {
	case index.All:
		list, err := all(f)
		return index.All(list), err
	case index.Any:
		list, err := all(f)
		return index.Any(list), err
	case index.Not:
		inner, err := s.derived(ctx, f.Filter)
		return index.Not{Filter: inner}, err
	case index.Exists:
		switch annotationOf(f.Key) {
		case AnnotationLocation, AnnotationOrigin:
			return index.All{}, nil
		case AnnotationOrphan:
			return s.marked(ctx, isOrphan)
		case AnnotationSource, AnnotationView, AnnotationEdit:
			return index.Any{f, fromFiles()}, nil
		}
	case index.Has:
		switch annotation := annotationOf(f.Key); annotation {
		case AnnotationLocation, AnnotationOrigin:
			return s.fromAddresses(ctx, annotation, f.Values)
		case AnnotationView, AnnotationEdit: // an author may say otherwise
			from, err := s.fromAddresses(ctx, AnnotationLocation, f.Values)
			return unsaid(f, f.Key, from), err
		case AnnotationSource:
			from, err := s.fromFolders(ctx, f.Values)
			return unsaid(f, f.Key, from), err
		case AnnotationOrphan:
			if !slices.ContainsFunc(f.Values, func(v string) bool { return strings.EqualFold(v, "true") }) {
				return index.Any{}, nil
			}
			return s.marked(ctx, isOrphan)
		}
	case index.HasPrefix:
		switch annotation := annotationOf(f.Key); annotation {
		case AnnotationLocation, AnnotationOrigin:
			return s.fromPrefix(ctx, annotation, f.Prefix)
		case AnnotationSource:
			from, err := s.fromPrefix(ctx, annotation, f.Prefix)
			return unsaid(f, f.Key, from), err
		case AnnotationOrphan:
			if !begins("true", strings.ToLower(f.Prefix)) {
				return index.Any{}, nil
			}
			return s.marked(ctx, isOrphan)
		}
	}
	return f, nil
}

// unsaid gives what an author said, or what is so of entities whose author says nothing under the key.
func unsaid(said index.Filter, key string, from index.Filter) index.Filter {
	return index.Any{said, index.All{from, index.Not{Filter: index.Exists{Key: key}}}}
}

// fromFiles gives what a location brought.
func fromFiles() index.Filter { return index.HasPrefix{Key: index.KeySource, Prefix: locationPrefix} }

// annotationOf gives the annotation that a key is of, when it is one of those that the catalog writes.
func annotationOf(key string) string {
	if len(key) <= len(annotationKey) || !strings.EqualFold(key[:len(annotationKey)], annotationKey) {
		return ""
	}
	for _, annotation := range []string{AnnotationLocation, AnnotationOrigin, AnnotationSource, AnnotationView, AnnotationEdit, AnnotationOrphan} {
		if strings.EqualFold(key[len(annotationKey):], annotation) {
			return annotation
		}
	}
	return ""
}

const maxAddresses = 100 // of one filter

func (s *Service) fromAddresses(ctx context.Context, annotation string, values []string) (index.Filter, error) {
	if len(values) > maxAddresses {
		return nil, fault.Errorf(fault.Invalid, "a filter names at most %d addresses", maxAddresses)
	}
	var any index.Any
	for _, value := range values {
		kind, rest, _ := strings.Cut(value, ":")
		if strings.EqualFold(kind, "apply") {
			space, source, _ := strings.Cut(rest, "/")
			any = append(any, index.All{index.Has{Key: index.KeySpace, Values: []string{space}}, index.Has{Key: index.KeySource, Values: []string{source}}})
			continue
		}
		targets, err := s.targetsAt(ctx, value)
		if err != nil {
			return nil, err
		}
		for _, t := range targets {
			sources, err := s.sourcesOf(ctx, t, annotation == AnnotationOrigin)
			if err != nil {
				return nil, err
			}
			from := index.Filter(index.Has{Key: index.KeySource, Values: sources})
			if annotation == AnnotationLocation {
				from = index.All{from, index.Has{Key: index.KeyFile, Values: []string{t.Path}}}
			}
			any = append(any, from)
		}
	}
	return any, nil
}

// fromFolders gives what files right in some folders declare, which answers tell by the address of the folder.
func (s *Service) fromFolders(ctx context.Context, values []string) (index.Filter, error) {
	if len(values) > maxAddresses {
		return nil, fault.Errorf(fault.Invalid, "a filter names at most %d addresses", maxAddresses)
	}
	var any index.Any
	for _, value := range values {
		folder, query, _ := strings.Cut(value, "?")
		if !strings.HasSuffix(folder, "/") {
			continue
		}
		const file = "-" // as an address of a file it is read
		targets, err := s.targetsAt(ctx, folder+file+"?"+query)
		if err != nil {
			return nil, err
		}
		for _, t := range targets {
			sources, err := s.sourcesOf(ctx, t, false)
			if err != nil {
				return nil, err
			}
			any = append(any, index.All{
				index.Has{Key: index.KeySource, Values: sources},
				index.InFolder{Key: index.KeyFile, Folders: []string{strings.TrimSuffix(t.Path, file)}},
			})
		}
	}
	return any, nil
}

// targetsAt gives what an address may name: a repository at a forge may be connected several times.
func (s *Service) targetsAt(ctx context.Context, address string) (targets []Target, err error) {
	if t, err := s.ParseTarget(address); err == nil {
		return []Target{t}, nil
	}
	for _, p := range forgePages(strings.TrimPrefix(address, "url:")) {
		if s.repositories == nil {
			break
		}
		names, _, err := s.repositories.ByPage(ctx, p.page)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			t, err := s.targetIn(ctx, name, p.rest)
			if err != nil && fault.KindOf(err) != fault.Invalid {
				return nil, err
			}
			if err == nil {
				targets = append(targets, t)
			}
		}
	}
	return targets, nil
}

// sourcesOf gives the sources that read a repository and branch, or with origin those that came from a target itself.
func (s *Service) sourcesOf(ctx context.Context, t Target, origin bool) (sources []string, err error) {
	branches := []string{t.Branch}
	if t.Branch == "" { // a location may name the default branch
		home, err := s.repositories.Home(ctx, t.Repository)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		if home.Forge != "" {
			branches = append(branches, home.Branch)
		}
	}
	w := &store.Where{}
	w.Equal("repository", t.Repository)
	w.Add(w.In("branch", branches))
	if origin {
		w.Equal("path", t.Path)
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		ids, err := locationIDs(ctx, tx, w)
		if err != nil || len(ids) == 0 {
			return err
		}
		if origin {
			ids, err = withOrigin(ctx, tx, ids)
		}
		for _, id := range ids {
			sources = append(sources, locationPrefix+id)
		}
		return err
	})
	return sources, fault.Wrap(err, "find the locations at %s", t.Repository)
}

func locationIDs(ctx context.Context, tx *store.Tx, w *store.Where) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM locations`+w.String()+` ORDER BY id`, w.Args...)
	return store.Collect(rows, err, func(r store.Row) (id string, err error) { return id, r.Scan(&id) })
}

// withOrigin gives the locations that entities are said to come from by way of some: those that were registered, and those
// that these led to.
func withOrigin(ctx context.Context, tx *store.Tx, ids []string) ([]string, error) {
	w := &store.Where{}
	in := w.In("id", ids)
	w.Add(`(` + in + ` AND (kept = 1 OR origin = '') OR ` + w.In("origin", ids) + ` AND kept = 0)`)
	return locationIDs(ctx, tx, w)
}

// fromLocation gives what a location brought, and what those brought that it led to.
func (s *Service) fromLocation(ctx context.Context, id string) (index.Filter, error) {
	sources := []string{locationPrefix + id}
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		ids, err := withOrigin(ctx, tx, []string{id})
		for _, id := range ids {
			sources = append(sources, locationPrefix+id)
		}
		return err
	})
	return index.Has{Key: index.KeySource, Values: sources}, fault.Wrap(err, "find what location %s led to", clip(id))
}

// fromPrefix is fromAddresses for what addresses begin with.
func (s *Service) fromPrefix(ctx context.Context, annotation, prefix string) (index.Filter, error) {
	var any index.Any
	folded := strings.ToLower(prefix)
	switch rest, applied := strings.CutPrefix(folded, "apply:"); {
	case annotation == AnnotationSource: // which is of files alone
	case applied:
		space, source, full := strings.Cut(rest, "/")
		from := index.All{index.HasPrefix{Key: index.KeySpace, Prefix: space}, index.Not{Filter: fromFiles()}}
		if full {
			from = index.All{index.Has{Key: index.KeySpace, Values: []string{space}}, index.HasPrefix{Key: index.KeySource, Prefix: source}}
		}
		return append(any, from), nil
	case strings.HasPrefix("apply:", folded):
		any = append(any, index.Not{Filter: fromFiles()})
	}
	var base string
	if len(s.addresses) > 0 {
		base = s.addresses[0]
	}
	var all []Location
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, repository, path, branch, kept, home, origin FROM locations ORDER BY id`)
		all, err = store.Collect(rows, err, func(r store.Row) (l Location, err error) {
			var home string
			var kept int64
			if err := r.Scan(&l.ID, &l.Repository, &l.Path, &l.Branch, &kept, &home, &l.Origin); err != nil {
				return l, err
			}
			l.kept = kept == 1
			l.Home, err = readHome(home)
			return l, err
		})
		return err
	})
	if err != nil {
		return nil, fault.Wrap(err, "find locations by address")
	}
	files := make(map[string]File, len(all))
	for _, l := range all {
		files[l.ID] = l.file()
	}
	var whole []string
	parts := map[string][]string{} // of what some locations read
	for _, l := range all {
		if annotation == AnnotationOrigin {
			file, known := files[l.Origin]
			if l.kept || !known {
				file = l.file()
			}
			if begins("url:"+file.Address(base), folded) {
				whole = append(whole, l.source())
			}
			continue
		}
		root := l.file()
		root.Path = ""
		page := root.Address(base)
		if annotation == AnnotationSource {
			page = root.Folder(base)
		}
		address, query, _ := strings.Cut("url:"+page, "?")
		rest, inside := strings.CutPrefix(folded, strings.ToLower(address))
		switch path, err := url.PathUnescape(rest); {
		case begins(address, folded):
			whole = append(whole, l.source())
		case inside && query == "" && err == nil:
			parts[path] = append(parts[path], l.source())
		}
	}
	for path, sources := range parts {
		from := index.All{index.Has{Key: index.KeySource, Values: sources}, index.HasPrefix{Key: index.KeyFile, Prefix: path}}
		if annotation == AnnotationSource && path != "" && !strings.HasSuffix(path, "/") { // of a folder's name, and not of a file's
			from = append(from, index.Not{Filter: index.InFolder{Key: index.KeyFile, Folders: []string{path[:strings.LastIndexByte(path, '/')+1]}}})
		}
		any = append(any, from)
	}
	return append(any, index.Has{Key: index.KeySource, Values: whole}), nil
}

func begins(text, folded string) bool { return strings.HasPrefix(strings.ToLower(text), folded) }
