package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"
)

// credentialLimit bounds what git asks with, in bytes.
const credentialLimit = 64 << 10

// credential is what git runs to sign in where "roadbed login" was.
func (s *state) credential() *cobra.Command {
	c := &cobra.Command{
		Use: "git-credential get|store|erase|setup", Short: "Sign git in with the token of roadbed login",
		Long: `What git runs to sign in to a server that "roadbed login" remembers. "setup" tells git to do so for all of them;
the others are git's own words. A server that is not remembered is left to git's other helpers.` + exitHelp,
		Example: `  roadbed login https://roadbed.example.com
  roadbed git-credential setup
  git clone https://roadbed.example.com/git/payments/shop.git`,
		Args: cobra.ExactArgs(1), ValidArgs: []string{"get", "store", "erase", "setup"},
		RunE: func(c *cobra.Command, args []string) error {
			all, err := readLogins()
			if err != nil {
				return err
			}
			switch args[0] {
			case "setup":
				return setUpGit(c, all)
			case "get":
				return giveCredential(c.OutOrStdout(), c.InOrStdin(), all)
			case "store", "erase":
				_, err := io.Copy(io.Discard, io.LimitReader(c.InOrStdin(), credentialLimit)) // logins are kept by login and logout alone
				return err
			}
			return Usage(fmt.Errorf("%q is none of get, store, erase, setup", args[0]))
		},
	}
	return c
}

// giveCredential answers git, which asks by lines of name=value.
func giveCredential(out io.Writer, in io.Reader, all logins) error {
	asked := map[string]string{}
	for lines := bufio.NewScanner(io.LimitReader(in, credentialLimit)); lines.Scan() && lines.Text() != ""; {
		name, value, _ := strings.Cut(lines.Text(), "=")
		asked[name] = value
	}
	token := ""
	for _, one := range all.Servers {
		if serves(one.URL, asked["protocol"], asked["host"]) {
			token = all.tokenFor(one.URL)
		}
	}
	if address := os.Getenv("ROADBED_URL"); serves(address, asked["protocol"], asked["host"]) {
		token = first(os.Getenv("ROADBED_TOKEN"), token)
	}
	if token == "" || strings.ContainsAny(token, "\r\n\x00") {
		return nil // another helper may know
	}
	_, err := fmt.Fprintf(out, "username=roadbed\npassword=%s\n", token)
	return err
}

// serves tells whether an address is of the protocol and the host, with its port, that git asks for.
func serves(address, protocol, host string) bool {
	u, err := url.Parse(address)
	return err == nil && host != "" && u.Scheme == protocol && strings.EqualFold(u.Host, host)
}

// credentialHelper gives what tells git to ask this program.
func credentialHelper() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return "!'" + strings.ReplaceAll(self, "'", `'\''`) + "' git-credential", nil
}

// setUpGit tells git, for each server that is remembered, to run this program.
func setUpGit(c *cobra.Command, all logins) error {
	if len(all.Servers) == 0 {
		return errors.New("no server is remembered; run `roadbed login URL` first")
	}
	helper, err := credentialHelper()
	if err != nil {
		return err
	}
	for _, one := range all.Servers {
		key := "credential." + one.URL + ".helper"
		// The empty value first leaves out other helpers, which would keep the token in a file of their own.
		for _, args := range [][]string{{"--replace-all", key, ""}, {"--add", key, helper}} {
			cmd := exec.CommandContext(c.Context(), "git", append([]string{"config", "--global"}, args...)...)
			cmd.Stderr = c.ErrOrStderr()
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("tell git about %s: %w", one.URL, err)
			}
		}
		fmt.Fprintf(c.OutOrStdout(), "git signs in to %s with the token of its login\n", one.URL)
	}
	return nil
}
