package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// saved is what login keeps, in a file that only the user may read.
type saved struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

func loginFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "find the folder of configuration: %w", err)
	}
	return filepath.Join(dir, "roadbed", "login.json"), nil
}

func readLogin() (saved, error) {
	var s saved
	path, err := loginFile()
	if err != nil {
		return s, nil // without a home there is no login; ROADBED_URL still works
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fault.Errorf(fault.Invalid, "read the login: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fault.Errorf(fault.Invalid, "%s is damaged; log in again: %w", path, err)
	}
	return s, nil
}

func (s *state) login() *cobra.Command {
	return &cobra.Command{
		Use: "login URL", Short: "Remember a server and a token; the token is read from standard input or ROADBED_TOKEN",
		Long: "Remembers a server and a token, which it reads from standard input or ROADBED_TOKEN." + exitHelp, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			token := os.Getenv("ROADBED_TOKEN")
			if token == "" {
				fmt.Fprint(c.ErrOrStderr(), "Token: ")
				line, err := bufio.NewReader(c.InOrStdin()).ReadString('\n')
				if err != nil && err != io.EOF {
					return err
				}
				token = strings.TrimSpace(line)
			}
			api := client.New(args[0], token)
			me, err := client.Get[client.Me](c.Context(), api, "/whoami", nil)
			if err != nil {
				return err
			}
			if err := writeLogin(saved{api.URL, token}); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "logged in to %s as %s\n", api.URL, me.Ref)
			return nil
		},
	}
}

func writeLogin(s saved) error {
	path, err := loginFile()
	if err != nil {
		return err
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fault.Errorf(fault.Invalid, "keep the login: %w", err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fault.Errorf(fault.Invalid, "keep the login: %w", err)
	}
	return nil
}

func (s *state) logout() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "Forget the server and the token", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			path, err := loginFile()
			if err != nil {
				return err
			}
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		},
	}
}

func (s *state) whoami() *cobra.Command {
	return s.verb("whoami", "Who the server takes you for", cobra.NoArgs, func(c *cobra.Command, api *client.Client, _ []string) error {
		me, err := client.Get[client.Me](c.Context(), api, "/whoami", nil)
		if err != nil {
			return err
		}
		return s.show(c, me, func(w io.Writer) {
			fmt.Fprintf(w, "principal\t%s\nname\t%s\ngroups\t%s\nspaces\t%s\n", me.Ref, me.Name, dash(strings.Join(me.Groups, ", ")), dash(strings.Join(me.Spaces, ", ")))
		})
	})
}

func (s *state) status() *cobra.Command {
	return s.verb("status", "What the server is and has", cobra.NoArgs, func(c *cobra.Command, api *client.Client, _ []string) error {
		st, err := client.Get[client.Status](c.Context(), api, "/status", nil)
		if err != nil {
			return err
		}
		return s.show(c, st, func(w io.Writer) {
			fmt.Fprintf(w, "server\t%s %s\ngit\t%s\nregistry\t%s\ndatabase\t%s\nengine\t%s\nisolated steps\t%t\n",
				api.URL, st.Version, st.GitURL, st.Registry, st.Features.Database, dash(st.Features.Engine), st.Features.Isolated)
		})
	})
}
