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

func (s *state) search() *cobra.Command {
	filters := map[string]*[]string{}
	var limit int
	c := s.verb("search WORDS", "Find entities, docs, APIs and runs by words, the best first", cobra.MinimumNArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		query := url.Values{"q": {strings.Join(args, " ")}, "limit": {strconv.Itoa(limit)}}
		for name, values := range filters {
			query.Set(name, strings.Join(*values, ","))
		}
		found, err := client.Get[client.SearchResult](c.Context(), api, "/search", query)
		if err != nil {
			return err
		}
		return s.show(c, found, func(w io.Writer) { writeFound(w, found) })
	})
	c.Long = "Finds what has all of the words: in its name, title, tags, headings or text. A word\nmay be the beginning of one, and have a typo where few things have it. Words in\nquotes are taken as they are, and KEY:VALUE is what the flags say: in, kind, type,\nowner, lifecycle, space, namespace." + exitHelp
	c.Example = "  roadbed search payment gateway\n  roadbed search paymnet --kind component\n  roadbed search 'install kind:component' --in docs\n  roadbed search '\"order service\" owner:team-a'"
	for name, usage := range map[string]string{
		"in": "only `entities`, apis, docs or runs", "kind": "only these `kinds` of entities", "type": "only these `types`", "owner": "only what these `owners` have",
		"lifecycle": "only these `lifecycles`", "space": "only in these `spaces`", "namespace": "only entities of these `namespaces`",
	} {
		filters[name] = new([]string)
		c.Flags().StringSliceVar(filters[name], name, nil, usage)
	}
	c.Flags().IntVar(&limit, "limit", 20, "how `many` at most: 1 to 200")
	return c
}

func writeFound(w io.Writer, found client.SearchResult) {
	if found.Building {
		fmt.Fprintln(w, "The server has just started and is still making its index; things may be missing.")
	}
	if len(found.Items) == 0 {
		fmt.Fprintln(w, "Nothing has all of these words; leave one out, or ask for less of it.")
		return
	}
	fmt.Fprintln(w, "WHAT\tTITLE\tTEXT")
	for _, h := range found.Items {
		what := h.Ref
		switch h.In {
		case "docs":
			what = "docs of " + h.Ref
		case "runs":
			what = h.Run
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", what, joinPieces(h.Title), dash(joinPieces(h.Text)))
	}
	if found.Total > len(found.Items) {
		fmt.Fprintf(w, "… and %d more; --limit shows them\n", found.Total-len(found.Items))
	}
}

func joinPieces(pieces []client.TextPiece) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.Text)
	}
	return b.String()
}
