package server

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func engineCommand(string) *cobra.Command {
	return &cobra.Command{
		Use: "engine", Short: "Print which OpenTofu or Terraform stacks use; download one when there is none", Args: cobra.NoArgs,
		Long: `Prints the program that plans and applies stacks: what ROADBED_ENGINE names; tofu, then terraform on the PATH; one that was
downloaded or built before. Where there is none, OpenTofu is downloaded into the cache folder of the user, and its
checksum and signature are verified. Servers of this user find it there.

Exit codes: 0 there is one, 1 there is none and none could be downloaded, or what ROADBED_ENGINE names is none.`,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			program, err := bringEngine(ctx, c.ErrOrStderr())
			if err == nil {
				fmt.Fprintln(c.OutOrStdout(), program)
			}
			return err
		},
	}
}

// bringEngine finds the engine as a server of this user does, and downloads it where there is none.
func bringEngine(ctx context.Context, tell io.Writer) (string, error) {
	folder := stack.BuiltEngine()
	program, err := stack.FindEngine(os.Getenv(environment("engine")), folder)
	if err != nil || program != "" {
		return program, err
	}
	if folder == "" {
		return "", fault.Errorf(fault.Unavailable, "there is neither OpenTofu nor Terraform here, and no folder for caches to download it into; put tofu on the PATH")
	}
	fmt.Fprintf(tell, "There is neither OpenTofu nor Terraform here; downloading OpenTofu %s, once.\n", stack.EngineVersion)
	return stack.Download(ctx, folder)
}
