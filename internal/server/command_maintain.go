package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/face/api"
	"github.com/roadbed-dev/roadbed/internal/face/cli"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/container"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// onData makes a command that works on a data folder without a running server. It takes all options of the server, so
// that one file of them does for both; its help names those that tell where the data is, and those that it is said to show.
func onData(use, short string, args cobra.PositionalArgs, run func(c *cobra.Command, o Options, args []string) error, shown ...string) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: args}
	c.Long = short + ". It takes the options of \"roadbed server\", of which these matter here.\n\nExit codes: 0 done, 1 failed, 2 wrong options."
	options := bind(c.Flags())
	shown = append(shown, "config", "data", "database", "dev", "log-level", "log-format")
	c.Flags().VisitAll(func(f *pflag.Flag) { f.Hidden = !slices.Contains(shown, f.Name) })
	c.RunE = func(c *cobra.Command, args []string) error {
		o, err := options()
		if err != nil {
			return cli.Usage(err)
		}
		return run(c, o, args)
	}
	return c
}

func migrateCommand(version string) *cobra.Command {
	return onData("migrate", "Bring the tables of a database up to date", cobra.NoArgs, func(c *cobra.Command, o Options, _ []string) error {
		log, err := o.Logger()
		if err != nil {
			return err
		}
		if err := os.MkdirAll(o.Data, 0o700); err != nil {
			return err
		}
		db, err := store.Open(c.Context(), o.Database, log)
		if err != nil {
			return err
		}
		defer db.Close()
		if err := db.Migrate(c.Context(), Migrations()...); err != nil {
			return err
		}
		fmt.Fprintln(c.OutOrStdout(), "the database is up to date with", version)
		return nil
	})
}

func warmCommand(string) *cobra.Command {
	return &cobra.Command{
		Use: "warm", Short: "Compile Go's standard library once, for the caches of new spaces", Args: cobra.NoArgs,
		Long: `Compiles the standard library of this machine's Go, which takes about a minute, into the cache folder of the user. A server
that is started afterwards lends it to the first Go step of each space, which else compiles it itself.

Exit codes: 0 done, or done before, 1 failed.`,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, done, err := worker.WarmGo(c.Context(), c.OutOrStdout())
			if err == nil && !done {
				fmt.Fprintln(c.OutOrStdout(), "kept in", dir)
			}
			return err
		},
	}
}

func openapiCommand(version string) *cobra.Command {
	return &cobra.Command{
		Use: "openapi", Short: "Print the description of the API (OpenAPI 3.1)", Args: cobra.NoArgs, Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			a := api.New(api.Rooms{Kinds: document.NewRegistry()}, api.Options{Version: "", Now: time.Now})
			encoder := json.NewEncoder(c.OutOrStdout())
			encoder.SetIndent("", " ")
			return encoder.Encode(a.OpenAPI())
		},
	}
}

// doctorCommand looks at a machine and a data folder without touching either, so it may be run beside a server.
func doctorCommand(version string) *cobra.Command {
	return onData("doctor", "What this machine has and lacks for a server", cobra.NoArgs, func(c *cobra.Command, o Options, _ []string) error {
		o.LogLevel = "error"
		log, err := o.Logger()
		if err != nil {
			return err
		}
		out := c.OutOrStdout()
		fmt.Fprintf(out, "version      %s\ndata         %s\n", version, o.Data)
		if program, err := exec.LookPath("git"); err != nil {
			fmt.Fprintln(out, "git          none: install git, 2.38 or newer")
		} else {
			fmt.Fprintf(out, "git          %s\n", program)
		}
		program, err := stack.FindEngine(o.Engine, engineFolders(filepath.Join(o.Data, "tools"))...)
		switch {
		case err != nil:
			fmt.Fprintf(out, "engine       %s\n", fault.Message(err))
		case program == "":
			fmt.Fprintln(out, "engine       none: put tofu on the PATH, name it with --engine, or run roadbed engine, or make tools without a network")
		default:
			fmt.Fprintf(out, "engine       %s\n", program)
		}
		if err := tellIsolation(out, log); err != nil {
			return err
		}
		if o.Executor == containerExecutor {
			tellContainers(c.Context(), out, o)
		}
		return tellLedger(c.Context(), out, o, log)
	}, "engine", "executor", "container-host", "container-image", "container-allow")
}

// tellContainers tries the engine as a server that starts would, without an image being pulled.
func tellContainers(ctx context.Context, out io.Writer, o Options) {
	dir, err := os.MkdirTemp("", "roadbed-doctor-")
	if err == nil {
		defer os.RemoveAll(dir)
		var executor *container.Executor
		if executor, err = container.New(ctx, o.containers(dir, nil)); err == nil {
			defer func() { _ = executor.Close() }()
			fmt.Fprintf(out, "containers   %s\n", executor.Engine())
			for _, missing := range executor.Capabilities().Missing {
				fmt.Fprintf(out, "             %s\n", missing)
			}
			return
		}
	}
	fmt.Fprintf(out, "containers   none: %s\n", fault.Message(err))
}

func tellIsolation(out io.Writer, log *slog.Logger) error {
	dir, err := os.MkdirTemp("", "roadbed-doctor-")
	if err != nil {
		return fault.Errorf(fault.Unavailable, "try isolation: %w", err)
	}
	defer os.RemoveAll(dir)
	executor, err := process.New(dir, log)
	if err != nil {
		return fault.Wrap(err, "try isolation")
	}
	defer executor.Close()
	tellCapabilities(out, executor.Capabilities())
	return nil
}

// tellCapabilities speaks of this command's own user and cgroup: a server that runs as another one may have less.
func tellCapabilities(out io.Writer, c execute.Capabilities) {
	who := "the user " + strconv.Itoa(os.Getuid())
	if me, err := user.Current(); err == nil {
		who = me.Username
	}
	if c.Isolated {
		fmt.Fprintf(out, "isolation    yes, for %s: steps see neither this machine nor each other\n", who)
	} else {
		fmt.Fprintf(out, "isolation    no, for %s: steps would run as plain processes; the server starts so only with --isolation=prefer or --dev\n", who)
	}
	for _, missing := range c.Missing {
		fmt.Fprintf(out, "             %s\n", missing)
	}
}

func tellLedger(ctx context.Context, out io.Writer, o Options, log *slog.Logger) error {
	if file, ok := strings.CutPrefix(o.Database, "sqlite:"); ok {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintln(out, "database     none yet: the first start of the server makes it")
			return nil
		}
	}
	db, err := store.Open(ctx, o.Database, log)
	if err != nil {
		return err
	}
	defer db.Close()
	r, err := ledger.Verify(ctx, db)
	if err != nil {
		return err
	}
	if r.Broken != nil {
		return fault.Errorf(fault.Conflict, "the ledger is broken at position %d: %s", r.Broken.Position, r.Broken.Why)
	}
	fmt.Fprintf(out, "database     %s\nledger       whole: %d entries\n", db.Dialect(), r.Entries)
	var jobs queue.Counts
	err = db.Read(ctx, func(tx *store.Tx) (err error) {
		jobs, err = queue.Count(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "jobs         %d waiting, %d in work, %d given up\n", jobs.Waiting, jobs.Running, jobs.Dead)
	if jobs.Dead > 0 {
		fmt.Fprintln(out, "             the server's log says why each was given up; they are kept a week")
	}
	return nil
}
