package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// graphFlags are what the verbs of the graph take.
type graphFlags struct {
	depth, nodes int
	form         drawing
	at           instant
}

func (f *graphFlags) bind(c *cobra.Command, depth int) {
	c.Flags().IntVar(&f.depth, "depth", depth, "how many relations far: 1 to 100")
	c.Flags().IntVar(&f.nodes, "nodes", 500, "how many entities at most: 1 to 2000")
	c.Flags().Var(&f.form, "format", "text, dot (Graphviz), mermaid or json")
	c.Flags().Var(&f.at, "as-of", "as it was then: a time, or how long ago, such as 7d")
}

// drawing is a form that graphs are written in.
type drawing string

func (d *drawing) Type() string { return "format" }

func (d *drawing) String() string {
	if *d == "" {
		return "text"
	}
	return string(*d)
}

func (d *drawing) Set(text string) error {
	switch text {
	case "text", "dot", "mermaid", "json":
		*d = drawing(text)
		return nil
	}
	return errors.New("it is text, dot, mermaid or json")
}

func (s *state) graph() *cobra.Command {
	var f graphFlags
	var types []string
	var direction string
	c := s.verb("graph [KIND] NAME", "What an entity is related to, and what that is related to", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		return s.showGraph(c, api, args, f, url.Values{"types": {strings.Join(types, ",")}, "direction": {direction}})
	})
	f.bind(c, 1)
	c.Flags().StringSliceVar(&types, "types", nil, "only these `relations`, with commas, such as dependsOn,ownedBy")
	c.Flags().StringVar(&direction, "direction", "both", "relations from the entity (out), to it (in), or both")
	c.Example = "  roadbed graph shop\n  roadbed graph group payments --depth 3 --direction in\n  roadbed graph shop --depth 4 --types dependsOn --format mermaid\n  roadbed graph shop --as-of 2026-11-01"
	return c
}

func (s *state) impact() *cobra.Command {
	var f graphFlags
	var needs bool
	c := s.verb("impact [KIND] NAME", "What depends on an entity, however far, and by which way", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		view := "impact"
		if needs {
			view = "needs"
		}
		return s.showGraph(c, api, args, f, url.Values{"view": {view}})
	})
	f.bind(c, 100)
	c.Flags().BoolVar(&needs, "needs", false, "the other way: what it depends on itself")
	c.Example = "  roadbed impact resource orders-db\n  roadbed impact shop --needs"
	return c
}

func (s *state) owned() *cobra.Command {
	var f graphFlags
	c := s.verb("owned [KIND] NAME", "All that a group and the groups below it own; of a user, what their groups own", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		if len(args) == 1 && !strings.Contains(args[0], ":") {
			args = []string{"group", args[0]}
		}
		return s.showGraph(c, api, args, f, url.Values{"view": {"owned"}})
	})
	f.bind(c, 100)
	c.Example = "  roadbed owned payments\n  roadbed owned user alice"
	return c
}

func (s *state) owners() *cobra.Command {
	return s.verb("owners [KIND] NAME", "Who owns an entity in the end: its owner, the groups above, and their members", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		path, err := entityPath(args)
		if err != nil {
			return err
		}
		o, err := client.Get[client.Ownership](c.Context(), api, path+"/owners", nil)
		if err != nil {
			return err
		}
		err = s.show(c, o, func(w io.Writer) {
			for _, n := range o.Owners {
				fmt.Fprintf(w, "%s\t%s\t%s\n", n.By, n.Ref, n.Title)
			}
			for _, n := range o.Members {
				fmt.Fprintf(w, "member\t%s\t%s\n", n.Ref, n.Title)
			}
		})
		if err == nil && len(o.Owners) == 0 {
			fmt.Fprintln(c.ErrOrStderr(), "nobody that you may see; name one in spec.owner")
		}
		return err
	})
}

// showGraph reads a graph and writes it in the form that was asked for.
func (s *state) showGraph(c *cobra.Command, api *client.Client, args []string, f graphFlags, query url.Values) error {
	switch {
	case f.depth < 1 || f.depth > 100:
		return Usage(fmt.Errorf("--depth is %d; give 1 to 100", f.depth))
	case f.nodes < 1 || f.nodes > 2000:
		return Usage(fmt.Errorf("--nodes is %d; give 1 to 2000", f.nodes))
	}
	r, err := parseEntity(args)
	if err != nil {
		return err
	}
	query.Set("root", r.String())
	query.Set("depth", strconv.Itoa(f.depth))
	query.Set("nodes", strconv.Itoa(f.nodes))
	query.Set("asOf", f.at.wire())
	g, err := client.Get[client.EntityGraph](c.Context(), api, "/graph", query)
	if err != nil {
		if fault.Is(err, fault.NotFound) && f.at.wire() != "" {
			fmt.Fprintln(c.ErrOrStderr(), "`roadbed history` tells when it was there")
		}
		return err
	}
	switch f.form.String() {
	case "dot":
		writeDot(c.OutOrStdout(), g)
	case "mermaid":
		writeMermaid(c.OutOrStdout(), g)
	case "json":
		s.output = "json"
		err = s.show(c, g, nil)
	default:
		err = s.show(c, g, func(w io.Writer) { writeTree(w, g) })
	}
	if err == nil && g.Cut && f.at.wire() != "" && !slices.ContainsFunc(g.Nodes, func(n client.GraphNode) bool { return n.More }) {
		fmt.Fprintln(c.ErrOrStderr(), "the catalog of then is too large to be gone through; there may be more relations than these")
	} else if err == nil && g.Cut {
		fmt.Fprintf(c.ErrOrStderr(), "there is more behind these %d entities; a larger --depth or --nodes shows it\n", len(g.Nodes))
	}
	return err
}

