package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) repos() *cobra.Command {
	return group("repo", "Hosted repositories", s.repoCreate(), s.repoList())
}

func (s *state) repoCreate() *cobra.Command {
	var space, description string
	c := s.verb("create NAMESPACE/NAME", "Make an empty hosted repository", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		namespace, name, _ := strings.Cut(named(args[0]), "/")
		r, err := client.Post[client.Repository](c.Context(), api, "/repositories", map[string]string{
			"namespace": namespace, "name": name, "space": space, "description": description,
		})
		if err != nil {
			return err
		}
		return s.show(c, r, func(w io.Writer) { fmt.Fprintln(w, r.CloneURL) })
	})
	c.Flags().StringVar(&space, "space", "", "space that it belongs to; empty for the root space")
	c.Flags().StringVar(&description, "description", "", "what it is")
	return c
}

func (s *state) repoList() *cobra.Command {
	return s.verb("list", "Repositories that you may read", cobra.NoArgs, func(c *cobra.Command, api *client.Client, _ []string) error {
		all, err := client.All[client.Repository](c.Context(), api, "/repositories", nil)
		if err != nil {
			return err
		}
		return s.show(c, all, func(w io.Writer) {
			fmt.Fprintln(w, "REPOSITORY\tSPACE\tHEAD\tCLONE")
			for _, r := range all {
				fmt.Fprintf(w, "%s/%s\t%s\t%s\t%s\n", r.Namespace, r.Name, r.Space, dash(short(r.Head)), r.CloneURL)
			}
		})
	})
}
