//go:build linux && (amd64 || arm64)

package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// state is what is kept on disk about a running step, for a later life of the server.
type state struct {
	PID     int      `json:"pid"`
	Start   uint64   `json:"start"` // of the process, in ticks since the boot: tells it from another with its id
	Boot    string   `json:"boot"`
	Cgroups []string `json:"cgroups"`
}

// remember is called before the step can do anything.
func (e *Executor) remember(id string, pid int, g *cgroup) error {
	start, err := startTime(pid)
	if err != nil {
		return fmt.Errorf("look at the sandbox: %w", err)
	}
	s := state{PID: pid, Start: start, Boot: e.platform.boot}
	for _, dir := range g.dirs {
		s.Cgroups = append(s.Cgroups, dir)
	}
	b, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(filepath.Join(e.dir, "run", id, "state.json"), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("remember the sandbox: %w", err)
	}
	return nil
}

// Leftovers gives the ids that have something on this machine; see group.Body.
func (e *Executor) Leftovers(context.Context) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(e.dir, "run"))
	if err != nil {
		return nil, err
	}
	seen := e.platform.cgroups.leftovers()
	for _, entry := range entries {
		seen[entry.Name()] = nil
	}
	ids := make([]string, 0, len(seen))
	for id := range seen {
		ids = append(ids, id)
	}
	return ids, nil
}

// Clear ends what an earlier life started with this id; see group.Body.
func (e *Executor) Clear(ctx context.Context, id string) error {
	home := filepath.Join(e.dir, "run", id)
	groups := e.platform.cgroups.leftovers()[id]
	b, err := os.ReadFile(filepath.Join(home, "state.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(home); err != nil && len(groups) == 0 {
			return nil
		}
	case err != nil:
		return fmt.Errorf("read what is left of %s: %w", id, err)
	}
	var s state
	if json.Unmarshal(b, &s) == nil && s.Boot == e.platform.boot && s.PID > 1 {
		if err := endProcess(ctx, s.PID, s.Start); err != nil {
			return fmt.Errorf("end what is left of %s: %w", id, err)
		}
		groups = append(groups, s.Cgroups...)
	}
	if !e.platform.isolated {
		endMarked(e.Prefix() + id)
	}
	for _, dir := range groups {
		killGroup(dir)
		removeGroup(dir)
	}
	if err := os.RemoveAll(home); err != nil {
		return fmt.Errorf("remove what is left of %s: %w", id, err)
	}
	return nil
}

// endProcess kills a process, if it still is the one that started at that time, and waits until it is gone.
func endProcess(ctx context.Context, pid int, start uint64) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// The descriptor holds the process, so that what is read now is about the one that is killed.
	if now, err := startTime(pid); err != nil || now != start {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	for range 100 {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 100)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return fmt.Errorf("process %d does not end", pid)
}

// endMarked kills the processes whose environment carries the marker.
func endMarked(value string) {
	want := []byte(marker + "=" + value)
	names, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for variable := range bytes.SplitSeq(b, []byte{0}) {
			if bytes.Equal(variable, want) {
				if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil && pid > 1 {
					_ = unix.Kill(pid, unix.SIGKILL)
				}
			}
		}
	}
}

// startTime gives when a process started, in ticks since the boot.
func startTime(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the name, in parentheses, and may hold anything; the start is the 22nd.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("the status of process %d is cut short", pid)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}
