package cli

import (
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *state) views() *cobra.Command {
	return group("view", "Saved lists of entities", s.viewList(), s.viewShow(), s.viewSave(), s.viewDelete())
}

func (s *state) viewList() *cobra.Command {
	c := s.verb("list", "Your views, and those that are shared with you", cobra.NoArgs, func(c *cobra.Command, api *client.Client, _ []string) error {
		return showList(s, c, api, list[client.View]{
			path: "/views", head: "NAME\tSPACE\tQUERY\tAUTHOR\tCHANGED",
			row:  func(v client.View) []any { return []any{v.Name, dash(v.Space), v.Query, v.Author.Name, ago(v.Updated)} },
			noun: "views", next: "save one with `roadbed view save NAME QUERY`",
		})
	})
	limitFlag(c, whole)
	return c
}

// findView gives a view by its name or id; one's own comes before one that is shared.
func findView(c *cobra.Command, api *client.Client, name string) (client.View, error) {
	all, err := client.All[client.View](c.Context(), api, "/views", nil)
	if err != nil {
		return client.View{}, err
	}
	found := -1
	for i, v := range all {
		if v.ID == name || v.Name == name && (found < 0 || v.Space == "") {
			found = i
		}
	}
	if found < 0 {
		return client.View{}, fault.Errorf(fault.NotFound, "there is no view %q; `roadbed view list` tells which there are", name)
	}
	return all[found], nil
}

func (s *state) viewShow() *cobra.Command {
	c := s.verb("show NAME", "The entities of a view", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		v, err := findView(c, api, args[0])
		if err != nil {
			return err
		}
		query, err := url.ParseQuery(v.Query)
		if err != nil {
			return fault.Errorf(fault.Internal, "read the view: %w", err)
		}
		query.Del("columns")
		return showList(s, c, api, list[client.Entity]{
			path: "/entities", query: query, head: "REF\tTYPE\tOWNER\tSPACE\tUPDATED",
			row:  func(e client.Entity) []any { return []any{e.Ref, e.Type, e.Owner, e.Space, ago(e.Updated)} },
			noun: "entities in the view " + v.Name, next: "look at what it asks for with `roadbed view list`",
		})
	})
	limitFlag(c, whole)
	return c
}

func (s *state) viewSave() *cobra.Command {
	var space string
	c := s.verb("save NAME QUERY", "Save a list of entities under a name, or change one of yours", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		in := map[string]any{"name": args[0], "query": strings.TrimPrefix(args[1], "?"), "space": space}
		all, err := client.All[client.View](c.Context(), api, "/views", nil)
		if err != nil {
			return err
		}
		method, path := "POST", "/views"
		for _, v := range all {
			if v.Name == args[0] && v.Space == space {
				method, path = "PUT", "/views/"+url.PathEscape(v.ID)
			}
		}
		var saved client.View
		err = api.Do(c.Context(), method, path, nil, in, &saved)
		return told(c, err, "saved %s", saved.Name)
	})
	c.Example = "  roadbed view save Ours \"mine=true&lifecycle=production&sort=-updated\"\n  roadbed view save Gaps \"gap=no-owner,unknown-owner\" --space payments"
	c.Flags().StringVar(&space, "space", "", "share it with all who may read in a `space`")
	return c
}

func (s *state) viewDelete() *cobra.Command {
	return s.verb("delete NAME", "Forget a view", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		v, err := findView(c, api, args[0])
		if err != nil {
			return err
		}
		return told(c, api.Do(c.Context(), "DELETE", "/views/"+url.PathEscape(v.ID), nil, nil, nil), "deleted the view %s", v.Name)
	})
}

func (s *state) star() *cobra.Command {
	return s.starring("star [KIND] NAME", "Star an entity, to find it again with `roadbed get KIND --starred`", "PUT", "starred %s")
}

func (s *state) unstar() *cobra.Command {
	return s.starring("unstar [KIND] NAME", "Take the star from an entity", "DELETE", "took the star from %s")
}

func (s *state) starring(use, short, method, done string) *cobra.Command {
	return s.verb(use, short, cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		r, err := parseEntity(args)
		if err != nil {
			return err
		}
		path := "/stars" + strings.TrimPrefix(refPath(r), "/entities")
		return told(c, api.Do(c.Context(), method, path, nil, nil, nil), done, r)
	})
}
