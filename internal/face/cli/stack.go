package cli

import (
	"fmt"
	"io"
	"net/url"
	"sort"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) stacks() *cobra.Command {
	return group("stack", "Infrastructure as code",
		s.stackList(), s.stackStart("plan", "proposed", "Plan without applying"), s.stackStart("apply", "tracked", "Plan, and apply after review"),
		s.stackStart("destroy", "destroy", "Plan the removal of everything, and apply it after review"), s.stackOutputs(), s.stackStates(), s.stackUnlock())
}

func (s *state) stackList() *cobra.Command {
	return s.verb("list", "Stacks with their state", cobra.NoArgs, func(c *cobra.Command, api *client.Client, _ []string) error {
		all, err := client.All[client.Stack](c.Context(), api, "/stacks", nil)
		if err != nil {
			return err
		}
		return s.show(c, all, func(w io.Writer) {
			fmt.Fprintln(w, "STACK\tREPOSITORY\tPATH\tLAST RUN\tRESOURCES")
			for _, k := range all {
				last, resources := "-", 0
				if k.LastRun != nil {
					last = k.LastRun.State
				}
				if k.State != nil {
					resources = k.State.Resources
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", k.Ref, k.Repository, dash(k.Path), last, resources)
			}
		})
	})
}

func (s *state) stackStart(use, kind, what string) *cobra.Command {
	var commit string
	var wait bool
	c := s.verb(use+" NAME", what, cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		r, err := client.Post[client.RunDetail](c.Context(), api, "/stacks/"+named(args[0])+"/runs", map[string]string{"type": kind, "commit": commit})
		if err != nil {
			return err
		}
		if wait {
			return s.await(c, api, r.ID)
		}
		return s.showRun(c, r)
	})
	c.Long = what + ".\n\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 denied, 4 not found, 5 conflict; with --wait 10 it waits for approval."
	c.Flags().StringVar(&commit, "commit", "", "commit to plan; the head of the stack's branch when not given")
	c.Flags().BoolVar(&wait, "wait", false, "wait until it has ended or waits for approval")
	return c
}

func (s *state) stackOutputs() *cobra.Command {
	return s.verb("outputs NAME", "Outputs of a stack; sensitive ones without their value", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		k, err := client.Get[client.Stack](c.Context(), api, "/stacks/"+named(args[0]), nil)
		if err != nil {
			return err
		}
		outputs := map[string]client.Value{}
		if k.State != nil {
			outputs = k.State.Outputs
		}
		return s.show(c, outputs, func(w io.Writer) {
			names := make([]string, 0, len(outputs))
			for name := range outputs {
				names = append(names, name)
			}
			sort.Strings(names)
			for _, name := range names {
				value := string(outputs[name].Value)
				if outputs[name].Sensitive {
					value = "(sensitive)"
				}
				fmt.Fprintf(w, "%s\t%s\n", name, value)
			}
		})
	})
}

func (s *state) stackStates() *cobra.Command {
	return s.verb("state NAME", "Versions of a stack's state, the newest first", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		list, err := client.Get[client.List[client.StateVersion]](c.Context(), api, "/stacks/"+named(args[0])+"/states", url.Values{"limit": {"100"}})
		if err != nil {
			return err
		}
		return s.show(c, list.Items, func(w io.Writer) {
			fmt.Fprintln(w, "SERIAL\tRESOURCES\tRUN\tCREATED")
			for _, v := range list.Items {
				fmt.Fprintf(w, "%d\t%d\t%s\t%s\n", v.Serial, v.Resources, dash(v.Run), ago(v.Created))
			}
		})
	})
}

func (s *state) stackUnlock() *cobra.Command {
	return s.verb("unlock NAME", "Free the lock of a stack's state, whoever holds it", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		return api.Do(c.Context(), "POST", "/stacks/"+named(args[0])+"/unlock", nil, nil, nil)
	})
}
