package execute

import (
	"context"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Reasons for which a command ended other than by its own exit.
const (
	ReasonTime     = "time"     // over Limits.Time
	ReasonOutput   = "output"   // over Limits.Output
	ReasonMemory   = "memory"   // the kernel ended a process of the group for being over Limits.Memory
	ReasonDisk     = "disk"     // over Limits.Disk, or the Limit of a folder
	ReasonCanceled = "canceled" // by Stop, by the context, or by a later Start with the same ID
	ReasonSignal   = "signal"   // the command died by a signal that the executor did not send
)

// WorkDir is where the workspace is inside the sandbox.
const WorkDir = "/work"

// Spec says what to run, and what it may see and use.
type Spec struct {
	ID        string            // unique, [a-z0-9_-], at most 64; a second Start with it kills what is left of the first
	Argv      []string          // Argv[0] without a slash is looked up in the PATH of Env, inside the sandbox
	Env       map[string]string // all that the command inherits, besides defaults for PATH, HOME, LANG and TMPDIR
	Dir       string            // inside the sandbox; default WorkDir
	Image     string            // a container image, for executors that have images
	Workspace string            // host folder, mounted read-write at WorkDir; empty gives an empty one that is thrown away
	Mounts    []Mount           // shown besides the workspace
	Owns      []Folder          // that hold what mounts show and others have no part in
	Listen    []Forward         // connections to the host's unix socket Socket reach 127.0.0.1:Port inside
	Dial      []Forward         // connections inside to 127.0.0.1:Port reach the host's unix socket Socket
	Network   bool              // the host's network instead of loopback alone; Dial ports are then taken on the host's loopback
	Limits    Limits
	Saving    time.Duration // of what it has to save when it ends early; 0 for a command that saves nothing. See Limits
	Stdin     io.Reader     // nil is /dev/null
}

// Mount shows a host folder or file at Target, an absolute path inside the sandbox. A target may lie below
// WorkDir; no part of it may be a symbolic link.
type Mount struct {
	Source   string
	Target   string
	ReadOnly bool
}

// Folder is one of the host that is the command's alone: all that it holds counts in Limits.Disk, not only what it
// grows by, and Limit (0 is none) is the most that it may hold.
type Folder struct {
	Path  string
	Limit int64 // bytes
}

// Forward joins a unix socket of the host and a TCP port of the sandbox's loopback.
type Forward struct {
	Socket string
	Port   int
}

// Limits bound a command and all that it starts. Zero means no limit of its own, save Processes.
//
// A command with Spec.Saving is not killed at once. Past Output its output is cut, with a line that says so, and it goes on.
// Past Time or Disk it is asked to end, and killed that long after, or when it holds twice its Disk.
type Limits struct {
	Memory    int64         // bytes, of the whole group where Capabilities.Cgroup is set, else of each process
	Processes int           // processes and threads at a time; 0 is DefaultProcesses
	CPU       int           // thousandths of a core
	Output    int64         // bytes of standard output and error together
	Time      time.Duration // asked to end at that time, killed StopGrace later
	Disk      int64         // bytes in the workspace, /tmp and Spec.Owns, looked at every few seconds; one file is never larger
}

// DefaultProcesses bounds a group that names no limit, so that a fork bomb hurts nobody else.
const DefaultProcesses = 4096

// StopGrace is the time between asking a command that is out of time to end, and killing it.
const StopGrace = 3 * time.Second

// Result tells how a command ended. A program that can't be found or started ends with 127 or 126, as in a
// shell, with the reason in its output.
type Result struct {
	ExitCode       int    // 128 + number when a signal ended it
	Reason         string // "" when it ended by itself
	Signal         string // such as SIGKILL, when a signal ended it
	Full           string // of ReasonDisk: the folder of Spec.Owns that held more than its Limit
	Started, Ended time.Time
	MaxMemory      int64 // bytes; of the group, or of its largest process where there is no cgroup
	CPUTime        time.Duration
}

// Process is a started command.
type Process interface {
	// Wait returns when the command and all that it started have ended and all output is written. An error
	// means that ctx ended first (the command goes on), or that the output could not be written (it was killed).
	Wait(ctx context.Context) (Result, error)
	// Stop sends SIGTERM to the command's process group and kills the whole group after grace; 0 kills at
	// once. It does not wait. The result's reason is "canceled".
	Stop(grace time.Duration)
	// PID is the host's id of the group's first process.
	PID() int
}

// Capabilities say what an executor can do on this machine.
type Capabilities struct {
	Name     string
	Isolated bool     // a command sees nothing of the host but what its Spec shows
	Images   bool     // Spec.Image is used
	Missing  []string // what is not enforced here, in words for doctor
	Cgroup   string   // "v1", "v2" or "" when limits are rlimits of each process
}

// Executor runs commands. All methods may be called concurrently.
type Executor interface {
	// Start returns when the command is running or can't be. Errors: Invalid for a wrong Spec, Unavailable
	// when the machine refuses. When ctx ends, the whole group is killed.
	Start(ctx context.Context, spec Spec, out io.Writer) (Process, error)
	Capabilities() Capabilities
	// Reap kills what earlier lives of this server left behind, save ids that keep says yes to (nil keeps none).
	// It never touches what this life started.
	Reap(ctx context.Context, keep func(id string) bool) error
}

// Run starts a command and waits for its end. When ctx ends, the command is killed and the result is "canceled".
func Run(ctx context.Context, e Executor, spec Spec, out io.Writer) (Result, error) {
	p, err := e.Start(ctx, spec, out)
	if err != nil {
		return Result{}, err
	}
	return p.Wait(context.WithoutCancel(ctx))
}

var idPattern = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// reserved are the parts of the sandbox's root that mounts may not replace.
var reserved = []string{"/proc", "/dev", "/sys", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// Check refuses a Spec that no executor can run.
func (s Spec) Check() error {
	var details []fault.Detail
	add := func(field, message, hint string) {
		details = append(details, fault.Detail{Field: field, Message: message, Hint: hint})
	}
	if !idPattern.MatchString(s.ID) {
		add("ID", "must be 1 to 64 of a-z, 0-9, _ and -", "")
	}
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		add("Argv", "is empty", "name a program")
	}
	if slices.ContainsFunc(s.Argv, hasNUL) {
		add("Argv", "holds a zero byte", "")
	}
	for name, value := range s.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || hasNUL(value) {
			add("Env", "has the name or value of a variable that can't be passed on: "+name, "remove '=' and zero bytes")
		}
	}
	if s.Dir != "" && !clean(s.Dir) {
		add("Dir", "is not a clean absolute path", "")
	}
	for _, m := range s.Mounts {
		if m.Source == "" || !clean(m.Target) || m.Target == "/" || m.Target == WorkDir || m.Target == "/tmp" {
			add("Mounts", "can't show "+m.Source+" at "+m.Target, "give a source, and a clean absolute target below a folder of its own")
			continue
		}
		for _, r := range reserved {
			if m.Target == r || strings.HasPrefix(m.Target, r+"/") {
				add("Mounts", "target "+m.Target+" is part of the system", "choose another, such as /tools/NAME")
			}
		}
	}
	for _, f := range slices.Concat(s.Listen, s.Dial) {
		if f.Socket == "" || f.Port < 1 || f.Port > 65535 {
			add("Listen, Dial", "needs a socket and a port from 1 to 65535", "")
		}
	}
	for _, f := range s.Owns {
		if f.Path == "" || f.Limit < 0 {
			add("Owns", "needs a path, and no negative limit", "use 0 for no limit")
		}
	}
	if l := s.Limits; l.Memory < 0 || l.Processes < 0 || l.CPU < 0 || l.Output < 0 || l.Time < 0 || l.Disk < 0 {
		add("Limits", "holds a negative number", "use 0 for no limit")
	}
	if s.Saving < 0 {
		add("Saving", "is negative", "use 0 for none")
	}
	if len(details) > 0 {
		return fault.At("the command can't be run", details...)
	}
	return nil
}

func clean(p string) bool  { return path.IsAbs(p) && path.Clean(p) == p && !hasNUL(p) }
func hasNUL(s string) bool { return strings.IndexByte(s, 0) >= 0 }
