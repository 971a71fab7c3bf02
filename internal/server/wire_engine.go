package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// engine is the program that plans and applies what asks for no other, as soon as there is one, and where those are that
// stacks ask for.
type engine struct {
	dir      string // of tools in the data folder, which is shown to steps until there is a program
	cache    *toolchain.Cache
	download bool
	program  atomic.Pointer[string]
	is       func() string // what the program says that it is
	log      *slog.Logger
}

// engineFolders are those in which an engine of the usual version may be: of a data folder's tools, "" for none, and of
// the user.
func engineFolders(tools string) (folders []string) {
	usual := filepath.Join(toolchain.OpenTofu, stack.EngineVersion)
	if tools != "" {
		folders = append(folders, tools, filepath.Join(tools, "engines", usual))
	}
	folders = append(folders, stack.BuiltEngine())
	if own := stack.OwnEngines(); own != "" {
		folders = append(folders, filepath.Join(own, usual))
	}
	return folders
}

// toolchainOf gives where a server keeps engines and vendors' programs. Programs that the machine has count too: what is configured, those on the
// PATH, and those that were built or downloaded for its user.
func toolchainOf(o Options, tools string, log *slog.Logger) *toolchain.Cache {
	var found []string
	add := func(path string) {
		if path == "" {
			return
		}
		if path, err := filepath.Abs(path); err == nil {
			found = append(found, path)
		}
	}
	add(o.Engine)
	for _, name := range toolchain.Names() {
		if own := map[string]string{toolchain.Pulumi: o.pulumi, toolchain.Terragrunt: o.terragrunt, toolchain.Kubectl: o.kubectl}[name]; own != "" {
			add(own)
		} else if path, err := exec.LookPath(name); err == nil {
			add(path)
		}
	}
	add(filepath.Join(tools, toolchain.OpenTofu))
	if built := stack.BuiltEngine(); built != "" {
		add(filepath.Join(built, toolchain.OpenTofu))
	}
	if own := stack.OwnEngines(); own != "" {
		for _, name := range toolchain.Engines() {
			all, _ := filepath.Glob(filepath.Join(own, name, "*", name)) // the pattern is right
			for _, path := range all {
				add(path)
			}
		}
	}
	var public *http.Transport
	if guard, err := o.guard(); err != nil { // the server does not start then, and an agent has none
		log.Error("programs are fetched from wherever their makers' names lead", "error", err)
	} else {
		public = guard.Transport()
	}
	return toolchain.New(toolchain.Options{
		Dir: filepath.Join(tools, "engines"), Found: found, Download: o.Download, OpenTofu: o.OpenTofuReleases, Terraform: o.TerraformReleases,
		OpenTofuKey: o.releases.openTofuKey, TerraformKey: o.releases.terraformKey, HTTP: o.releases.http, Public: public, Log: log,
		Kubectl: o.KubectlReleases, Terragrunt: o.TerragruntReleases, Pulumi: o.PulumiReleases,
	})
}

func findEngine(o Options, dir string, log *slog.Logger) *engine {
	e := &engine{dir: dir, cache: toolchainOf(o, dir, log), download: o.Download, log: log, is: func() string { return downloaded }}
	program, err := stack.FindEngine(o.Engine, engineFolders(dir)...)
	if err != nil {
		log.Error("stacks have no engine", "error", err)
		e.download = false // what was configured is meant
	}
	if program != "" {
		e.program.Store(&program)
		told := make(chan string, 1)
		go func() { told <- e.told(program) }() // while the server starts; tool waits for it
		e.is = sync.OnceValue(func() string { return <-told })
	}
	return e
}

// told gives what a program says that it is. One that was downloaded is looked at first: it has to be as it was kept.
func (e *engine) told(program string) string {
	if program == e.cache.Path(toolchain.OpenTofu, stack.EngineVersion) {
		if _, err := e.cache.Get(context.Background(), toolchain.OpenTofu, stack.EngineVersion, io.Discard); err != nil {
			e.log.Error("the engine that was downloaded can't be used", "error", err)
		}
	}
	return toolchain.Says(context.Background(), program)
}

// downloaded is what the engine is where there was none.
const downloaded = "OpenTofu v" + stack.EngineVersion

