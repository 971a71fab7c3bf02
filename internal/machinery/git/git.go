package git

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of one command.
const (
	commandTime    = time.Minute      // of a command whose context has no sooner end
	packTime       = 10 * time.Minute // of a packing
	commandsAtOnce = 64
	lookTime       = 15 * time.Second // of a search
	blameTime      = 30 * time.Second
	blameBytes     = 4 << 20           // of a file whose lines are looked up
	lastTime       = 4 * time.Second   // of looking for the last commits of a folder's entries
	lastCommits    = 50_000            // that are looked at for them
	remotesAtOnce  = 16                // fetches from and pushes to remotes
	serveTime      = time.Hour         // of one clone, fetch or push, until the client has the end of its answer
	treeBytes      = 64 << 20          // of a listing of a tree
	treeEntries    = 50_000            // of a folder that is kept in memory
	recordBytes    = 64 << 10          // of one name in a listing
	processMemory  = 2 << 30           // of each process, beside what it maps
	errorBytes     = 16 << 10          // of what a command says on its standard error
	oldestMinor    = 38                // git 2.38: merge-tree --write-tree, core.fsync, cat-file -z
	hiddenPrefix   = "refs/roadbed/"   // the platform's own references
	ProposalPrefix = "refs/proposals/" // the platform's own, too, that are fetched by name
	zeroHash       = "0000000000000000000000000000000000000000"
	emptyTree      = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
)

// Git runs the git program. It is safe for concurrent use and holds no process between calls.
type Git struct {
	binary  string
	version string
	env     []string
	log     *slog.Logger
	serving *slots
	running chan struct{} // the short commands
	remotes chan struct{} // exchanges with remotes
	looking *slots
	client  string        // who asks
	idle    time.Duration // that a client is waited for
	memory  uint64        // of each process
	hold    []*os.File
	first   func(ctx context.Context, u Update) error // nil for nobody
}

// New finds the git program; an empty binary means git on PATH. It fails with fault.Unavailable when there is none
// or when it is older than 2.38.
func New(binary string, log *slog.Logger) (*Git, error) {
	if binary == "" {
		binary = "git"
	}
	path, err := exec.LookPath(binary)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "find the git program: %w; install git 2.%d or newer", err, oldestMinor)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("find the git program: %w", err)
	}
	g := &Git{binary: path, log: log, serving: serveSlots(), running: make(chan struct{}, commandsAtOnce), remotes: make(chan struct{}, remotesAtOnce), looking: newSlots("searches", lookAtOnce, lookShare), idle: idleTime, memory: processMemory}
	g.env = environment(path)
	out, err := g.output(context.Background(), call{dir: "/", args: []string{"version"}, limit: 1 << 10})
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "ask %s for its version: %w", path, err)
	}
	g.version = string(bytes.TrimSpace(bytes.TrimPrefix(out, []byte("git version "))))
	var major, minor int
	if _, err := fmt.Sscanf(g.version, "%d.%d", &major, &minor); err != nil || major < 2 || major == 2 && minor < oldestMinor {
		return nil, fault.Errorf(fault.Unavailable, "%s is version %q; install git 2.%d or newer", path, g.version, oldestMinor)
	}
	return g, nil
}

// Version gives the version of the git program, such as "2.39.5".
func (g *Git) Version() string { return g.version }

// Impatient gives g with another time that a request waits for its turn when too many are served.
func (g *Git) Impatient(wait time.Duration) *Git {
	other := *g
	other.serving = serveSlots()
	other.serving.wait = wait
	return &other
}

// Asking gives g as a client uses it: downloads and searches are counted as the client's.
func (g *Git) Asking(client string) *Git {
	other := *g
	other.client = client
	return &other
}

// Holding gives g with a file that each of its processes, and theirs, keep open until they end, even when this process
// is killed before: a flock on it tells a later life of the server that an earlier change is still being written.
func (g *Git) Holding(file *os.File) *Git {
	held := *g
	held.hold = append(slices.Clip(held.hold), file)
	return &held
}

