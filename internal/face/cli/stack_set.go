package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) stackSets() *cobra.Command {
	return group("set", "Stack sets: a stack for each folder of a monorepo", s.setList(), s.setShow())
}

func (s *state) setList() *cobra.Command {
	return listing(s, "list", "Stack sets, and what their newest look came to", cobra.NoArgs, whole, func([]string) (list[client.StackSet], error) {
		return list[client.StackSet]{
			path: "/stack-sets", head: "SET\tREPOSITORY\tFOLDERS\tSTACKS\tKEPT\tWRONG\tLOOKED",
			row: func(t client.StackSet) []any {
				looked := ""
				if t.Looked != nil {
					looked = ago(*t.Looked)
				}
				return []any{t.Ref, t.Repository, strings.Join(t.Folders, " "), t.Stacks, t.Kept, t.Wrong, looked}
			},
			noun: "stack sets", next: "declare one with `roadbed apply -f FILE`; kind: StackSet",
		}, nil
	})
}

func (s *state) setShow() *cobra.Command {
	c := s.verb("show [NAMESPACE/]NAME", "One stack set, and what is wrong with its folders", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		t, err := client.Get[client.StackSet](c.Context(), api, "/stack-sets/"+named(args[0]), nil)
		if err != nil {
			return err
		}
		return s.show(c, t, func(w io.Writer) {
			fmt.Fprintf(w, "set\t%s\nsource\t%s, branch %s\nfolders\t%s\n", t.Ref, t.Repository, t.Branch, strings.Join(t.Folders, " "))
			if t.Looked == nil {
				fmt.Fprintln(w, "looked\tnot yet")
			} else {
				fmt.Fprintf(w, "looked\t%s, at %s, in %d ms\n", ago(*t.Looked), short(t.Seen), t.Took)
			}
			fmt.Fprintf(w, "stacks\t%d; `roadbed stack list --set %s` lists them\n", t.Stacks, t.Name)
			if t.Kept > 0 {
				fmt.Fprintf(w, "kept\t%d, whose folder is gone\n", t.Kept)
			}
			if t.Message != "" {
				fmt.Fprintf(w, "why\t%s\n", t.Message)
			}
			for _, p := range t.Problems {
				fmt.Fprintf(w, "problem\t%s\n", p)
			}
		})
	})
	return c
}

// writeCost tells what a plan would change of a month's costs.
func writeCost(w io.Writer, c *client.PlanCost) {
	if c == nil {
		return
	}
	fmt.Fprintf(w, "\nin a month: %.2f %s, %.2f before, %+.2f\n", c.After, c.Currency, c.Before, c.Delta)
	for _, r := range c.Resources {
		if r.Delta != 0 {
			fmt.Fprintf(w, "  %+12.2f  %s\n", r.Delta, r.Address)
		}
	}
	if c.Unpriced > 0 {
		fmt.Fprintf(w, "  no price speaks of %d resources\n", c.Unpriced)
	}
	for _, n := range c.Notes {
		fmt.Fprintf(w, "  %s\n", n)
	}
}
