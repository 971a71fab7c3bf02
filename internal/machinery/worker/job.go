package worker

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// Kinds of jobs.
const (
	KindCommand  = "command"  // a program, run by an Executor
	KindPlatform = "platform" // an action of the server itself, run by a Handler
)

// Job is what to do. It is stored as JSON, so its tags are its storage format.
type Job struct {
	Kind string `json:"kind"`

	// Platform actions.
	Action string          `json:"action,omitempty"`
	Input  json.RawMessage `json:"input,omitempty"`

	// Commands.
	Argv      []string          `json:"argv,omitempty"`
	Env       map[string]string `json:"env,omitempty"`
	Dir       string            `json:"dir,omitempty"`       // inside the sandbox; default /work
	Image     string            `json:"image,omitempty"`     // for executors that have images
	SecretEnv map[string]string `json:"secretEnv,omitempty"` // variable to secret ref
	Files     []File            `json:"files,omitempty"`
	Sources   []Source          `json:"sources,omitempty"`
	Caches    []Cache           `json:"caches,omitempty"`
	Tools     []string          `json:"tools,omitempty"`  // read-only tools of the pool, by name
	Extras    []string          `json:"extras,omitempty"` // and those that it does without where the pool has none
	Outputs   []Output          `json:"outputs,omitempty"`
	Then      *Then             `json:"then,omitempty"`     // a second command
	Door      bool              `json:"door,omitempty"`     // the platform's API at $ROADBED_URL with $ROADBED_TOKEN
	Scopes    []string          `json:"scopes,omitempty"`   // what that token may do
	Network   bool              `json:"network,omitempty"`  // refused where the pool does not grant it
	Limits    execute.Limits    `json:"limits,omitzero"`    // zero fields take the worker's; none passes its most
	Masks     []string          `json:"masks,omitempty"`    // further texts to hide in the log and in what it gives; with any, the job is stored sealed
	AddMasks  bool              `json:"addMasks,omitempty"` // a line ::add-mask VALUE of its output hides the value from then on
	MaskRefs  []string          `json:"maskRefs,omitempty"` // refs of further secrets that are hidden so, as far as they exist
	Sealed    bool              `json:"sealed,omitempty"`   // its artifacts are encrypted where they are stored
	IDToken   *IDToken          `json:"idToken,omitempty"`  // what a cloud is shown; see identity.go
	OwnImage  bool              `json:"ownImage,omitempty"` // refused where Image is not used
	Changes   bool              `json:"changes,omitempty"`  // it changes what is outside, and has to save what it did: at a limit it is asked to end, and not killed for what it says
}

// File is written into the workspace after the sources.
type File struct {
	Path    string `json:"path"`              // relative to /work
	Mode    uint32 `json:"mode,omitempty"`    // permissions; 0 is 0644
	Content string `json:"content,omitempty"` // or
	Blob    string `json:"blob,omitempty"`    // the digest of the content
	Sealed  bool   `json:"sealed,omitempty"`  // the blob is an artifact of a job that is Sealed
	Secret  string `json:"secret,omitempty"`  // or the ref of a secret, which is the content
}

// Source is a tree that is unpacked into the workspace.
type Source struct {
	Path       string `json:"path,omitempty"`       // folder below /work; "" is /work itself
	Repository string `json:"repository,omitempty"` // "namespace/name" at
	Commit     string `json:"commit,omitempty"`     // and of it only
	Subpath    string `json:"subpath,omitempty"`    // or
	Blob       string `json:"blob,omitempty"`       // the digest of a tar.gz
	Sealed     bool   `json:"sealed,omitempty"`     // the blob is an artifact of a job that is Sealed
}

// Cache is a folder of the worker that is kept between the steps of a space that have the same scope. Steps that run at the same time share it:
// it is for programs whose caches bear that, such as Go's, npm's or OpenTofu's. It may be empty at any time.
// A cache with the name of a tool is also made known to it, as Tool.CacheEnv says.
type Cache struct {
	Name  string `json:"name"`            // [a-z0-9._-]
	Path  string `json:"path"`            // absolute, inside the sandbox
	Scope string `json:"scope,omitempty"` // who shares it within the space, such as a branch of a repository
}

// Kinds of outputs.
const (
	OutputText = "text" // a file of at most MaxText bytes, into Result.Outputs
	OutputFile = "file" // a file, into Result.Artifacts
	OutputTree = "tree" // a folder, as tar.gz into Result.Artifacts; equal trees have equal digests
	OutputAny  = "any"  // a file or a folder, whichever it is; Artifact.Kind tells
	OutputNew  = "new"  // what a command that succeeded has made or changed below a folder, as OutputTree does; nothing for nothing
)

// MaxText bounds a text output, in bytes.
const MaxText = 256 << 10

// Output is taken from the workspace when the command has ended. What is there is taken of a failed command too.
type Output struct {
	Name     string `json:"name"`
	Path     string `json:"path"` // below /work, relative or absolute
	Kind     string `json:"kind"`
	Optional bool   `json:"optional,omitempty"` // may be missing
	MaxBytes int64  `json:"maxBytes,omitempty"` // 0 is 1 GiB; of a tree, before compression

	// Of what is new: names that are left out wherever they are, and how many entries there may be. Where there is more than
	// may be, nothing is taken, and the text output of the same name says so.
	Without    []string `json:"without,omitempty"`
	MaxEntries int      `json:"maxEntries,omitempty"`
}

