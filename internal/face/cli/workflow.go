package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) workflows() *cobra.Command {
	return group("workflow", "Workflows", s.workflowSubmit(), s.workflowLint())
}

func (s *state) workflowSubmit() *cobra.Command {
	var given []string
	var space string
	var wait bool
	c := s.verb("submit FILE", "Start a workflow from its document", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		text, err := documents(c, args)
		if err != nil {
			return err
		}
		arguments := map[string]string{}
		for _, pair := range given {
			name, value, ok := strings.Cut(pair, "=")
			if !ok {
				return Usage(fmt.Errorf("--parameter %q is not name=value", pair))
			}
			arguments[name] = value
		}
		r, err := client.Post[client.RunDetail](c.Context(), api, "/workflows/runs", map[string]any{"file": args[0], "document": text, "arguments": arguments, "space": space})
		if err != nil {
			return err
		}
		if wait {
			return s.await(c, api, r.ID)
		}
		return s.showRun(c, r)
	})
	c.Long = "Starts a workflow from its document." + waitHelp
	c.Example = "  roadbed workflow submit build.yaml -p version=1.2 --wait"
	c.Flags().StringArrayVarP(&given, "parameter", "p", nil, "an argument: `name=value`; may be given several times")
	c.Flags().StringVar(&space, "space", "", "`space` in which it runs; the root space when not given")
	c.Flags().BoolVar(&wait, "wait", false, "wait until it has ended or waits for approval")
	return c
}

func (s *state) workflowLint() *cobra.Command {
	return s.lint("/workflows/lint", "Check a workflow before it runs")
}

// lint is the verb that checks a file before it is used; what it warns of does not fail it.
func (s *state) lint(path, short string) *cobra.Command {
	return s.verb("lint FILE", short, cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		text, err := documents(c, args)
		if err != nil {
			return err
		}
		report, err := client.Post[client.LintReport](c.Context(), api, path, map[string]string{"file": args[0], "document": text})
		if err != nil {
			return err
		}
		return s.show(c, report, func(w io.Writer) {
			for _, warning := range report.Warnings {
				fmt.Fprintf(w, "warning: %s: %s\n", warning.Location, warning.Message)
			}
			fmt.Fprintln(w, "ok")
		})
	})
}
