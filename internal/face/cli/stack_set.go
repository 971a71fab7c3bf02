package cli

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) stackSets() *cobra.Command {
	return group("set", "Stack sets: a stack for each folder of a monorepo", s.setList(), s.setShow(), s.setFolders(), s.setLook(), s.setTry())
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
		return s.showSet(c, t)
	})
	return c
}

func (s *state) setFolders() *cobra.Command {
	var standing, text string
	c := listing(s, "folders [NAMESPACE/]NAME", "Folders of a stack set: the stack of each, or why it has none", cobra.ExactArgs(1), whole, func(args []string) (list[client.StackSetFolder], error) {
		query := url.Values{}
		for name, value := range map[string]string{"standing": standing, "text": text} {
			if value != "" {
				query.Set(name, value)
			}
		}
		return list[client.StackSetFolder]{
			path: "/stack-sets/" + named(args[0]) + "/folders", query: query, head: "FOLDER\tSTANDING\tSTACK\tLAST RUN\tWHY",
			row: func(f client.StackSetFolder) []any {
				stack, last := "", ""
				if f.Stack != nil {
					stack = f.Stack.Ref
					if f.Stack.LastRun != nil {
						last = f.Stack.LastRun.State
					}
				}
				return []any{f.Folder, f.Standing, stack, last, f.Why}
			},
			noun: "folders", next: "see `roadbed stack set show NAME` for what its newest look came to",
		}, nil
	})
	c.Flags().StringVar(&standing, "standing", "", "only these: made, stale, kept, held, wrong, ignored,\nbare; with commas for several")
	c.Flags().StringVar(&text, "text", "", "only those with these `words`")
	c.Example = "  roadbed stack set folders live --standing wrong,ignored,bare"
	return c
}

func (s *state) setLook() *cobra.Command {
	c := s.verb("look [NAMESPACE/]NAME", "Have a stack set look at its branch now", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		t, err := client.Post[client.StackSet](c.Context(), api, "/stack-sets/"+named(args[0])+"/look", nil)
		if err != nil {
			return err
		}
		return s.showSet(c, t)
	})
	c.Example = "  roadbed stack set look live"
	return c
}

func (s *state) setTry() *cobra.Command {
	var try client.StackSetTry
	c := s.verb("try [NAMESPACE/]NAME", "What a stack set would make and take away with other patterns", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		path := "/stack-sets/" + named(args[0])
		if len(try.Folders) == 0 || !c.Flags().Changed("ignore") {
			t, err := client.Get[client.StackSet](c.Context(), api, path, nil)
			if err != nil {
				return err
			}
			if len(try.Folders) == 0 {
				try.Folders = t.Folders
			}
			if !c.Flags().Changed("ignore") {
				try.Ignore = t.Ignore
			}
		}
		t, err := client.Post[client.StackSetTried](c.Context(), api, path+"/try", try)
		if err != nil {
			return err
		}
		return s.show(c, t, func(w io.Writer) {
			fmt.Fprintf(w, "at\t%s\nstacks\t%d: %d made, %d taken away, %d kept, %d folders wrong\n", short(t.Commit), t.Stacks, t.Made, t.Gone, t.Kept, t.Wrong)
			for _, f := range t.Changes {
				fmt.Fprintf(w, "%s\t%s %s %s\n", f.Standing, f.Folder, f.Stack, f.Why)
			}
		})
	})
	c.Flags().StringArrayVar(&try.Folders, "folder", nil, "a `pattern` of folders; again for several")
	c.Flags().StringArrayVar(&try.Ignore, "ignore", nil, "a `pattern` of folders that are left out")
	c.Flags().StringArrayVar(&try.Files, "file", nil, "a `pattern` of names, of which a folder has a file")
	c.Flags().StringVar(&try.Naming, "naming", "", "the `name` of each stack, with placeholders")
	c.Flags().StringVar(&try.Removed, "removed", "", "keep or delete")
	c.Long = "What a stack set would make and take away with other patterns. Nothing is changed; what is not said is as\nthe set has it." + exitHelp
	c.Example = "  roadbed stack set try live --folder 'stacks/*/*/' --ignore 'stacks/_*/**'"
	return c
}

func (s *state) showSet(c *cobra.Command, t client.StackSet) error {
	return s.show(c, t, func(w io.Writer) {
		fmt.Fprintf(w, "set\t%s\nsource\t%s, branch %s\nfolders\t%s\n", t.Ref, t.Repository, t.Branch, strings.Join(t.Folders, " "))
		if len(t.Ignore) > 0 {
			fmt.Fprintf(w, "ignored\t%s\n", strings.Join(t.Ignore, " "))
		}
		if t.Looked == nil {
			fmt.Fprintln(w, "looked\tnot yet")
		} else {
			fmt.Fprintf(w, "looked\t%s, at %s, in %d ms; %d made, %d taken away\n", ago(*t.Looked), short(t.Seen), t.Took, t.Made, t.Gone)
		}
		fmt.Fprintf(w, "stacks\t%d; `roadbed stack list --set %s` lists them\n", t.Stacks, t.Name)
		if t.Kept > 0 {
			fmt.Fprintf(w, "kept\t%d, whose folder is gone\n", t.Kept)
		}
		if left := t.Wrong + t.Ignored + t.Bare; left > 0 {
			fmt.Fprintf(w, "no stack\t%d folders; `roadbed stack set folders %s --standing wrong,ignored,bare` says why\n", left, t.Name)
		}
		if t.Message != "" {
			fmt.Fprintf(w, "why\t%s\n", t.Message)
		}
		for _, p := range t.Problems {
			fmt.Fprintf(w, "problem\t%s\n", p)
		}
	})
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
