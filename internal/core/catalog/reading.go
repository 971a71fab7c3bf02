package catalog

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Bounds of one reading of a location.
const (
	maxFiles     = 20_000
	maxFile      = 4 << 20
	maxBytes     = 2 << 30
	maxDepth     = 10
	maxEntities  = 2_000_000
	maxSingles   = 50_000 // of kinds that are taken one by one
	maxLocDetail = 50
	bytesInChunk = 8 << 20 // of documents, after which they are taken though they are few

	maxReasons = 5_000 // that are kept in full

	// What the documents of a location have, what placeholders bring into a file, and the documents that stay in memory until all
	// files are read: aliases and placeholders make much of few bytes.
	textBeside  = 16 << 20
	textPerByte = 4 // for each of the location, of the file
)

// reading is what the files of a location say at one commit. It goes through them once, as a stream: what has been taken
// in is forgotten, save that it was there.
type reading struct {
	s        *Service
	location Location
	commit   string
	force    bool // files that have not changed are read too
	preview  bool // nothing is taken in
	asCaller bool // other repositories are read where the caller may too
	rules    rules

	known   map[string]knownFile   // of the reading before
	files   map[string]*walkedFile // that are named, by path
	unnamed map[string]bool        // files that are named, but whose names are no text
	next    []*walkedFile          // to be read
	bytes   atomic.Int64
	count   int                   // documents
	looked  int                   // bytes of those that a preview keeps
	seen    map[[16]byte]fate     // by hash of the reference: a million references are many bytes
	singles []change              // to be taken one by one, at the end
	bulk    []change              // to be taken in the next chunk
	waiting int                   // bytes of those
	texts   int                   // bytes of all that were to be taken
	walked  int                   // bytes of the files that were looked through, without what placeholders bring
	held    int                   // bytes of singles
	size    int                   // of the next chunk
	brought int                   // changes, in chunks
	grown   int                   // of them, after which the table counts as another one
	told    int                   // changes that were taken in
	many    bool                  // these are more than have an entry of their own
	had     bool                  // the location had entities before
	partial bool                  // something that may name files could not be read
	refused map[ref.Entity]string // document → why it was not taken
	details []fault.Detail
	wrong   int
	begun   bool // something of the commit may have been taken in
	failed  bool // by the platform, not by the location
	far     bool // its placeholders brought files of other repositories before

	headsLock sync.Mutex
	heads     map[input]string // commits of other repositories, by repository and branch

	written  chan []written // for the index
	indexing sync.WaitGroup
}

// fate is what became of a reference.
type fate uint8

const (
	met     fate = iota + 1 // in a file
	brought                 // taken in, or as it was
)

// walkedFile is a file that the location names.
type walkedFile struct {
	path   string
	hash   string
	depth  int
	same   bool // as it was when it was read before, so that it isn't now
	bad    string
	wrong  bool // something in it could not be taken
	torn   bool // one of its documents is no valid one: the file may be half written
	names  bool // it declares Locations
	inputs map[input]string
}

func keyOf(r ref.Entity) (key [16]byte) {
	sum := sha256.Sum256([]byte(r.String()))
	copy(key[:], sum[:])
	return key
}

