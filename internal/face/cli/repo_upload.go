package cli

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) repoUpload() *cobra.Command {
	var folder string
	var fresh bool
	var in client.NewCommit
	c := s.verb("upload NAMESPACE/NAME FILE...", "Put files into a folder, in one commit, without a clone", cobra.MinimumNArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		in.Changes = nil
		total := 0
		for _, from := range args[1:] {
			if from == "-" {
				return Usage(errors.New("what comes from standard input has no name; use `roadbed repo write`"))
			}
			content, err := contentOf(c, from)
			if err != nil {
				return err
			}
			if total += len(content); total > writeMost {
				return fmt.Errorf("together they have more than %d bytes; push them with git", writeMost)
			}
			change := client.FileChange{Path: path.Join(filepath.ToSlash(folder), filepath.Base(from))}
			if fresh {
				change.Base = new(string)
			}
			in.Changes = append(in.Changes, withContent(change, content))
		}
		what := in.Changes[0].Path
		if n := len(in.Changes); n > 1 {
			what = fmt.Sprintf("%d files to %s", n, cmp.Or(folder, "/"))
		}
		in.Message = cmp.Or(in.Message, "Upload "+what)
		return s.commit(c, api, args[0], in)
	})
	c.Long = `Put files of this machine into a folder of a repository, in one commit. At most 100 files, with 5 MB together, also
files that are no texts. A file that is there is replaced, unless --new says that there is none.` + exitHelp
	c.Example = `  roadbed repo upload crew/shop logo.png banner.png --to docs/images
  roadbed repo upload crew/shop logo.png --branch logo --from main`
	c.Flags().StringVar(&folder, "to", "", "`folder` in the repository; its top when not given")
	c.Flags().BoolVar(&fresh, "new", false, "fail when one of them is there already")
	bindCommit(c, &in)
	return c
}
