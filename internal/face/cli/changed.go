package cli

import (
	"errors"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (s *state) whatChanged() *cobra.Command {
	var since time.Duration
	c := listing(s, "what-changed [[KIND] NAME]", "What changed lately, everywhere or around one entity", cobra.MaximumNArgs(2), whole, func(args []string) (list[client.Entry], error) {
		if since <= 0 {
			return list[client.Entry]{}, Usage(errors.New("--since must be more than nothing, such as 2h"))
		}
		q, noun := url.Values{"since": {time.Now().Add(-since).UTC().Format(time.RFC3339)}}, "changes in the last "+since.String()
		if len(args) > 0 {
			r, err := parseEntity(args)
			if err != nil {
				return list[client.Entry]{}, err
			}
			q.Set("ref", r.String())
			noun += " around " + r.String()
		}
		return entries(q, noun, "--since 48h looks further back"), nil
	})
	c.Flags().DurationVar(&since, "since", 2*time.Hour, "how long ago at most, such as 30m or 48h")
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
