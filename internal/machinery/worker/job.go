package worker

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// Kinds of jobs.
const (
	Command  = "command"  // a program in isolation
	Platform = "platform" // an action of the platform, done by a server's own worker
)

// Job is a step's work as data: whoever leases it can do it. It is stored as JSON.
type Job struct {
	Kind string `json:"kind"`

	// Of platform jobs.
	Action string          `json:"action,omitempty"`
	Input  json.RawMessage `json:"input,omitempty"`

	// Of command jobs.
	Argv      []string          `json:"argv,omitempty"`
	Env       map[string]string `json:"env,omitempty"`
	Dir       string            `json:"dir,omitempty"`       // in the sandbox; /work when empty
	Image     string            `json:"image,omitempty"`     // ignored where steps run as processes
	SecretEnv map[string]string `json:"secretEnv,omitempty"` // name in the environment → SPACE/NAME of a secret, or SPACE/NAME#KEY
	Files     []File            `json:"files,omitempty"`
	Sources   []Source          `json:"sources,omitempty"`
	Caches    []Cache           `json:"caches,omitempty"`
	Tools     []string          `json:"tools,omitempty"` // read-only tools of the pool, by name
	Outputs   []Output          `json:"outputs,omitempty"`
	Door      bool              `json:"door,omitempty"`   // the platform's API at $ROADBED_URL, with a token of this step in $ROADBED_TOKEN
	Scopes    []string          `json:"scopes,omitempty"` // what that token may do
	Network   bool              `json:"network,omitempty"`
	Limits    execute.Limits    `json:"limits,omitzero"`
	Masks     []string          `json:"masks,omitempty"` // further texts that logs must not show
}

// File is put into the workspace before the step starts.
type File struct {
	Path    string `json:"path"` // relative to /work
	Mode    uint32 `json:"mode,omitempty"`
	Content string `json:"content,omitempty"`
	Blob    string `json:"blob,omitempty"` // digest; instead of Content
}

// Source is a tree that is put into the workspace: a repository at a commit, or a blob that holds a tar.gz.
type Source struct {
	Path       string `json:"path"` // relative to /work
	Repository string `json:"repository,omitempty"`
	Commit     string `json:"commit,omitempty"`
	Subpath    string `json:"subpath,omitempty"`
	Blob       string `json:"blob,omitempty"`
}

// Cache is a folder of the pool that is kept between steps of the same space.
type Cache struct {
	Name string `json:"name"`
	Path string `json:"path"` // absolute, in the sandbox
}

// Output is what a step leaves for others.
type Output struct {
	Name     string `json:"name"`
	Path     string `json:"path"` // absolute below /work, or relative to it
	Kind     string `json:"kind"` // text (at most 256 KiB, kept with the result), file, or tree (tar.gz); the last two are blobs
	Optional bool   `json:"optional,omitempty"`
	MaxBytes int64  `json:"maxBytes,omitempty"`
}

// Result is what a step came to. It is stored as JSON.
type Result struct {
	ExitCode  int                 `json:"exitCode"`
	Reason    string              `json:"reason,omitempty"` // "", time, output, memory, canceled, signal, or words
	Message   string              `json:"message,omitempty"`
	Outputs   map[string]string   `json:"outputs,omitempty"`
	Artifacts map[string]Artifact `json:"artifacts,omitempty"`
	Data      json.RawMessage     `json:"data,omitempty"` // of platform steps
}

// Artifact is a blob that a step left.
type Artifact struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"` // bytes
	Kind   string `json:"kind"`
}

// Lease is a step that a worker holds until Expires, and longer with heartbeats.
type Lease struct {
	ID, Step, Run, Space string
	Attempt              int
	Job                  Job
	Expires              time.Time
	LogStream            string
	LogOffset            int64
	Token                string            // for the door; "" when the job has none
	Secrets              map[string]string // value by the reference that Job.SecretEnv gives
}

// Hub is where a worker gets its work: core/run in this process, or a server over HTTP.
type Hub interface {
	// Lease waits up to wait for a step of the pool; nil, nil when there was none.
	Lease(ctx context.Context, worker, pool string, kinds []string, wait time.Duration) (*Lease, error)
	// Heartbeat renews a lease; canceled asks to stop the step. NotFound: the lease is lost, stop at once.
	Heartbeat(ctx context.Context, leaseID string) (canceled bool, err error)
	// Log appends to the attempt's log; idempotent at an offset.
	Log(ctx context.Context, leaseID string, offset int64, p []byte) error
	// Report ends the step; idempotent. NotFound: the lease was lost, and the result is of no use.
	Report(ctx context.Context, leaseID string, r Result) error
	PutBlob(ctx context.Context, leaseID string, r io.Reader) (digest string, size int64, err error)
	GetBlob(ctx context.Context, leaseID, digest string) (io.ReadCloser, error)
	// Archive gives the files of a source that the leased job names, as a tar stream.
	Archive(ctx context.Context, leaseID, repository, commit, subpath string) (io.ReadCloser, error)
}

// Handler does a platform action. A Result with an ExitCode other than 0 fails the step with its Message; an error is
// logged in full and shown as fault.Message gives it.
type Handler func(ctx context.Context, l Lease, log io.Writer) (Result, error)
