package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// edge is one relation of the graph around an entity.
type edge struct {
	Source string `json:"source"`
	Type   string `json:"type"`
	Target string `json:"target"`
	depth  int
}

// graphMost bounds how many entities one graph reads.
const graphMost = 500

func (s *state) graph() *cobra.Command {
	var depth int
	c := s.verb("graph [KIND] NAME", "What an entity is related to, and what that is related to", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		if depth < 1 || depth > 10 {
			return Usage(fmt.Errorf("--depth is %d; give 1 to 10", depth))
		}
		r, err := parseEntity(args)
		if err != nil {
			return err
		}
		edges, err := around(c, api, r.String(), depth)
		if err != nil {
			return err
		}
		return s.show(c, edges, func(w io.Writer) {
			fmt.Fprintln(w, r)
			for _, e := range edges {
				fmt.Fprintf(w, "%s%s %s\n", strings.Repeat("  ", e.depth), e.Type, e.Target)
			}
		})
	})
	c.Flags().IntVar(&depth, "depth", 1, "how many relations far: 1 to 10")
	c.Example = "  roadbed graph shop\n  roadbed graph group payments --depth 3"
	return c
}

// around walks the graph depth first and reads each entity once, so that each stands below the one that led to it.
func around(c *cobra.Command, api *client.Client, start string, most int) ([]edge, error) {
	edges, seen := []edge{}, map[string]bool{}
	var walk func(from string, depth int) error
	walk = func(from string, depth int) error {
		if depth > most || seen[from] {
			return nil
		}
		if len(seen) == graphMost {
			return fault.Errorf(fault.TooLarge, "more than %d entities are that near; give a smaller --depth", graphMost)
		}
		seen[from] = true
		path, err := entityPath([]string{from})
		if err != nil {
			return err
		}
		e, err := client.Get[client.Entity](c.Context(), api, path, nil)
		if err != nil {
			if depth > 1 && fault.KindOf(err) == fault.NotFound {
				return nil // a relation may lead to what does not exist yet, or may not be seen
			}
			return err
		}
		for _, r := range e.Relations {
			edges = append(edges, edge{from, r.Type, r.Target, depth})
			if err := walk(r.Target, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return edges, walk(start, 1)
}
