package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/face/cli"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/container"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	packages "github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	workerremote "github.com/roadbed-dev/roadbed/internal/machinery/worker/remote"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// agentExecutor gives what runs the steps of an agent. It is the one place that chooses.
func (o AgentOptions) agentExecutor(ctx context.Context, log *slog.Logger) (execute.Executor, func(), error) {
	if o.Executor == containerExecutor {
		e, err := container.New(ctx, o.containers(filepath.Join(o.Dir, "containers"), log))
		if err != nil {
			return nil, nil, fault.Wrap(err, "prepare to run steps")
		}
		return e, func() { _ = e.Close() }, nil // no step runs any more
	}
	e, err := process.New(filepath.Join(o.Dir, "sandboxes"), log)
	if err != nil {
		return nil, nil, fault.Wrap(err, "prepare to run steps")
	}
	return e, func() { e.Close() }, nil
}

// RunAgent runs steps of a pool until ctx ends, and drains then.
func RunAgent(ctx context.Context, o AgentOptions, version string) error {
	log, err := o.Logger()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fault.Errorf(fault.Unavailable, "make the agent's folder: %w", err)
	}
	lock, err := lockFolder(o.Dir)
	if fault.Is(err, fault.Conflict) {
		return fault.Errorf(fault.Conflict, "another agent uses the folder %s; stop it, or give this one a folder of its own with --dir", o.Dir)
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	executor, end, err := o.agentExecutor(ctx, log)
	if err != nil {
		return err
	}
	defer end()
	if err := o.accept(executor.Capabilities(), log); err != nil {
		return err
	}
	a := &agent{AgentOptions: o, log: log, executor: executor}
	if err := a.prepare(ctx, version); err != nil {
		return err
	}
	return a.run(ctx)
}

// agent is one that is running.
type agent struct {
	AgentOptions
	log      *slog.Logger
	executor execute.Executor
	engine   *engine
	tools    map[string]worker.Tool
	hub      *workerremote.Hub
	mirror   *packages.Store // what steps were given of the server's mirror
	door     *workerremote.Providers
	shares   bool                        // steps are shown what is unpacked of it
	given    atomic.Pointer[givenEngine] // the server's own engine, where there is none here
}

func (a *agent) prepare(ctx context.Context, version string) error {
	home, err := agentHome(filepath.Join(a.Dir, "agent"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(a.Dir, "tools"), 0o755); err != nil {
		return fault.Errorf(fault.Unavailable, "make the folder of tools: %w", err)
	}
	a.engine = findEngine(a.Options, filepath.Join(a.Dir, "tools"), a.log)
	if a.tools, err = worker.DefaultTools(ctx, ""); err != nil {
		a.log.Warn("steps have no tools but the engine", "error", err)
		a.tools = map[string]worker.Tool{}
	}
	if a.mirror, err = packages.Open(packages.Options{Dir: filepath.Join(a.Dir, "providers"), Room: int64(a.ProviderSpace) << 30, Now: time.Now, Log: a.log}); err != nil {
		return err
	}
	transport, err := a.transport()
	if err != nil {
		return err
	}
	if _, err := agentToken(a.TokenFile); err != nil {
		return fault.Errorf(fault.Invalid, "read the token: %w", err)
	}
	host, _ := os.Hostname()
	a.hub = workerremote.New(workerremote.Options{
		Server: a.Server, HTTP: transport, Now: time.Now, Log: a.log,
		Token: func() (string, error) { return agentToken(a.TokenFile) },
		Hello: workerremote.Hello{
			Name: a.Name, Home: home, Version: version, System: runtime.GOOS + "/" + runtime.GOARCH, Executor: a.executor.Capabilities().Name,
			Host: host, Parallel: a.Parallel, Tools: slices.Sorted(slices.Values(slices.AppendSeq([]string{stack.ToolEngine}, maps.Keys(a.tools)))),
		},
	})
	return nil
}

// transport reaches the server, by the proxy of the environment where there is one.
func (a *agent) transport() (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 10 * time.Second}).DialContext
	t.MaxIdleConnsPerHost = 4 * a.Parallel
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if a.CA == "" {
		return t, nil
	}
	trusted, err := x509.SystemCertPool()
	if err != nil {
		trusted = x509.NewCertPool()
	}
	pem, err := os.ReadFile(a.CA)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "ca: %w", err)
	}
	if !trusted.AppendCertsFromPEM(pem) {
		return nil, fault.Errorf(fault.Invalid, "ca: %s holds no certificate in PEM", a.CA)
	}
	t.TLSClientConfig.RootCAs = trusted
	return t, nil
}

