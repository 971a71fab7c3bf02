package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) proposalComment() *cobra.Command {
	var in struct {
		Body    string `json:"body"`
		Path    string `json:"path,omitempty"`
		Start   int    `json:"start,omitempty"`
		Line    int    `json:"line,omitempty"`
		Old     bool   `json:"old,omitempty"`
		ReplyTo string `json:"replyTo,omitempty"`
	}
	var lines string
	c := s.onProposal("comment", "Say something of it, or of lines of it", func(c *cobra.Command, api *client.Client, path string) error {
		if strings.TrimSpace(in.Body) == "" {
			return Usage(errors.New("say what with --body"))
		}
		if lines != "" {
			first, last, several := strings.Cut(lines, "-")
			if !several {
				last = first
			}
			var err, bad error
			in.Start, err = strconv.Atoi(first)
			in.Line, bad = strconv.Atoi(last)
			if err != nil || bad != nil || in.Start < 1 || in.Line < in.Start {
				return Usage(fmt.Errorf("%q are no lines; write 12 or 12-15", lines))
			}
		}
		m, err := client.Post[client.ProposalComment](c.Context(), api, path+"/comments", in)
		if err != nil {
			return err
		}
		return s.show(c, m, func(w io.Writer) { fmt.Fprintln(w, m.ID) })
	})
	c.Flags().StringVar(&in.Body, "body", "", "what to say, as a `text` in Markdown")
	c.Flags().StringVar(&in.Path, "path", "", "the `file` whose lines it is about")
	c.Flags().StringVar(&lines, "lines", "", "a `line` of the new file, or several as 12-15")
	c.Flags().BoolVar(&in.Old, "old", false, "the lines are of the old file")
	c.Flags().StringVar(&in.ReplyTo, "reply-to", "", "`id` of the comment that began the talk")
	c.MarkFlagsRequiredTogether("path", "lines")
	return c
}

// onLines says which lines a comment is on, and what became of what it suggests.
func onLines(m client.ProposalComment) string {
	if m.Path == "" {
		return ""
	}
	out := fmt.Sprintf(" on %s:%d", m.Path, m.Line)
	if m.Start > 0 && m.Start < m.Line {
		out = fmt.Sprintf(" on %s:%d-%d", m.Path, m.Start, m.Line)
	}
	switch {
	case m.Applied != "":
		out += ", applied by " + short(m.Applied)
	case m.Suggestion != nil:
		out += ", suggests (" + m.ID + ")"
	}
	return out
}

func (s *state) proposalApply() *cobra.Command {
	var in struct {
		Comments []string `json:"comments"`
		Message  string   `json:"message,omitempty"`
		Head     string   `json:"head,omitempty"`
	}
	var all bool
	c := s.verb("apply NAMESPACE/NAME#NUMBER [COMMENT]...", "Commit what comments suggest to its branch", cobra.MinimumNArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		path, err := proposalPath(args[0])
		if err != nil {
			return err
		}
		in.Comments = args[1:]
		if all == (len(in.Comments) > 0) {
			return Usage(errors.New("name the comments, or say --all"))
		}
		if all {
			said, err := client.All[client.ProposalComment](c.Context(), api, path+"/comments", nil)
			if err != nil {
				return err
			}
			for _, m := range said {
				if m.Suggestion != nil && m.Applied == "" && m.Resolved == nil && m.NowLine > 0 {
					in.Comments = append(in.Comments, m.ID)
				}
			}
			if len(in.Comments) == 0 {
				return errors.New("nothing is suggested for lines as they are now")
			}
		}
		p, err := client.Post[client.ProposalDetail](c.Context(), api, path+"/suggestions", in)
		if err != nil {
			return err
		}
		return s.showProposal(c, p)
	})
	c.Flags().StringVar(&in.Message, "message", "", "a `text` for the commit; one that names the files when not given")
	c.Flags().StringVar(&in.Head, "head", "", "the full `commit` that you looked at; refused when another one was pushed since")
	c.Flags().BoolVar(&all, "all", false, "all that is suggested for lines as they are now")
	return c
}
