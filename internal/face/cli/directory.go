package cli

import (
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) directories() *cobra.Command {
	return group("directory", "Where people and groups come from: SCIM, LDAP", s.directoryList(), s.directoryShow(), s.directoryLook())
}

func (s *state) directoryList() *cobra.Command {
	var space string
	c := listing(s, "list", "Directories, and how they do", cobra.NoArgs, whole, func([]string) (list[client.Directory], error) {
		query := url.Values{}
		if space != "" {
			query.Set("space", space)
		}
		return list[client.Directory]{
			path: "/directories", query: query, head: "DIRECTORY\tPROTOCOL\tSTATE\tPEOPLE\tGROUPS\tWRONG\tLOOKED",
			row: func(d client.Directory) []any {
				return []any{d.Namespace + "/" + d.Name, d.Protocol, d.State, d.People, d.Groups, d.Wrong, lookedAt(d)}
			},
			noun: "directories", next: "declare one with `roadbed apply -f FILE`; docs/people.md has documents to begin with",
		}, nil
	})
	c.Flags().StringVar(&space, "space", "", "only those of this `space`")
	return c
}

func (s *state) directoryShow() *cobra.Command {
	return s.verb("show [NAMESPACE/]NAME", "A directory, and what of it could not be taken", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		d, err := client.Get[client.Directory](c.Context(), api, "/directories/"+named(args[0]), nil)
		if err != nil {
			return err
		}
		return s.showDirectory(c, d)
	})
}

func (s *state) directoryLook() *cobra.Command {
	c := s.verb("look [NAMESPACE/]NAME", "Read a directory now", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		d, err := client.Post[client.Directory](c.Context(), api, "/directories/"+named(args[0])+"/look", nil)
		if err != nil {
			return err
		}
		if err := s.showDirectory(c, d); err != nil {
			return err
		}
		if d.State == "failing" {
			return fmt.Errorf("%s/%s is failing: %s", d.Namespace, d.Name, d.Reason)
		}
		return nil
	})
	c.Long = "Read a directory now. One that is written to by SCIM is held against the catalog. Ends with 1 when it is failing." + exitHelp
	c.Example = "  roadbed directory look corp"
	return c
}

func (s *state) showDirectory(c *cobra.Command, d client.Directory) error {
	return s.show(c, d, func(w io.Writer) {
		line := func(name, value string) {
			if value != "" {
				fmt.Fprintf(w, "%s\t%s\n", name, value)
			}
		}
		line("directory", d.Namespace+"/"+d.Name)
		line("space", d.Space)
		line("protocol", d.Protocol)
		line("address", d.Address)
		line("server", d.Server)
		line("state", d.State)
		line("reason", d.Reason)
		line("people", fmt.Sprintf("%d, and %d who are not active", d.People, d.Inactive))
		line("groups", fmt.Sprint(d.Groups))
		line("last look", brought(d.Last))
		line("looked", lookedAt(d))
		for _, p := range d.Problems {
			line("problem", p.What+": "+p.Message)
		}
	})
}

func lookedAt(d client.Directory) string {
	if d.Looked == nil {
		return ""
	}
	return ago(*d.Looked)
}
