package cli

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// proposalCheckout needs no server: git fetches the proposal from the clone's remote.
func (s *state) proposalCheckout() *cobra.Command {
	var remote, folder string
	var merge bool
	c := &cobra.Command{
		Use: "checkout NUMBER", Short: "Fetch a proposal into this clone and switch to it", Args: cobra.ExactArgs(1),
		Long: `Fetch a proposal into this clone and switch to it, on the branch proposal/NUMBER. Said again, it brings that
branch forward. It is git fetch origin refs/proposals/NUMBER/head and git switch.` + exitHelp,
		Example: "  roadbed proposal checkout 12",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		_, digits, named := strings.Cut(args[0], "#")
		if !named {
			digits = args[0]
		}
		number, err := strconv.Atoi(digits)
		if err != nil || number < 1 {
			return Usage(fmt.Errorf("%q is not a proposal; write its number", args[0]))
		}
		if strings.HasPrefix(remote, "-") {
			return Usage(fmt.Errorf("%q is no remote", remote))
		}
		git := func(args ...string) error {
			cmd := exec.CommandContext(c.Context(), "git", append([]string{"-C", folder}, args...)...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr()
			err := cmd.Run()
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				return fmt.Errorf("git %s: %w", args[0], err) // git has said why
			}
			return err
		}
		what, branch := "head", fmt.Sprintf("proposal/%d", number)
		if merge {
			what, branch = "merge", branch+"-merged"
		}
		if err := git("fetch", "--quiet", "--", remote, fmt.Sprintf("refs/proposals/%d/%s", number, what)); err != nil {
			return err
		}
		known := exec.CommandContext(c.Context(), "git", "-C", folder, "rev-parse", "--quiet", "--verify", "refs/heads/"+branch).Run() == nil
		if !known {
			return git("switch", "--quiet", "--create", branch, "FETCH_HEAD")
		}
		if err := git("switch", "--quiet", branch); err != nil {
			return err
		}
		if merge { // each is made anew
			return git("reset", "--quiet", "--keep", "FETCH_HEAD")
		}
		return git("merge", "--quiet", "--ff-only", "FETCH_HEAD")
	}
	c.Flags().StringVar(&remote, "remote", "origin", "the `name` of the clone's remote")
	c.Flags().StringVar(&folder, "folder", ".", "`folder` of the clone")
	c.Flags().BoolVar(&merge, "merge", false, "what merging it would give, on the branch proposal/NUMBER-merged")
	return c
}
