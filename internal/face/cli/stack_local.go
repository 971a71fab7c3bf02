package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

const localHelp = `The folder is
the top of the repository, or the stack's own folder in it. .git, .terraform, what
.terraformignore names, and what git ignores are not sent.`

// errChanges stands for the exit code of a plan that has changes, where that is asked for.
var errChanges = errors.New("the plan has changes")

// local plans a folder of this machine: it is packed and sent, its log is followed, and its plan told in the end.
func (s *state) local(c *cobra.Command, api *client.Client, name, folder string, detailed bool) error {
	k, err := client.Get[client.Stack](c.Context(), api, "/stacks/"+named(name), nil)
	if err != nil {
		return err
	}
	root, err := sourceRoot(folder, k.Path)
	if err != nil {
		return Usage(err)
	}
	archive, err := pack(c.Context(), root)
	if err != nil {
		return err
	}
	var sent client.Configuration
	body := client.Raw{Type: "application/gzip", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }}
	if err := api.Do(c.Context(), "POST", "/stacks/"+named(name)+"/configurations", url.Values{"preview": {"true"}}, body, &sent); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "sent %s: %d files, %d KiB\n", root, sent.Entries, (sent.Size+1023)>>10)
	r, err := client.Post[client.RunDetail](c.Context(), api, "/stacks/"+named(name)+"/runs", map[string]string{"type": "proposed", "configuration": sent.ID})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "run %s\n", r.ID)
	if r, err = s.followAll(c, api, r.ID); err != nil {
		return err
	}
	return s.planned(c, r, detailed)
}

// followAll writes the logs of a run's steps as they come, and gives the run as it ended.
func (s *state) followAll(c *cobra.Command, api *client.Client, id string) (client.RunDetail, error) {
	out := c.OutOrStdout()
	if s.output == "json" { // which is the run alone
		out = c.ErrOrStderr()
	}
	told := map[string]bool{}
	for {
		r, begun, err := s.begun(c, api, id, "", told)
		if err != nil || len(begun) == 0 {
			return r, err
		}
		for _, p := range begun {
			told[p.ID] = true
			fmt.Fprintf(c.ErrOrStderr(), "==> %s\n", p.Title)
			if err := api.FollowLog(c.Context(), r.ID, p.ID, 0, out); err != nil {
				return r, err
			}
		}
	}
}

// planned tells how a preview ended, and gives the error that stands for its exit code.
func (s *state) planned(c *cobra.Command, r client.RunDetail, detailed bool) error {
	err := s.show(c, r, func(w io.Writer) { fmt.Fprintf(w, "%s\t%s\n", r.State, r.Reason) })
	if err != nil {
		return err
	}
	if r.Waiting {
		return errWaiting
	}
	if !good[r.State] {
		return fmt.Errorf("run %s ended as %s: %s", r.ID, r.State, r.Reason)
	}
	if detailed && changes(r) {
		return errChanges
	}
	return nil
}

// changes tells whether a run's plan would change something.
func changes(r client.RunDetail) bool {
	var out struct {
		Summary map[string]int `json:"summary"`
	}
	if json.Unmarshal(r.Output, &out) != nil {
		return false
	}
	for what, n := range out.Summary {
		if n > 0 && !strings.EqualFold(what, "noop") {
			return true
		}
	}
	return false
}
