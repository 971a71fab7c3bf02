package cli

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) proposals() *cobra.Command {
	return group("proposal", "Proposals: changes that are looked at before they are merged",
		s.proposalList(), s.proposalOpen(), s.proposalShow(), s.proposalDiff(), s.proposalCheckout(), s.proposalComment(), s.proposalApply(),
		s.proposalReview("approve", "approved", "Approve its head"), s.proposalReview("refuse", "refused", "Ask for changes"),
		s.proposalMerge(), s.proposalUpdate(), s.proposalRevert(), s.proposalEdit(), s.proposalEnd("close", "End it without merging it"), s.proposalEnd("reopen", "Open it again"))
}

func (s *state) proposalList() *cobra.Command {
	var state, text string
	var mine, waiting, assigned bool
	c := listing(s, "list [NAMESPACE/NAME]", "Proposals, the newest first", cobra.MaximumNArgs(1), newest, func(args []string) (list[client.ProposalLine], error) {
		q := url.Values{}
		if state != "all" {
			q.Set("state", state)
		}
		if len(args) > 0 {
			q.Set("repository", named(args[0]))
		}
		for name, on := range map[string]bool{"author": mine, "assignee": assigned} {
			if on {
				q.Set(name, "me")
			}
		}
		if waiting {
			q.Set("waiting", "true")
		}
		if text != "" {
			q.Set("text", text)
		}
		return list[client.ProposalLine]{
			path: "/proposals", query: q, head: "PROPOSAL\tSTATE\tTITLE\tBRANCHES\tBY\tREVIEWS\tCHECKS\tCHANGED",
			row: func(p client.ProposalLine) []any {
				return []any{p.Full, standing(p.Proposal), p.Title, p.Source + " → " + p.Target, p.Author.Name, verdicts(p), checked(p), ago(p.Updated)}
			},
			noun: "proposals", next: "push a branch and open one with `roadbed proposal open NAMESPACE/NAME BRANCH`",
		}, nil
	})
	c.Flags().StringVar(&state, "state", "open", "`state`: open, closed, merged or all")
	c.Flags().BoolVar(&mine, "mine", false, "only those that you opened")
	c.Flags().BoolVar(&assigned, "assigned", false, "only those that you look after")
	c.Flags().BoolVar(&waiting, "waiting", false, "only those that wait for your review")
	c.Flags().StringVar(&text, "text", "", "only those with a `text` in their title")
	return c
}

// verdicts is what reviewers say of a proposal; checked is what its checks say.
func verdicts(p client.ProposalLine) string {
	switch {
	case p.Refusals > 0:
		return "changes asked for"
	case p.Wanted > 0:
		return fmt.Sprintf("%d of %d", p.Approvals, p.Wanted)
	case p.Approvals > 0:
		return "approved"
	}
	return ""
}

func checked(p client.ProposalLine) string {
	switch {
	case p.Failed > 0:
		return fmt.Sprintf("%d failed", p.Failed)
	case p.Pending > 0:
		return fmt.Sprintf("%d pending", p.Pending)
	case p.Passed > 0:
		return "passed"
	}
	return ""
}

// standing is a proposal's state in a word or two.
func standing(p client.Proposal) string {
	switch {
	case p.State != "open":
		return p.State
	case p.Draft:
		return "draft"
	case len(p.Conflicts) > 0 && !p.Stale:
		return "conflicts"
	}
	return p.State
}

// proposalPath reads NAMESPACE/NAME#NUMBER.
func proposalPath(text string) (string, error) {
	repository, digits, ok := strings.Cut(text, "#")
	number, err := strconv.Atoi(digits)
	if !ok || err != nil || number < 1 {
		return "", Usage(fmt.Errorf("%q is not a proposal; write NAMESPACE/NAME#NUMBER", text))
	}
	return "/repositories/" + named(repository) + "/proposals/" + digits, nil
}