// writeTree writes each entity below the one that led to it, then the other relations and the cycles.
func writeTree(w io.Writer, g client.EntityGraph) {
	there, between := map[client.GraphEdge]bool{}, map[[2]string][]client.GraphEdge{}
	for _, e := range g.Edges {
		ends := [2]string{e.Source, e.Target}
		there[e], between[ends] = true, append(between[ends], e)
	}
	below, led := map[string][]client.GraphNode{}, map[client.GraphEdge]bool{}
	for _, n := range g.Nodes {
		below[n.From] = append(below[n.From], n)
		way := client.GraphEdge{Source: n.From, Type: n.By, Target: n.Ref}
		back := between[[2]string{n.Ref, n.From}]
		switch {
		case there[way]:
			led[way] = true
		case len(back) == 1: // by what the relation is from the other side; of several nobody knows which it was
			led[back[0]] = true
		}
	}
	var write func(n client.GraphNode)
	write = func(n client.GraphNode) {
		line := strings.Repeat("  ", n.Depth)
		if n.By != "" {
			line += n.By + " "
		}
		line += n.Ref
		if !n.Exists {
			line += " (not there)"
		}
		if n.More {
			line += " …"
		}
		fmt.Fprintln(w, line)
		for _, next := range below[n.Ref] {
			write(next)
		}
	}
	for _, n := range below[""] {
		write(n)
	}
	for _, e := range g.Edges {
		if !led[e] {
			fmt.Fprintf(w, "also: %s %s %s\n", e.Source, e.Type, e.Target)
		}
	}
	for _, cycle := range g.Cycles {
		fmt.Fprintf(w, "cycle of %s: %s\n", cycle.Type, strings.Join(cycle.Refs, ", "))
	}
}

// writeDot writes a graph for Graphviz.
func writeDot(w io.Writer, g client.EntityGraph) {
	fmt.Fprintln(w, "digraph catalog {\n  rankdir=LR;\n  node [shape=box];")
	for _, n := range g.Nodes {
		style := ""
		if n.Ref == g.Root {
			style = ", style=bold"
		}
		fmt.Fprintf(w, "  %s [label=%s%s];\n", dotText(n.Ref), dotText(nodeLabel(n)), style)
	}
	round := inCycle(g)
	for _, e := range g.Edges {
		style := ""
		if round[e] {
			style = ", color=red"
		}
		fmt.Fprintf(w, "  %s -> %s [label=%s%s];\n", dotText(e.Source), dotText(e.Target), dotText(e.Type), style)
	}
	fmt.Fprintln(w, "}")
}

// inCycle gives the edges of which cycles consist.
func inCycle(g client.EntityGraph) map[client.GraphEdge]bool {
	in := map[[2]string]int{} // type and reference, number of the cycle
	for i, c := range g.Cycles {
		for _, r := range c.Refs {
			in[[2]string{c.Type, r}] = i + 1
		}
	}
	round := map[client.GraphEdge]bool{}
	for _, e := range g.Edges {
		from := in[[2]string{e.Type, e.Source}]
		round[e] = from > 0 && from == in[[2]string{e.Type, e.Target}]
	}
	return round
}

func nodeLabel(n client.GraphNode) string {
	if n.Title != "" {
		return n.Kind + " " + n.Title
	}
	return n.Kind + " " + parseShort(n.Ref)
}

// parseShort leaves the kind and the usual namespace away.
func parseShort(text string) string {
	r, err := ref.Parse(text, "component", ref.DefaultNamespace)
	switch {
	case err != nil:
		return text
	case r.Namespace == ref.DefaultNamespace:
		return r.Name
	}
	return r.Namespace + "/" + r.Name
}

func dotText(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ", "\r", " ").Replace(text) + `"`
}

// writeMermaid writes a graph as it can stand in a page of documentation.
func writeMermaid(w io.Writer, g client.EntityGraph) {
	fmt.Fprintln(w, "flowchart LR")
	ids := map[string]string{}
	clean := strings.NewReplacer(`"`, "#quot;", "\n", " ", "\r", " ", "<", "#lt;", ">", "#gt;")
	for i, n := range g.Nodes {
		ids[n.Ref] = "n" + strconv.Itoa(i)
		fmt.Fprintf(w, "  %s[\"%s\"]\n", ids[n.Ref], clean.Replace(nodeLabel(n)))
	}
	for _, e := range g.Edges {
		fmt.Fprintf(w, "  %s -->|%s| %s\n", ids[e.Source], clean.Replace(e.Type), ids[e.Target])
	}
}
