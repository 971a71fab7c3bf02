package cli

import (
	"errors"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

// changeRepo changes a repository, all of it or nothing, and shows what it is then.
func (s *state) changeRepo(c *cobra.Command, api *client.Client, name string, change map[string]any) error {
	var r client.Repository
	if err := api.Do(c.Context(), http.MethodPatch, repoPath(name), nil, change, &r); err != nil {
		return err
	}
	return s.showRepository(c, r)
}

func (s *state) repoSet() *cobra.Command {
	var description, branch string
	var protected bool
	c := s.verb("set [NAMESPACE/]NAME", "Change settings of a repository", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		change := map[string]any{}
		for flag, field := range map[string]struct {
			name  string
			value any
		}{"description": {"description", description}, "default-branch": {"defaultBranch", branch}, "protected": {"protected", protected}} {
			if c.Flags().Changed(flag) {
				change[field.name] = field.value
			}
		}
		if len(change) == 0 {
			return Usage(errors.New("say what to change: --description, --default-branch, --protected"))
		}
		return s.changeRepo(c, api, args[0], change)
	})
	c.Example = "  roadbed repo set payments/shop --default-branch trunk --protected\n  roadbed repo set payments/shop --protected=false"
	c.Flags().StringVar(&description, "description", "", "`text` that says what it is")
	c.Flags().StringVar(&branch, "default-branch", "", "`branch` that is shown and cloned; it need not exist yet")
	c.Flags().BoolVar(&protected, "protected", false, "no push rewrites or deletes the default branch")
	return c
}

func (s *state) repoRename() *cobra.Command {
	c := s.verb("rename [NAMESPACE/]NAME [NAMESPACE/]NEW", "Give a repository another address; the old one leads to it", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		return s.changeRepo(c, api, args[0], map[string]any{"name": named(args[1])})
	})
	c.Example = "  roadbed repo rename payments/shop payments/store"
	return c
}

func (s *state) repoTransfer() *cobra.Command {
	return s.verb("transfer [NAMESPACE/]NAME SPACE", "Move a repository to another space, whose rights then hold", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		return s.changeRepo(c, api, args[0], map[string]any{"space": args[1]})
	})
}

func (s *state) repoArchive(archived bool) *cobra.Command {
	use, short := "archive [NAMESPACE/]NAME", "Keep a repository as it is: it can be read and not changed"
	if !archived {
		use, short = "unarchive [NAMESPACE/]NAME", "Let an archived repository be changed again"
	}
	return s.verb(use, short, cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		return s.changeRepo(c, api, args[0], map[string]any{"archived": archived})
	})
}
