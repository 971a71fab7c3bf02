package cli

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

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
	var protected, secrets bool
	sizes := map[string]*string{"push-limit": new(string), "file-limit": new(string), "lfs-file-limit": new(string), "lfs-limit": new(string)}
	c := s.verb("set [NAMESPACE/]NAME", "Change settings of a repository", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		change := map[string]any{}
		for flag, field := range map[string]struct {
			name  string
			value any
		}{"description": {"description", description}, "default-branch": {"defaultBranch", branch}, "protected": {"protected", protected}, "secret-check": {"secretCheck", secrets}} {
			if c.Flags().Changed(flag) {
				change[field.name] = field.value
			}
		}
		for flag, field := range map[string]string{"push-limit": "pushLimit", "file-limit": "fileLimit", "lfs-file-limit": "lfsFileLimit", "lfs-limit": "lfsLimit"} {
			if !c.Flags().Changed(flag) {
				continue
			}
			size, err := resource.ParseQuantity(*sizes[flag])
			if err != nil || size.Sign() < 0 {
				return Usage(fmt.Errorf("--%s: %q is no size; write 100Mi, 2Gi, or 0 for the server's limit", flag, *sizes[flag]))
			}
			change[field] = size.Value()
		}
		if len(change) == 0 {
			return Usage(errors.New("say what to change: --description, --default-branch, --protected, --secret-check or a limit"))
		}
		return s.changeRepo(c, api, args[0], change)
	})
	c.Example = "  roadbed repo set payments/shop --default-branch trunk --protected\n  roadbed repo set payments/shop --protected=false"
	c.Flags().StringVar(&description, "description", "", "`text` that says what it is")
	c.Flags().StringVar(&branch, "default-branch", "", "`branch` that is shown and cloned; it need not exist yet")
	c.Flags().BoolVar(&secrets, "secret-check", false, "refuse a push that brings what looks like a secret")
	c.Flags().StringVar(sizes["push-limit"], "push-limit", "", "`size` of one push, such as 100Mi; 0 for the server's limit")
	c.Flags().StringVar(sizes["file-limit"], "file-limit", "", "`size` of one file in a push")
	c.Flags().StringVar(sizes["lfs-file-limit"], "lfs-file-limit", "", "`size` of one file of Git LFS")
	c.Flags().StringVar(sizes["lfs-limit"], "lfs-limit", "", "`size` of all files of Git LFS together")
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
