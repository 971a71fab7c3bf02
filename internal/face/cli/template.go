package cli

import (
	"net/url"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) newFrom() *cobra.Command {
	var f formFlags
	var wait, noAsk bool
	c := s.verb("new TEMPLATE", "Use a golden path; asks for what is missing", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		path := "/templates/" + named(args[0])
		schema, err := client.Get[client.TemplateSchema](c.Context(), api, path+"/schema", nil)
		if err != nil {
			return err
		}
		filled, err := f.fill(c, schema, !noAsk && isTerminal())
		if err != nil {
			return err
		}
		r, err := client.Post[client.RunDetail](c.Context(), api, path+"/runs", filled)
		if err != nil {
			return err
		}
		if wait {
			return s.await(c, api, r.ID)
		}
		return s.showRun(c, r)
	})
	c.Flags().StringArrayVarP(&f.given, "param", "p", nil, "a field's value: name=value")
	c.Flags().StringArrayVar(&f.secrets, "secret", nil, "where a secret is read: name=file:PATH or name=env:VARIABLE")
	c.Flags().StringVar(&f.file, "values", "", "a YAML file with the values of fields (- for standard input)")
	c.Flags().BoolVar(&wait, "wait", true, "wait until it has ended")
	c.Flags().BoolVar(&noAsk, "no-input", false, "fail instead of asking")
	return c
}

func (s *state) templates() *cobra.Command {
	return group("template", "Golden paths", s.templateList(), s.templateLint())
}

func (s *state) templateList() *cobra.Command {
	return listing(s, "list", "Golden paths that you may use", cobra.NoArgs, whole, func([]string) (list[client.Entity], error) {
		return list[client.Entity]{
			path: "/entities", query: url.Values{"kind": {"template"}}, head: "TEMPLATE\tTITLE\tDESCRIPTION",
			row:  func(t client.Entity) []any { return []any{t.Namespace + "/" + t.Name, t.Title, t.Description} },
			noun: "golden paths", next: "an administrator declares them with `roadbed apply -f FILE`, or from a repository with `roadbed location add`",
		}, nil
	})
}

func (s *state) templateLint() *cobra.Command {
	return s.lint("/templates/lint", "Check a golden path before it is used")
}
