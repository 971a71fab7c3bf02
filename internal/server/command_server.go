package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/face/api"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Commands gives the verbs that need the house in process.
func Commands(version string) []*cobra.Command {
	return []*cobra.Command{
		serverCommand(version), demoCommand(version), migrateCommand(version), backupCommand(version), restoreCommand(version),
		doctorCommand(version), verifyCommand(version), openapiCommand(version), imageCommand(), warmCommand(version),
	}
}

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
			return err
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
	listener, err := net.Listen("tcp", o.Listen)
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
	if c := h.Executor.Capabilities(); !c.Isolated {
		log.Warn("steps do not run isolated on this machine; let only people you trust use it", "missing", c.Missing)
	}
	if err := h.SetUp(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.Run(ctx) })
	group.Go(func() error { return h.Serve(ctx, listener) })
	group.Go(func() error { return h.greet(ctx) })
	return group.Wait()
}

// greet tells where the server is; with --dev it gives a link that signs an administrator in.
func (h *House) greet(ctx context.Context) error {
	h.Log.Info("ready", "url", h.baseURL(), "data", h.Options.Data, "database", string(h.DB.Dialect()), "version", h.Version)
	if !h.Options.Dev {
		return nil
	}
	code, err := h.Identity.SignInLink(actor.AsSystem(ctx), access.FirstAdmin())
	if err != nil {
		return fault.Wrap(err, "make a sign-in link")
	}
	fmt.Printf("Sign in as administrator (once, within ten minutes): %s\n", api.SignInURL(h.baseURL(), code))
	return nil
}
