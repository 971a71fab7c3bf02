package server

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/internal/face/cli"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func engineCommand(string) *cobra.Command {
	c := &cobra.Command{
		Use: "engine", Short: "Print which OpenTofu or Terraform stacks use; download one when there is none", Args: cobra.NoArgs,
		Long: `Prints the program that plans and applies stacks: what ROADBED_ENGINE names; tofu, then terraform on the PATH; one that was
downloaded or built before. Where there is none, OpenTofu is downloaded into the cache folder of the user, and its
checksum and signature are verified. Servers of this user find it there.

Stacks may ask for other versions, and for kubectl, terragrunt and pulumi: list and download are about these.

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
	c.AddCommand(engineList(), engineDownload())
	return c
}

// bringEngine finds the engine as a server of this user does, and downloads it where there is none.
func bringEngine(ctx context.Context, tell io.Writer) (string, error) {
	program, err := stack.FindEngine(os.Getenv(environment("engine")), engineFolders("")...)
	if err != nil || program != "" {
		return program, err
	}
	folder := stack.OwnEngines()
	if folder == "" {
		return "", fault.Errorf(fault.Unavailable, "there is neither OpenTofu nor Terraform here, and no folder for caches to download it into; put tofu on the PATH")
	}
	fmt.Fprintf(tell, "There is neither OpenTofu nor Terraform here; downloading OpenTofu %s, once.\n", stack.EngineVersion)
	p, err := toolchain.New(toolchain.Options{Dir: folder, Download: true, OpenTofu: os.Getenv(environment("opentofu-releases"))}).
		Get(ctx, toolchain.OpenTofu, stack.EngineVersion, io.Discard)
	return p.Path, err
}

// optionsOfEngines are those of a server that matter to its engines.
var optionsOfEngines = []string{"engine", "download-engine", "opentofu-releases", "terraform-releases", "kubectl-releases", "terragrunt-releases", "pulumi-releases"}

func engineList() *cobra.Command {
	var available bool
	c := onData("list", "The engines and tools that a server has, and those that it may download", cobra.NoArgs, func(c *cobra.Command, o Options, _ []string) error {
		log, err := o.Logger()
		if err != nil {
			return err
		}
		cache := toolchainOf(o, filepath.Join(o.Data, "tools"), log)
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "ENGINE\tVERSION\tFROM\tPROGRAM")
		for _, p := range cache.Local(c.Context()) {
			from := p.From
			switch {
			case p.Found:
				from = "found"
			case from == "":
				from = "carried here"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Name, p.Version, from, p.Path)
		}
		if err := w.Flush(); err != nil || !available {
			return err
		}
		for _, name := range toolchain.Names() {
			versions, err := cache.Available(c.Context(), name)
			if err != nil {
				fmt.Fprintf(c.OutOrStdout(), "\n%s: %s\n", name, fault.Message(err))
				continue
			}
			fmt.Fprintf(c.OutOrStdout(), "\n%s to be downloaded: %s\n", name, strings.Join(versions, " "))
		}
		return nil
	}, optionsOfEngines...)
	c.Flags().BoolVar(&available, "available", false, "also what can be downloaded")
	c.Example = "  roadbed engine list --data ./roadbed-data --available"
	return c
}

func engineDownload() *cobra.Command {
	c := onData("download NAME VERSION", "Download a version of an engine or tool into a server's data folder", cobra.ExactArgs(2), func(c *cobra.Command, o Options, args []string) error {
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		log, err := o.Logger()
		if err != nil {
			return err
		}
		name := args[0]
		if name == "opentofu" {
			name = toolchain.OpenTofu
		}
		if err := toolchain.Check(name, "0.0.0"); err != nil {
			return cli.Usage(err)
		}
		if name == toolchain.Terraform && o.TerraformReleases == "" { // whoever runs this asks for it
			o.TerraformReleases = toolchain.TerraformReleases
		}
		o.Download = true
		wanted, err := toolchain.ParseFor(name, strings.TrimPrefix(args[1], "v"))
		if err != nil {
			return cli.Usage(err)
		}
		cache := toolchainOf(o, filepath.Join(o.Data, "tools"), log)
		version, err := cache.Resolve(ctx, name, wanted)
		if err != nil {
			return err
		}
		p, err := cache.Get(ctx, name, version, c.ErrOrStderr())
		if err == nil {
			fmt.Fprintln(c.OutOrStdout(), p.Path)
		}
		return err
	}, optionsOfEngines...)
	c.Long = `Downloads tofu, terraform, kubectl, terragrunt or pulumi into a data folder, where its server finds it, and
verifies its checksum, and its signature where there is one: of OpenTofu and Terraform. VERSION is a version, a
constraint such as "~> 1.9", or latest. A version that is there already is verified again, and nothing is
downloaded. From 1.6 on, Terraform's licence is the BUSL.

Exit codes: 0 it is there, 1 it could not be brought, 2 wrong options, 5 there is no such version.`
	c.Example = "  roadbed engine download tofu 1.11.5 --data ./roadbed-data"
	return c
}
