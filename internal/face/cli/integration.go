package cli

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) integrations() *cobra.Command {
	c := group("integration", "Outside forges: GitHub, GitLab, Gitea", s.integrationList(), s.integrationGet(), s.integrationTest())
	c.AddCommand(s.hooks()...)
	return c
}

func (s *state) integrationList() *cobra.Command {
	var space string
	c := listing(s, "list", "Outside forges, and how they do", cobra.NoArgs, whole, func([]string) (list[client.Integration], error) {
		query := url.Values{}
		if space != "" {
			query.Set("space", space)
		}
		return list[client.Integration]{
			path: "/integrations", query: query, head: "INTEGRATION\tFORGE\tURL\tSTATE\tLOGIN\tTRIED",
			row: func(i client.Integration) []any {
				return []any{i.Namespace + "/" + i.Name, i.Forge, i.URL, i.State, i.Login, tried(i)}
			},
			noun: "integrations", next: "declare one with `roadbed apply -f FILE`; docs/forges.md has documents to begin with",
		}, nil
	})
	c.Flags().StringVar(&space, "space", "", "only those of this `space`")
	return c
}

func (s *state) integrationGet() *cobra.Command {
	return s.verb("get [NAMESPACE/]NAME", "An outside forge, and how it does", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		i, err := client.Get[client.Integration](c.Context(), api, "/integrations/"+named(args[0]), nil)
		if err != nil {
			return err
		}
		return s.showIntegration(c, i)
	})
}

func (s *state) integrationTest() *cobra.Command {
	c := s.verb("test [NAMESPACE/]NAME", "Try an outside forge and its credentials now", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		i, err := client.Post[client.Integration](c.Context(), api, "/integrations/"+named(args[0])+"/test", nil)
		if err != nil {
			return err
		}
		if err := s.showIntegration(c, i); err != nil {
			return err
		}
		if i.State != "healthy" {
			return fmt.Errorf("%s/%s is %s: %s", i.Namespace, i.Name, i.State, i.Reason)
		}
		return nil
	})
	c.Long = "Try an outside forge and its credentials now. Ends with 1 when it is not healthy." + exitHelp
	c.Example = "  roadbed integration test github"
	return c
}

func (s *state) showIntegration(c *cobra.Command, i client.Integration) error {
	return s.show(c, i, func(w io.Writer) {
		line := func(name, value string) {
			if value != "" {
				fmt.Fprintf(w, "%s\t%s\n", name, value)
			}
		}
		line("integration", i.Namespace+"/"+i.Name)
		line("space", i.Space)
		line("forge", strings.TrimSpace(i.Forge+" "+i.Version))
		line("url", i.URL)
		line("api", i.API)
		line("state", i.State)
		line("reason", i.Reason)
		line("login", i.Login)
		line("organizations", strings.Join(i.Owners, ", "))
		line("scopes", strings.Join(i.Scopes, ", "))
		line("missing", strings.Join(i.Missing, ", "))
		if i.Expires != nil {
			line("credentials end", i.Expires.Format("2006-01-02"))
		}
		if i.Rate != nil {
			line("requests left", fmt.Sprintf("%d of %d", i.Rate.Left, i.Rate.Limit))
		}
		line("git can clone", i.Clone)
		if i.Hooked {
			line("webhooks", i.Hook)
		}
		line("tried", tried(i))
	})
}

func tried(i client.Integration) string {
	if i.Looked == nil {
		return ""
	}
	return ago(*i.Looked)
}
