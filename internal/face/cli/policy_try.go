package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *state) policyList() *cobra.Command {
	var point, space string
	c := listing(s, "list", "Policies that hold where you may see what they decide", cobra.NoArgs, whole, func([]string) (list[client.Policy], error) {
		return list[client.Policy]{
			path: "/policies", query: url.Values{"point": {point}, "space": {space}}, head: "POLICY\tPOINT\tSPACE\tATTACHED TO\tABOUT",
			row: func(p client.Policy) []any {
				return []any{strings.TrimPrefix(p.Ref, "policy:"), p.Point, p.Space, attachedTo(p), p.Description}
			},
			noun: "policies", next: "an administrator applies documents of kind Policy",
		}, nil
	})
	c.Flags().StringVar(&point, "point", "", "only at this `point`, such as plan")
	c.Flags().StringVar(&space, "space", "", "only of this `space`")
	return c
}

func attachedTo(p client.Policy) string {
	switch {
	case p.Disabled:
		return "nothing (disabled)"
	case len(p.Labels)+len(p.Subjects) == 0:
		return "all"
	}
	return strings.Join(append(slices.Clone(p.Labels), p.Subjects...), ", ")
}

func (s *state) policyShow() *cobra.Command {
	return s.verb("show POLICY", "A policy with its source", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		namespace, name, both := strings.Cut(strings.TrimPrefix(args[0], "policy:"), "/")
		if !both {
			namespace, name = "default", namespace
		}
		p, err := client.Get[client.PolicyDetail](c.Context(), api, "/policies/"+url.PathEscape(namespace)+"/"+url.PathEscape(name), nil)
		if err != nil {
			return err
		}
		return s.show(c, p, func(w io.Writer) {
			fmt.Fprintf(w, "policy\t%s\npoint\t%s\nspace\t%s\nattached to\t%s\nabout\t%s\n\n%s\n", p.Ref, p.Point, p.Space, attachedTo(p.Policy), dash(p.Description), strings.TrimRight(p.Rego, "\n"))
		})
	})
}

func (s *state) policyTry() *cobra.Command {
	var point, space, replaces, decision, input string
	c := s.verb("try FILE", "What a policy says of a recorded input, or of one in a file", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		text, err := readText(args[0])
		if err != nil {
			return err
		}
		in := map[string]any{"point": point, "space": space, "policy": replaces, "rego": text, "decision": decision}
		if input != "" {
			value, err := readText(input)
			if err != nil {
				return err
			}
			if !json.Valid([]byte(value)) {
				return fault.Errorf(fault.Invalid, "%s is no JSON", input)
			}
			in["input"] = json.RawMessage(value)
		}
		t, err := client.Post[client.PolicyTry](c.Context(), api, "/policies/try", in)
		if err != nil {
			return err
		}
		return s.show(c, t, func(w io.Writer) {
			fmt.Fprintf(w, "it says\t%s\n", outcome(t.Says))
			if t.Error != "" {
				fmt.Fprintf(w, "it can't decide\t%s\n", t.Error)
			}
			for _, note := range t.Notes {
				fmt.Fprintf(w, "note\t%s\n", note)
			}
			if decision != "" {
				fmt.Fprintf(w, "decided\t%s\nwould be\t%s\n", outcome(t.Before), outcome(t.Outcome))
			}
		})
	})
	c.Example = "  roadbed policy try names.rego --decision dec_01J9ZK3V8Q0000000000000000\n  roadbed policy try push.rego --point push --input event.json"
	c.Flags().StringVar(&decision, "decision", "", "`id` of the decision whose input is tried")
	c.Flags().StringVar(&input, "input", "", "`file` with an input as JSON, instead")
	c.Flags().StringVar(&point, "point", "", "`point` at which it is asked; that of the decision by default")
	c.Flags().StringVar(&space, "space", "", "`space` where it would be attached; the root space when not given")
	c.Flags().StringVar(&replaces, "replaces", "", "the `policy` that it replaces; a further one when not given")
	return c
}
