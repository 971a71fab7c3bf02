package cli

import (
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) resources() *cobra.Command {
	query := map[string]*string{}
	var orphan, drifted bool
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
		if drifted {
			asked.Set("drifted", "true")
		}
		return showList(s, c, api, list[client.Resource]{
			path: "/resources", query: asked, head: "RESOURCE\tKNOWN AS\tSTACK\tOWNER\tAGE\tDRIFT\tCHANGED\tBY",
			row: func(r client.Resource) []any {
				return []any{r.Address, r.Identity, strings.TrimPrefix(r.Stack, "stack:"), r.Owner, ago(r.FirstSeen), drift(r), ago(r.Changed), first(r.Run, r.Actor.Name)}
			},
			noun: "resources", next: "they come with the first `roadbed stack apply NAME`, or `roadbed state push NAME FILE`",
		})
	})
	c.Long = "What is under management in the newest states of all stacks. Each word of TEXT is in the address, or in an id, ARN or\nname." + exitHelp
	c.Example = "  roadbed resources acme-invoices\n  roadbed resources --type aws_s3_bucket --owner group:default/payments\n  roadbed resources --drifted"
	for name, what := range map[string]string{
		"stack": "of one `stack`", "type": "of a `type`, such as aws_s3_bucket", "provider": "of a `provider`, such as hashicorp/aws",
		"owner": "whose stack has an `owner`", "space": "in a `space`",
	} {
		query[name] = c.Flags().String(name, "", what)
	}
	c.Flags().BoolVar(&orphan, "orphan", false, "only of stacks whose document is deleted")
	c.Flags().BoolVar(&drifted, "drifted", false, "only what differs from what is applied")
	limitFlag(c, newest)
	return c
}

// drift tells how a resource differs from what is applied, as plans do; "" where nobody has looked.
func drift(r client.Resource) string {
	switch {
	case r.Drift == "" && r.Looked.IsZero():
		return ""
	case r.Drift == "":
		return "none"
	}
	return "to " + first(map[string]string{"update": "change", "delete": "destroy"}[r.Drift], r.Drift)
}
