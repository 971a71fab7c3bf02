package cli

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) sessions() *cobra.Command {
	return group("session", "Sessions in the portal", s.sessionEnd())
}

func (s *state) sessionEnd() *cobra.Command {
	return s.verb("end [USER]", "End all sessions and sign-in links of a user, or your own", cobra.MaximumNArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		err := api.Do(c.Context(), http.MethodDelete, "/sessions", url.Values{"user": {strings.Join(args, "")}}, nil, nil)
		return told(c, err, "ended the sessions and sign-in links of %s", first(strings.Join(args, ""), "you"))
	})
}
