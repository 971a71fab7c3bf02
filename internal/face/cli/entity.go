package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// entityPath gives the path of KIND NAME or of one reference.
func entityPath(args []string) (string, error) {
	r, err := parseEntity(args)
	if err != nil {
		return "", err
	}
	return refPath(r), nil
}

func refPath(r ref.Entity) string {
	return "/entities/" + url.PathEscape(r.Kind) + "/" + url.PathEscape(r.Namespace) + "/" + url.PathEscape(r.Name)
}

// everyKind stands for no kind in particular.
const everyKind = "all"

func (s *state) get() *cobra.Command {
	var owner, space, text, namespace, kindOf, lifecycle, system, tag, gap, location, sort string
	var mine, below, starred, failed, orphan bool
	var at instant
	c := s.verb("get {KIND,… | all} [NAME]", "Entities of some kinds or of all, or one of them", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		if len(args) == 2 {
			return s.showEntity(c, api, args, at)
		}
		kinds, noun := args[0], "entities of the kind "+args[0]
		if strings.EqualFold(kinds, everyKind) {
			kinds, noun = "", "entities"
		}
		return showList(s, c, api, list[client.Entity]{
			path: "/entities", query: url.Values{
				"kind": {kinds}, "owner": {owner}, "space": {space}, "text": {text}, "asOf": {at.wire()}, "namespace": {namespace}, "type": {kindOf},
				"lifecycle": {lifecycle}, "system": {system}, "tag": {tag}, "gap": {gap}, "location": {location}, "sort": {sort}, "mine": {yes(mine)}, "below": {yes(below)}, "starred": {yes(starred)}, "failed": {yes(failed)}, "orphan": {yes(orphan)},
			},
			head:  "REF\tTYPE\tOWNER\tSPACE\tUPDATED",
			row:   func(e client.Entity) []any { return []any{e.Ref, e.Type, e.Owner, e.Space, ago(e.Updated)} },
			check: func() error { return knownKinds(c, api, kinds) },
			noun:  noun, next: "declare one with `roadbed apply -f FILE`",
		})
	})
	c.Example = "  roadbed get component --owner group:default/payments\n  roadbed get component --mine --lifecycle production --sort -updated\n  roadbed get component,api --gap no-owner,unknown-owner,empty-owner\n  roadbed get all --tag pci\n  roadbed get stack shop-infra -o yaml\n  roadbed get user alice\n  roadbed get component shop --as-of 2026-11-01"
	limitFlag(c, whole)
	c.Flags().StringVar(&owner, "owner", "", "only those of an `owner`, such as group:default/payments; several with commas")
	c.Flags().BoolVar(&below, "below", false, "with --owner, also what the groups below own")
	c.Flags().StringVar(&space, "space", "", "only those of a `space`; several with commas")
	c.Flags().StringVar(&namespace, "namespace", "", "only those of a `namespace`; several with commas")
	c.Flags().StringVar(&kindOf, "type", "", "only those of a `type`, such as service; several with commas")
	c.Flags().StringVar(&lifecycle, "lifecycle", "", "only those of a `lifecycle`, such as production; several with commas")
	c.Flags().StringVar(&system, "system", "", "only those of a `system`; several with commas")
	c.Flags().StringVar(&tag, "tag", "", "only those with a `tag`; of several with commas, with all of them")
	c.Flags().BoolVar(&mine, "mine", false, "only what you own, or a group that you are in")
	c.Flags().BoolVar(&starred, "starred", false, "only what you have starred")
	c.Flags().StringVar(&gap, "gap", "", "only what lacks `something`: no-owner, unknown-owner, empty-owner, no-lifecycle, no-system or no-description; several with commas")
	c.Flags().BoolVar(&failed, "failed", false, "only those whose newest text could not be taken in")
	c.Flags().BoolVar(&orphan, "orphan", false, "only those that no file declares any more")
	c.Flags().StringVar(&location, "location", "", "only what the location with this `ID` brought, and what it led to")
	c.Flags().StringVar(&sort, "sort", "", "by a `field`: name, title, owner, kind, type, lifecycle, created or updated; with - in front downwards")
	c.Flags().StringVar(&text, "text", "", "only those with this `text` in name, title, description or tags")
	c.Flags().Var(&at, "as-of", "as it was then, also what is gone: a time, or how long ago, such as 7d")
	return c
}

// yes gives a flag for a query, which leaves away what is empty.
func yes(set bool) string {
	if !set {
		return ""
	}
	return strconv.FormatBool(true)
}

func (s *state) showEntity(c *cobra.Command, api *client.Client, args []string, at instant) error {
	get := getEntity
	if at.wire() != "" {
		get = func(c *cobra.Command, api *client.Client, args []string) (client.Entity, error) {
			return showPast(c, api, args, at)
		}
	}
	e, err := get(c, api, args)
	if err != nil {
		return err
	}
	return s.show(c, e, func(w io.Writer) {
		fmt.Fprintf(w, "ref\t%s\ntitle\t%s\nowner\t%s\nspace\t%s\nsource\t%s\nversion\t%d, %s\n", e.Ref, dash(e.Title), dash(e.Owner), e.Space, e.Source, e.Version, ago(e.Updated))
		if e.Error != "" {
			fmt.Fprintf(w, "error\t%s\n", e.Error)
		}
		if e.Orphan {
			fmt.Fprintf(w, "orphan\tno file declares it any more\n")
		}
		for _, r := range e.Relations {
			fmt.Fprintf(w, "%s\t%s%s\n", r.Type, r.Target, missing(r))
		}
	})
}

// missing tells of a relation that leads nowhere.
func missing(r client.Relation) string {
	if r.Missing {
		return " (not in the catalog, or not for you to see)"
	}
	return ""
}

func (s *state) describe() *cobra.Command {
	return s.verb("describe [KIND] NAME", "One entity with its document and its status; a component when no kind is given", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		e, err := getEntity(c, api, args)
		if err != nil {
			return err
		}
		return s.show(c, e, func(w io.Writer) {
			var document any
			if json.Unmarshal(e.Document, &document) == nil {
				_ = yaml.NewEncoder(w).Encode(document) // the terminal is gone when this can't be written
			}
			for _, r := range e.Relations {
				fmt.Fprintf(w, "# %s\t%s%s\n", r.Type, r.Target, missing(r))
			}
			if len(e.Status) > 0 {
				fmt.Fprintf(w, "# status\t%s\n", e.Status)
			}
		})
	})
}
