package cli

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) repoClone() *cobra.Command {
	var show bool
	c := s.verb("clone [NAMESPACE/]NAME [FOLDER]", "Clone a repository with git, signed in as you are here", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		r, err := client.Get[client.Repository](c.Context(), api, repoPath(args[0]), nil)
		if err != nil {
			return err
		}
		if show {
			return s.show(c, r.CloneURL, func(w io.Writer) { fmt.Fprintln(w, "git clone "+r.CloneURL) })
		}
		helper, err := credentialHelper()
		if err != nil {
			return err
		}
		// What git asks with is answered by this program, so that the token is on no command line and in no file. The empty
		// value first leaves out other helpers, which would keep it in a file of their own.
		server, _, _ := strings.Cut(r.CloneURL, "/git/")
		key := "credential." + server + ".helper="
		git := exec.CommandContext(c.Context(), "git", append([]string{
			"-c", key, "-c", key + helper, "clone", "--config", key, "--config", key + helper, "--", r.CloneURL,
		}, args[1:]...)...)
		git.Stdin, git.Stdout, git.Stderr = os.Stdin, c.OutOrStdout(), c.ErrOrStderr()
		if err := git.Run(); err != nil {
			return fmt.Errorf("git clone %s: %w", r.CloneURL, err)
		}
		return nil
	})
	c.Example = "  roadbed repo clone payments/shop\n  roadbed repo clone payments/shop --print"
	c.Flags().BoolVar(&show, "print", false, "only print the command")
	return c
}
