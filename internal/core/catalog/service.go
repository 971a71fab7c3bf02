package catalog

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations gives the tables of this room.
func Migrations() store.Migrations {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return store.Migrations{Room: "catalog", FS: files}
}

// Service is the catalog. It is safe for concurrent use.
type Service struct {
	db           *store.DB
	registry     *document.Registry
	access       *access.Service
	ledger       *ledger.Ledger
	queue        *queue.Queue
	repositories Repositories
	connect      Connector // nil: nothing is connected by itself
	people       People
	distrusted   func(ctx context.Context, tx *store.Tx) error // nil: nobody is told
	addresses    []string
	follower     follower
	bringing     atomic.Int64 // locations from which many entities are being taken in
	kept         kept
	shelf        shelf
	gathered     store.Gathered[string, row]
	located      store.Held[string, Location]   // by id
	marks        store.Held[string, index.Refs] // by the condition
	pastMost     int                            // see the constants
	scanMost     int
	scans        *semaphore.Weighted // of the past, that are under way
	looks        *semaphore.Weighted // at files that nobody has registered
	wrong        pace
	now          func() time.Time
	log          *slog.Logger
}

// New gives the service, registers Backstage's kinds, and subscribes to pushes. Read comes before the first location.
func New(db *store.DB, registry *document.Registry, access *access.Service, ledger *ledger.Ledger, queue *queue.Queue, now func() time.Time, log *slog.Logger) *Service {
	s := &Service{db: db, registry: registry, access: access, ledger: ledger, queue: queue, pastMost: pastMost, scanMost: scanMost, scans: semaphore.NewWeighted(scanAtOnce), looks: semaphore.NewWeighted(looksAtOnce), wrong: pace{pause: wrongPause}, now: now, log: log}
	s.kept.all = map[string]keptEntity{}
	s.gatherRows()
	s.follower.index, s.follower.own = index.New(registry), map[string]bool{}
	for _, k := range Kinds() {
		registry.Register(k)
	}
	registry.Register(s.declaration())
	registry.Declared(s.latestKinds)
	s.subscribe()
	return s
}

var sourcePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,99}$`)

// Apply makes the documents so, all or none. It needs entity:write in the space, space:admin for restricted kinds,
// and entity:delete to prune. What is wrong gives fault.Invalid with the place of each; a document that belongs to
// another source gives fault.Conflict, in a dry run as an item of the outcome.
func (s *Service) Apply(ctx context.Context, in Apply) (Outcome, error) {
	if err := s.mayApply(ctx, &in); err != nil {
		return Outcome{}, err
	}
	for range 3 {
		if out, err := s.applyOnce(ctx, in); !errors.Is(err, errKindMoved) {
			return out, err
		}
	}
	return Outcome{}, errKindMoved
}

func (s *Service) applyOnce(ctx context.Context, in Apply) (Outcome, error) {
	changes, err := s.check(ctx, in)
	if err != nil {
		return Outcome{}, err
	}
	order := applyOrder(changes)
	undone := fault.Errorf(fault.Internal, "a dry run is undone")
	var out Outcome
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		out = Outcome{Items: make([]Item, len(changes))}
		for _, i := range order {
			item, err := s.put(ctx, tx, changes[i])
			if err != nil {
				return err
			}
			out.Items[i] = item
		}
		if in.Prune {
			if err := s.prune(ctx, tx, in, &out); err != nil {
				return err
			}
		}
		if in.DryRun {
			return undone
		}
		return conflicts(in.Documents, out.Items)
	})
	if errors.Is(err, undone) {
		err = nil
	}
	return out, err
}

// conflicts refuses an apply of which something belongs to somebody else.
func conflicts(documents []document.Document, items []Item) error {
	var wrong []fault.Detail
	for i, item := range items {
		if item.Action == Conflict && i < len(documents) {
			wrong = append(wrong, documents[i].At(item.Ref.String()+": "+item.Message, "", "metadata", "name"))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Conflict, Message: "nothing was applied, since another source owns a part of it", Details: wrong}
}

func (s *Service) mayApply(ctx context.Context, in *Apply) error {
	if in.Space == "" {
		in.Space = access.Root
	}
	if in.Source == "" {
		in.Source = "apply"
	}
	if err := s.access.Authorize(ctx, "entity:write", in.Space); err != nil {
		return err
	}
	if in.Prune {
		if err := s.access.Authorize(ctx, "entity:delete", in.Space); err != nil {
			return err
		}
	}
	// The platform's own sources have a colon, so nobody else can take their place.
	if actor.From(ctx).Kind != actor.System && !sourcePattern.MatchString(in.Source) {
		return fault.Errorf(fault.Invalid, "%q is not the name of a source; use letters, digits, '.', '_', '/' and '-', at most 100", in.Source)
	}
	if strings.HasPrefix(in.Source, locationPrefix) {
		return fault.Errorf(fault.Invalid, "%q is a location; refresh it instead", in.Source)
	}
	if exists, err := s.access.Exists(ctx, in.Space); err != nil || !exists {
		return orNotFound(err, "there is no space %s", in.Space)
	}
	switch {
	case len(in.Documents) > maxDocuments:
		return fault.Errorf(fault.TooLarge, "%d documents are too many for one apply; at most %d are taken", len(in.Documents), maxDocuments)
	case in.IfMatch != "" && len(in.Documents) != 1:
		return fault.Errorf(fault.Invalid, "If-Match is for one document, not for %d", len(in.Documents))
	}
	return nil
}

func orNotFound(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return fault.Errorf(fault.NotFound, format, args...)
}

// check holds all documents to their kinds and says everything that is wrong at once.
func (s *Service) check(ctx context.Context, in Apply) ([]change, error) {
	if err := s.mayRestricted(ctx, in); err != nil { // before anything is checked, which may be costly
		return nil, err
	}
	var wrong []fault.Detail
	changes := make([]change, 0, len(in.Documents))
	seen := map[ref.Entity]bool{}
	registry := s.knowing(in.Documents)
	for _, d := range in.Documents {
		c, details := s.checkBy(registry, d)
		if seen[c.name] && len(details) == 0 {
			details = []fault.Detail{d.At(c.name.String()+" is there twice", "remove one of them", "metadata", "name")}
		}
		seen[c.name] = true
		wrong = append(wrong, details...)
		c.space, c.source, c.commit, c.ifMatch, c.anew = in.Space, in.Source, in.Commit, in.IfMatch, in.New
		changes = append(changes, c)
	}
	const most = 50
	if len(wrong) > 0 {
		return nil, fault.At("nothing was applied, since a part of it is wrong", wrong[:min(len(wrong), most)]...)
	}
	return changes, nil
}

// mayRestricted asks for the right to the restricted kinds among the documents.
func (s *Service) mayRestricted(ctx context.Context, in Apply) error {
	restricted := map[string]map[string]bool{} // by the right that they take
	for _, d := range in.Documents {
		if kind, known := s.registry.ByName(d.Kind); known && kind.Restricted {
			if restricted[kind.Takes()] == nil {
				restricted[kind.Takes()] = map[string]bool{}
			}
			restricted[kind.Takes()][kind.Name] = true
		}
	}
	for _, right := range slices.Sorted(maps.Keys(restricted)) {
		names := strings.Join(slices.Sorted(maps.Keys(restricted[right])), ", ")
		if err := s.access.Authorize(ctx, right, in.Space); err != nil {
			return fault.Wrap(err, "%s may only be changed by an administrator of the space", names)
		}
	}
	return nil
}

// checkOne holds a document to its kind and to this room's bounds, and completes it. Where nothing is wrong, all of the
// change is there that comes from the document.
func (s *Service) checkOne(d document.Document) (change, []fault.Detail) {
	return s.checkBy(s.registry, d)
}

func (s *Service) checkBy(registry *document.Registry, d document.Document) (change, []fault.Detail) {
	kind, wrong := registry.Check(d)
	c := change{name: d.Ref(), document: d, kind: kind}
	if len(wrong) > 0 {
		return c, wrong
	}
	if kind.Complete != nil {
		d = kind.Complete(d)
		c.document = d
	}
	c.text = d.JSON()
	if wrong := d.CheckText(c.text); len(wrong) > 0 {
		return c, wrong
	}
	if len(c.text) > maxDocument {
		return c, []fault.Detail{d.At(fmt.Sprintf("it has %d bytes; at most %d are kept", len(c.text), maxDocument), "keep large texts in files, and name them")}
	}
	if kind.Relations != nil {
		declared := kind.Relations(d)
		if n := len(declared); n > maxRelations {
			return c, []fault.Detail{d.At(fmt.Sprintf("it has %d relations; at most %d are kept", n, maxRelations), "")}
		}
		c.declared = unique(declared)
	}
	c.etag = etag(c.text)
	if text, ok := d.Spec["type"].(string); ok {
		c.kindOf = clip(strings.ToLower(text))
	}
	return c, nil
}

// applyOrder gives the positions of changes in the order in which they can be written.
func applyOrder(changes []change) []int {
	documents := make([]document.Document, len(changes))
	at := make(map[ref.Entity]int, len(changes))
	for i, c := range changes {
		documents[i] = c.document
		at[c.name] = i
	}
	inOrder(documents)
	order := make([]int, len(documents))
	for i, d := range documents {
		order[i] = at[d.Ref()]
	}
	return order
}

// inOrder sorts documents so that each comes after those that it needs: kinds before what is of them.
func inOrder(documents []document.Document) {
	access.Sort(documents)
	slices.SortStableFunc(documents, func(a, b document.Document) int { return first(a) - first(b) })
}

func first(d document.Document) int {
	if d.Kind == kindKind {
		return 0
	}
	return 1
}

// prune deletes what the source brought before and does not bring now.
func (s *Service) prune(ctx context.Context, tx *store.Tx, in Apply, out *Outcome) error {
	had, err := bySource(ctx, tx, in.Space, in.Source)
	if err != nil {
		return err
	}
	for _, item := range out.Items {
		delete(had, item.Ref)
	}
	items, err := s.removeAll(ctx, tx, had, func(kind document.Kind) error {
		if kind.Restricted {
			return fault.Wrap(s.access.Authorize(ctx, kind.Takes(), in.Space), "prune a %s", kind.Name)
		}
		return nil
	})
	out.Items = append(out.Items, items...)
	return err
}

// removeAll deletes entities in the order in which they can go.
func (s *Service) removeAll(ctx context.Context, tx *store.Tx, had map[ref.Entity]string, may func(document.Kind) error) ([]Item, error) {
	rows := map[ref.Entity]*row{}
	var documents []document.Document
	for r := range had {
		old, err := fetch(ctx, tx, r)
		if err != nil {
			return nil, err
		}
		if old == nil {
			continue
		}
		kind, _ := s.registry.ByName(r.Kind)
		if err := may(kind); err != nil {
			return nil, err
		}
		rows[r] = old
		documents = append(documents, old.Document)
	}
	slices.SortFunc(documents, func(a, b document.Document) int { return strings.Compare(a.Ref().String(), b.Ref().String()) })
	inOrder(documents)
	var items []Item
	for _, d := range slices.Backward(documents) {
		item, err := s.remove(ctx, tx, rows[d.Ref()])
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// Delete removes an entity that was applied. It needs entity:delete in its space, and for a restricted kind the right
// that it takes. ifMatch is for fault.IfMatch. One that comes from a location gives fault.Conflict: it would come back.
func (s *Service) Delete(ctx context.Context, r ref.Entity, ifMatch string) error {
	e, err := s.Get(ctx, r)
	if err != nil {
		return err
	}
	if err := s.access.Authorize(ctx, "entity:delete", e.Space); err != nil {
		return err
	}
	if kind, _ := s.registry.ByName(r.Kind); kind.Restricted {
		if err := s.access.Authorize(ctx, kind.Takes(), e.Space); err != nil {
			return fault.Wrap(err, "a %s may only be deleted by an administrator of its space", kind.Name)
		}
	}
	if e.File.Location != "" && !e.Orphan {
		return fault.Errorf(fault.Conflict, "%s is declared in %s of %s; remove it there, or remove the location %s", r, e.File.Path, e.File.Repository, e.File.Location)
	}
	if name, pushed := strings.CutPrefix(e.Source, sourcePrefix); pushed { // which would not push it again while nothing changes there
		return fault.Errorf(fault.Conflict, "%s is pushed by the source %s; delete it there, or delete the source", r, name)
	}
	if name, brought := strings.CutPrefix(e.Source, DirectorySource); brought {
		return fault.Errorf(fault.Conflict, "%s comes from the directory %s; delete it there", r, name)
	}
	return s.db.Write(ctx, func(tx *store.Tx) error {
		old, err := fetch(ctx, tx, r)
		switch {
		case err != nil:
			return err
		case old == nil || old.UID != e.UID || old.Space != e.Space:
			return fault.Errorf(fault.NotFound, "%s is gone already", r)
		}
		if err := fault.IfMatch(ifMatch, old.Etag, r.String()); err != nil {
			return err
		}
		_, err = s.remove(ctx, tx, old)
		return err
	})
}
