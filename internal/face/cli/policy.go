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
	return group("policy", "Policies", s.policyTest(), s.policyReplay(), s.policyDecisions(), s.policyDecision())
}

func readText(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "read the policy: %w", err)
	}
	return string(data), nil
}

func (s *state) policyTest() *cobra.Command {
	var point string
	c := s.verb("test FILE [TESTS…]", "Check a policy and run the tests in it and in further files", cobra.MinimumNArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		texts := make([]string, len(args))
		for i, path := range args {
			var err error
			if texts[i], err = readText(path); err != nil {
				return err
			}
		}
		done, err := client.Post[client.List[client.PolicyTest]](c.Context(), api, "/policies/check", map[string]any{"point": point, "rego": texts[0], "tests": texts[1:]})
		if err != nil {
			return err
		}
		failed := 0
		for _, t := range done.Items {
			if !t.Passed {
				failed++
			}
		}
		err = s.show(c, done.Items, func(w io.Writer) {
			for _, t := range done.Items {
				word := "passed"
				if !t.Passed {
					word = "failed"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", word, t.Name, t.Error)
			}
			fmt.Fprintf(w, "%d tests, %d failed\n", len(done.Items), failed)
		})
		if err == nil && failed > 0 {
			return fmt.Errorf("%d tests failed", failed)
		}
		return err
	})
	c.Example = "  roadbed policy test names.rego names_test.rego\n  roadbed policy test --point approval approval.rego"
	c.Flags().StringVar(&point, "point", "plan", "`point` at which it is asked: plan, approval or deploy")
	return c
}

func (s *state) policyReplay() *cobra.Command {
	var point, space, replaces string
	var since span
	c := s.verb("replay FILE", "What a policy would have changed in recorded decisions", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		text, err := readText(args[0])
		if err != nil {
			return err
		}
		in := map[string]any{"point": point, "space": space, "policy": replaces, "rego": text}
		if since > 0 {
			in["since"] = time.Now().Add(-time.Duration(since)).UTC()
		}
		r, err := client.Post[client.Replay](c.Context(), api, "/policies/replay", in)
		if err != nil {
			return err
		}
		return s.show(c, r, func(w io.Writer) {
			fmt.Fprintf(w, "%d decisions examined, %d would change\n", r.Examined, len(r.Changed))
			for _, x := range r.Changed {
				fmt.Fprintf(w, "%s\t%s\t%s\t→ %s\n", ago(x.Decision.Time), x.Decision.Subject, outcome(x.Before), outcome(x.After))
			}
		})
	})
	c.Flags().StringVar(&point, "point", "plan", "`point` at which it is asked: plan, approval or deploy")
	c.Flags().StringVar(&space, "space", "", "`space` where it would be attached; the root space when not given")
	c.Flags().StringVar(&replaces, "replaces", "", "the `policy` that it replaces; a further one when not given")
	c.Flags().Var(&since, "since", "only decisions of that long ago or less, such as 7d")
	c.Example = "  roadbed policy replay names.rego\n  roadbed policy replay approval.rego --point approval --since 30d"
	return c
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
