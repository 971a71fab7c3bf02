package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) oidc() *cobra.Command {
	return group("oidc", "Keys that sign the tokens by which clouds know runs", s.oidcRotate(), s.oidcKeys())
}

func (s *state) oidcRotate() *cobra.Command {
	c := s.verb("rotate", "Make a new key; tokens of the one before stay valid to their end", cobra.NoArgs, func(c *cobra.Command, api *client.Client, _ []string) error {
		k, err := client.Post[client.OIDCKey](c.Context(), api, "/oidc/keys", nil)
		if err != nil {
			return err
		}
		return s.show(c, k, func(w io.Writer) {
			fmt.Fprintf(w, "%s\n", k.ID)
		})
	})
	return c
}

func (s *state) oidcKeys() *cobra.Command {
	return listing(s, "keys", "Keys that verifiers are shown, the newest first", cobra.NoArgs, whole, func([]string) (list[client.OIDCKey], error) {
		return list[client.OIDCKey]{
			path: "/oidc/keys", head: "KEY\tCREATED\tSTATE",
			row: func(k client.OIDCKey) []any {
				state := "signs"
				if k.Ends != nil {
					state = "shown until " + k.Ends.Format("2006-01-02 15:04 MST")
				}
				return []any{k.ID, ago(k.Created), state}
			},
			noun: "keys", next: "the first one is made when a run or a cloud asks for it, or by `roadbed oidc rotate`",
		}, nil
	})
}