func (s *state) proposalOpen() *cobra.Command {
	var in struct {
		Title  string `json:"title,omitempty"`
		Body   string `json:"body,omitempty"`
		Source string `json:"source"`
		Target string `json:"target,omitempty"`
		Draft  bool   `json:"draft,omitempty"`
	}
	c := s.verb("open NAMESPACE/NAME BRANCH", "Propose to bring a branch into the default one", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		in.Source = args[1]
		p, err := client.Post[client.ProposalDetail](c.Context(), api, "/repositories/"+named(args[0])+"/proposals", in)
		if err != nil {
			return err
		}
		return s.showProposal(c, p)
	})
	c.Flags().StringVar(&in.Title, "title", "", "what it does, as a `text`; the subject of the newest commit when not given")
	c.Flags().StringVar(&in.Body, "body", "", "why, as a `text` in Markdown")
	c.Flags().StringVar(&in.Target, "into", "", "another `branch` than the default one")
	c.Flags().BoolVar(&in.Draft, "draft", false, "it is not ready yet")
	return c
}

// onProposal makes a verb for one proposal.
func (s *state) onProposal(use, short string, fn func(c *cobra.Command, api *client.Client, path string) error) *cobra.Command {
	return s.verb(use+" NAMESPACE/NAME#NUMBER", short, cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		path, err := proposalPath(args[0])
		if err != nil {
			return err
		}
		return fn(c, api, path)
	})
}

func (s *state) proposalShow() *cobra.Command {
	return s.onProposal("show", "One proposal, what was said of it, and what stands in its way", func(c *cobra.Command, api *client.Client, path string) error {
		p, err := client.Get[client.ProposalDetail](c.Context(), api, path, nil)
		if err != nil {
			return err
		}
		if err := s.showProposal(c, p); err != nil || s.output != "table" {
			return err
		}
		said, err := client.All[client.ProposalComment](c.Context(), api, path+"/comments", nil)
		if err != nil {
			return err
		}
		out := plain{c.OutOrStdout()}
		for _, m := range said {
			fmt.Fprintf(out, "\n%s%s, %s:\n  %s\n", m.Author.Name, onLines(m), ago(m.Created), strings.ReplaceAll(strings.TrimSpace(m.Body), "\n", "\n  "))
			for _, k := range m.Commands {
				fmt.Fprintf(out, "  → /%s: %s %s\n", k.Name, k.State, strings.ReplaceAll(k.Answer, "\n", "\n    "))
			}
		}
		return nil
	})
}

func (s *state) showProposal(c *cobra.Command, p client.ProposalDetail) error {
	return s.show(c, p, func(w io.Writer) {
		fmt.Fprintf(w, "proposal\t%s\nwhat\t%s\nstate\t%s\n", p.Full, p.Title, standing(p.Proposal))
		fmt.Fprintf(w, "branches\t%s → %s (%d commits, at %s)\n", p.Source, p.Target, p.Ahead, short(p.Head))
		fmt.Fprintf(w, "by\t%s, %s\n", p.Author.Name, ago(p.Created))
		for _, who := range p.Assignees {
			fmt.Fprintf(w, "looked after\tby %s\n", who.Name)
		}
		for _, k := range p.Checks {
			fmt.Fprintf(w, "check %s\t%s\t%s\n", k.Name, k.State, k.Description)
		}
		for _, r := range p.Reviews {
			fmt.Fprintf(w, "review\t%s by %s at %s\t%s\n", r.Verdict, r.Author.Name, short(r.Head), r.Body)
		}
		if p.State == "open" {
			for _, wrong := range p.Warnings {
				fmt.Fprintf(w, "CODEOWNERS\t%s\n", wrong)
			}
			for _, b := range p.Blockers {
				fmt.Fprintf(w, "in the way\t%s\n", b.Message)
			}
			if len(p.Blockers) == 0 {
				fmt.Fprintf(w, "in the way\tnothing; roadbed proposal merge %s\n", p.Full)
			}
		}
		if p.Auto != "" && p.AutoBy != nil {
			fmt.Fprintf(w, "merges itself\tby %s, for %s\n", p.Auto, p.AutoBy.Name)
		}
		if p.MergeCommit != "" {
			fmt.Fprintf(w, "merged as\t%s\n", short(p.MergeCommit))
		}
	})
}