// Reasons of a Result besides those of package execute.
const (
	ReasonSetup  = "setup"  // the step could not be prepared; it has not run
	ReasonOutput = "result" // the command succeeded without giving what it had to
)

// ExitSetup is the exit code of a step that could not be prepared.
const ExitSetup = 125

// Result is how a step ended; ExitCode 0 is success. It is stored as JSON and shown to people, so that a worker takes the
// step's secrets out of it.
type Result struct {
	ExitCode  int                 `json:"exitCode"`
	Reason    string              `json:"reason,omitempty"`
	Message   string              `json:"message,omitempty"`
	Outputs   map[string]string   `json:"outputs,omitempty"`
	Artifacts map[string]Artifact `json:"artifacts,omitempty"`
	Data      json.RawMessage     `json:"data,omitempty"` // of platform actions
	Clear     *Clear              `json:"-"`              // what was taken out; nil when nothing was. Whoever stores it seals it.
}

// Clear is what a step gave as it was, for the steps after it.
type Clear struct {
	Outputs map[string]string `json:"outputs,omitempty"`
	Data    json.RawMessage   `json:"data,omitempty"`
	Secrets []string          `json:"secrets"` // those that are in it, and those that the step has named by ::add-mask
}

// SecretRefs gives the refs of the secrets that a job is given, sorted.
func (j Job) SecretRefs() []string {
	refs := slices.Collect(maps.Values(j.SecretEnv))
	for _, f := range j.Files {
		if f.Secret != "" {
			refs = append(refs, f.Secret)
		}
	}
	slices.Sort(refs)
	return slices.Compact(refs)
}

// Given is a result as the step gave it. It is not for people to see.
func (r Result) Given() Result {
	if r.Clear != nil {
		r.Outputs, r.Data = r.Clear.Outputs, r.Clear.Data
	}
	return r
}

// Artifact is a stored output.
type Artifact struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	Kind   string `json:"kind"`
	Sealed bool   `json:"sealed,omitempty"` // by a job that is
}

// Lease is a step that is this worker's until Expires; each heartbeat extends it by as long again.
type Lease struct {
	ID        string
	Step, Run string
	Attempt   int
	Job       Job
	Expires   time.Time
	LogStream string
	LogOffset int64 // bytes of the log that earlier holders of the attempt have written
	Token     string
	Secrets   map[string]string // secret ref to value
	IDToken   string            // as the job asks for it
	Space     string
	Last      bool // a lost worker fails the step: nobody tries it again
}

// Hub is where steps come from: core/run in the server's process, or over HTTP. NotFound from a method that takes
// a lease means that the lease is lost: the worker stops the step at once and reports nothing.
type Hub interface {
	// Lease waits up to wait for a step whose job is of a kind; nil, nil when there was none.
	Lease(ctx context.Context, worker, pool, kind string, wait time.Duration) (*Lease, error)
	// Heartbeat extends the lease, and tells whether the step is to be canceled.
	Heartbeat(ctx context.Context, leaseID string) (canceled bool, err error)
	// AwaitCancel returns nil as soon as the step is to be canceled. Any error leaves it to the heartbeats.
	AwaitCancel(ctx context.Context, leaseID string) error
	// Log appends to the step's log. Idempotent: bytes before the end of the log are skipped.
	Log(ctx context.Context, leaseID string, offset int64, p []byte) error
	// Report ends the lease. Idempotent.
	Report(ctx context.Context, leaseID string, r Result) error
	PutBlob(ctx context.Context, leaseID string, r io.Reader) (digest string, size int64, err error)
	GetBlob(ctx context.Context, leaseID, digest string) (io.ReadCloser, error)
	// Archive gives a tar of a repository's tree at a commit.
	Archive(ctx context.Context, leaseID, repository, commit, subpath string) (io.ReadCloser, error)
}

// Several is a Hub that hands out more than one step at a time, so that many steps that become ready together don't wait
// for each other.
type Several interface {
	// Leases is Lease for at most so many steps.
	Leases(ctx context.Context, worker, pool, kind string, most int, wait time.Duration) ([]Lease, error)
}

// Handler does a platform action. It may run again for the same step, after any of its lines. An error fails the
// step; its message, as package fault shows it, becomes the result's. The context ends when the step is
// canceled, its lease is lost, or the worker must end.
type Handler func(ctx context.Context, l Lease, log io.Writer) (Result, error)

// Tool is a program of the pool that steps can ask for.
type Tool struct {
	Mounts   []execute.Mount
	Env      map[string]string
	Path     []string          // folders put before PATH
	CacheEnv map[string]string // set when the job has a cache with the tool's name; "{cache}" is its path
	Seeds    []Seed            // what new caches begin with, in jobs that ask for the tool
}

// Lender brings a tool that a job asks for by a name that the pool does not keep ready, such as one version of a program,
// and tells log what takes long. The lease is of the step that asks. NotFound when it knows no such tool.
type Lender func(ctx context.Context, l Lease, name string, log io.Writer) (Tool, error)

// Seed is content that a new cache of a space begins with, as a copy.
type Seed struct {
	Cache string // name of the cache
	At    string // folder in the cache; "" for the cache itself
	Dir   string // of the host
}
