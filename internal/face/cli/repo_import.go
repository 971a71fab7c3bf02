package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// elsewhere are the flags of who signs in to a repository elsewhere.
type elsewhere struct {
	username, secret string
	password         bool
}

func (e *elsewhere) bind(c *cobra.Command) {
	c.Flags().StringVar(&e.username, "username", "", "`name` to sign in there with")
	c.Flags().StringVar(&e.secret, "secret", "", "`SPACE/NAME` or SPACE/NAME#KEY of a secret that is the password")
	c.Flags().BoolVar(&e.password, "password", false, "ask for the password; a pipe may give it")
}

// into puts the credentials into the body of a request.
func (e *elsewhere) into(c *cobra.Command, body map[string]any) error {
	body["username"] = e.username
	switch {
	case e.password && e.secret != "":
		return Usage(errors.New("give --password or --secret, and not both"))
	case e.secret != "":
		body["secret"] = e.secret
	case e.password:
		password, err := asked(c).say("Password", true)
		if err != nil && (!errors.Is(err, io.EOF) || password == "") {
			return err
		}
		body["password"] = password
	}
	return nil
}

func (e *elsewhere) given() bool { return e.username != "" || e.secret != "" || e.password }

func (s *state) repoImport() *cobra.Command {
	var with elsewhere
	var space, description, every string
	var background, retry, cancel bool
	c := s.verb("import {URL [[NAMESPACE/]NAME] | [NAMESPACE/]NAME}", "Make a repository of one elsewhere", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		if retry || cancel {
			return s.changeImport(c, api, args, &with, retry, background)
		}
		if !strings.Contains(args[0], "://") {
			return Usage(fmt.Errorf("%q is not the address of a repository; with --retry or --cancel name one that is being imported", args[0]))
		}
		name := nameIn(args[0])
		if len(args) > 1 {
			name = args[1]
		}
		from := map[string]any{"url": args[0], "every": every}
		if err := with.into(c, from); err != nil {
			return err
		}
		namespace, name, _ := strings.Cut(named(name), "/")
		r, err := client.Post[client.Repository](c.Context(), api, "/repositories", map[string]any{
			"namespace": namespace, "name": name, "space": space, "description": description, "import": from,
		})
		if err != nil {
			return err
		}
		return s.followImport(c, api, r, background)
	})
	c.Long = `Make a repository of one elsewhere: its branches and tags, and its default branch. Credentials are asked for, or are
those of a secret; they are on no command line. With --every it goes on to follow the other one, and nothing else
changes it, until --cancel.` + exitHelp
	c.Example = `  roadbed repo import https://git.example.com/acme/shop payments/shop
  roadbed repo import https://git.example.com/acme/shop --password
  roadbed repo import https://git.example.com/acme/shop --every 15m
  roadbed repo import payments/shop --retry`
	with.bind(c)
	c.Flags().StringVar(&space, "space", "", "`space` that it belongs to; the root space when not given")
	c.Flags().StringVar(&description, "description", "", "`text` that says what it is")
	c.Flags().StringVar(&every, "every", "", "`time` between looks for what moved there, such as 15m")
	c.Flags().BoolVar(&background, "background", false, "don't wait for the end")
	c.Flags().BoolVar(&retry, "retry", false, "try again what failed, or look now for what moved")
	c.Flags().BoolVar(&cancel, "cancel", false, "give an import up, or no longer follow")
	c.MarkFlagsMutuallyExclusive("retry", "cancel")
	return c
}

// nameIn gives what a repository at an address is called.
func nameIn(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(path.Base(strings.TrimSuffix(u.Path, "/")), ".git"))
}

func (s *state) changeImport(c *cobra.Command, api *client.Client, args []string, with *elsewhere, retry, background bool) error {
	if len(args) != 1 {
		return Usage(errors.New("name the one repository"))
	}
	if !retry {
		_, err := client.Post[client.Repository](c.Context(), api, repoPath(args[0])+"/import/cancel", nil)
		return told(c, err, "%s is a repository like any other now, with what has come", named(args[0]))
	}
	body := map[string]any{}
	if with.given() {
		if err := with.into(c, body); err != nil {
			return err
		}
	}
	r, err := client.Post[client.Repository](c.Context(), api, repoPath(args[0])+"/import/retry", body)
	if err != nil {
		return err
	}
	return s.followImport(c, api, r, background)
}

// followImport tells how far an import is, until its end.
func (s *state) followImport(c *cobra.Command, api *client.Client, r client.Repository, background bool) error {
	name, last := r.Namespace+"/"+r.Name, ""
	for r.Import != nil && !background {
		i := r.Import
		if line := importLine(i); line != last {
			fmt.Fprintln(plain{c.ErrOrStderr()}, line)
			last = line
		}
		if i.State == "ready" || i.State == "canceled" {
			break
		}
		if i.State == "failed" {
			return fault.Errorf(fault.Internal, "%s could not be imported: %s", name, i.Error)
		}
		select {
		case <-time.After(time.Second):
		case <-c.Context().Done():
			fmt.Fprintf(c.ErrOrStderr(), "the import goes on; `roadbed repo import %s --cancel` ends it\n", name)
			return c.Context().Err()
		}
		var err error
		if r, err = client.Get[client.Repository](c.Context(), api, repoPath(name), nil); err != nil {
			return err
		}
	}
	return s.showRepository(c, r)
}

// importLine says how far an import is.
func importLine(i *client.Import) string {
	line := i.State
	switch {
	case i.Phase != "":
		line = i.Phase
		if i.Total > 0 {
			line += fmt.Sprintf(" %d%% (%d/%d)", 100*i.Done/i.Total, i.Done, i.Total)
		}
	case i.Error != "":
		line += ": " + i.Error
	}
	if i.Bytes > 0 {
		line += fmt.Sprintf(", %.1f MB", float64(i.Bytes)/1e6)
	}
	return line
}
