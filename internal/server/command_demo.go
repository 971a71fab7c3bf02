package server

import (
	"context"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/roadbed-dev/roadbed/internal/face/demo"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func demoCommand(version string) *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use: "demo", Short: "The main job, told as it happens: from a golden path to a running service", Args: cobra.NoArgs,
		Long: `Starts a server on a folder of its own and does the main job as two ordinary users would, with nothing but the
public API, git and HTTP: a golden path becomes a repository, its pipeline builds an image, its infrastructure is
planned, reviewed and applied, the service runs, a second commit replaces it without a dropped request, and a third
one, which is not healthy, is rolled back.

It needs git and Go, and OpenTofu or Terraform: where there is neither, OpenTofu is downloaded, once. Of the variables
ROADBED_… only ROADBED_ENGINE has an effect.

Exit codes: 0 all of it happened, 1 something did not, 130 stopped before its end.`,
	}
	c.Flags().BoolVar(&o.Exit, "exit", false, "end when it is done, and leave nothing running")
	c.Flags().StringVar(&o.Dir, "dir", "", "folder to work in, new or empty, which is kept; not given, one for temporary files, which is removed at the end")
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:0", "address of the server; a free port for port 0")
	c.Flags().StringVar(&o.Database, "database", "", "database of the server; SQLite when not given")
	c.RunE = func(c *cobra.Command, _ []string) error {
		program, err := os.Executable()
		if err != nil {
			return err
		}
		o.Program, o.Out, o.Width = program, c.OutOrStdout(), width(c.OutOrStdout())
		// A closed terminal and a reader that goes away end the demo too, which otherwise would leave its server behind.
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
		defer stop()
		if err := equip(ctx, o.Out); err != nil {
			return err
		}
		return demo.Run(ctx, o)
	}
	return c
}

// width gives the columns of a terminal, 0 for what is none.
func width(out io.Writer) int {
	f, ok := out.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// equip makes sure that the machine has what the main job needs, before anything begins.
func equip(ctx context.Context, out io.Writer) error {
	if _, err := exec.LookPath("git"); err != nil {
		return fault.Errorf(fault.Unavailable, "the demo needs git, and there is none on the PATH; install git 2.38 or newer")
	}
	if _, ok := worker.FindTools(ctx, "", "")["go"]; !ok {
		return fault.Errorf(fault.Unavailable, "the demo's pipeline compiles a Go program, and there is no Go on the PATH; install it from https://go.dev/dl")
	}
	if stack.BuiltEngine() == "" { // nowhere to download to; the server has its data folder
		_, err := stack.FindEngine(os.Getenv(environment("engine")))
		return err
	}
	_, err := bringEngine(ctx, out)
	return err
}
