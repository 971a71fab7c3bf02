package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) contexts() *cobra.Command {
	return listing(s, "contexts", "Contexts: what runs of many stacks share", cobra.NoArgs, whole, func([]string) (list[client.Context], error) {
		return list[client.Context]{
			path: "/contexts", head: "CONTEXT\tSPACE\tPRIORITY\tLABELS\tDESCRIPTION",
			row: func(x client.Context) []any {
				return []any{x.Namespace + "/" + x.Name, x.Space, x.Priority, dash(strings.Join(x.Labels, ",")), dash(x.Description)}
			},
			noun: "contexts", next: "apply a document of the kind Context",
		}, nil
	})
}

func (s *state) context() *cobra.Command {
	return s.verb("context [NAMESPACE/]NAME", "A context: what it gives, and which stacks have it", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		x, err := client.Get[client.ContextDetail](c.Context(), api, namedPath("contexts", args[0]), nil)
		if err != nil {
			return err
		}
		stacks, err := client.All[client.ContextStack](c.Context(), api, namedPath("contexts", args[0])+"/stacks", nil)
		if err != nil {
			return err
		}
		whole := struct {
			client.ContextDetail
			Stacks []client.ContextStack `json:"stacks"`
		}{x, stacks}
		return s.show(c, whole, func(w io.Writer) {
			fmt.Fprintf(w, "space\t%s\npriority\t%d\nlabels\t%s\ndescription\t%s\n", x.Space, x.Priority, dash(strings.Join(x.Labels, ", ")), dash(x.Description))
			showGiven(w, x.Variables, x.Files, x.Hooks)
			for _, k := range stacks {
				fmt.Fprintf(w, "stack %s\t%s\n", k.Ref, k.Why)
			}
		})
	})
}

// showGiven lists what steps are given, a line each, and where it is from.
func showGiven(w io.Writer, variables []client.SetVariable, files []client.SetFile, hooks []client.SetHook) {
	from := func(text string) string {
		if text == "" {
			return ""
		}
		return "\tfrom " + text
	}
	for _, v := range variables {
		value := v.Value
		if v.SecretRef != "" {
			value = secretWord(v.SecretRef, v.Checksum)
		}
		fmt.Fprintf(w, "variable %s\t%s%s\n", v.Name, oneLine(value, 100), from(v.From))
	}
	for _, f := range files {
		what := fmt.Sprintf("%d bytes", f.Size)
		if f.SecretRef != "" {
			what = secretWord(f.SecretRef, f.Checksum)
		}
		fmt.Fprintf(w, "file %s\t%s%s\n", f.Path, what, from(f.From))
	}
	for _, h := range hooks {
		fmt.Fprintf(w, "hook %s\t%s%s\n", h.Phase, oneLine(h.Command, 100), from(h.From))
	}
}

func secretWord(name, checksum string) string {
	return fmt.Sprintf("(secret %s, checksum %s)", name, cmp.Or(checksum, "not shown"))
}

// engineOf tells which engine runs use, and why.
func engineOf(e client.StackEngine) string {
	text := cmp.Or(e.Name, "the pool's own")
	if e.Version != "" {
		text += " " + e.Version
	}
	if e.Wanted != "" {
		text += fmt.Sprintf(", for %q from %s", e.Wanted, e.From)
	}
	return text
}

func (s *state) stackEnvironment() *cobra.Command {
	return s.verb("environment [NAMESPACE/]NAME", "What runs of a stack are given, and where it is from", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		e, err := client.Get[client.StackEnvironment](c.Context(), api, "/stacks/"+named(args[0])+"/environment", nil)
		if err != nil {
			return err
		}
		return s.show(c, e, func(w io.Writer) {
			if e.Wrong != "" {
				fmt.Fprintf(w, "runs fail\t%s\n", e.Wrong)
			}
			for _, text := range e.Warnings {
				fmt.Fprintf(w, "warning\t%s\n", text)
			}
			fmt.Fprintf(w, "folder\t%s\nfile\t%s\nengine\t%s\n", dash(e.Path), dash(e.File), engineOf(e.Engine))
			if e.Tool != nil {
				fmt.Fprintf(w, "program\t%s\n", engineOf(*e.Tool))
			}
			for _, x := range e.Contexts {
				fmt.Fprintf(w, "context %s\tpriority %d, %s\n", x.Ref, x.Priority, x.Why)
			}
			showGiven(w, e.Variables, e.Files, e.Hooks)
		})
	})
}
