package cli

import (
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) locations() *cobra.Command {
	return group("location", "Files of repositories that documents come from", s.locationAdd(), s.locationList(), s.locationShow(), s.locationRefresh())
}

func (s *state) locationAdd() *cobra.Command {
	var path, branch, space string
	c := s.verb("add [NAMESPACE/]NAME", "Take documents from a hosted repository, now and at every push", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		l, err := client.Post[client.Location](c.Context(), api, "/locations", map[string]string{"repository": named(args[0]), "path": path, "ref": branch, "space": space})
		if err != nil {
			return err
		}
		return s.showLocation(c, l)
	})
	c.Example = "  roadbed location add payments/shop\n  roadbed location add payments/docs --path 'services/*.yaml' --ref main"
	c.Flags().StringVar(&path, "path", "catalog-info.yaml", "`file` in the repository, or a pattern of files")
	c.Flags().StringVar(&branch, "ref", "", "`branch`; the default branch when not given")
	c.Flags().StringVar(&space, "space", "", "`space` of the documents; the repository's when not given")
	return c
}

func (s *state) showLocation(c *cobra.Command, l client.Location) error {
	return s.show(c, l, func(w io.Writer) {
		fmt.Fprintf(w, "location\t%s\n", l.ID)
		for _, e := range l.Entities {
			fmt.Fprintf(w, "entity\t%s\n", e)
		}
		if l.Error != "" {
			fmt.Fprintf(w, "error\t%s\n", l.Error)
		}
		for _, p := range l.Problems {
			fmt.Fprintf(w, "problem\t%s\n", problem(p))
		}
	})
}

// problem is one line: file:line: field: message (hint).
func problem(p client.FileProblem) string {
	text := p.File
	if p.Line > 0 {
		text += fmt.Sprintf(":%d", p.Line)
	}
	for _, part := range []string{p.Field, p.Message} {
		if text != "" && part != "" {
			text += ": "
		}
		text += part
	}
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	return text
}

func (s *state) locationShow() *cobra.Command {
	return s.verb("show ID", "A location, and what of its files could not be taken", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		l, err := client.Get[client.Location](c.Context(), api, "/locations/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return s.showLocation(c, l)
	})
}

func (s *state) locationRefresh() *cobra.Command {
	return s.verb("refresh ID", "Read a location now", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		l, err := client.Post[client.Location](c.Context(), api, "/locations/"+url.PathEscape(args[0])+"/refresh", nil)
		if err != nil {
			return err
		}
		return s.showLocation(c, l)
	})
}

func (s *state) locationList() *cobra.Command {
	return listing(s, "list", "Locations, and what went wrong with them", cobra.NoArgs, whole, func([]string) (list[client.Location], error) {
		return list[client.Location]{
			path: "/locations", head: "ID\tREPOSITORY\tPATH\tREAD AT\tERROR",
			row:  func(l client.Location) []any { return []any{l.ID, l.Repository, l.Path, short(l.Commit), l.Error} },
			noun: "locations", next: "have documents read from a repository with `roadbed location add NAMESPACE/NAME`",
		}, nil
	})
}
