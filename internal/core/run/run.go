package run

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// Run is one action of the platform, from its cause to its end.
type Run struct {
	ID      string
	Kind    string
	Space   string
	Subject string   // reference of the entity it acts on; "" for none
	Refs    []string // other entities it touches; it shows in their history too
	Title   string
	State   string
	Reason  string // why it is in that state, for people
	Actor   string // principal that started it; "system" for the platform
	Cause   string // ledger entry that started it
	Source  Source
	Input   json.RawMessage // the product's own
	Output  json.RawMessage // the product's own, set by Advance
	Lock    string          // name held by one run at a time; "" for none
	Key     string          // creating a second run with the same key gives the first; "" for none

	Priority        int // greater goes first
	Version         int64
	Terminal        bool
	Waiting         bool // for a person
	CancelRequested bool
	Warnings        []string

	Created, Started, Ended, Updated time.Time
	Wake                             time.Time // when Advance is called even if nothing happens; zero for never
}

// Source is the commit a run works on.
type Source struct {
	Repository string `json:"repository,omitempty"` // NAMESPACE/NAME
	Commit     string `json:"commit,omitempty"`
	Ref        string `json:"ref,omitempty"` // refs/heads/main
}

// StepState is where a step stands.
type StepState string

const (
	StepWaiting   StepState = "waiting" // for the product to make it ready
	StepReady     StepState = "ready"   // for a worker
	StepLeased    StepState = "leased"  // with a worker
	StepSucceeded StepState = "succeeded"
	StepFailed    StepState = "failed"
	StepSkipped   StepState = "skipped"
	StepCanceled  StepState = "canceled"
)

// Done tells whether a step has ended.
func (s StepState) Done() bool {
	switch s {
	case StepSucceeded, StepFailed, StepSkipped, StepCanceled:
		return true
	}
	return false
}

// ServerPool is the pool of platform steps, which the servers do themselves.
const ServerPool = "server"

// DefaultPool is the pool of steps that name none.
const DefaultPool = "default"

// Step is one piece of a run's work.
type Step struct {
	ID          string
	Run         string
	Key         string // unique within the run
	Title       string
	State       StepState
	Reason      string
	Attempt     int // from 1
	MaxAttempts int // how often a lost step is tried; 0 means 3. A step that must not run twice has 1.
	Pool        string
	Job         worker.Job // of one that is sealed, what can be seen of it
	Result      worker.Result
	Position    int             // order of display
	Group       string          // phase or parent, for display
	Data        json.RawMessage // the product's own

	Ready, Started, Ended, LeaseExpires time.Time
	Worker                              string

	lease          string
	sealedJob      []byte
	sealedResult   []byte // what Result.Clear is of; also where that was not opened
	cancelRequest  bool
	changed, fresh bool
}

// LogStream names the blob stream of an attempt's log.
func (s Step) LogStream() string { return logStream(s.Run, s.ID, s.Attempt) }

func logStream(run, step string, attempt int) string {
	return fmt.Sprintf("runs/%s/%s/%d", run, step, attempt)
}

// Review is what a person said of a run that waited for one.
type Review struct {
	ID      string
	Run     string
	Actor   string // principal
	Verdict string // approve, reject, confirm, discard, …: the product's words
	Note    string
	State   string // in which state of the run it was given
	Time    time.Time
}

// New is what a product says to start a run.
type New struct {
	Kind, Space, Subject, Title string
	Refs                        []string
	Source                      Source
	Input                       any
	Lock                        string
	Priority                    int
	Key                         string
	Cause                       string
	Actor                       string // taken from the context when empty
}
