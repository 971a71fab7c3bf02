package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// client gives the client of the server that was asked for: by flag, by environment, or the one of the current login.
// A token in the environment goes to any server but one that --server names, which has its own.
func (s *state) client() (*client.Client, error) {
	all, err := readLogins()
	if err != nil {
		return nil, err
	}
	token := os.Getenv("ROADBED_TOKEN")
	address := first(s.url, os.Getenv("ROADBED_URL"))
	if s.server != "" {
		address, token = "", ""
	}
	if address != "" {
		return client.New(address, first(token, all.tokenFor(address))), nil
	}
	name := first(s.server, os.Getenv("ROADBED_SERVER"), all.Current)
	if name == "" {
		if len(all.Servers) > 0 {
			return nil, fault.Errorf(fault.Invalid, "no server is chosen: run `roadbed login use NAME`, or give --server; there are %s", strings.Join(all.names(), ", "))
		}
		return nil, fault.Errorf(fault.Invalid, "no server is known: set ROADBED_URL, or run `roadbed login URL`")
	}
	one, err := all.named(name)
	return client.New(one.URL, first(token, one.Token)), err
}

func (s *state) login() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "login URL", Short: "Remember a server and a token",
		Long: `Remembers a server and a token, and uses them from now on. The token is that in ROADBED_TOKEN, or is asked for; a pipe
may give it. "roadbed token create" makes tokens, and so does the portal.

Several servers may be remembered: --server NAME or ROADBED_SERVER chooses one for a call, "roadbed login use" for all.` + exitHelp,
		Example: `  roadbed login https://roadbed.example.com
  roadbed login http://127.0.0.1:8080 --name local < token
  roadbed run list --server local`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			host := hostOf(args[0])
			if host == "" {
				return Usage(fmt.Errorf("%q is not the address of a server, such as https://roadbed.example.com", args[0]))
			}
			all, err := readLogins()
			if err != nil {
				return err
			}
			token := os.Getenv("ROADBED_TOKEN")
			if token == "" {
				if token, err = asked(c).say("Token", true); err != nil && !errors.Is(err, io.EOF) {
					return err
				}
			}
			api := client.New(args[0], token)
			me, err := client.Get[client.Me](c.Context(), api, "/whoami", nil)
			if err != nil {
				return err
			}
			all.put(login{first(name, host), api.URL, token})
			if err := all.write(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "logged in to %s as %s\n", api.URL, me.Ref)
			return err
		},
	}
	c.Flags().StringVar(&name, "name", "", "`name` of the login; the server's host when not given")
	c.AddCommand(s.loginList(), s.loginUse())
	return c
}

// serverInfo is a login without its token.
type serverInfo struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	Current bool   `json:"current"`
}

func (s *state) loginList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Servers that are remembered; the current one has a star", Args: cobra.NoArgs,
		Long: "Lists the servers that are remembered; the current one has a star." + exitHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := readLogins()
			if err != nil {
				return err
			}
			servers := make([]serverInfo, len(all.Servers))
			for i, x := range all.Servers {
				servers[i] = serverInfo{x.Name, x.URL, x.Name == all.Current}
			}
			if len(servers) == 0 {
				fmt.Fprintln(c.ErrOrStderr(), "no servers are remembered; run `roadbed login URL`")
			}
			return s.show(c, servers, func(w io.Writer) {
				for _, x := range servers {
					star := " "
					if x.Current {
						star = "*"
					}
					fmt.Fprintf(w, "%s %s\t%s\n", star, x.Name, x.URL)
				}
			})
		},
	}
}

func (s *state) loginUse() *cobra.Command {
	return &cobra.Command{
		Use: "use NAME", Short: "Use a server that is remembered, from now on", Args: cobra.ExactArgs(1), ValidArgsFunction: loginNames,
		Long: "Uses a server that is remembered, from now on." + exitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			all, err := readLogins()
			if err != nil {
				return err
			}
			one, err := all.named(args[0])
			if err != nil {
				return err
			}
			all.Current = one.Name
			if err := all.write(); err != nil {
				return err
			}
			if set := first(os.Getenv("ROADBED_URL"), os.Getenv("ROADBED_SERVER")); set != "" {
				fmt.Fprintf(c.ErrOrStderr(), "the environment names %s, which wins: unset ROADBED_URL and ROADBED_SERVER\n", set)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "using %s at %s\n", one.Name, one.URL)
			return err
		},
	}
}

func (s *state) logout() *cobra.Command {
	var every bool
	c := &cobra.Command{
		Use: "logout [NAME]", Short: "Forget a server and its token; the current one when none is named",
		Long: "Forgets a server and its token on this machine; the current one when none is named. The token itself stays good\nuntil it expires, or \"roadbed token revoke\" ends it." + exitHelp,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: loginNames,
		RunE: func(c *cobra.Command, args []string) error {
			all, err := readLogins()
			switch {
			case every: // also those of a damaged file
				return logins{}.write()
			case err != nil:
				return err
			}
			name := first(strings.Join(args, ""), s.server, all.Current)
			if name == "" {
				return Usage(fmt.Errorf("no server is current; name one of those that `roadbed login list` shows"))
			}
			if _, err := all.named(name); err != nil {
				return err
			}
			all.remove(name)
			return all.write()
		},
	}
	c.Flags().BoolVar(&every, "all", false, "forget all servers")
	return c
}

// loginNames completes names of logins.
func loginNames(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	all, err := readLogins()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return all.names(), cobra.ShellCompDirectiveNoFileComp
}

func (s *state) whoami() *cobra.Command {
	return s.verb("whoami", "Who the server takes you for", cobra.NoArgs, func(c *cobra.Command, api *client.Client, _ []string) error {
		me, err := client.Get[client.Me](c.Context(), api, "/whoami", nil)
		if err != nil {
			return err
		}
		return s.show(c, me, func(w io.Writer) {
			fmt.Fprintf(w, "server\t%s\nprincipal\t%s\nname\t%s\ngroups\t%s\nspaces\t%s\n", api.URL, me.Ref, me.Name, dash(strings.Join(me.Groups, ", ")), dash(strings.Join(me.Spaces, ", ")))
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
			fmt.Fprintf(w, "server\t%s %s\ngit\t%s\nregistry\t%s\ndatabase\t%s\nengine\t%s\nsteps run as\t%s\nisolated steps\t%t\n",
				api.URL, st.Version, st.GitURL, st.Registry, st.Features.Database, dash(st.Features.Engine), st.Features.Executor, st.Features.Isolated)
		})
	})
}

// health is for those who watch a server without an account on it, such as a container's health check.
func (s *state) health() *cobra.Command {
	var wait span
	c := s.verb("health", "Whether the server and its database answer; needs no token", cobra.NoArgs, func(c *cobra.Command, api *client.Client, _ []string) error {
		for began := time.Now(); ; {
			err := ready(c.Context(), api)
			if err == nil {
				_, err = fmt.Fprintln(c.OutOrStdout(), "ok")
				return err
			}
			if !fault.Is(err, fault.Unavailable) || time.Since(began) >= time.Duration(wait) {
				return err
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-c.Context().Done():
				return c.Context().Err()
			}
		}
	})
	c.Flags().Var(&wait, "wait", "how long to wait for a server that doesn't answer yet, such as 30s")
	return c
}

func ready(ctx context.Context, api *client.Client) error {
	ctx, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	return api.Ready(ctx)
}