// Leading gives g with somebody who is asked before UpdateRef, and what ends with it (Commit, Merge), moves a reference; an
// error leaves the reference where it is.
func (g *Git) Leading(first func(ctx context.Context, u Update) error) *Git {
	leading := *g
	leading.first = first
	return &leading
}

// settings hold for every command. They come by the environment, which outranks the configuration files of a
// repository, so that nothing inside a repository's folder can loosen them.
var settings = [...][2]string{
	{"safe.directory", "*"}, // the folders are the server's own
	{"protocol.allow", "never"},
	{"protocol.ext.allow", "never"},
	{"core.hooksPath", "/dev/null"},
	{"core.fsmonitor", "false"},
	{"core.quotePath", "false"},
	{"core.attributesFile", "/dev/null"},
	{"core.excludesFile", "/dev/null"},
	{"core.bigFileThreshold", "32m"},
	{"core.fsync", "committed,loose-object,reference"}, // what the ledger says was pushed survives a loss of power
	{"core.fsyncMethod", "batch"},
	{"core.filesRefLockTimeout", "5000"},
	{"core.packedRefsTimeout", "5000"},
	{"fastimport.unpackLimit", "1"}, // a commit of Commit stays a pack: one process less
	{"gc.auto", "0"},                // Maintain decides when
	{"gc.autoDetach", "false"},
	{"maintenance.auto", "false"},
	{"receive.autogc", "false"},
	{"receive.fsckObjects", "true"},
	{"receive.fsck.badTimezone", "ignore"}, // these three are harmless and in the history of many old projects
	{"receive.fsck.missingSpaceBeforeDate", "ignore"},
	{"receive.fsck.zeroPaddedFilemode", "ignore"},
	{"fetch.fsck.badTimezone", "ignore"},
	{"fetch.fsck.missingSpaceBeforeDate", "ignore"},
	{"fetch.fsck.zeroPaddedFilemode", "ignore"},
	{"receive.denyDeleteCurrent", "refuse"}, // without its default branch a repository can't be cloned
	{"receive.advertiseAtomic", "true"},
	{"receive.advertisePushOptions", "true"},
	{"transfer.fsckObjects", "true"},
	{"transfer.hideRefs", "refs/roadbed"},
	{"receive.hideRefs", "refs/proposals"},
	{"uploadpack.allowFilter", "true"},
	{"uploadpack.allowReachableSHA1InWant", "true"},
	{"uploadpackfilter.sparse:oid.allow", "false"}, // any blob as a list of patterns, for every path of the history
	{"attr.tree", emptyTree},                       // what is pushed doesn't say how a change is shown (git 2.43 asks HEAD)
	{"pack.windowMemory", "64m"},
	{"pack.threads", "2"},
	{"grep.threads", "2"},
	{"log.showSignature", "false"},
}

func environment(binary string) []string {
	env := []string{
		"PATH=" + filepath.Dir(binary) + ":/usr/local/bin:/usr/bin:/bin",
		"HOME=/nonexistent",
		"XDG_CONFIG_HOME=/nonexistent",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_ASKPASS=/bin/false",
		"GIT_NO_REPLACE_OBJECTS=1", // refs/replace can be pushed; it must not change what is read
		"GIT_OPTIONAL_LOCKS=0",
		"GIT_DEFAULT_REF_FORMAT=files", // Refs reads them
		"LC_ALL=C",
		"TZ=UTC",
	}
	return env
}

// with gives the environment of one command: g's, then the settings and more of them.
func (g *Git) with(env []string, more [][2]string) []string {
	out := make([]string, 0, len(g.env)+len(env)+2*(len(settings)+len(more))+1)
	out = append(append(out, g.env...), env...)
	n := 0
	add := func(pair [2]string) {
		i := strconv.Itoa(n)
		out = append(out, "GIT_CONFIG_KEY_"+i+"="+pair[0], "GIT_CONFIG_VALUE_"+i+"="+pair[1])
		n++
	}
	for _, pair := range settings {
		add(pair)
	}
	for _, pair := range more {
		add(pair)
	}
	return append(out, "GIT_CONFIG_COUNT="+strconv.Itoa(n))
}
