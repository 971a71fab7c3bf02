package cli

import (
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) resources() *cobra.Command {
	query := map[string]*string{}
	var orphan bool
	c := s.verb("resources [TEXT…]", "What is under management: who owns this bucket?", cobra.ArbitraryArgs, func(c *cobra.Command, api *client.Client, args []string) error {
		asked := url.Values{"text": {strings.Join(args, " ")}}
		for name, value := range query {
			if *value != "" {
				asked.Set(name, *value)
			}
		}
		if orphan {
			asked.Set("orphan", "true")
		}
		return showList(s, c, api, list[client.Resource]{
			path: "/resources", query: asked, head: "RESOURCE\tKNOWN AS\tSTACK\tOWNER\tAGE\tCHANGED\tBY",
			row: func(r client.Resource) []any {
				return []any{r.Address, r.Identity, strings.TrimPrefix(r.Stack, "stack:"), r.Owner, ago(r.FirstSeen), ago(r.Changed), first(r.Run, r.Actor.Name)}
			},
			noun: "resources", next: "they come with the first `roadbed stack apply NAME`, or `roadbed state push NAME FILE`",
		})
	})
	c.Long = "What is under management in the newest states of all stacks. Each word of TEXT is in the address, or in an id, ARN or\nname." + exitHelp
	c.Example = "  roadbed resources acme-invoices\n  roadbed resources --type aws_s3_bucket --owner group:default/payments"
	for name, what := range map[string]string{
		"stack": "of one `stack`", "type": "of a `type`, such as aws_s3_bucket", "provider": "of a `provider`, such as hashicorp/aws",
		"owner": "whose stack has an `owner`", "space": "in a `space`",
	} {
		query[name] = c.Flags().String(name, "", what)
	}
	c.Flags().BoolVar(&orphan, "orphan", false, "only of stacks whose document is deleted")
	limitFlag(c, newest)
	return c
}
