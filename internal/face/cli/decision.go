package cli

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) policyDecisions() *cobra.Command {
	var run, point string
	c := listing(s, "decisions", "Decisions of policies, the newest first", cobra.NoArgs, newest, func([]string) (list[client.Decision], error) {
		return list[client.Decision]{
			path: "/decisions", query: url.Values{"run": {run}, "point": {point}}, head: "ID\tPOINT\tSUBJECT\tOUTCOME\tTIME",
			row:  func(d client.Decision) []any { return []any{d.ID, d.Point, d.Subject, outcome(d.Outcome), ago(d.Time)} },
			noun: "decisions", next: "policies are asked when something is done, such as a stack's plan",
		}, nil
	})
	c.Flags().StringVar(&run, "run", "", "only of this `run`")
	c.Flags().StringVar(&point, "point", "", "only at this `point`: plan, approval or deploy")
	return c
}

func (s *state) policyDecision() *cobra.Command {
	return s.verb("decision ID", "A decision, and what it was made from", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		d, err := client.Get[client.DecisionDetail](c.Context(), api, "/decisions/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return s.show(c, d, func(w io.Writer) {
			fmt.Fprintf(w, "decision\t%s\npoint\t%s\nspace\t%s\nrun\t%s\nsubject\t%s\npolicies\t%s\n", d.ID, d.Point, d.Space, dash(d.Run), dash(d.Subject), dash(strings.Join(d.Policies, ", ")))
			for rule, said := range d.Outcome {
				for _, text := range said {
					fmt.Fprintf(w, "%s\t%s\n", rule, text)
				}
			}
			fmt.Fprintf(w, "input\t%s\n", dash(string(d.Input)))
		})
	})
}
