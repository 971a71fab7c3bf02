package cli

import (
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) secrets() *cobra.Command {
	return group("secret", "Secrets: values go in and never come out", s.secretPut(), s.secretList(), s.secretDelete())
}

// secretPath gives the path of SPACE/NAME; the root space may be left out.
func secretPath(text string) string {
	space, name, ok := strings.Cut(text, "/")
	if !ok {
		space, name = "default", text
	}
	return "/secrets/" + url.PathEscape(space) + "/" + url.PathEscape(name)
}

func (s *state) secretPut() *cobra.Command {
	return s.verb("put SPACE/NAME", "Set a secret to what is read from standard input", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		value, err := io.ReadAll(io.LimitReader(c.InOrStdin(), 1<<20))
		if err != nil {
			return err
		}
		return api.Do(c.Context(), "PUT", secretPath(args[0]), nil, map[string]string{"value": strings.TrimSuffix(string(value), "\n")}, nil)
	})
}

func (s *state) secretList() *cobra.Command {
	return listing(s, "list [SPACE]", "Secrets of a space, without their values", cobra.MaximumNArgs(1), whole, func(args []string) (list[client.SecretInfo], error) {
		space := first(strings.Join(args, ""), "default")
		return list[client.SecretInfo]{
			path: "/secrets/" + url.PathEscape(space), head: "SECRET\tCHECKSUM\tUPDATED",
			row:  func(i client.SecretInfo) []any { return []any{i.Space + "/" + i.Name, i.Checksum, i.Updated} },
			noun: "secrets in the space " + space, next: "set one with `roadbed secret put " + space + "/NAME`",
		}, nil
	})
}

func (s *state) secretDelete() *cobra.Command {
	return s.verb("delete SPACE/NAME", "Forget a secret", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		return api.Do(c.Context(), "DELETE", secretPath(args[0]), nil, nil, nil)
	})
}
