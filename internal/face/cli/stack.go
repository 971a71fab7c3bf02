package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) stacks() *cobra.Command {
	return group("stack", "Infrastructure as code",
		s.stackList(), s.stackStart("plan", "proposed", "Plan without applying"), s.stackStart("apply", "tracked", "Plan, and apply after review"),
		s.stackStart("destroy", "destroy", "Plan the removal of everything, and apply it after review"), s.stackOutputs(), s.stateList("state"), s.stackUnlock(),
		s.stackDependencies(), s.stackStart("drift", "drift", "Look whether what is there is what was applied"), s.stackTask(), s.stackEnvironment(), s.stackQueue(), s.stackSets())
}

func (s *state) stackList() *cobra.Command {
	var text, space, states, set string
	var drifted, queued bool
	c := listing(s, "list", "Stacks with their state, drift and queue", cobra.NoArgs, whole, func([]string) (list[client.Stack], error) {
		q := url.Values{"text": {text}, "space": {space}, "state": {states}, "set": {set}}
		if drifted {
			q.Set("drifted", "true")
		}
		if queued {
			q.Set("queued", "true")
		}
		return list[client.Stack]{
			path: "/stacks", query: q, head: "STACK\tTOOL\tREPOSITORY\tPATH\tLAST RUN\tDRIFT\tQUEUED\tRESOURCES\tCHANGED",
			row: func(k client.Stack) []any {
				last, drift, resources, changed := "", "", 0, ""
				if k.LastRun != nil {
					last = k.LastRun.State
				}
				if k.Drift != nil {
					if drift = "none"; k.Drift.Found {
						drift = "found"
					}
				}
				if k.State != nil {
					resources, changed = k.State.Resources, ago(k.State.Created)
				}
				return []any{k.Ref, k.Vendor, cmp.Or(k.Repository, "uploaded"), k.Path, last, drift, k.Queued, resources, changed}
			},
			noun: "stacks", next: "declare one with `roadbed apply -f FILE`, or use a golden path: `roadbed template list`",
		}, nil
	})
	c.Example = "  roadbed stack list --drifted\n  roadbed stack list --state failed,unconfirmed --text network\n  roadbed stack list --set mono"
	c.Flags().StringVar(&text, "text", "", "only with these `words` in name or folder")
	c.Flags().StringVar(&space, "space", "", "only those of a `space`")
	c.Flags().StringVar(&states, "state", "", "only with such a newest run; none: never ran")
	c.Flags().StringVar(&set, "set", "", "only those of the StackSet with this `name`")
	c.Flags().BoolVar(&drifted, "drifted", false, "only those that differ from what is applied")
	c.Flags().BoolVar(&queued, "queued", false, "only those with runs that wait")
	return c
}

func (s *state) stackStart(use, kind, what string) *cobra.Command {
	var commit, folder string
	var wait, detailed, dependents, reconcile bool
	c := s.verb(use+" [NAMESPACE/]NAME", what, cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		if folder != "" {
			if commit != "" {
				return Usage(errors.New("--local plans a folder, and --commit a commit; keep one of them"))
			}
			return s.local(c, api, args[0], folder, detailed)
		}
		r, err := client.Post[client.RunDetail](c.Context(), api, "/stacks/"+named(args[0])+"/runs", map[string]any{"type": kind, "commit": commit, "dependents": dependents, "reconcile": reconcile})
		if err != nil {
			return err
		}
		if wait {
			return s.await(c, api, r.ID)
		}
		return s.showRun(c, r)
	})
	c.Long = what + "." + waitHelp
	c.Example = fmt.Sprintf("  roadbed stack %s shop-infra --wait", use)
	if kind != "drift" {
		c.Example += fmt.Sprintf("\n  roadbed stack %s payments/shop-infra --commit 1f0c2a9", use)
		c.Flags().StringVar(&commit, "commit", "", "`commit` to plan; the head of the stack's branch when not given")
	}
	if kind == "drift" {
		c.Flags().BoolVar(&reconcile, "reconcile", false, "begin a tracked run where something has drifted")
	}
	if kind == "destroy" {
		c.Flags().BoolVar(&dependents, "dependents", false, "destroy what depends on it first")
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait until it has ended or waits for approval")
	if kind == "proposed" {
		c.Long = what + ", a commit of the repository or, with --local, a folder of this machine as it is. " + localHelp + waitHelp + " With\n--detailed-exitcode, 2 the plan of the folder has changes."
		c.Example += "\n  roadbed stack plan shop-infra --local . --detailed-exitcode"
		c.Flags().StringVar(&folder, "local", "", "plan this `folder`, which is sent, and follow its log")
		c.Flags().BoolVar(&detailed, "detailed-exitcode", false, "with --local: exit with 2 when there are changes")
	}
	return c
}

func (s *state) stackTask() *cobra.Command {
	var wait, skip bool
	c := s.verb("task [NAMESPACE/]NAME -- COMMAND...", "Run a command beside a stack's configuration, with its state", cobra.MinimumNArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		r, err := client.Post[client.RunDetail](c.Context(), api, "/stacks/"+named(args[0])+"/runs", map[string]any{"type": "task", "command": shell(args[1:]), "skipInit": skip})
		if err != nil {
			return err
		}
		if wait {
			return s.await(c, api, r.ID)
		}
		return s.showRun(c, r)
	})
	c.Long = "Run a command beside a stack's configuration, with its state, under its lock.\nNobody reviews what it does: it takes stack:task." + waitHelp
	c.Flags().BoolVar(&skip, "skip-init", false, "without the engine's init and its hooks, so without the state")
	c.Example = "  roadbed stack task shop-infra --wait -- tofu state list\n  roadbed stack task net -- tofu import aws_vpc.main vpc-1"
	c.Flags().BoolVar(&wait, "wait", false, "wait until it has ended")
	return c
}

// shell writes words as a shell reads them; a single one is a whole command.
func shell(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = word
		if word == "" || strings.ContainsAny(word, " \t\n'\"\\$`*?[]{}()<>|&;#~!") {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

func (s *state) stackOutputs() *cobra.Command {
	return s.verb("outputs [NAMESPACE/]NAME", "Outputs of a stack; sensitive ones without their value", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
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

func (s *state) stackDependencies() *cobra.Command {
	return s.verb("dependencies [NAMESPACE/]NAME", "What a stack depends on, and what depends on it", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		k, err := client.Get[client.Stack](c.Context(), api, "/stacks/"+named(args[0]), nil)
		if err != nil {
			return err
		}
		return s.show(c, map[string][]client.StackNeighbour{"dependsOn": k.DependsOn, "dependents": k.Dependents}, func(w io.Writer) {
			if len(k.DependsOn)+len(k.Dependents) == 0 {
				fmt.Fprintln(w, "none; name a stack in spec.dependsOn of its document")
			}
			for _, side := range []struct {
				title string
				all   []client.StackNeighbour
			}{{"depends on", k.DependsOn}, {"used by", k.Dependents}} {
				for _, n := range side.all {
					uses := make([]string, len(n.Outputs))
					for i, use := range n.Outputs {
						uses[i] = use.Output + " as " + use.As
					}
					fmt.Fprintf(w, "%s\t%s\t%s\n", side.title, n.Stack, strings.Join(uses, ", "))
				}
			}
		})
	})
}

func (s *state) stackUnlock() *cobra.Command {
	return s.verb("unlock [NAMESPACE/]NAME", "Free the lock of a stack's state, whoever holds it", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		err := api.Do(c.Context(), "POST", "/stacks/"+named(args[0])+"/unlock", nil, nil, nil)
		return told(c, err, "the state of %s is free", args[0])
	})
}
