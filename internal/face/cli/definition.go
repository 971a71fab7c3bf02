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

func (s *state) definitions() *cobra.Command {
	return group("api", "Definitions of APIs, and what breaks between them", s.definitionShow(), s.definitionDiff())
}

// apiPath gives the path of an API's definition.
func apiPath(name string) (string, error) {
	args := []string{"api", name}
	if strings.Contains(name, ":") {
		args = args[1:]
	}
	at, err := entityPath(args)
	return at + "/definition", err
}

func (s *state) definitionShow() *cobra.Command {
	var at string
	c := s.verb("show NAME", "The operations and types of an API", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		path, err := apiPath(args[0])
		if err != nil {
			return err
		}
		d, err := client.Get[client.Definition](c.Context(), api, path, url.Values{"at": {at}})
		if err != nil {
			return err
		}
		return s.show(c, d, func(w io.Writer) {
			if d.Format == "text" {
				fmt.Fprintln(w, d.Text)
				return
			}
			fmt.Fprintf(w, "title\t%s\nformat\t%s %s\nrelease\t%s\n", dash(d.Title), d.Format, d.FormatVersion, dash(d.Release))
			for _, o := range d.Operations {
				fmt.Fprintf(w, "operation\t%s\t%s\n", o.ID, o.Summary)
				if len(o.Security) > 0 {
					fmt.Fprintf(w, "\tneeds\t%s\n", strings.Join(o.Security, ", or "))
				}
			}
			for _, t := range d.Types {
				fmt.Fprintf(w, "%s\t%s\n", t.Kind, t.Name)
			}
			for _, p := range d.Problems {
				fmt.Fprintf(w, "problem\t%s\n", p)
			}
		})
	})
	c.Flags().StringVar(&at, "at", "", "`version` of the entity, branch, tag or commit; now when not given")
	return c
}

func (s *state) definitionDiff() *cobra.Command {
	var from, to string
	var failOnBreaking bool
	c := s.verb("diff NAME", "What changed in the definition of an API, and what of it breaks", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		path, err := apiPath(args[0])
		if err != nil {
			return err
		}
		d, err := client.Get[client.DefinitionChanges](c.Context(), api, path+"/changes", url.Values{"from": {from}, "to": {to}})
		if err != nil {
			return err
		}
		if err := s.show(c, d, func(w io.Writer) {
			for _, change := range d.Changes {
				mark := ""
				if change.Breaking {
					mark = "BREAKS"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", mark, change.Where, change.Message)
			}
			if d.Older {
				fmt.Fprintf(w, "\tthe last versions have the same definition; name an older one by --from\t\n")
			}
			fmt.Fprintf(w, "\t%d changes from %s to %s, of which %d break\t\n", len(d.Changes), short(d.From.At), short(d.To.At), d.Breaking)
		}); err != nil {
			return err
		}
		if failOnBreaking && d.Breaking > 0 {
			return fault.Errorf(fault.Invalid, "%d changes break who uses the API", d.Breaking)
		}
		return nil
	})
	c.Example = "  roadbed api diff orders\n  roadbed api diff orders --from main --to my-branch --fail-on-breaking\n  roadbed api diff payments/orders --from 3 --to 5"
	c.Flags().StringVar(&from, "from", "", "older `version`, branch, tag or commit; the last that differs by default")
	c.Flags().StringVar(&to, "to", "", "newer `version`, branch, tag or commit; now when not given")
	c.Flags().BoolVar(&failOnBreaking, "fail-on-breaking", false, "fail when a change breaks who uses the API")
	return c
}
