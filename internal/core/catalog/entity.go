package catalog

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Entity is one document of the catalog as it is now.
type Entity struct {
	Ref       ref.Entity
	UID       string // another one when it was deleted and made again
	Etag      string // of the document
	Space     string
	Source    string // who brought it: the name of an apply, or "location:" and an id
	Document  document.Document
	Relations []document.Relation // both directions; those of others that the reader may see
	Cut       bool                // there are more relations of others than are shown, or of the past than were found
	Owner     ref.Entity          // zero when there is none
	Type      string              // spec.type
	Status    json.RawMessage     // nil while its product has written none
	Condition string              // of the status
	Error     string              // why the latest text of its source was not taken; the last good one stays
	Orphan    bool                // no file declares it any more, and its location keeps such
	Created   time.Time
	Updated   time.Time
	CreatedBy string // id of a principal
	UpdatedBy string
	Version   int    // from 1; counts on when it is made again
	Commit    string // at which this version was brought; "" when it was applied
	File      File   // where it was read; zero when it was applied
	Origin    File   // what somebody registered and led there: Path may be a pattern; zero when it was applied

	text []byte // of the document, where it is as it was stored
}

// Text gives the document as canonical JSON. It is not to be changed.
func (e Entity) Text() []byte {
	if e.text != nil {
		return e.text
	}
	return e.Document.JSON()
}

// File is where a location's entity was read.
type File struct {
	Location   string // id
	Repository string // NAMESPACE/NAME
	Branch     string // "" for the default one
	Path       string
	Commit     string // the last one that was read, which may be later than that of the version
	Home       Home
}

// Action is what an apply does with a document.
type Action string

const (
	Created   Action = "created"
	Updated   Action = "updated"
	Unchanged Action = "unchanged"
	Deleted   Action = "deleted"
	Conflict  Action = "conflict" // it belongs to another source
)

// Apply is a set of documents from one source.
type Apply struct {
	Space     string
	Source    string // a name within the space; "apply" when empty
	Documents []document.Document
	DryRun    bool   // tells what would happen, by doing it and undoing it
	Prune     bool   // deletes what this source brought before and does not bring now
	Commit    string // of the source, for the history; may be empty
	IfMatch   string // etag that the one document must have now; "" for any
	New       bool   // none of the documents may be there; otherwise it fails with ErrThere
}

// ErrThere is in what an Apply fails with that makes what is new, where something of it is there already.
var ErrThere = errors.New("it is there already")

// Outcome tells what became of each document, in the order of the apply; what was pruned comes last.
type Outcome struct{ Items []Item }

// Item is what became of one document.
type Item struct {
	Ref     ref.Entity
	Action  Action
	Diff    []document.Difference // of updated and deleted ones
	Message string                // of a conflict
}

// Version is one entry of an entity's history.
type Version struct {
	Number int
	Action Action
	Time   time.Time
	Actor  string // id of a principal
	Commit string
	Source string
	Entry  string                // id in the ledger
	Diff   []document.Difference // from the version before

	Repository string // that the commit is in; "" when it was applied, or the location is gone
}

// Bounds of what is taken in.
const (
	maxDocuments = 5000 // in one apply
	maxDocument  = 512 << 10
	maxTexts     = 2 * maxDocument // of a document as it is read: what `<<` brings in and the document has itself is counted too
	maxRelations = 2000            // of one document
)

// Wrong tells what is wrong with documents, by their kinds. It asks for no right, since it reads nothing but what it is given.
func (s *Service) Wrong(documents []document.Document) (wrong []fault.Detail) {
	registry := s.knowing(documents)
	for _, d := range documents {
		_, details := s.checkBy(registry, d)
		wrong = append(wrong, details...)
	}
	return wrong
}
