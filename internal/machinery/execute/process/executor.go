package process

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/group"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Executor runs commands as processes of this machine. It keeps what it needs below its folder; two executors
// must not share one.
type Executor struct {
	*group.Executor
	dir      string // absolute
	log      *slog.Logger
	platform *platform
	caps     execute.Capabilities
}

var (
	_ execute.Executor = (*Executor)(nil)
	_ group.Body       = (*Executor)(nil)
)

// New finds out what this machine can isolate, by doing it once. dir is made if missing; nobody else may enter it.
func New(dir string, log *slog.Logger) (*Executor, error) {
	base, err := group.New(dir, log)
	if err != nil {
		return nil, err
	}
	e := &Executor{Executor: base, dir: base.Dir(), log: base.Log()}
	base.By(e)
	if err := os.MkdirAll(filepath.Join(e.dir, "root"), 0o700); err != nil {
		return nil, fault.Errorf(fault.Unavailable, "make the executor's folder: %w", err)
	}
	if err := e.openPlatform(); err != nil {
		return nil, err
	}
	if !e.caps.Isolated {
		e.log.Warn("steps are not isolated on this machine", "missing", e.caps.Missing)
	}
	return e, nil
}

// Capabilities says what is isolated and bounded here.
func (e *Executor) Capabilities() execute.Capabilities {
	c := e.caps
	c.Missing = slices.Clone(c.Missing)
	return c
}
