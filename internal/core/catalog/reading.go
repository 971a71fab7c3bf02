package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Bounds of one reading of a location.
const (
	maxFiles     = 2000
	maxFile      = 4 << 20
	maxBytes     = 64 << 20
	maxDepth     = 10
	maxEntities  = 20_000
	maxLocDetail = 50
)

// reading is what the files of a location say at one commit.
type reading struct {
	s        *Service
	location Location
	commit   string

	queued  map[string]bool // files that were read or will be
	bytes   int
	changes []change
	seen    map[ref.Entity]bool
	brought map[ref.Entity]bool   // taken in, or as it was
	bad     map[string]string     // file → why none of it could be read
	partial bool                  // something that may name files could not be read
	refused map[ref.Entity]string // document → why it was not taken
	details []fault.Detail
	count   int
}

func (s *Service) newReading(l Location, commit string) *reading {
	return &reading{
		s: s, location: l, commit: commit, queued: map[string]bool{}, seen: map[ref.Entity]bool{}, brought: map[ref.Entity]bool{},
		bad: map[string]string{}, refused: map[ref.Entity]string{},
	}
}

// start reads the location's own files and those that they name. It fails when the location as a whole can't be read:
// then everything stays as it was.
func (r *reading) start(ctx context.Context) error {
	files, err := r.files(ctx, r.location.Path)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fault.Errorf(fault.NotFound, "there is no file %s in %s; it is looked at again when it is pushed", r.location.Path, r.location.Repository)
	}
	for _, file := range files {
		if err := r.read(ctx, file, 0); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) files(ctx context.Context, pattern string) ([]string, error) {
	files, err := r.s.repositories.Glob(ctx, r.location.Repository, r.commit, pattern)
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	slices.Sort(files)
	return files, err
}

// fail notes something wrong that does not end the reading.
func (r *reading) fail(details ...fault.Detail) {
	r.count += len(details)
	r.details = append(r.details, details[:min(len(details), max(0, maxLocDetail-len(r.details)))]...)
}

func (r *reading) read(ctx context.Context, file string, depth int) error {
	if r.queued[file] {
		return nil
	}
	r.queued[file] = true
	if len(r.queued) > maxFiles || r.bytes > maxBytes || depth > maxDepth {
		return r.tooLarge()
	}
	data, err := r.s.repositories.ReadFile(ctx, r.location.Repository, r.commit, file, maxFile)
	switch fault.KindOf(err) {
	case fault.NotFound, fault.TooLarge, fault.Invalid:
		if err != nil {
			r.skip(file, fault.Detail{File: file, Message: fault.Message(err)})
			return nil
		}
	}
	if err != nil {
		return err
	}
	r.bytes += len(data)
	documents, err := document.Parse(file, data, document.Limits{Bytes: maxFile})
	if err != nil {
		details := fault.Details(err)
		if len(details) == 0 {
			details = []fault.Detail{{File: file, Message: fault.Message(err)}}
		}
		r.skip(file, details...)
		return nil
	}
	for _, d := range documents {
		if err := r.take(ctx, file, d, depth); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) tooLarge() error {
	return fault.Errorf(fault.TooLarge, "%s names more than %d files, %d MiB or %d levels; register its parts as locations of their own",
		r.location, maxFiles, maxBytes>>20, maxDepth)
}

// skip keeps what a file declared before.
func (r *reading) skip(file string, details ...fault.Detail) {
	r.fail(details...)
	r.bad[file] = joined(details)
	r.partial = true
}

func joined(details []fault.Detail) string {
	lines := make([]string, len(details))
	for i, d := range details {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// take checks one document and follows it when it is a Location.
func (r *reading) take(ctx context.Context, file string, d document.Document, depth int) error {
	if len(r.changes) >= maxEntities {
		return fault.Errorf(fault.TooLarge, "%s declares more than %d entities; register its parts as locations of their own", r.location, maxEntities)
	}
	d, wrong, err := r.fill(ctx, file, d)
	if err != nil {
		return err
	}
	d, kind, more := r.s.checkOne(d)
	wrong = append(wrong, more...)
	if kind.Restricted && !slices.Contains(r.location.Trusted, kind.Name) {
		wrong = append(wrong, d.At(fmt.Sprintf("a %s is not taken from a repository that is not trusted for it", kind.Name),
			"an administrator of the space can trust this location for it, or apply the document", "kind"))
	}
	if r.seen[d.Ref()] {
		wrong = append(wrong, d.At(d.Ref().String()+" is there twice", "remove one of them", "metadata", "name"))
		r.fail(wrong...)
		return nil
	}
	r.seen[d.Ref()] = true
	if len(wrong) > 0 {
		r.fail(wrong...)
		r.refused[d.Ref()] = joined(wrong)
		r.partial = r.partial || kind.Name == locationKind
		return nil
	}
	r.changes = append(r.changes, change{document: d, kind: kind, space: r.location.Space, source: r.location.source(), path: file, commit: r.commit})
	if kind.Name == locationKind {
		return r.follow(ctx, file, d, depth)
	}
	return nil
}

// follow reads the files of the same repository that a Location names.
func (r *reading) follow(ctx context.Context, file string, d document.Document, depth int) error {
	presence, _ := d.Spec["presence"].(string)
	targets, fields := targetsOf(d)
	for i, target := range targets {
		if isAddress(target) {
			if _, err := r.s.ParseTarget(target); err != nil {
				r.fail(d.At(fault.Message(err), "", fields[i]...))
			}
			continue
		}
		pattern, ok := relativeTarget(file, target)
		if !ok {
			r.fail(d.At(fmt.Sprintf("%q leaves the repository", target), "name a file of this repository", fields[i]...))
			r.partial = true
			continue
		}
		files, err := r.files(ctx, pattern)
		switch {
		case err != nil && fault.KindOf(err) == fault.Invalid:
			r.fail(d.At(fault.Message(err), "", fields[i]...))
			r.partial = true
			continue
		case err != nil:
			return err
		case len(files) == 0 && presence != "optional":
			r.fail(d.At(fmt.Sprintf("there is no file %s", pattern), "", fields[i]...))
		}
		for _, f := range files {
			if err := r.read(ctx, f, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// note takes down what became of documents.
func (r *reading) note(items []Item, part []int) {
	for i, item := range items {
		if item.Action == Conflict {
			d := r.changes[part[i]].document
			r.fail(d.At(item.Ref.String()+": "+item.Message, "", "metadata", "name"))
			continue
		}
		r.brought[item.Ref] = true
	}
}

// refuse takes down a document that its kind's owner did not take.
func (r *reading) refuse(c change, err error) {
	details := fault.Details(err)
	if len(details) == 0 {
		details = []fault.Detail{c.document.At(fault.Message(err), "")}
	}
	if fault.KindOf(err) == fault.Internal {
		r.s.log.Error("a document could not be taken in", "entity", c.ref().String(), "location", r.location.ID, "error", err)
	}
	r.fail(details...)
	r.refused[c.ref()] = joined(details)
}

// kept tells whether an entity of this location stays, and why it is not what its file says. A file that nobody could
// name, because of a mistake elsewhere, is not gone.
func (r *reading) kept(e ref.Entity, file string) (why string, kept bool) {
	if r.brought[e] {
		return "", true
	}
	if why, ok := r.refused[e]; ok {
		return why, true
	}
	why, kept = r.bad[file]
	return why, kept || r.partial && !r.queued[file]
}

func (r *reading) failure() failure {
	if r.count == 0 {
		return failure{}
	}
	return failure{message: plural(r.count, "thing") + " in " + r.location.String() + " could not be taken; what was good before stays", details: r.details}
}
