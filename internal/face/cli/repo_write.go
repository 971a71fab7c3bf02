package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

// writeMost bounds a file that is written without a clone, in bytes.
const writeMost = 5 << 20

func (s *state) repoWrite() *cobra.Command {
	var from, base string
	var remove bool
	var in client.NewCommit
	c := s.verb("write NAMESPACE/NAME FILE", "Write or delete one file in a commit, without a clone", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		change := client.FileChange{Path: args[1], Delete: remove}
		if c.Flags().Changed("base") {
			change.Base = &base
		}
		if remove == (from != "") {
			return Usage(errors.New("say what is in it with --content FILE (- for standard input), or take it away with --delete"))
		}
		if !remove {
			content, err := contentOf(c, from)
			if err != nil {
				return err
			}
			change = withContent(change, content)
		}
		in.Message = cmp.Or(in.Message, "Change "+args[1])
		in.Changes = []client.FileChange{change}
		return s.commit(c, api, args[0], in)
	})
	c.Flags().StringVar(&from, "content", "", "`file` with what is to be in it; - for standard input")
	c.Flags().BoolVar(&remove, "delete", false, "delete it")
	bindCommit(c, &in)
	c.Flags().StringVar(&base, "base", "", "`hash` of the file that it was made of; empty when there was none")
	return c
}

// bindCommit gives a command the flags of a commit that is made without a clone.
func bindCommit(c *cobra.Command, in *client.NewCommit) {
	c.Flags().StringVar(&in.Branch, "branch", "", "`branch`; the default one when not given")
	c.Flags().StringVar(&in.From, "from", "", "make the branch, at a `branch`, tag or commit")
	c.Flags().StringVarP(&in.Message, "message", "m", "", "what the commit says, as a `text`")
}

// commit changes files of a repository, and shows the commit.
func (s *state) commit(c *cobra.Command, api *client.Client, name string, in client.NewCommit) error {
	if in.From != "" && in.Branch == "" {
		return Usage(errors.New("--from is what a new branch begins at; name it with --branch"))
	}
	made, err := client.Post[client.Committed](c.Context(), api, inRepo(name, "commits"), in)
	if err != nil {
		return err
	}
	return s.show(c, made, func(w io.Writer) { fmt.Fprintln(w, made.Branch, made.Commit) })
}

// withContent says what is to be in a file, as a text where it is one.
func withContent(change client.FileChange, content []byte) client.FileChange {
	if utf8.Valid(content) {
		change.Text = string(content)
	} else {
		change.Bytes = content
	}
	return change
}

// contentOf reads a file, or standard input.
func contentOf(c *cobra.Command, name string) ([]byte, error) {
	in := c.InOrStdin()
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	content, err := io.ReadAll(io.LimitReader(in, writeMost+1))
	if err == nil && len(content) > writeMost {
		err = fmt.Errorf("%s has more than %d bytes; push it with git", name, writeMost)
	}
	return content, err
}
