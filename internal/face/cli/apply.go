package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// documentLimit bounds what is read from files, in bytes.
const documentLimit = 4 << 20

// documents reads files one after another; "-" is standard input.
func documents(c *cobra.Command, files []string) (string, error) {
	return documentsUpTo(c, files, documentLimit)
}

func documentsUpTo(c *cobra.Command, files []string, limit int) (string, error) {
	var all strings.Builder
	for i, f := range files {
		var data []byte
		var err error
		if f == "-" {
			data, err = io.ReadAll(io.LimitReader(c.InOrStdin(), int64(limit)+1))
		} else {
			data, err = os.ReadFile(f)
		}
		if err != nil {
			return "", fault.Errorf(fault.Invalid, "read documents: %w", err)
		}
		if i > 0 {
			all.WriteString("\n---\n")
		}
		all.Write(data)
		if all.Len() > limit {
			return "", fault.Errorf(fault.TooLarge, "the documents are larger than %d bytes in all", limit)
		}
	}
	return all.String(), nil
}

func (s *state) apply() *cobra.Command {
	return s.applying("apply", "Declare documents of any kind: made when new, changed when known", false)
}

func (s *state) diff() *cobra.Command {
	return s.applying("diff", "What apply would change, or what differs between two times", true)
}

func (s *state) applying(use, what string, dry bool) *cobra.Command {
	var files []string
	var space, source string
	var dryRun, prune bool
	var from, to instant
	var kind, owner string
	c := s.verb(use, what, cobra.NoArgs, func(c *cobra.Command, api *client.Client, _ []string) error {
		switch times := from.wire() + to.wire(); {
		case times != "" && len(files) > 0:
			return Usage(errors.New("--from compares two times, --file with what is now; give one of them"))
		case to.wire() != "" && from.wire() == "":
			return Usage(errors.New("--to needs --from"))
		case times != "":
			return s.difference(c, api, from, to, url.Values{"kind": {kind}, "owner": {owner}, "space": {space}})
		case len(files) == 0 && dry:
			return Usage(errors.New("give --file FILE, or --from TIME to compare two times"))
		}
		text, err := documents(c, files)
		if err != nil {
			return err
		}
		done, err := client.Post[client.List[client.Applied]](c.Context(), api, "/apply", map[string]any{
			"documents": text, "space": space, "source": source, "dryRun": dryRun || dry, "prune": prune,
		})
		if err != nil {
			return err
		}
		return s.showApplied(c, done.Items, dryRun || dry)
	})
	c.Flags().StringSliceVarP(&files, "file", "f", nil, "`file` of documents (YAML or JSON); - for standard input")
	c.Flags().StringVar(&space, "space", "", "`space` that they belong to; the root space when not given")
	c.Flags().StringVar(&source, "source", "", "`name` under which they are kept together; your own when not given")
	c.Flags().BoolVar(&prune, "prune", false, "delete what this source brought before and no longer names")
	if dry {
		limitFlag(c, newest)
		c.Flags().Var(&from, "from", "instead of a file: what differs since then; a time, or how long ago")
		c.Flags().Var(&to, "to", "with --from: until then; now when not given")
		c.Flags().StringVar(&kind, "kind", "", "with --from: only these `kinds`, with commas")
		c.Flags().StringVar(&owner, "owner", "", "with --from: only those of an `owner`")
	} else {
		c.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would change")
	}
	c.Example = fmt.Sprintf("  roadbed %s -f team.yaml\n  roadbed %[1]s -f shop.yaml -f stack.yaml --space payments", use)
	if dry {
		c.Example += "\n  roadbed diff --from 7d --kind component\n  roadbed diff --from 2026-11-01 --to 2026-11-15 --owner group:default/payments"
	} else {
		_ = c.MarkFlagRequired("file") // the flag is defined above
	}
	return c
}