func (s *state) proposalDiff() *cobra.Command {
	var file, since string
	var space bool
	c := s.onProposal("diff", "What it changes", func(c *cobra.Command, api *client.Client, path string) error {
		q := url.Values{}
		for name, value := range map[string]string{"file": file, "since": since} {
			if value != "" {
				q.Set(name, value)
			}
		}
		if space {
			q.Set("space", "ignore")
		}
		d, err := client.Get[client.Diff](c.Context(), api, path+"/diff", q)
		if err != nil {
			return err
		}
		if s.output != "table" {
			return s.show(c, d, nil)
		}
		out := plain{c.OutOrStdout()}
		for _, f := range d.Files {
			if f.Folded { // it comes alone
				q.Set("file", f.Path)
				one, err := client.Get[client.Diff](c.Context(), api, path+"/diff", q)
				if err != nil {
					return err
				}
				if len(one.Files) == 1 {
					f = one.Files[0]
				}
			}
			old := f.OldPath
			if old == "" {
				old = f.Path
			}
			fmt.Fprintf(out, "diff --git a/%s b/%s\n%s, +%d -%d\n%s", old, f.Path, f.Status, f.Additions, f.Deletions, f.Patch)
		}
		if d.Truncated {
			fmt.Fprintln(c.ErrOrStderr(), "it is too large to be shown whole; fetch its branch and use git diff")
		}
		return nil
	})
	c.Flags().StringVar(&file, "file", "", "only this `path`")
	c.Flags().StringVar(&since, "since", "", "only what was done since an earlier head, a full `commit`")
	c.Flags().BoolVar(&space, "ignore-space", false, "changes of white space alone are none")
	return c
}

func (s *state) proposalReview(name, verdict, short string) *cobra.Command {
	var text, head string
	c := s.onProposal(name, short, func(c *cobra.Command, api *client.Client, path string) error {
		p, err := client.Post[client.ProposalDetail](c.Context(), api, path+"/reviews", map[string]string{"verdict": verdict, "body": text, "head": head})
		if err != nil {
			return err
		}
		return s.showProposal(c, p)
	})
	c.Flags().StringVar(&text, "body", "", "why, as a `text` in Markdown")
	c.Flags().StringVar(&head, "head", "", "the full `commit` that you looked at; refused when another one was pushed since")
	return c
}

func (s *state) proposalMerge() *cobra.Command {
	var way, head string
	var keep, auto bool
	c := s.onProposal("merge", "Merge it", func(c *cobra.Command, api *client.Client, path string) error {
		var p client.ProposalDetail
		var err error
		if auto {
			if way == "" {
				way = "merge"
			}
			err = api.Do(c.Context(), "PUT", path+"/auto", nil, map[string]string{"way": way}, &p)
		} else {
			in := map[string]any{"head": head, "deleteSource": !keep}
			if way != "" {
				in["way"] = way
			}
			p, err = client.Post[client.ProposalDetail](c.Context(), api, path+"/merge", in)
		}
		if err != nil {
			return err
		}
		return s.showProposal(c, p)
	})
	c.Flags().StringVar(&way, "way", "", "`way`: merge, squash or rebase; the first that the rules let when not given")
	c.Flags().StringVar(&head, "head", "", "the full `commit` that you looked at; refused when another one was pushed since")
	c.Flags().BoolVar(&keep, "keep-branch", false, "leave its branch there")
	c.Flags().BoolVar(&auto, "auto", false, "merge it in your name as soon as nothing is in the way")
	return c
}

func (s *state) proposalEnd(name, short string) *cobra.Command {
	return s.onProposal(name, short, func(c *cobra.Command, api *client.Client, path string) error {
		p, err := client.Post[client.ProposalDetail](c.Context(), api, path+"/"+name, nil)
		if err != nil {
			return err
		}
		return s.showProposal(c, p)
	})
}
