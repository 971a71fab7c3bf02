package server

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/face/api"
	"github.com/roadbed-dev/roadbed/internal/face/cli"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/listen"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Commands gives the verbs that need the house in process.
func Commands(version string) []*cobra.Command {
	all := []*cobra.Command{
		serverCommand(version), agentCommand(version), demoCommand(version), migrateCommand(version), backupCommand(version), restoreCommand(version),
		doctorCommand(version), auditCommand(version), openapiCommand(version), imageCommand(), engineCommand(version), warmCommand(version),
	}
	for _, c := range all {
		c.GroupID = cli.GroupServer
	}
	return all
}

// garbage is how much a server may hold beside what lives, in percent of it: less than Go's 100, since an index of a large
// catalog lives for good. The variable GOGC says otherwise.
const garbage = 60

// settled is how long after its start a server gives back what only the start needed.
const settled = 2 * time.Second

func serverCommand(version string) *cobra.Command {
	c := &cobra.Command{
		Use: "server", Short: "Run everything on one port", Args: cobra.NoArgs,
		Long: `Runs the portal, the API, hosted git, the registry, the workers and this machine as a place to run, on one port.

Exit codes: 0 stopped when asked to, 1 ended by an error, 2 wrong options.`,
	}
	options := bind(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		o, err := options()
		if err != nil {
			return cli.Usage(err)
		}
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(garbage)
		}
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return Serve(ctx, o, version)
	}
	return c
}

// Serve runs a server until ctx ends.
func Serve(ctx context.Context, o Options, version string) error {
	log, err := o.Logger()
	if err != nil {
		return err
	}
	listener, err := listen.Open(ctx, o.Listen)
	if err != nil {
		return fault.Errorf(fault.Unavailable, "listen on %s: %w; choose another address with --listen", o.Listen, err)
	}
	o.Listen = listener.Addr().String()
	defer listener.Close()
	h, err := Open(ctx, o, version, log)
	if err != nil {
		return err
	}
	defer func() {
		if err := h.Close(); err != nil {
			log.Error("close", "error", err)
		}
	}()
	if err := o.accept(h.capabilities(), log); err != nil {
		return err
	}
	if err := h.SetUp(ctx); err != nil {
		return err
	}
	secured, err := h.secure(listener)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	atDoor, close := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer close() // steps need the door until the last one has ended: an engine saves its state through it
		return h.Run(ctx)
	})
	group.Go(func() error { return h.Serve(ctx, secured) })
	group.Go(func() error { return h.ServeDoor(atDoor) })
	group.Go(func() error { return h.greet(ctx) })
	defer time.AfterFunc(settled, debug.FreeOSMemory).Stop()
	err = group.Wait()
	h.Catalog.SaveIndex(context.WithoutCancel(ctx))
	return err
}

// accept tells what is not enforced on this machine, and refuses it where isolation is required.
func (o Options) accept(c execute.Capabilities, log *slog.Logger) error {
	switch {
	case c.Isolated && len(c.Missing) > 0:
		log.Warn("steps and applications are isolated, but not bounded in all", "missing", c.Missing)
	case c.Isolated:
	case o.Isolation == requireIsolation:
		return fault.Errorf(fault.Unavailable, "steps and applications can't be isolated on this machine: %s; "+
			"mend it (roadbed doctor tells more), or start with --isolation=prefer when only people you trust use this server", strings.Join(c.Missing, "; "))
	default:
		log.Warn("steps and applications do not run isolated on this machine; let only people you trust use it", "missing", c.Missing)
	}
	return nil
}

// greet tells where the server is; with --dev it gives a link that signs an administrator in.
func (h *House) greet(ctx context.Context) error {
	h.Log.Info("ready", "url", h.baseURL(), "data", h.Options.Data, "database", string(h.DB.Dialect()), "version", h.Version)
	if !h.Options.Dev {
		return nil
	}
	if h.ownAuthority() {
		h.Log.Info("HTTPS beside HTTP", "url", h.addressBy("https"), "trust", "SSL_CERT_FILE="+h.authorityFile())
	}
	code, err := h.Identity.SignInLink(actor.AsSystem(ctx), access.FirstAdmin())
	if err != nil {
		return fault.Wrap(err, "make a sign-in link")
	}
	fmt.Printf("Sign in as administrator (once, within ten minutes): %s\n", api.SignInURL(h.baseURL(), code))
	return nil
}
