package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) tokens() *cobra.Command {
	return group("token", "Tokens of users and machines", s.tokenCreate(), s.tokenList(), s.tokenRevoke(), s.tokenLink())
}

func (s *state) tokenCreate() *cobra.Command {
	var owner string
	var scopes []string
	var life span
	c := s.verb("create NAME", "Make a token; its secret is shown this once", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		in := map[string]any{"name": args[0], "owner": owner}
		if len(scopes) > 0 {
			in["scopes"] = scopes
		}
		if life > 0 {
			in["expires"] = time.Now().Add(time.Duration(life)).UTC()
		}
		t, err := client.Post[client.NewToken](c.Context(), api, "/tokens", in)
		if err != nil {
			return err
		}
		return s.show(c, t, func(w io.Writer) { fmt.Fprintln(w, t.Secret) })
	})
	c.Flags().StringVar(&owner, "for", "", "another `principal`, such as user:default/alice or machine:default/nightly")
	c.Flags().StringSliceVar(&scopes, "scope", nil, "`actions` that it may do, such as run:read,stack:*; all that its owner may when not given")
	c.Flags().Var(&life, "life", "how long it is good for, such as 12h or 30d; 90 days when not given")
	c.Example = "  roadbed token create laptop\n  roadbed token create ci --scope run:read --life 7d\n  roadbed token create nightly --for machine:payments/nightly\n  roadbed token create deploy --scope repository:read=payments/shop"
	return c
}

func (s *state) tokenList() *cobra.Command {
	return listing(s, "list [OWNER]", "Tokens, the newest first", cobra.MaximumNArgs(1), newest, func(args []string) (list[client.Token], error) {
		return list[client.Token]{
			path: "/tokens", query: url.Values{"owner": {strings.Join(args, "")}}, head: "ID\tNAME\tOWNER\tSCOPES\tEXPIRES\tSTATE",
			row: func(t client.Token) []any {
				expires, state := "never", "good"
				if t.Expires != nil {
					expires = t.Expires.Local().Format("2006-01-02")
				}
				switch {
				case t.Revoked != nil:
					state = "revoked"
				case t.Expires != nil && t.Expires.Before(time.Now()):
					state = "expired"
				}
				return []any{t.ID, t.Name, t.Owner, strings.Join(t.Scopes, ","), expires, state}
			},
			noun: "tokens", next: "make one with `roadbed token create NAME`",
		}, nil
	})
}

func (s *state) tokenRevoke() *cobra.Command {
	return s.verb("revoke ID", "End a token at once", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		err := api.Do(c.Context(), http.MethodDelete, "/tokens/"+url.PathEscape(args[0]), nil, nil, nil)
		return told(c, err, "revoked %s", args[0])
	})
}

func (s *state) tokenLink() *cobra.Command {
	return s.verb("link USER", "A link that signs a user in to the portal once", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		l, err := client.Post[client.SignInLink](c.Context(), api, "/signin-links", map[string]string{"user": args[0]})
		if err != nil {
			return err
		}
		return s.show(c, l, func(w io.Writer) { fmt.Fprintln(w, l.URL) })
	})
}
