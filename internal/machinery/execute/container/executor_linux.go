//go:build linux && (amd64 || arm64)

package container

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/group"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process/sandbox"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// stepUser is the user and group of steps when the server is root, as in the process executor.
const stepUser = 70000

// Labels of containers, by which they are found again.
const (
	labelExecutor = "dev.roadbed.executor" // whose they are
	labelStep     = "dev.roadbed.step"
)

// Bounds of what is asked of the engine.
const (
	askTime     = time.Minute
	startTime   = 2 * time.Minute
	removeTries = 5
	removePause = 200 * time.Millisecond
)

// Executor runs commands in containers.
type Executor struct {
	*group.Executor
	options Options
	api     *client.Client
	images  *allowed
	engine  string
	helper  string // folder with the first process
	uid     int    // of steps, inside and outside
	gid     int
	inside  string // the user as the engine is told
	selinux bool
	caps    execute.Capabilities
}

var (
	_ execute.Executor = (*Executor)(nil)
	_ group.Body       = (*Executor)(nil)
)

// New connects to the engine, and tries it where the usual image is there. Close it.
func New(ctx context.Context, o Options) (_ *Executor, err error) {
	if err := Check(o); err != nil {
		return nil, err
	}
	if o.Pull <= 0 {
		o.Pull = defaultPull
	}
	if o.Host, err = o.host(); err != nil {
		return nil, err
	}
	base, err := group.New(o.Dir, o.Log)
	if err != nil {
		return nil, err
	}
	e := &Executor{Executor: base, options: o, helper: filepath.Join(base.Dir(), "first")}
	base.By(e)
	if e.images, err = allow(o.Image, o.Allow); err != nil {
		return nil, err
	}
	if err := e.keepHelper(); err != nil {
		return nil, err
	}
	if e.api, err = client.New(client.WithHost(o.Host)); err != nil {
		return nil, fault.Errorf(fault.Invalid, "container-host: %w", err)
	}
	if err := e.look(ctx); err != nil {
		return nil, errors.Join(err, e.api.Close())
	}
	return e, nil
}

// keepHelper puts the first process where it can be mounted from.
func (e *Executor) keepHelper() error {
	program, err := process.Helper()
	if err != nil {
		// The server's own program is the same, only larger, and must be linked statically.
		own, err := os.Executable()
		if err == nil {
			program, err = os.ReadFile(own)
		}
		if err != nil {
			return fault.Errorf(fault.Unavailable, "find the first process of containers: %w; run make helper and build again", err)
		}
	}
	if err := os.MkdirAll(e.helper, 0o755); err != nil {
		return fault.Errorf(fault.Unavailable, "keep the first process of containers: %w", err)
	}
	file := filepath.Join(e.helper, sandbox.Arg0)
	part := file + "." + rand.Text()[:8]
	if err = os.WriteFile(part, program, 0o755); err == nil {
		err = errors.Join(os.Chmod(part, 0o755), os.Rename(part, file))
	}
	return fault.Wrap(err, "keep the first process of containers")
}

