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

func (s *state) repoMirror() *cobra.Command {
	return group("mirror", "Where the branches and tags of a repository are pushed on to", s.mirrorAdd(), s.mirrorList(), s.mirrorPush(), s.mirrorRemove())
}

func mirrorPath(name, id string) string { return repoPath(name) + "/mirrors/" + url.PathEscape(id) }

func (s *state) mirrorAdd() *cobra.Command {
	var with elsewhere
	var integration, every string
	var patterns []string
	var force bool
	c := s.verb("add [NAMESPACE/]NAME {URL | OWNER/NAME}", "Push branches and tags on to another repository", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		if integration != "" {
			integration = named(integration)
		}
		body := map[string]any{"url": args[1], "integration": integration, "every": every, "patterns": patterns, "force": force}
		if patterns == nil {
			delete(body, "patterns")
		}
		if err := with.into(c, body); err != nil {
			return err
		}
		m, err := client.Post[client.Mirror](c.Context(), api, repoPath(args[0])+"/mirrors", body)
		if err != nil {
			return err
		}
		return s.show(c, m, func(w io.Writer) { fmt.Fprintln(w, m.ID) })
	})
	c.Long = `Push the branches and tags of a repository on to another one: soon, after each push, and now and then. What was pushed
there by others is left alone and makes the mirror fail, unless --force has it overwritten.` + exitHelp
	c.Example = `  roadbed repo mirror add shop https://git.example.com/acme/shop --password
  roadbed repo mirror add shop acme/shop --integration github --pattern main`
	with.bind(c)
	c.Flags().StringVar(&integration, "integration", "", "`name` of the integration at whose forge OWNER/NAME is")
	c.Flags().StringSliceVar(&patterns, "pattern", nil, "only `these`, such as main,release/*,refs/tags/v*; all when not given")
	c.Flags().StringVar(&every, "every", "", "`time` between looks without a push; an hour when not given")
	c.Flags().BoolVar(&force, "force", false, "overwrite and delete there what is not from here")
	return c
}

func (s *state) mirrorList() *cobra.Command {
	return listing(s, "list [NAMESPACE/]NAME", "The mirrors of a repository, and how they do", cobra.ExactArgs(1), whole, func(args []string) (list[client.Mirror], error) {
		return list[client.Mirror]{
			path: repoPath(args[0]) + "/mirrors", head: "ID\tTO\tONLY\tSTATE\tPUSHED\tERROR",
			row: func(m client.Mirror) []any {
				to, pushed := m.URL, "never"
				if m.Integration != "" {
					to += " at " + m.Integration
				}
				if m.Pushed != nil {
					pushed = ago(*m.Pushed)
				}
				return []any{m.ID, to, strings.Join(m.Patterns, " "), m.State, pushed, m.Error}
			},
			noun: "mirrors", next: "add one with `roadbed repo mirror add NAME URL`",
		}, nil
	})
}

func (s *state) mirrorPush() *cobra.Command {
	return s.verb("push [NAMESPACE/]NAME ID", "Push to a mirror now", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		err := api.Do(c.Context(), http.MethodPost, mirrorPath(args[0], args[1])+"/push", nil, nil, nil)
		return told(c, err, "%s is pushed to; `roadbed repo mirror list %s` shows how that went", args[1], args[0])
	})
}

func (s *state) mirrorRemove() *cobra.Command {
	return s.verb("remove [NAMESPACE/]NAME ID", "End a mirror; what was pushed there stays", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		err := api.Do(c.Context(), http.MethodDelete, mirrorPath(args[0], args[1]), nil, nil, nil)
		return told(c, err, "removed %s", args[1])
	})
}
