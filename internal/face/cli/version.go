package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func versionVerb(version string) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "The version of this program; that of the server is told by status", Args: cobra.NoArgs,
		Long: "Tells the version of this program; that of the server is told by \"roadbed status\"." + exitHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), version)
			return err
		},
	}
}