func (s *Service) newReading(ctx context.Context, l Location, commit string, force bool) (*reading, error) {
	r := s.look(l, commit)
	r.force, r.preview = force, false
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		var n int
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM entities WHERE source = $1 LIMIT 1) AS had`, l.source()).Scan(&n); err != nil {
			return err
		}
		r.had = n > 0
		if r.rules, err = s.rulesOf(ctx, tx, l); err != nil {
			return err
		}
		if r.far, err = hasInputs(ctx, tx, l.ID); err != nil {
			return err
		}
		r.known, err = knownFiles(ctx, tx, l.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.indexing.Go(func() { s.indexMany(r.written) })
	return r, nil
}

// look gives a reading that takes nothing in: what it finds is in singles.
func (s *Service) look(l Location, commit string) *reading {
	return &reading{
		s: s, location: l, commit: commit, force: true, preview: true, files: map[string]*walkedFile{}, unnamed: map[string]bool{}, seen: map[[16]byte]fate{},
		refused: map[ref.Entity]string{}, size: firstChunk, grown: firstGrown, written: make(chan []written, 4), heads: map[input]string{},
	}
}

// close waits until the index knows what was taken in.
func (r *reading) close() {
	close(r.written)
	r.indexing.Wait()
	if r.many {
		r.s.bringing.Add(-1)
	}
}

// start finds the location's own files. It fails when the location as a whole can't be read: then everything stays as it
// was.
func (r *reading) start(ctx context.Context) error {
	files, err := r.match(ctx, r.location.Path)
	if err != nil {
		return err
	}
	if len(files) == 0 && !r.location.optional {
		return fault.Errorf(fault.NotFound, "there is no file %s in %s; it is looked at again when it is pushed", r.location.Path, r.location.Repository)
	}
	return r.add(files, 0)
}

func (r *reading) match(ctx context.Context, pattern string) ([]git.TreeEntry, error) {
	files, err := r.s.repositories.Match(ctx, r.location.Repository, r.commit, pattern)
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	slices.SortFunc(files, func(a, b git.TreeEntry) int { return strings.Compare(a.Path, b.Path) })
	return files, err
}

// add has files read that are not yet.
func (r *reading) add(files []git.TreeEntry, depth int) error {
	for _, f := range files {
		if r.files[f.Path] != nil || r.unnamed[f.Path] {
			continue
		}
		if len(r.files)+len(r.unnamed) == maxFiles || depth > maxDepth {
			return r.tooLarge()
		}
		if !utf8.ValidString(f.Path) { // no database keeps such a name as it is
			r.unnamed[f.Path], r.partial = true, true
			r.fail(nil, fault.Detail{File: strings.ToValidUTF8(f.Path, "\uFFFD"), Message: "the name of this file is not text in UTF-8", Hint: "rename it; until then what files declared that are gone stays"})
			continue
		}
		w := &walkedFile{path: f.Path, hash: f.Hash, depth: depth}
		if f.Mode == linkMode {
			w.hash = "" // what it leads to may change
		}
		r.files[f.Path] = w
		r.next = append(r.next, w)
	}
	return nil
}

const linkMode = "120000"

// all reads the files and those that they name, and gives what they declare to the service, chunk by chunk.
func (r *reading) all(ctx context.Context) error {
	for len(r.next) > 0 {
		level := r.next
		r.next = nil
		level, err := r.changed(ctx, level)
		if err != nil {
			return err
		}
		if err := r.begin(ctx, level); err != nil {
			return err
		}
		err = r.stream(ctx, level, func(c *contents) error {
			if err := r.take(ctx, c); err != nil {
				return err
			}
			return r.flush(ctx, false)
		})
		if err != nil {
			return err
		}
	}
	return r.flush(ctx, true)
}

// changed gives those of the files that must be read: what is of the content that was read before is left, unless it
// declares Locations, or its placeholders bring what has changed.
func (r *reading) changed(ctx context.Context, files []*walkedFile) ([]*walkedFile, error) {
	var read, filled []*walkedFile
	var inputs []input
	for _, f := range files {
		k, ok := r.known[f.path]
		switch {
		case r.force || !ok || f.hash == "" || k.hash != f.hash || k.names:
			read = append(read, f)
		case len(k.inputs) > 0:
			filled = append(filled, f)
			for in := range k.inputs {
				inputs = append(inputs, in)
			}
		default:
			f.same = true
		}
	}
	if len(inputs) == 0 {
		return read, nil
	}
	hashes, err := r.hashesOf(ctx, inputs)
	if err != nil {
		return nil, err
	}
	for _, f := range filled {
		f.same = true
		for in, hash := range r.known[f.path].inputs {
			f.same = f.same && hash != "" && hashes[in] == hash
		}
		if !f.same {
			read = append(read, f)
		}
	}
	slices.SortFunc(read, func(a, b *walkedFile) int { return strings.Compare(a.path, b.path) })
	return read, nil
}

// fail notes something wrong that does not end the reading.
func (r *reading) fail(f *walkedFile, details ...fault.Detail) {
	if f != nil {
		f.wrong = true
	}
	r.wrong += len(details)
	r.details = append(r.details, details[:min(len(details), max(0, maxLocDetail-len(r.details)))]...)
}

func (r *reading) tooLarge() error {
	return fault.Errorf(fault.TooLarge, "%s names more than %d files, %d MiB with what placeholders bring, or %d levels; register its parts as locations of their own",
		r.location, maxFiles, maxBytes>>20, maxDepth)
}

// full is why no more is read: a preview has enough then.
func (r *reading) full() error {
	if r.preview {
		return errEnough
	}
	return r.tooLarge()
}

// took counts bytes that were read.
func (r *reading) took(bytes int) error {
	most := int64(maxBytes)
	if r.preview {
		most = maxLookedBytes
	}
	if r.bytes.Add(int64(bytes)) > most {
		return r.full()
	}
	return nil
}

func joined(details []fault.Detail) string {
	lines := make([]string, len(details))
	for i, d := range details {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// take takes down what a file declares.
func (r *reading) take(ctx context.Context, c *contents) error {
	f := c.file
	if c.err != nil {
		return c.err
	}
	r.walked += c.size
	if f.inputs = c.hashes; c.bad != nil { // what it declared before stays
		r.fail(f, c.bad...)
		f.bad = clip(joined(c.bad))
		r.partial = true
		return nil
	}
	for i := range c.documents {
		if err := r.takeOne(ctx, f, &c.documents[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) takeOne(ctx context.Context, f *walkedFile, d *checked) error {
	if r.count++; r.count > maxEntities || len(r.singles) == maxSingles {
		return fault.Errorf(fault.TooLarge, "%s declares more than %d entities, or %d of kinds that others keep; register its parts as locations of their own", r.location, maxEntities, maxSingles)
	}
	if r.looked += len(d.text); r.preview && (r.count > maxLooked || r.looked > maxLookedBytes) {
		return errEnough
	}
	f.names = f.names || d.kind.Name == locationKind
	key := keyOf(d.name)
	if r.seen[key] != 0 {
		r.fail(f, append(d.wrong, d.document.At(d.name.String()+" is there twice", "remove one of them", "metadata", "name"))...)
		return nil
	}
	r.seen[key] = met
	if len(d.wrong) > 0 {
		r.fail(f, d.wrong...)
		f.torn = true
		r.refuseAs(d.name, joined(d.wrong))
		r.partial = r.partial || d.kind.Name == locationKind
		return nil
	}
	if r.texts += len(d.text); !r.preview && int64(r.texts) > textBeside+textPerByte*r.bytes.Load() {
		return fault.Errorf(fault.TooLarge, "the documents of %s have more than %d MiB and %d times the bytes of its files; repeat less by aliases", r.location, textBeside>>20, textPerByte)
	}
	if !alone(d.kind) && !r.preview {
		r.bulk = append(r.bulk, d.change)
		r.waiting += len(d.text)
		return nil
	}
	if r.held += len(d.text); !r.preview && r.held > textBeside+textPerByte*r.walked {
		r.held -= len(d.text)
		why := d.document.At(fmt.Sprintf("the documents of kinds that others keep have more than %d MiB and %d times the bytes of their files up to here, with what placeholders bring", textBeside>>20, textPerByte),
			"bring less by placeholders, repeat less by aliases, or register some of the files as locations of their own")
		r.fail(f, why)
		r.refuseAs(d.name, why.String())
		r.partial = r.partial || d.kind.Name == locationKind
		return nil
	}
	if one := d.change; r.preview {
		r.singles = append(r.singles, change{name: one.name, text: one.text, space: one.space, source: one.source, path: one.path})
	} else {
		r.singles = append(r.singles, one)
	}
	if d.kind.Name == locationKind {
		return r.follow(ctx, f, d.document)
	}
	return nil
}

// refuseAs keeps why a document was not taken.
func (r *reading) refuseAs(e ref.Entity, why string) {
	if len(r.refused) >= maxReasons {
		why = "its file is wrong in many places; the location tells of the first"
	}
	r.refused[e] = clip(why) // as it is kept
}

// follow has the files of the same repository read that a Location names.
func (r *reading) follow(ctx context.Context, f *walkedFile, d document.Document) error {
	presence, _ := d.Spec["presence"].(string)
	if kind, _ := d.Spec["type"].(string); kind != "" && kind != "url" && kind != "file" {
		r.fail(f, d.At(fmt.Sprintf("locations of type %q are not read", clip(kind)), "those of type url and file are", "spec", "type"))
		r.partial = true
		return nil
	}
	targets, fields := targetsOf(d)
	for i, target := range targets {
		if isAddress(target) {
			_, err := r.s.targetFor(ctx, r.location.Space, target)
			if err != nil && fault.KindOf(err) != fault.Invalid {
				return err
			}
			if err != nil {
				r.fail(f, d.At(fault.Message(err), "", fields[i]...))
			}
			continue
		}
		pattern, ok := relativeTarget(f.path, target)
		if !ok {
			r.fail(f, d.At(fmt.Sprintf("%q leaves the repository", target), "name a file of this repository", fields[i]...))
			r.partial = true
			continue
		}
		files, err := r.match(ctx, pattern)
		switch {
		case err != nil && fault.KindOf(err) == fault.Invalid:
			r.fail(f, d.At(fault.Message(err), "", fields[i]...))
			r.partial = true
			continue
		case err != nil:
			return err
		case len(files) == 0 && presence != "optional":
			r.fail(f, d.At(fmt.Sprintf("there is no file %s", pattern), "", fields[i]...))
		}
		if err := r.add(files, f.depth+1); err != nil {
			return err
		}
	}
	return nil
}

// note takes down what became of changes.
func (r *reading) note(items []Item, changes []change) {
	for i, item := range items {
		if item.Action == Conflict {
			r.fail(r.files[changes[i].path], changes[i].document.At(item.Ref.String()+": "+item.Message, "", "metadata", "name"))
			continue
		}
		r.seen[keyOf(item.Ref)] = brought
	}
}

// refuse takes down a document that its kind's owner did not take.
func (r *reading) refuse(c change, err error) {
	details := fault.Details(err)
	if len(details) == 0 {
		details = []fault.Detail{c.document.At(fault.Message(err), "")}
	}
	if fault.KindOf(err) == fault.Internal {
		r.s.log.Error("a document could not be taken in", "entity", c.name.String(), "location", r.location.ID, "error", err)
	}
	r.fail(r.files[c.path], details...)
	r.refuseAs(c.name, joined(details))
}

// kept tells whether an entity of this location stays, and why it is not what its file says. A file that nobody could
// name, because of a mistake elsewhere, is not gone.
func (r *reading) kept(e ref.Entity, file string) (why string, kept bool) {
	if r.seen[keyOf(e)] == brought {
		return "", true
	}
	if why, ok := r.refused[e]; ok {
		return why, true
	}
	f := r.files[file]
	if f == nil {
		return "", r.partial
	}
	if f.torn && f.bad == "" {
		return "its file declares it no more, and has mistakes in it; it goes when they are mended", true
	}
	return f.bad, f.bad != "" || f.same
}

// elsewhere tells whether a file that was not read now, since it is as it was, has an entity.
func (r *reading) elsewhere(file string) bool {
	f := r.files[file]
	return f != nil && f.same
}

func (r *reading) failure() failure {
	if r.wrong == 0 {
		return failure{}
	}
	return failure{message: plural(r.wrong, "thing") + " in " + r.location.String() + " could not be taken; what was good before stays", details: r.details}
}