// agentHome gives the name that an agent's folder keeps.
func agentHome(path string) (string, error) {
	name, err := os.ReadFile(path)
	if err == nil && len(name) > 0 {
		return string(name), nil
	}
	if err == nil || errors.Is(err, os.ErrNotExist) {
		made := strings.ToLower(rand.Text())
		if err = os.WriteFile(path+".part", []byte(made), 0o600); err == nil {
			err = os.Rename(path+".part", path)
		}
		name = []byte(made)
	}
	if err != nil {
		return "", fault.Errorf(fault.Unavailable, "keep the name of the agent's folder: %w", err)
	}
	return string(name), nil
}

func (a *agent) run(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	first, err := a.greet(ctx)
	if err != nil {
		return err
	}
	a.log.Info("ready", "pool", first.Pool, "agent", a.Name, "server", a.Server, "parallel", a.Parallel, "drained", first.Drained)
	// An engine compares what is unpacked with hashes that are of one system alone, and it is the server that knows which are right.
	a.shares = a.executor.Capabilities().Isolated && first.System == runtime.GOOS+"/"+runtime.GOARCH
	socket, close, err := a.openDoor()
	if err != nil {
		return err
	}
	defer close()
	w := worker.New(worker.Options{
		Name: a.Name, Pool: first.Pool, Hub: a.hub, Executor: a.executor, Dir: filepath.Join(a.Dir, "work"), Tools: a.tools, Lend: a.lend, Network: a.Network,
		Most: a.most(), Parallel: a.Parallel, Door: socket, Grace: a.Ends, Ask: a.Ends * 3 / 4, Patience: agentPatience, Spool: int64(a.Spool) << 20,
		Now: time.Now, Log: a.log,
	})
	beside, stop := context.WithCancel(context.WithoutCancel(ctx)) // until the last step has ended
	defer stop()
	var group errgroup.Group
	group.Go(func() error {
		a.hub.Run(beside, first, ctx.Done(), func() { end(cli.ErrAgain) })
		return nil
	})
	group.Go(func() error { return a.engine.run(beside) })
	group.Go(func() error {
		if n := a.mirror.Tidy(); n > 0 {
			a.log.Info("tidied the kept providers", "removed", n)
		}
		return nil
	})
	err = w.Run(ctx)
	stop()
	if err := group.Wait(); err != nil {
		a.log.Warn("end", "error", err)
	}
	last, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	if bye := a.hub.Bye(last); bye != nil {
		a.log.Warn("tell the server that this agent has ended", "error", bye)
	}
	a.log.Info("ended", "agent", a.Name)
	if err == nil && errors.Is(context.Cause(ctx), cli.ErrAgain) {
		return cli.ErrAgain
	}
	return err
}

// agentPatience is how long a log, a source or an output waits for the server; a lease that runs out meanwhile ends all of it.
const agentPatience = 5 * time.Minute

// greet says the first hello, and waits for a server that is away.
func (a *agent) greet(ctx context.Context) (workerremote.Welcome, error) {
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		first, err := a.hub.Greet(ctx, false)
		if err == nil || !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Internal) && !fault.Is(err, fault.Exhausted) {
			return first, err
		}
		a.log.Warn("the server can't be reached; it is tried again", "server", a.Server, "in", pause, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return first, ctx.Err()
		}
	}
}

// openDoor serves steps the platform's API. The address of a socket is short, so that a long folder has its door elsewhere.
func (a *agent) openDoor() (socket string, close func(), err error) {
	if socket = filepath.Join(a.Dir, "door", "api.sock"); len(socket) >= 100 {
		socket = filepath.Join(os.TempDir(), "roadbed-agent-"+shortHash(a.Dir), "api.sock")
	}
	api, err := a.hub.Door()
	if err != nil {
		return "", nil, err
	}
	a.door = &workerremote.Providers{Kept: a.mirror, Door: api, Now: time.Now, Log: a.log}
	if err := ownFolder(filepath.Dir(socket)); err != nil {
		return "", nil, fault.Errorf(fault.Unavailable, "make the folder of the door: %w", err)
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", nil, fault.Errorf(fault.Unavailable, "clear the door: %w", err)
	}
	door, err := net.Listen("unix", socket)
	if err != nil {
		return "", nil, fault.Errorf(fault.Unavailable, "open the door: %w", err)
	}
	if door, err = a.secureDoor(door); err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: a.door, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(door) }()
	return socket, func() {
		_ = server.Close() // no step is left that it could serve
		<-ended            //nolint:errcheck // it was closed
		_ = os.Remove(filepath.Dir(socket))
	}, nil
}
