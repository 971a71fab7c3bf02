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
	return group("location", "Files of repositories that documents come from", s.locationAdd(), s.locationList(), s.locationShow(), s.locationRefresh(), s.locationRemove(), s.locationRules(), s.locationSuggest(), s.locationTrust())
}

func (s *state) locationAdd() *cobra.Command {
	var path, branch, space string
	var dryRun bool
	c := s.verb("add [NAMESPACE/]NAME|URL", "Take documents from a repository, now and at every push", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		in := map[string]any{"space": space, "dryRun": dryRun}
		if isAddress(args[0]) {
			if c.Flags().Changed("path") || c.Flags().Changed("ref") {
				return Usage(errors.New("an address names the file and the branch; leave --path and --ref out"))
			}
			in["target"] = args[0]
		} else {
			in["repository"], in["path"], in["ref"] = named(args[0]), path, branch
		}
		l, err := client.Post[client.Location](c.Context(), api, "/locations", in)
		if err != nil {
			return err
		}
		return s.showLocation(c, l)
	})
	c.Long = `Take documents from a repository, now and at every push.

An address is as one copies it from where a file is looked at: at the forge of
a connected repository, or at this server. That of a folder or of a repository
is of the catalog-info.yaml in it. A repository that is not connected is
connected by it, when exactly one integration that you may use is for it.` + exitHelp
	c.Example = `  roadbed location add payments/shop
  roadbed location add payments/docs --path 'services/*.yaml' --ref main
  roadbed location add https://github.com/acme/shop/tree/main --dry-run`
	c.Flags().StringVar(&path, "path", "catalog-info.yaml", "`file` in the repository, or a pattern of files")
	c.Flags().StringVar(&branch, "ref", "", "`branch`; the default branch when not given")
	c.Flags().StringVar(&space, "space", "", "`space` of the documents; the repository's when not given")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only show what it would bring")
	return c
}

// locationSuggest shows a document for a repository that declares nothing.
func (s *state) locationSuggest() *cobra.Command {
	c := s.verb("suggest [NAMESPACE/]NAME|URL", "A catalog-info.yaml for a repository that has none", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		target := args[0]
		if !isAddress(target) {
			target = "/git/" + named(target)
		}
		found, err := client.Get[client.Suggestion](c.Context(), api, "/locations/suggestion", url.Values{"target": {target}})
		if err != nil {
			return err
		}
		return s.show(c, found, func(w io.Writer) {
			for _, file := range found.Existing {
				fmt.Fprintf(w, "# %s is there already, and declares something.\n", file)
			}
			fmt.Fprint(w, found.Document)
		})
	})
	c.Long = `A catalog-info.yaml for a repository that has none.

It is a Component, whose owner fills in the rest. Nothing is written: commit it,
and add its location.` + exitHelp
	c.Example = `  roadbed location suggest payments/shop > catalog-info.yaml
  roadbed location suggest https://github.com/acme/shop`
	return c
}

// isAddress tells an address from the name of a repository.
func isAddress(text string) bool {
	return strings.Contains(text, "://") || strings.HasPrefix(text, "/")
}

func (s *state) showLocation(c *cobra.Command, l client.Location) error {
	return s.show(c, l, func(w io.Writer) {
		at := l.Repository + ":" + l.Path
		if l.Ref != "" {
			at = l.Repository + "@" + l.Ref + ":" + l.Path
		}
		fmt.Fprintf(w, "location\t%s\nfile\t%s\n", cmp.Or(l.ID, "not registered yet"), at)
		fmt.Fprintf(w, "may bring\t%s\ntrusted for\t%s\norphans\t%s\n", allowed(l.InForce.Kinds, l.Trusted), dash(strings.Join(l.Trusted, ", ")), dash(l.InForce.Orphans))
		for _, e := range l.Entities {
			fmt.Fprintf(w, "entity\t%s\n", e)
		}
		if more := l.Total - len(l.Entities); more > 0 {
			fmt.Fprintf(w, "entities\tthe first %d of %d", len(l.Entities), l.Total)
			if l.ID != "" {
				fmt.Fprintf(w, "; roadbed get KIND --location %s lists all", l.ID)
			}
			fmt.Fprintln(w)
		}
		if l.Error != "" {
			fmt.Fprintf(w, "error\t%s\n", l.Error)
		}
		for _, p := range l.Problems {
			fmt.Fprintf(w, "problem\t%s\n", problem(p))
		}
	})
}

// locationTrust says for which restricted kinds a location is trusted.
func (s *state) locationTrust() *cobra.Command {
	var kinds []string
	var nothing bool
	c := s.verb("trust ID", "Restricted kinds that a location may bring", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		if (len(kinds) > 0) == nothing {
			return Usage(errors.New("give the kinds with --kind, or --none"))
		}
		at := "/locations/" + url.PathEscape(args[0])
		if err := api.Do(c.Context(), http.MethodPut, at+"/trust", nil, map[string][]string{"kinds": append([]string{}, kinds...)}, nil); err != nil {
			return err
		}
		l, err := client.Get[client.Location](c.Context(), api, at, nil)
		if err != nil {
			return err
		}
		return s.showLocation(c, l)
	})
	c.Long = `Restricted kinds that a location may bring, such as User and Group.

They say who may do what, so whoever may push to the repository says it then.
The kinds take the place of those that it was trusted for; the location is read
again.` + exitHelp
	c.Example = "  roadbed location trust loc_06h1 --kind User,Group\n  roadbed location trust loc_06h1 --none"
	c.Flags().StringSliceVar(&kinds, "kind", nil, "restricted `kinds` that are taken from it")
	c.Flags().BoolVar(&nothing, "none", false, "take the trust back; what it brought stays")
	return c
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
		return each("location", args, func(id string) error {
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
		return each("location", args, func(id string) error {
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
func each(noun string, ids []string, do func(id string) error) (first error) {
	for _, id := range ids {
		err := do(id)
		if err != nil && len(ids) > 1 {
			err = fault.Wrap(err, "%s %s", noun, id)
		}
		first = cmp.Or(first, err)
	}
	return first
}

func (s *state) locationList() *cobra.Command {
	var space, repository, text string
	var failed bool
	c := listing(s, "list", "Locations, and what went wrong with them", cobra.NoArgs, whole, func([]string) (list[client.Location], error) {
		query := url.Values{"space": {space}, "repository": {repository}, "text": {text}}
		if failed {
			query.Set("failed", "true")
		}
		return list[client.Location]{
			path: "/locations", query: query, head: "ID\tREPOSITORY\tPATH\tREAD AT\tERROR",
			row:  func(l client.Location) []any { return []any{l.ID, l.Repository, l.Path, short(l.Commit), l.Error} },
			noun: "locations", next: "have documents read from a repository with `roadbed location add NAMESPACE/NAME`",
		}, nil
	})
	c.Example = "  roadbed location list --failed\n  roadbed location list --text catalog/services"
	c.Flags().BoolVar(&failed, "failed", false, "only those of which something could not be taken")
	c.Flags().StringVar(&text, "text", "", "a `part` of NAMESPACE/NAME:PATH")
	c.Flags().StringVar(&repository, "repo", "", "only those of a `repository`")
	c.Flags().StringVar(&space, "space", "", "only those of a `space`")
	return c
}
