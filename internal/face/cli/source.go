package cli

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *state) sources() *cobra.Command {
	return group("source", "Outside systems that push documents", s.sourcePush(), s.sourceList(), s.sourceShow(), s.sourceDelete())
}

func (s *state) sourcePush() *cobra.Command {
	var files, gone []string
	var space string
	var part bool
	c := s.verb("push NAME", "Push all that a source has, or with --part what has changed", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		if len(files) == 0 && len(gone) == 0 {
			return fault.Errorf(fault.Invalid, "there is nothing to push; name files with -f, or references with --delete")
		}
		text, err := documentsUpTo(c, files, pushLimit)
		if err != nil {
			return err
		}
		in, method := map[string]any{"documents": text, "space": space}, "PUT"
		if part || len(gone) > 0 {
			method = "PATCH"
			in["delete"] = gone
		}
		var done client.Source
		if err := api.Do(c.Context(), method, "/sources/"+url.PathEscape(args[0])+"/entities", nil, in, &done); err != nil {
			return err
		}
		return s.showSource(c, done)
	})
	c.Example = "  roadbed source push cmdb -f all.yaml\n  roadbed source push cmdb --part -f changed.ndjson\n  roadbed source push cmdb --delete component:default/old"
	c.Flags().StringSliceVarP(&files, "file", "f", nil, "`file` of documents (YAML, JSON, JSON lines); - for standard input")
	c.Flags().StringSliceVar(&gone, "delete", nil, "`reference` that the source has no more; implies --part")
	c.Flags().BoolVar(&part, "part", false, "leave alone what is not named")
	c.Flags().StringVar(&space, "space", "", "`space` of a new source; the root space when not given")
	return c
}

// pushLimit bounds what one push has, in bytes.
const pushLimit = 16 << 20

func (s *state) showSource(c *cobra.Command, src client.Source) error {
	return s.show(c, src, func(w io.Writer) {
		fmt.Fprintf(w, "source\t%s\nspace\t%s\nentities\t%d\nlast push\t%s\nbrought\t%s\n", src.Name, src.Space, src.Entities, pushed(src), brought(src.Last))
		for _, p := range src.Problems {
			fmt.Fprintf(w, "problem\t%s\n", problem(p))
		}
	})
}

func pushed(src client.Source) string {
	if src.Ended.IsZero() {
		return src.Pushed.Format("2006-01-02 15:04:05") + ", not ended"
	}
	return src.Ended.Format("2006-01-02 15:04:05")
}

func brought(b client.Brought) string {
	var words []string
	for _, x := range []struct {
		n    int
		what string
	}{{b.Created, "created"}, {b.Updated, "updated"}, {b.Unchanged, "unchanged"}, {b.Deleted, "deleted"}, {b.Wrong, "wrong"}} {
		if x.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

func (s *state) sourceShow() *cobra.Command {
	return s.verb("show NAME", "A source, and what of its last push was wrong", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		src, err := client.Get[client.Source](c.Context(), api, "/sources/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return s.showSource(c, src)
	})
}

func (s *state) sourceDelete() *cobra.Command {
	return s.verb("delete NAME", "Forget a source and delete what it has pushed", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		if err := api.Do(c.Context(), "DELETE", "/sources/"+url.PathEscape(args[0]), nil, nil, nil); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.ErrOrStderr(), "deleted the source %s\n", args[0])
		return err
	})
}

func (s *state) sourceList() *cobra.Command {
	return listing(s, "list", "Sources, and how their last push went", cobra.NoArgs, whole, func([]string) (list[client.Source], error) {
		return list[client.Source]{
			path: "/sources", head: "NAME\tSPACE\tENTITIES\tLAST PUSH\tBROUGHT",
			row: func(src client.Source) []any {
				return []any{src.Name, src.Space, src.Entities, pushed(src), brought(src.Last)}
			},
			noun: "sources", next: "push the first documents with `roadbed source push NAME -f FILE`",
		}, nil
	})
}
