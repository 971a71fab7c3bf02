//go:build linux && (amd64 || arm64)

package process

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// cgroups makes one control group for each command, directly below that of the server, so that whatever
// bounds the server bounds its steps too.
type cgroups struct {
	version string            // "v1", "v2" or ""
	parents map[string]string // controller to the folder in which to make groups; the same folder for all in v2
	prefix  string            // of the groups' names: tells this server's from others'
}

var controllers = [...]string{"memory", "pids", "cpu"}

// findCgroups finds out which limits can be enforced, and says which can't.
func findCgroups(prefix string) (*cgroups, []string) {
	c := &cgroups{parents: map[string]string{}, prefix: prefix}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err == nil {
		var own []byte
		if own, err = os.ReadFile("/proc/self/cgroup"); err == nil {
			c.locate(string(mounts), string(own))
		}
	}
	for name, dir := range c.parents {
		if c.version == "v2" {
			break
		}
		if !writable(dir, prefix) {
			delete(c.parents, name)
		}
	}
	if c.version == "v2" {
		c.delegateV2()
	}
	if len(c.parents) == 0 {
		c.version = ""
	}
	words := map[string]string{
		"memory": "memory is bounded for each process, not for the group",
		"pids":   "processes are counted for the sandbox's user, not for the group",
		"cpu":    "processor time is not bounded",
	}
	var missing []string
	for _, name := range controllers {
		if c.parents[name] == "" {
			missing = append(missing, words[name]+" (no writable "+name+" cgroup)")
		}
	}
	return c, missing
}

// locate finds this process's group of each controller.
func (c *cgroups) locate(mounts, own string) {
	paths := map[string]string{} // controller, or "" for v2, to path
	for line := range strings.Lines(own) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 {
			for name := range strings.SplitSeq(parts[1], ",") {
				paths[name] = parts[2]
			}
		}
	}
	unified := ""
	for line := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		under := func(path string) string {
			rel, ok := strings.CutPrefix(path, strings.TrimSuffix(left[3], "/"))
			if !ok {
				rel = path
			}
			return filepath.Join(left[4], rel)
		}
		switch right[0] {
		case "cgroup2":
			unified = under(paths[""])
		case "cgroup":
			for option := range strings.SplitSeq(right[2], ",") {
				for _, name := range controllers {
					if option == name {
						c.parents[name] = under(paths[name])
					}
				}
			}
		}
	}
	switch {
	case len(c.parents) > 0:
		c.version = "v1"
	case unified != "":
		c.version = "v2"
		available, _ := os.ReadFile(filepath.Join(unified, "cgroup.controllers"))
		for _, name := range strings.Fields(string(available)) {
			for _, wanted := range controllers {
				if name == wanted {
					c.parents[name] = unified
				}
			}
		}
	}
}

// delegateV2 makes the controllers usable in groups below the server's own. A group of version 2 that has
// controllers for its children holds no process itself, so the server moves into a leaf of it; it only does
// so where it is alone, as in a unit of its own with Delegate=yes.
func (c *cgroups) delegateV2() {
	for name, parent := range c.parents {
		if !writable(parent, c.prefix) {
			delete(c.parents, name)
			continue
		}
		control := filepath.Join(parent, "cgroup.subtree_control")
		enabled, _ := os.ReadFile(control)
		if strings.Contains(" "+strings.TrimSpace(string(enabled))+" ", " "+name+" ") {
			continue
		}
		err := os.WriteFile(control, []byte("+"+name), 0)
		if errors.Is(err, unix.EBUSY) && moveToLeaf(parent) == nil {
			err = os.WriteFile(control, []byte("+"+name), 0)
		}
		if err != nil {
			delete(c.parents, name)
		}
	}
}

func moveToLeaf(parent string) error {
	members, err := os.ReadFile(filepath.Join(parent, "cgroup.procs"))
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(members)) != strconv.Itoa(os.Getpid()) {
		return errors.New("the server shares its cgroup with others")
	}
	leaf := filepath.Join(parent, "roadbed-server")
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0)
}

// writable tells whether groups can be made in a folder.
func writable(dir, prefix string) bool {
	probe := filepath.Join(dir, prefix+"probe-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(probe, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return false
	}
	return os.Remove(probe) == nil
}

// cgroup is the control group of one command.
type cgroup struct {
	version string
	dirs    map[string]string // controller to folder
	files   []*os.File        // by which the command joins each folder
}

