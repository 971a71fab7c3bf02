package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *state) locations() *cobra.Command {
	return group("location", "Files of repositories that documents come from", s.locationAdd(), s.locationList(), s.locationShow(), s.locationRefresh(), s.locationRemove(), s.locationRules())
}

func (s *state) locationAdd() *cobra.Command {
	var path, branch, space string
	c := s.verb("add [NAMESPACE/]NAME", "Take documents from a hosted repository, now and at every push", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		l, err := client.Post[client.Location](c.Context(), api, "/locations", map[string]string{"repository": named(args[0]), "path": path, "ref": branch, "space": space})
		if err != nil {
			return err
		}
		return s.showLocation(c, l)
	})
	c.Example = "  roadbed location add payments/shop\n  roadbed location add payments/docs --path 'services/*.yaml' --ref main"
	c.Flags().StringVar(&path, "path", "catalog-info.yaml", "`file` in the repository, or a pattern of files")
	c.Flags().StringVar(&branch, "ref", "", "`branch`; the default branch when not given")
	c.Flags().StringVar(&space, "space", "", "`space` of the documents; the repository's when not given")
	return c
}

func (s *state) showLocation(c *cobra.Command, l client.Location) error {
	return s.show(c, l, func(w io.Writer) {
		fmt.Fprintf(w, "location\t%s\n", l.ID)
		fmt.Fprintf(w, "may bring\t%s\norphans\t%s\n", allowed(l.InForce.Kinds, l.Trusted), dash(l.InForce.Orphans))
		for _, e := range l.Entities {
			fmt.Fprintf(w, "entity\t%s\n", e)
		}
		if l.Error != "" {
			fmt.Fprintf(w, "error\t%s\n", l.Error)
		}
		for _, p := range l.Problems {
			fmt.Fprintf(w, "problem\t%s\n", problem(p))
		}
	})
}

// allowed names the kinds that a location may bring.
func allowed(kinds, trusted []string) string {
	if len(kinds) == 0 {
		kinds = []string{"any kind that is not restricted"}
	}
	return strings.Join(append(slices.Clone(kinds), trusted...), ", ")
}

// locationRules shows and changes the rules of a location, or those that hold in a space.
func (s *state) locationRules() *cobra.Command {
	var kinds []string
	var orphans, space string
	var all bool
	c := s.verb("rules [ID]", "What a location, or those of a space, may bring", cobra.MaximumNArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		if (len(args) == 1) == (space != "") {
			return Usage(errors.New("give the ID of a location, or --space"))
		}
		if all && len(kinds) > 0 {
			return Usage(errors.New("--kind and --any exclude each other"))
		}
		var at string
		var rules client.LocationRules
		if space != "" {
			at = "/spaces/" + url.PathEscape(space) + "/location-rules"
			r, err := client.Get[client.LocationRules](c.Context(), api, at, nil)
			if err != nil {
				return err
			}
			rules = r
		} else {
			l, err := client.Get[client.Location](c.Context(), api, "/locations/"+url.PathEscape(args[0]), nil)
			if err != nil {
				return err
			}
			at, rules = "/locations/"+url.PathEscape(args[0])+"/rules", l.Rules
		}
		if len(kinds) > 0 || all || orphans != "" {
			if len(kinds) > 0 || all {
				rules.Kinds = append([]string{}, kinds...)
			}
			if orphans != "" {
				rules.Orphans = strings.TrimSuffix(orphans, "inherit")
			}
			if err := api.Do(c.Context(), "PUT", at, nil, rules, nil); err != nil {
				return err
			}
		}
		return s.show(c, rules, func(w io.Writer) {
			fmt.Fprintf(w, "may bring\t%s\norphans\t%s\n", dash(strings.Join(rules.Kinds, ", ")), dash(rules.Orphans))
		})
	})
	c.Long = `What a location, or those of a space, may bring.

What is left open is as the space has it, or the next one above that says something; where nobody does, all
kinds may come that are not restricted, and what no file declares any more is deleted.` + exitHelp
	c.Example = "  roadbed location rules loc_06h1 --kind Component --kind API --kind Location\n  roadbed location rules --space payments --orphans keep"
	c.Flags().StringSliceVar(&kinds, "kind", nil, "only these `kinds` may come, beside those that it is trusted for")
	c.Flags().BoolVar(&all, "any", false, "say nothing of kinds")
	c.Flags().StringVar(&orphans, "orphans", "", "what no file declares any more: `keep`, delete or inherit")
	c.Flags().StringVar(&space, "space", "", "of all locations of a `space`, and those below, that say nothing")
	return c
}

// problem is one line: file:line: field: message (hint).
func problem(p client.FileProblem) string {
	text := p.File
	if p.Line > 0 {
		text += fmt.Sprintf(":%d", p.Line)
	}
	for _, part := range []string{p.Field, p.Message} {
		if text != "" && part != "" {
			text += ": "
		}
		text += part
	}
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	return text
}

func (s *state) locationShow() *cobra.Command {
	return s.verb("show ID", "A location, and what of its files could not be taken", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		l, err := client.Get[client.Location](c.Context(), api, "/locations/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return s.showLocation(c, l)
	})
}

func (s *state) locationRefresh() *cobra.Command {
	return s.verb("refresh ID…", "Read locations now", cobra.MinimumNArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		return each(args, func(id string) error {
			l, err := client.Post[client.Location](c.Context(), api, "/locations/"+url.PathEscape(id)+"/refresh", nil)
			if err != nil {
				return err
			}
			return s.showLocation(c, l)
		})
	})
}

func (s *state) locationRemove() *cobra.Command {
	c := s.verb("remove ID…", "Forget locations, and delete what came from them", cobra.MinimumNArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		return each(args, func(id string) error {
			if err := api.Do(c.Context(), http.MethodDelete, "/locations/"+url.PathEscape(id), nil, nil, nil); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.ErrOrStderr(), "removed the location %s\n", id)
			return err
		})
	})
	c.Long = `Forget locations, and delete what came from them.

What Location entities of theirs name goes as well, unless somebody registered it or something else names it.
"roadbed get component,api --location ID" lists what came from one.` + exitHelp
	return c
}

// each does something with every id, also when one fails, and gives the first failure.
func each(ids []string, do func(id string) error) (first error) {
	for _, id := range ids {
		err := do(id)
		if err != nil && len(ids) > 1 {
			err = fault.Wrap(err, "location %s", id)
		}
		first = cmp.Or(first, err)
	}
	return first
}

func (s *state) locationList() *cobra.Command {
	return listing(s, "list", "Locations, and what went wrong with them", cobra.NoArgs, whole, func([]string) (list[client.Location], error) {
		return list[client.Location]{
			path: "/locations", head: "ID\tREPOSITORY\tPATH\tREAD AT\tERROR",
			row:  func(l client.Location) []any { return []any{l.ID, l.Repository, l.Path, short(l.Commit), l.Error} },
			noun: "locations", next: "have documents read from a repository with `roadbed location add NAMESPACE/NAME`",
		}, nil
	})
}
