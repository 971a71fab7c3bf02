package server

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
)

// Within gives verbs that stand among the client's: by the name of their group.
func Within() map[string][]*cobra.Command {
	return map[string][]*cobra.Command{"policy": {policyTestCommand()}}
}

// policyTestCommand needs no server: it runs tests as opa test does, with what policies may use here.
func policyTestCommand() *cobra.Command {
	o := policy.FileTests{}
	c := &cobra.Command{
		Use: "test PATH…", Short: "Run the tests of policies, without a server", Args: cobra.MinimumNArgs(1),
		Long: `Runs the rules named test_… of Rego files and of all files in folders, in version 1 or 0 of Rego, with the functions
that policies may use. NAME_test.rego is run with the NAME.rego beside it, and with files of other packages, since
policies are asked apart from one another; --together has all files as one, as "opa test" does.

Exit codes: 0 all passed, 1 some failed, or a file can't be read or compiled, 2 wrong usage, 5 less is covered than --threshold.`,
		Example: `  roadbed policy test policies/
  roadbed policy test names.rego names_test.rego --point plan --verbose
  roadbed policy test policies/ --coverage`,
		RunE: func(c *cobra.Command, args []string) error {
			o.Out = c.OutOrStdout()
			if f := c.Flags().Lookup("output"); f != nil {
				o.JSON = f.Value.String() == "json"
			}
			failed, err := policy.TestFiles(c.Context(), args, o)
			if err == nil && failed > 0 {
				return fmt.Errorf("%d tests failed", failed)
			}
			return err
		},
	}
	c.Flags().StringVarP(&o.Run, "run", "r", "", "only tests whose name matches this `expression`")
	c.Flags().StringVar(&o.Point, "point", "", "also check that the policies can be asked at this `point`")
	c.Flags().BoolVarP(&o.Verbose, "verbose", "v", false, "tell of tests that passed, too, and trace those that failed")
	c.Flags().BoolVarP(&o.Coverage, "coverage", "c", false, "tell which lines the tests have run, as JSON")
	c.Flags().Float64Var(&o.Threshold, "threshold", 0, "fail when less than this `percent` of the lines is covered")
	c.Flags().BoolVar(&o.Together, "together", false, "all files as one")
	c.Flags().DurationVar(&o.Timeout, "timeout", 5*time.Second, "of one test")
	return c
}
