package remote

import (
	"encoding/json"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Prefix is where a server speaks with agents; its last part is the version of the protocol.
const Prefix = "/api/agent/v1/"

// Headers of requests and answers.
const (
	HeaderName  = "Roadbed-Agent"       // the agent's name
	HeaderLife  = "Roadbed-Agent-Life"  // of its process
	HeaderToken = "Roadbed-Agent-Token" // at the door, where Authorization is the step's
	HeaderFault = "Roadbed-Fault"       // the kind of an error that is the server's own
)

// Bounds, in bytes and for how long.
const (
	MaxLease  = 64 << 20
	MaxResult = 64 << 20
	MaxChunk  = 1 << 20 // of a log
	MaxHello  = 64 << 10
	MaxWait   = 20 * time.Second // for a step, or for a cancel
	maxAnswer = 64 << 10
)

// Hello is how an agent says that it is there.
type Hello struct {
	Name     string   `json:"name"`
	Home     string   `json:"home"` // names its folder
	Life     string   `json:"life"` // names its process
	Version  string   `json:"version"`
	System   string   `json:"system"`
	Executor string   `json:"executor"`
	Host     string   `json:"host"`
	Parallel int      `json:"parallel"`
	Tools    []string `json:"tools,omitempty"`
	Leaving  bool     `json:"leaving,omitempty"` // takes nothing more
}

// Welcome is the answer.
type Welcome struct {
	Pool    string `json:"pool"`
	Drained bool   `json:"drained,omitempty"` // nothing is given until it is resumed
	Ends    bool   `json:"ends,omitempty"`    // the agent has nothing to do, and is to end
	Hello   int    `json:"hello"`             // seconds until the next
	System  string `json:"system,omitempty"`  // of the server, as Hello has it
}

// Lease is a worker.Lease.
type Lease struct {
	ID        string            `json:"id"`
	Step      string            `json:"step"`
	Run       string            `json:"run"`
	Space     string            `json:"space"`
	Attempt   int               `json:"attempt"`
	Job       worker.Job        `json:"job"`
	Left      int64             `json:"left"` // milliseconds
	LogStream string            `json:"logStream"`
	LogOffset int64             `json:"logOffset,omitempty"`
	Token     string            `json:"token,omitempty"`
	IDToken   string            `json:"idToken,omitempty"`
	Secrets   map[string]string `json:"secrets,omitempty"`
	Last      bool              `json:"last,omitempty"`
}

// FromLease gives a lease for the wire.
func FromLease(l worker.Lease, now time.Time) Lease {
	return Lease{
		ID: l.ID, Step: l.Step, Run: l.Run, Space: l.Space, Attempt: l.Attempt, Job: l.Job, Left: l.Expires.Sub(now).Milliseconds(),
		LogStream: l.LogStream, LogOffset: l.LogOffset, Token: l.Token, IDToken: l.IDToken, Secrets: l.Secrets, Last: l.Last,
	}
}

func (l Lease) lease(now time.Time) *worker.Lease {
	return &worker.Lease{
		ID: l.ID, Step: l.Step, Run: l.Run, Space: l.Space, Attempt: l.Attempt, Job: l.Job, Expires: now.Add(time.Duration(l.Left) * time.Millisecond),
		LogStream: l.LogStream, LogOffset: l.LogOffset, Token: l.Token, IDToken: l.IDToken, Secrets: l.Secrets, Last: l.Last,
	}
}

// Result is a worker.Result with what was taken out of it.
type Result struct {
	worker.Result
	Clear *worker.Clear `json:"clear,omitempty"`
}

// FromResult gives a result for the wire.
func FromResult(r worker.Result) Result { return Result{r, r.Clear} }

// Whole gives the result as its worker had it.
func (r Result) Whole() worker.Result {
	r.Result.Clear = r.Clear
	return r.Result
}

// Canceled tells whether a step is to be canceled.
type Canceled struct {
	Canceled bool `json:"canceled"`
}

// LogSize is how much of a step's log the server has, in bytes.
type LogSize struct {
	Size int64 `json:"size"`
}

// Stored is a blob that was taken.
type Stored struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// Fault is an error as the server tells it.
type Fault struct {
	Message string `json:"message"`
}

// faultOf reads the error of an answer.
func faultOf(kind string, status string, body []byte) error {
	for k := fault.Internal; k <= fault.Canceled; k++ {
		if kind != k.String() {
			continue
		}
		var f Fault
		if json.Unmarshal(body, &f) != nil || f.Message == "" {
			f.Message = "the server says: " + status
		}
		return &fault.Error{Kind: k, Message: f.Message}
	}
	return fault.Errorf(fault.Unavailable, "the address of the server answers %s, which the server itself does not say", status)
}
