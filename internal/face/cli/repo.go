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
	c := s.verb("create [NAMESPACE/]NAME", "Make an empty hosted repository", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		namespace, name, _ := strings.Cut(named(args[0]), "/")
		r, err := client.Post[client.Repository](c.Context(), api, "/repositories", map[string]string{
			"namespace": namespace, "name": name, "space": space, "description": description,
		})
		if err != nil {
			return err
		}
		return s.show(c, r, func(w io.Writer) { fmt.Fprintln(w, r.CloneURL) })
	})
	c.Flags().StringVar(&space, "space", "", "`space` that it belongs to; the root space when not given")
	c.Flags().StringVar(&description, "description", "", "`text` that says what it is")
	return c
}

func (s *state) repoList() *cobra.Command {
	return listing(s, "list", "Repositories that you may read", cobra.NoArgs, whole, func([]string) (list[client.Repository], error) {
		return list[client.Repository]{
			path: "/repositories", head: "REPOSITORY\tSPACE\tHEAD\tCLONE",
			row: func(r client.Repository) []any {
				return []any{r.Namespace + "/" + r.Name, r.Space, short(r.Head), r.CloneURL}
			},
			noun: "repositories", next: "make one with `roadbed repo create NAMESPACE/NAME`",
		}, nil
	})
}
