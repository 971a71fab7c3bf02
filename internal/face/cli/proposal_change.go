package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) proposalUpdate() *cobra.Command {
	var in struct {
		Way  string `json:"way"`
		Head string `json:"head,omitempty"`
	}
	c := s.onProposal("update", "Bring its target into its branch", func(c *cobra.Command, api *client.Client, path string) error {
		p, err := client.Post[client.ProposalDetail](c.Context(), api, path+"/update", in)
		if err != nil {
			return err
		}
		return s.showProposal(c, p)
	})
	c.Flags().StringVar(&in.Way, "way", "merge", "`way`: merge, or rebase, which makes its commits anew")
	c.Flags().StringVar(&in.Head, "head", "", "the full `commit` that you looked at; refused when another one was pushed since")
	return c
}

func (s *state) proposalRevert() *cobra.Command {
	return s.onProposal("revert", "Open a proposal that takes a merged one back", func(c *cobra.Command, api *client.Client, path string) error {
		p, err := client.Post[client.ProposalDetail](c.Context(), api, path+"/revert", nil)
		if err != nil {
			return err
		}
		return s.showProposal(c, p)
	})
}

func (s *state) proposalEdit() *cobra.Command {
	var title, body, into string
	var draft, ready, nobody bool
	var assign []string
	c := s.onProposal("edit", "Change its words, its target, whether it is a draft, or who looks after it", func(c *cobra.Command, api *client.Client, path string) error {
		in := map[string]any{}
		for flag, value := range map[string]any{"title": title, "body": body} {
			if c.Flags().Changed(flag) {
				in[flag] = value
			}
		}
		if into != "" {
			in["target"] = into
		}
		if draft || ready {
			in["draft"] = draft
		}
		if len(assign) > 0 || nobody {
			in["assignees"] = append([]string{}, assign...)
		}
		if len(in) == 0 {
			return Usage(errors.New("say what to change; see --help"))
		}
		var p client.ProposalDetail
		if err := api.Do(c.Context(), "PATCH", path, nil, in, &p); err != nil {
			return err
		}
		return s.showProposal(c, p)
	})
	c.Flags().StringVar(&title, "title", "", "another title, as a `text`")
	c.Flags().StringVar(&body, "body", "", "another `text` that says why, in Markdown")
	c.Flags().StringVar(&into, "into", "", "another target `branch`")
	c.Flags().BoolVar(&draft, "draft", false, "it is not ready yet")
	c.Flags().BoolVar(&ready, "ready", false, "it is ready")
	c.Flags().StringSliceVar(&assign, "assign", nil, "`names` of all who look after it")
	c.Flags().BoolVar(&nobody, "unassign", false, "nobody looks after it")
	c.MarkFlagsMutuallyExclusive("draft", "ready")
	c.MarkFlagsMutuallyExclusive("assign", "unassign")
	return c
}
