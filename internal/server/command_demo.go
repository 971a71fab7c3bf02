package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/internal/face/demo"
)

func demoCommand(version string) *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use: "demo", Short: "The main job, told as it happens: from a golden path to a running service", Args: cobra.NoArgs,
		Long: `Starts a server on a folder of its own and does the main job as two ordinary users would, with nothing but the
public API, git and HTTP: a golden path becomes a repository, its pipeline builds an image, its infrastructure is
planned, reviewed and applied, the service runs, a second commit replaces it without a dropped request, and a third
one, which is not healthy, is rolled back.

Exit codes: 0 all of it happened, 1 something did not.`,
	}
	c.Flags().BoolVar(&o.Exit, "exit", false, "end when it is done, and leave nothing running")
	c.Flags().StringVar(&o.Dir, "dir", "", "folder to work in; a new one below the folder for temporary files when not given")
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:0", "address of the server")
	c.Flags().StringVar(&o.Database, "database", "", "database of the server; SQLite when not given")
	c.RunE = func(c *cobra.Command, _ []string) error {
		program, err := os.Executable()
		if err != nil {
			return err
		}
		o.Program, o.Out = program, c.OutOrStdout()
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = demo.Run(ctx, o)
		if errors.Is(err, context.Canceled) {
			return fmt.Errorf("stopped before it was done")
		}
		return err
	}
	return c
}