// create makes the group of a command and sets its limits. Without the controllers that it needs it is empty.
func (c *cgroups) create(id string, l execute.Limits) (g *cgroup, err error) {
	g = &cgroup{version: c.version, dirs: map[string]string{}}
	defer func() {
		if err != nil {
			g.remove()
		}
	}()
	processes := l.Processes
	if processes == 0 {
		processes = execute.DefaultProcesses
	}
	if l.Memory > 0 {
		size := strconv.FormatInt(l.Memory, 10)
		err = g.set(c, id, "memory", [][2]string{
			{"memory.limit_in_bytes", size}, {"?memory.memsw.limit_in_bytes", size},
		}, [][2]string{{"memory.max", size}, {"?memory.swap.max", "0"}, {"?memory.oom.group", "1"}})
		if err != nil {
			return g, err
		}
	}
	limit := [][2]string{{"pids.max", strconv.Itoa(processes)}}
	if err := g.set(c, id, "pids", limit, limit); err != nil {
		return g, err
	}
	if l.CPU > 0 {
		quota := strconv.Itoa(max(l.CPU*100, 1000)) // microseconds in each 100 ms
		err = g.set(c, id, "cpu", [][2]string{{"cpu.cfs_period_us", "100000"}, {"cpu.cfs_quota_us", quota}},
			[][2]string{{"cpu.max", quota + " 100000"}})
		if err != nil {
			return g, err
		}
	}
	return g, g.open()
}

func (g *cgroup) open() error {
	seen := map[string]bool{}
	for _, dir := range g.dirs {
		if seen[dir] {
			continue
		}
		seen[dir] = true
		// A thread that moves itself by tasks, which version 2 has not, needs no lock over all processes of the
		// machine, for which it would wait milliseconds. The step has one thread then.
		name := "tasks"
		if g.version == "v2" {
			name = "cgroup.procs"
		}
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("open the step's cgroup: %w", err)
		}
		g.files = append(g.files, f)
	}
	return nil
}

// set writes the limits of one controller; a name with '?' may be missing in this kernel.
func (g *cgroup) set(c *cgroups, id, controller string, v1, v2 [][2]string) error {
	parent := c.parents[controller]
	if parent == "" {
		return nil
	}
	dir := filepath.Join(parent, c.prefix+id)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the step's cgroup: %w", err)
	}
	g.dirs[controller] = dir
	settings := v1
	if g.version == "v2" {
		settings = v2
	}
	for _, s := range settings {
		name, optional := strings.CutPrefix(s[0], "?")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(s[1]), 0); err != nil && !optional {
			return fmt.Errorf("set %s to %s: %w", name, s[1], err)
		}
	}
	return nil
}

// outOfMemory tells whether the kernel ended a process of the group for its memory.
func (g *cgroup) outOfMemory() bool {
	file := "memory.oom_control"
	if g.version == "v2" {
		file = "memory.events"
	}
	return g.dirs["memory"] != "" && field(filepath.Join(g.dirs["memory"], file), "oom_kill") > 0
}

// maxMemory gives the most that the group held at a time, in bytes; 0 when unknown.
func (g *cgroup) maxMemory() int64 {
	if g.dirs["memory"] == "" {
		return 0
	}
	file := "memory.max_usage_in_bytes"
	if g.version == "v2" {
		file = "memory.peak"
	}
	b, _ := os.ReadFile(filepath.Join(g.dirs["memory"], file))
	n, _ := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n
}

// cpuTime gives what the group used; 0 when unknown.
func (g *cgroup) cpuTime() time.Duration {
	for _, dir := range g.dirs {
		if g.version == "v2" {
			return time.Duration(field(filepath.Join(dir, "cpu.stat"), "usage_usec")) * time.Microsecond
		}
	}
	return 0
}

// kill ends every process in the group.
func (g *cgroup) kill() {
	for _, dir := range g.dirs {
		killGroup(dir)
	}
}

func killGroup(dir string) {
	if os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0) == nil {
		return
	}
	f, err := os.Open(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if pid, err := strconv.Atoi(lines.Text()); err == nil && pid > 1 {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// release closes the files by which the group is joined.
func (g *cgroup) release() {
	for _, f := range g.files {
		f.Close()
	}
	g.files = nil
}

// remove ends what is in the group and removes it.
func (g *cgroup) remove() {
	g.release()
	for _, dir := range g.dirs {
		removeGroup(dir)
	}
}

// removeGroup removes one folder. A process that was killed a moment ago still counts, so it tries again for a second.
func removeGroup(dir string) {
	wait := time.Millisecond
	for range 10 {
		err := unix.Rmdir(dir)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return
		}
		killGroup(dir)
		time.Sleep(wait)
		wait *= 2
	}
}

// field gives a number from a file of "name number" lines; 0 when there is none.
func field(file, name string) int64 {
	b, _ := os.ReadFile(file)
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && key == name {
			n, _ := strconv.ParseInt(value, 10, 64)
			return n
		}
	}
	return 0
}

// leftovers gives the groups of this server that are on the machine, by id.
func (c *cgroups) leftovers() map[string][]string {
	found := map[string][]string{}
	for _, parent := range c.parents {
		dirs, _ := filepath.Glob(filepath.Join(parent, c.prefix+"*"))
		for _, dir := range dirs {
			id := strings.TrimPrefix(filepath.Base(dir), c.prefix)
			found[id] = append(found[id], dir)
		}
	}
	return found
}
