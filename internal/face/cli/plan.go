package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) runPlan() *cobra.Command {
	return s.verb("plan ID", "What a stack's run would do, resource by resource", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		p, err := client.Get[client.Plan](c.Context(), api, "/runs/"+url.PathEscape(args[0])+"/plan", nil)
		if err != nil {
			return err
		}
		return s.show(c, p, func(w io.Writer) { writePlan(w, p) })
	})
}

// signs are what engines put before a resource.
func signs(action string) string {
	switch action {
	case "create":
		return "+"
	case "update":
		return "~"
	case "delete":
		return "-"
	case "replace":
		return "-/+"
	case "import":
		return "<="
	case "move":
		return "->"
	}
	return " "
}

func writePlan(w io.Writer, p client.Plan) {
	none := true
	for _, c := range p.Changes {
		if c.Action == "no-op" || c.Action == "read" {
			continue
		}
		none = false
		fmt.Fprintf(w, "%3s %s\n", signs(c.Action), strings.TrimSpace(c.Address+" "+about(c)))
		writeValues(w, c)
	}
	for _, o := range p.Outputs {
		if o.Action == "no-op" {
			continue
		}
		none = false
		fmt.Fprintf(w, "%3s output %s", signs(o.Action), o.Address)
		switch {
		case o.Sensitive:
			fmt.Fprint(w, " (sensitive)")
		case o.AfterUnknown == true:
			fmt.Fprint(w, " (known after apply)")
		case o.Action != "delete":
			fmt.Fprintf(w, " = %s", compact(o.After))
		}
		fmt.Fprintln(w)
	}
	switch {
	case none:
		fmt.Fprintln(w, "nothing would change")
	case p.Refresh:
		fmt.Fprintln(w, "only the state would change: this is what was changed outside")
	}
	writeOutside(w, p)
	writeCost(w, p.Cost)
}

// writeOutside tells what others have changed, which the plan takes as it is.
func writeOutside(w io.Writer, p client.Plan) {
	if len(p.Outside) == 0 {
		return
	}
	fmt.Fprintln(w, "\nchanged outside:")
	for _, c := range p.Outside {
		fmt.Fprintf(w, "%3s %s\n", signs(c.Action), strings.TrimSpace(c.Address+" "+about(c)))
		writeValues(w, c)
	}
	if p.OutsideMore > 0 {
		fmt.Fprintf(w, "    and %d more\n", p.OutsideMore)
	}
}

func about(c client.PlanChange) string {
	switch {
	case c.PreviousAddress != "" && c.PreviousAddress != c.Address:
		return "(was " + c.PreviousAddress + ")"
	case c.Reason != "":
		return "(" + strings.ReplaceAll(c.Reason, "_", " ") + ")"
	}
	return ""
}

// writeValues tells the attributes that change, by name.
func writeValues(w io.Writer, c client.PlanChange) {
	before, _ := c.Before.(map[string]any)
	after, _ := c.After.(map[string]any)
	unknown, _ := c.AfterUnknown.(map[string]any)
	names := map[string]bool{}
	for _, values := range []map[string]any{before, after, unknown} {
		for name := range values {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, now := compact(before[name]), compact(after[name])
		if unknown[name] == true {
			now = "(known after apply)"
		}
		switch {
		case old == now:
		case c.Before == nil:
			fmt.Fprintf(w, "      %s = %s\n", name, now)
		case c.After == nil:
			fmt.Fprintf(w, "      %s = %s\n", name, old)
		default:
			fmt.Fprintf(w, "      %s = %s -> %s%s\n", name, old, now, forces(c, name))
		}
	}
	if c.Sensitive {
		fmt.Fprintln(w, "      (sensitive values are not shown)")
	}
}

// forces tells whether an attribute, or something within it, has its resource replaced.
func forces(c client.PlanChange, name string) string {
	for _, path := range c.ReplacePaths {
		if rest, within := strings.CutPrefix(path, name); within && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return " # forces replacement"
		}
	}
	return ""
}

// compact gives a value on one line that fits a terminal.
func compact(v any) string {
	if v == nil {
		return "null"
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	const most = 200
	if text := string(data); len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return string(data)
}
