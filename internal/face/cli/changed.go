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
	c := s.verb("what-changed [KIND] [NAME]", "What changed lately, everywhere or around one entity", cobra.MaximumNArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		if since <= 0 {
			return usageError{errors.New("--since must be more than nothing, such as 2h")}
		}
		q := url.Values{"since": {time.Now().Add(-since).UTC().Format(time.RFC3339)}}
		if len(args) > 0 {
			r, err := parseEntity(args)
			if err != nil {
				return err
			}
			q.Set("ref", r.String())
		}
		entries, err := client.All[client.Entry](c.Context(), api, "/ledger", q)
		if err != nil {
			return err
		}
		return s.showEntries(c, entries)
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
	return ref.Parse(text, "component", ref.DefaultNamespace)
}
