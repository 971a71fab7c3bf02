package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) machines() *cobra.Command {
	return group("machine", "Accounts for scripts and outside systems", s.machineCreate(), s.machineList(), s.machineDelete())
}

func (s *state) machineCreate() *cobra.Command {
	var description string
	c := s.verb("create [SPACE/]NAME", "Make a machine, which may do nothing until a RoleBinding names it", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		space, name, _ := strings.Cut(named(args[0]), "/")
		m, err := client.Post[client.Machine](c.Context(), api, "/machines", map[string]string{"space": space, "name": name, "description": description})
		if err != nil {
			return err
		}
		return s.show(c, m, func(w io.Writer) {
			fmt.Fprintf(w, "%s\n", m.Ref)
		})
	})
	c.Example = "  roadbed machine create payments/nightly --description 'nightly reports'\n  roadbed token create nightly --for machine:payments/nightly"
	c.Flags().StringVar(&description, "description", "", "`text` that says what it is for")
	return c
}

func (s *state) machineList() *cobra.Command {
	return listing(s, "list", "Machines", cobra.NoArgs, whole, func([]string) (list[client.Machine], error) {
		return list[client.Machine]{
			path: "/machines", head: "MACHINE\tCREATED\tDESCRIPTION",
			row:  func(m client.Machine) []any { return []any{m.Ref, ago(m.Created), m.Description} },
			noun: "machines", next: "make one with `roadbed machine create SPACE/NAME`",
		}, nil
	})
}

func (s *state) machineDelete() *cobra.Command {
	return s.verb("delete [SPACE/]NAME", "End a machine with its tokens", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		space, name, _ := strings.Cut(named(args[0]), "/")
		err := api.Do(c.Context(), http.MethodDelete, "/machines/"+url.PathEscape(space)+"/"+url.PathEscape(name), nil, nil, nil)
		return told(c, err, "ended machine:%s/%s and its tokens", space, name)
	})
}
