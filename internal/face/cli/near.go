package cli

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// isGroup marks commands that only hold others, for the text of their help.
const isGroup = "group"

// strict makes every wrong call of a command, and of those below it, a usageError that says how it is called rightly.
// Groups of verbs refuse a verb that they do not have; cobra shows their help and calls that a success.
func strict(c *cobra.Command) {
	if c.HasSubCommands() && !c.Runnable() {
		c.Annotations = map[string]string{isGroup: "true"}
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return noVerb(c, args[0])
		}
		c.Args = cobra.ArbitraryArgs
	}
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			for _, err := range []error{check(c, args), c.ValidateRequiredFlags(), c.ValidateFlagGroups()} {
				if err != nil {
					return Usage(fmt.Errorf("%w; write: %s", err, c.UseLine()))
				}
			}
			return nil
		}
	}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if given := c.Flags().Args(); len(given) > 0 && c.Annotations[isGroup] != "" {
			return noVerb(c, given[0])
		}
		return Usage(fmt.Errorf("%w; see %s --help", err, c.CommandPath()))
	})
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

func noVerb(c *cobra.Command, name string) error {
	c.SuggestionsMinimumDistance = 2
	return Usage(fmt.Errorf("unknown command %q for %q%s", name, c.CommandPath(), meant(c.SuggestionsFor(name))))
}

// meant asks whether one of the names was meant.
func meant(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(names, " or ") + "?"
}

// nearest gives the names that are written almost like one, at most three.
func nearest(name string, names []string) []string {
	var near []string
	for _, n := range names {
		if distance(strings.ToLower(name), strings.ToLower(n)) <= 2 && len(near) < 3 {
			near = append(near, n)
		}
	}
	return near
}

// distance counts the letters to insert, delete or replace between two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// knownKinds refuses kinds, with commas, of which the server does not have one, which an empty list would hide.
func knownKinds(c *cobra.Command, api *client.Client, wanted string) error {
	kinds, err := client.All[client.KindInfo](c.Context(), api, "/kinds", nil)
	if err != nil {
		return err
	}
	var names []string
	known := map[string]bool{"": true}
	for _, k := range kinds {
		known[strings.ToLower(k.Name)], known[strings.ToLower(k.Plural)] = true, true
		names = append(names, strings.ToLower(k.Name))
	}
	all := strings.Split(wanted, ",")
	at := slices.IndexFunc(all, func(kind string) bool { return !known[strings.ToLower(strings.TrimSpace(kind))] })
	if at < 0 {
		return nil
	}
	kind := strings.TrimSpace(all[at])
	near := nearest(kind, names)
	if len(near) == 0 {
		return fault.Errorf(fault.NotFound, "there is no kind %q; the kinds are %s", kind, strings.Join(names, ", "))
	}
	return fault.Errorf(fault.NotFound, "there is no kind %q%s", kind, meant(near))
}

// getEntity reads an entity; when there is none, it says which of that kind has almost that name.
func getEntity(c *cobra.Command, api *client.Client, args []string) (client.Entity, error) {
	path, err := entityPath(args)
	if err != nil {
		return client.Entity{}, err
	}
	e, err := client.Get[client.Entity](c.Context(), api, path, nil)
	if fault.KindOf(err) != fault.NotFound {
		return e, err
	}
	r, parseErr := parseEntity(args)
	if parseErr != nil {
		return e, err
	}
	if unknown := knownKinds(c, api, r.Kind); fault.KindOf(unknown) == fault.NotFound {
		return e, unknown
	}
	page, listErr := client.Get[client.List[client.Entity]](c.Context(), api, "/entities", url.Values{"kind": {r.Kind}, "limit": {"200"}})
	if listErr != nil {
		return e, err // the first error says what is wrong
	}
	refs := make([]string, len(page.Items))
	for i, x := range page.Items {
		refs[i] = x.Ref
	}
	return e, fault.Errorf(fault.NotFound, "%s%s", fault.Message(err), meant(nearest(r.String(), refs)))
}
