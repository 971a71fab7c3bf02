package cli

import (
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (s *state) whatChanged() *cobra.Command {
	since := span(2 * time.Hour)
	c := listing(s, "what-changed [[KIND] NAME]", "What changed lately, everywhere or around one entity", cobra.MaximumNArgs(2), whole, func(args []string) (list[client.Entry], error) {
		q, noun := url.Values{"since": {time.Now().Add(-time.Duration(since)).UTC().Format(time.RFC3339)}}, "changes in the last "+since.String()
		if len(args) > 0 {
			r, err := parseEntity(args)
			if err != nil {
				return list[client.Entry]{}, err
			}
			q.Set("ref", r.String())
			noun += " around " + r.String()
		}
		return entries(q, noun, "a longer --since looks further back"), nil
	})
	c.Flags().Var(&since, "since", "how long ago at most, such as 30m, 12h or 7d")
	c.Example = "  roadbed what-changed --since 7d\n  roadbed what-changed shop\n  roadbed what-changed stack payments/shop-infra --since 12h"
	return c
}

// parseEntity reads KIND NAME or one reference; what has no kind is a component.
func parseEntity(args []string) (ref.Entity, error) {
	text := args[0]
	if len(args) == 2 {
		text += ":" + args[1]
	}
	r, err := ref.Parse(text, "component", ref.DefaultNamespace)
	return r, Usage(err)
}
