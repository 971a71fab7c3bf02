package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *state) policies() *cobra.Command {
	return group("policy", "Policies", s.policyList(), s.policyShow(), s.policyTry(), s.policyReplay(), s.policyDecisions(), s.policyDecision())
}

func readText(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "read the policy: %w", err)
	}
	return string(data), nil
}

func (s *state) policyReplay() *cobra.Command {
	var point, space, replaces string
	var labels, stacks []string
	var gone bool
	var since span
	c := s.verb("replay [FILE]", "Which past decisions a policy would have changed, of all", cobra.MaximumNArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		in := map[string]any{"point": point, "space": space, "policy": replaces, "gone": gone}
		switch {
		case len(args) == 1:
			text, err := readText(args[0])
			if err != nil {
				return err
			}
			in["rego"] = text
		case replaces == "":
			return fault.Errorf(fault.Invalid, "name the FILE of a policy, or one that is there with --replaces")
		}
		if len(labels)+len(stacks) > 0 {
			in["attach"] = map[string]any{"labels": labels, "stacks": stacks}
		}
		if since > 0 {
			in["since"] = time.Now().Add(-time.Duration(since)).UTC()
		}
		r, err := replayAll(c, api, in)
		if err != nil {
			return err
		}
		return s.show(c, r, func(w io.Writer) {
			fmt.Fprintf(w, "%d decisions examined, %d would change", r.Examined, len(r.Changed))
			if r.Skipped > 0 {
				fmt.Fprintf(w, "; %d have no input any more", r.Skipped)
			}
			if r.Failed > 0 {
				fmt.Fprintf(w, "; %d it can't decide", r.Failed)
			}
			fmt.Fprintln(w)
			for _, x := range r.Changed {
				fmt.Fprintf(w, "%s\t%s\t%s\t→ %s\n", ago(x.Decision.Time), x.Decision.Subject, outcome(x.Before), outcome(x.After))
			}
		})
	})
	c.Flags().StringVar(&point, "point", "plan", "`point` at which it is asked, such as push or approval")
	c.Flags().StringVar(&space, "space", "", "`space` where it would be attached; the root space when not given")
	c.Flags().StringVar(&replaces, "replaces", "", "the `policy` that it replaces; a further one when not given")
	c.Flags().StringSliceVar(&labels, "attach-label", nil, "a `label` of what it would be asked about; * for all")
	c.Flags().StringSliceVar(&stacks, "attach-stack", nil, "a `stack` that it would be asked about")
	c.Flags().BoolVar(&gone, "gone", false, "without the policy, as if it were disabled or deleted")
	c.Flags().Var(&since, "since", "only decisions of that long ago or less, such as 7d")
	c.Example = "  roadbed policy replay names.rego\n  roadbed policy replay --replaces names --gone\n  roadbed policy replay approval.rego --point approval --since 30d"
	return c
}

// replayAll asks for one part after the other, until all decisions were looked at, and tells how far it is.
func replayAll(c *cobra.Command, api *client.Client, in map[string]any) (all client.Replay, err error) {
	all.Changed = []client.ReplayChange{}
	for {
		part, err := client.Post[client.Replay](c.Context(), api, "/policies/replay", in)
		if err != nil {
			return all, err
		}
		all.Examined, all.Failed, all.Skipped, all.Looked = all.Examined+part.Examined, all.Failed+part.Failed, all.Skipped+part.Skipped, all.Looked+part.Looked
		all.Total = max(all.Total, part.Total)
		all.Changed = append(all.Changed, part.Changed...)
		if part.Next == "" {
			return all, nil
		}
		fmt.Fprintf(c.ErrOrStderr(), "looked at %d of %d decisions, %d would change\n", all.Looked, max(all.Total, all.Looked), len(all.Changed))
		in["cursor"] = part.Next
	}
}

func outcome(rules map[string][]string) string {
	var parts []string
	for rule, messages := range rules {
		if len(messages) > 0 {
			parts = append(parts, rule+": "+strings.Join(messages, "; "))
		}
	}
	slices.Sort(parts)
	return dash(strings.Join(parts, ", "))
}
