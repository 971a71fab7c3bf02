package cli

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *state) repoDelete() *cobra.Command {
	var now bool
	var confirm string
	c := s.verb("delete [NAMESPACE/]NAME", "Delete a repository; it can be restored for some days", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		name := named(args[0])
		if !now {
			err := api.Do(c.Context(), http.MethodDelete, repoPath(name), nil, nil, nil)
			return told(c, err, "deleted %s; `roadbed repo restore %s` brings it back", name, name)
		}
		if confirm == "" {
			if !isTerminal() {
				return Usage(errors.New("--now can't be undone: name the repository with --confirm too"))
			}
			var err error
			if confirm, err = asked(c).say("Type "+name+" to delete it for good", false); err != nil {
				return err
			}
		}
		if named(confirm) != name {
			return fault.Errorf(fault.Invalid, "%s is not deleted: %q is not its name", name, confirm)
		}
		err := api.Do(c.Context(), http.MethodDelete, repoPath(name), url.Values{"now": {"true"}}, nil, nil)
		return told(c, err, "deleted %s for good", name)
	})
	c.Example = "  roadbed repo delete payments/shop\n  roadbed repo list --deleted\n  roadbed repo delete payments/shop --now"
	c.Flags().BoolVar(&now, "now", false, "for good and at once, also one that was deleted before; for administrators")
	c.Flags().StringVar(&confirm, "confirm", "", "the repository's `name` once more, for --now in scripts")
	return c
}

func (s *state) repoRestore() *cobra.Command {
	return s.verb("restore [NAMESPACE/]NAME", "Bring a deleted repository back as it was", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		r, err := client.Post[client.Repository](c.Context(), api, repoPath(args[0])+"/restore", nil)
		if err != nil {
			return err
		}
		return s.showRepository(c, r)
	})
}
