package cli

import (
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *state) secrets() *cobra.Command {
	return group("secret", "Secrets: values go in and never come out", s.secretPut(), s.secretUse(), s.secretList(), s.secretDelete())
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
	var use secretUses
	c := s.verb("put [SPACE/]NAME", "Set a secret to what is read from standard input", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		value, err := readSecret(c)
		if err != nil {
			return err
		}
		body := use.body(c)
		body["value"] = value
		err = api.Do(c.Context(), "PUT", secretPath(args[0]), nil, body, nil)
		return told(c, err, "set %s", args[0])
	})
	use.flags(c)
	c.Example = "  roadbed secret put payments/npm-token < token.txt\n  roadbed secret put npm-token            # asks for it\n  roadbed secret put github --platform    # for an integration, not for runs"
	return c
}

// secretUses are the flags that say who is given a secret.
type secretUses struct{ shared, platform bool }

func (u *secretUses) flags(c *cobra.Command) {
	c.Flags().BoolVar(&u.shared, "shared", false, "runs of the spaces below are given it too")
	c.Flags().BoolVar(&u.platform, "platform", false, "no run is given it, only the platform's connections")
}

// body has the flags that were given.
func (u *secretUses) body(c *cobra.Command) map[string]any {
	body := map[string]any{}
	for name, value := range map[string]bool{"shared": u.shared, "platform": u.platform} {
		if c.Flags().Changed(name) {
			body[name] = value
		}
	}
	return body
}

func (s *state) secretUse() *cobra.Command {
	var use secretUses
	c := s.verb("use [SPACE/]NAME", "Say who is given a secret, and keep its value", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		body := use.body(c)
		if len(body) == 0 {
			return fault.Errorf(fault.Invalid, "say what to change: --shared, --platform, or one of them with =false")
		}
		err := api.Do(c.Context(), "PUT", secretPath(args[0]), nil, body, nil)
		return told(c, err, "changed who is given %s", args[0])
	})
	use.flags(c)
	c.Example = "  roadbed secret use npm-token --shared\n  roadbed secret use npm-token --shared=false"
	return c
}

// usedBy tells who is given a secret.
func usedBy(i client.SecretInfo) string {
	switch {
	case i.Platform && i.Shared:
		return "the platform, also below"
	case i.Platform:
		return "the platform"
	case i.Shared:
		return "runs, also below"
	}
	return "runs"
}

// secretLimit bounds the value of a secret that is sent, in bytes.
const secretLimit = 1 << 20

// readSecret reads all of standard input, or asks a person for one line. The line end behind it is not part of it.
func readSecret(c *cobra.Command) (string, error) {
	if c.InOrStdin() == os.Stdin && isTerminal() {
		return asked(c).say("Value", true)
	}
	value, err := io.ReadAll(io.LimitReader(c.InOrStdin(), secretLimit+1))
	if err != nil {
		return "", err
	}
	if len(value) > secretLimit {
		return "", fault.Errorf(fault.TooLarge, "the value has more than %d bytes", secretLimit)
	}
	return strings.TrimSuffix(string(value), "\n"), nil
}

func (s *state) secretList() *cobra.Command {
	return listing(s, "list [SPACE]", "Secrets of a space, without their values", cobra.MaximumNArgs(1), whole, func(args []string) (list[client.SecretInfo], error) {
		space := first(strings.Join(args, ""), "default")
		return list[client.SecretInfo]{
			path: "/secrets/" + url.PathEscape(space), head: "SECRET\tGIVEN TO\tCHECKSUM\tUPDATED",
			row: func(i client.SecretInfo) []any {
				return []any{i.Space + "/" + i.Name, usedBy(i), i.Checksum, i.Updated}
			},
			noun: "secrets in the space " + space, next: "set one with `roadbed secret put " + space + "/NAME`",
		}, nil
	})
}

func (s *state) secretDelete() *cobra.Command {
	return s.verb("delete [SPACE/]NAME", "Forget a secret", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		err := api.Do(c.Context(), "DELETE", secretPath(args[0]), nil, nil, nil)
		return told(c, err, "deleted %s", args[0])
	})
}