func (e *engine) path() string {
	if p := e.program.Load(); p != nil {
		return *p
	}
	return ""
}

// Own gives the engine that runs what asks for none.
func (e *engine) Own(context.Context) (name, version string) {
	name, version, _ = toolchain.Parse(e.is())
	return name, version
}

// Resolve gives the version of an engine that is used of those that will do.
func (e *engine) Resolve(ctx context.Context, name string, wanted toolchain.Wanted) (string, error) {
	return e.cache.Resolve(ctx, name, wanted)
}

// Machine tells whether the machine has a vendor's program anyway, and in which version.
func (e *engine) Machine(ctx context.Context, name string, ask bool) (version string, there bool) {
	if ask {
		version = e.cache.Machine(ctx, name)
		return version, version != ""
	}
	for _, path := range e.cache.Found {
		if info, err := os.Stat(path); filepath.Base(path) == name && err == nil && info.Mode().IsRegular() {
			return "", true
		}
	}
	return "", false
}

// run downloads an engine when there is none. Without a network, stacks fail with words that tell what to do.
func (e *engine) run(ctx context.Context) error {
	if e.path() == "" && e.download {
		e.fetch(ctx)
	}
	<-ctx.Done()
	return nil
}

// fetch downloads until it has the engine. A network that is away may come.
func (e *engine) fetch(ctx context.Context) {
	for pause := time.Minute; ; pause = min(2*pause, time.Hour) {
		p, err := e.cache.Get(ctx, toolchain.OpenTofu, stack.EngineVersion, io.Discard)
		if err == nil {
			e.program.Store(&p.Path)
			return
		}
		if ctx.Err() != nil {
			return
		}
		e.log.Warn("stacks have no engine: put tofu on the PATH, name it with --engine, or run make tools", "error", err, "tried again in", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// toolDir is where the engine stands inside a step.
const toolDir = "/tools/engine"

// tool gives the engine as a tool of the pool. Without one, the folder into which it may be downloaded is shown, so
// that it is found there by the time a stack needs it.
func (e *engine) tool() worker.Tool {
	program := e.path()
	if program == "" {
		inside, err := filepath.Rel(e.dir, e.cache.Path(toolchain.OpenTofu, stack.EngineVersion))
		if err != nil { // the one is below the other
			inside = toolchain.OpenTofu
		}
		return worker.Tool{
			Mounts: []execute.Mount{{Source: e.dir, Target: toolDir, ReadOnly: true}},
			Env:    map[string]string{"ROADBED_ENGINE": toolDir + "/" + filepath.ToSlash(inside), stack.EngineIs: downloaded},
			Path:   []string{toolDir + "/" + filepath.ToSlash(filepath.Dir(inside))},
		}
	}
	return shown(program, e.is())
}

func shown(program, is string) worker.Tool {
	inside := stack.EngineIn(toolDir, program)
	return worker.Tool{
		Mounts: []execute.Mount{{Source: program, Target: inside, ReadOnly: true}},
		Env:    map[string]string{"ROADBED_ENGINE": inside, stack.EngineIs: is},
		Path:   []string{toolDir},
	}
}

// bring brings a vendor's program in a version that will do: the machine's own where it does, else what Resolve gives.
func (e *engine) bring(ctx context.Context, name string, wanted toolchain.Wanted, log io.Writer) (toolchain.Program, error) {
	version := wanted.Exact()
	if version == "" && !wanted.Latest() {
		if own, there := e.Machine(ctx, name, true); there && (wanted.Any() || wanted.Allows(own)) {
			version = own
		}
	}
	if version == "" {
		var err error
		if version, err = e.cache.Resolve(ctx, name, wanted); err != nil {
			return toolchain.Program{}, err
		}
	}
	return e.cache.Get(ctx, name, version, log)
}

// lend gives the engine that a step asks for by its version, which is downloaded first where it is not here.
func (e *engine) lend(ctx context.Context, tool string, log io.Writer) (worker.Tool, error) {
	name, version, ok := stack.ParseTool(tool)
	if !ok {
		return worker.Tool{}, fault.Errorf(fault.NotFound, "this pool has no tool %s", tool)
	}
	p, err := e.cache.Get(ctx, name, version, log)
	if err != nil {
		return worker.Tool{}, err
	}
	return shown(p.Path, p.String()), nil
}