// look learns what the engine is and can do.
func (e *Executor) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	version, err := e.api.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return e.unavailable(err, "ask the engine of containers")
	}
	found, err := e.api.Info(ctx, client.InfoOptions{})
	if err != nil {
		return e.unavailable(err, "ask the engine of containers")
	}
	info := found.Info
	name := "engine"
	if len(version.Components) > 0 {
		name = version.Components[0].Name
	}
	e.engine = fmt.Sprintf("%s %s at %s", name, version.Version, e.options.Host)
	rootless := slices.ContainsFunc(info.SecurityOptions, func(s string) bool { return strings.Contains(s, "name=rootless") })
	e.selinux = slices.ContainsFunc(info.SecurityOptions, func(s string) bool { return strings.Contains(s, "name=selinux") })
	switch e.uid, e.gid = os.Geteuid(), os.Getegid(); {
	case e.uid == 0 && rootless:
		return fault.Errorf(fault.Unavailable, "the engine at %s is another user's, and the server is root; name root's engine", e.options.Host)
	case e.uid == 0:
		e.uid, e.gid = stepUser, stepUser
	}
	e.inside = fmt.Sprintf("%d:%d", e.uid, e.gid)
	if rootless { // root of the engine's user namespace is the server's own user, without any right
		e.inside = "0:0"
	}
	e.caps = execute.Capabilities{Name: "container", Isolated: true, Images: true, Cgroup: "v" + info.CgroupVersion}
	for what, there := range map[string]bool{"memory": info.MemoryLimit, "processes": info.PidsLimit, "processor time": info.CPUCfsQuota} {
		if !there {
			e.caps.Missing = append(e.caps.Missing, what+" of containers is not bounded: the engine can't")
		}
	}
	slices.Sort(e.caps.Missing)
	if e.selinux {
		e.caps.Missing = append(e.caps.Missing, "SELinux keeps no containers apart: steps are shown folders of the server")
	}
	if _, err := e.api.ImageInspect(ctx, e.images.image); err != nil {
		return nil // it is pulled by the first step
	}
	result, err := execute.Run(ctx, e, execute.Spec{ID: "probe", Argv: []string{"/bin/sh", "-c", ":"}}, io.Discard)
	if err == nil && result.ExitCode != 0 {
		err = fmt.Errorf("a command that does nothing ended with %d; has %s a shell?", result.ExitCode, e.images.image)
	}
	if err != nil {
		return fault.Errorf(fault.Unavailable, "try a container: %w", err)
	}
	return nil
}

// unavailable wraps what the engine says.
func (e *Executor) unavailable(err error, what string, args ...any) error {
	return fault.Errorf(fault.Unavailable, "%s (%s): %w", fmt.Sprintf(what, args...), e.options.Host, err)
}

// Capabilities says what is isolated and bounded here.
func (e *Executor) Capabilities() execute.Capabilities {
	c := e.caps
	c.Missing = slices.Clone(c.Missing)
	return c
}

// Engine says what runs the containers, in words for doctor.
func (e *Executor) Engine() string { return e.engine }

// May tells whether steps may run in an image; the error says which may be.
func (e *Executor) May(image string) error {
	_, err := e.images.take(image)
	return err
}

// Close lets go of the connection to the engine. Running steps are not touched.
func (e *Executor) Close() error { return e.api.Close() }

// Leftovers gives the ids of containers and folders that are there; see group.Body.
func (e *Executor) Leftovers(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	found, err := e.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("label", labelExecutor+"="+e.Prefix())})
	if err != nil {
		return nil, e.unavailable(err, "list the containers of steps")
	}
	ids := map[string]bool{}
	for _, c := range found.Items {
		ids[c.Labels[labelStep]] = true
	}
	entries, err := os.ReadDir(filepath.Join(e.Dir(), "run"))
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		ids[entry.Name()] = true
	}
	delete(ids, "")
	all := make([]string, 0, len(ids))
	for id := range ids {
		all = append(all, id)
	}
	slices.Sort(all)
	return all, nil
}

// Clear removes the container that an earlier life left; see group.Body.
func (e *Executor) Clear(ctx context.Context, id string) error {
	if err := e.remove(ctx, e.Prefix()+id); err != nil {
		return err
	}
	return fault.Wrap(os.RemoveAll(e.Home(id)), "remove what is left of %s", id)
}

// remove kills and removes a container; one that is not there is none to remove.
func (e *Executor) remove(ctx context.Context, container string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	for tries := 1; ; tries++ {
		_, err := e.api.ContainerRemove(ctx, container, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		if err == nil || errdefs.IsNotFound(err) {
			return nil
		}
		if tries == removeTries {
			return e.unavailable(err, "remove the container %s", container)
		}
		select { // an engine may refuse while it is about to notice that the container has ended
		case <-time.After(removePause):
		case <-ctx.Done():
			return e.unavailable(err, "remove the container %s", container)
		}
	}
}
