package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// instant is a time: a date, a date with the time of day, or how long ago.
type instant struct {
	at   time.Time
	text string
}

func (i *instant) Type() string   { return "time" }
func (i *instant) String() string { return i.text }

func (i *instant) Set(text string) error {
	i.text = text
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			i.at = at
			return nil
		}
	}
	var back span
	if err := back.Set(text); err != nil {
		return errors.New("it is a time such as 2026-11-27, 2026-11-27T08:30, or how long ago: 2h, 7d")
	}
	i.at = time.Now().Add(-time.Duration(back))
	return nil
}

// wire is how the API takes it; "" when it was not given.
func (i *instant) wire() string {
	if i.at.IsZero() {
		return ""
	}
	return i.at.UTC().Format(time.RFC3339Nano)
}

func (s *state) history() *cobra.Command {
	var diff bool
	var since, until instant
	var actor string
	c := s.verb("history [KIND] NAME", "The versions of an entity, the newest first: who, when, and which commit", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		r, err := parseEntity(args)
		if err != nil {
			return err
		}
		l := list[client.EntityVersion]{
			path: refPath(r) + "/history", query: url.Values{"since": {since.wire()}, "until": {until.wire()}, "actor": {actor}},
			head: "VERSION\tWHEN\tWHO\tWHAT\tCOMMIT\tLEDGER", noun: "versions of " + r.String(), next: "`roadbed get " + r.Kind + "` lists what there is",
			row: func(v client.EntityVersion) []any {
				return []any{v.Version, ago(v.Time), cmp.Or(v.Author, v.Actor.Name), v.Action, strings.TrimSpace(v.Repository + " " + short(v.Commit)), v.Entry}
			},
			missing: true,
		}
		if diff {
			l.below = func(v client.EntityVersion) string { return v.Diff }
		}
		return showList(s, c, api, l)
	})
	limitFlag(c, newest)
	c.Flags().BoolVar(&diff, "diff", false, "show below each version what it changed")
	c.Flags().Var(&since, "since", "only versions since then: a time, or how long ago, such as 7d")
	c.Flags().Var(&until, "until", "only versions until then")
	c.Flags().StringVar(&actor, "actor", "", "only of the principal with this `id`, which whoami -o json tells")
	c.Example = "  roadbed history shop\n  roadbed history component payments/shop --diff --since 30d\n  roadbed what-changed shop   # runs, deployments and all else, from the ledger"
	return c
}

// difference shows what differs in the catalog between two times.
func (s *state) difference(c *cobra.Command, api *client.Client, from, to instant, filter url.Values) error {
	filter.Set("from", from.wire())
	filter.Set("to", to.wire())
	return showList(s, c, api, list[client.EntityChange]{
		path: "/changes", query: filter, head: "WHAT\tREF\tWHEN\tWHO\tCOMMIT\tVERSIONS",
		row: func(e client.EntityChange) []any {
			return []any{e.Action, e.Ref, ago(e.Last.Time), e.Last.Actor.Name, strings.TrimSpace(e.Last.Repository + " " + short(e.Last.Commit)), e.Versions}
		},
		below: func(e client.EntityChange) string { return e.Diff },
		noun:  "differences between these times", next: "an earlier --from looks further back",
	})
}

// showPast shows an entity as it was.
func showPast(c *cobra.Command, api *client.Client, args []string, at instant) (client.Entity, error) {
	path, err := entityPath(args)
	if err != nil {
		return client.Entity{}, err
	}
	e, err := client.Get[client.Entity](c.Context(), api, path, url.Values{"asOf": {at.wire()}})
	if fault.Is(err, fault.NotFound) {
		fmt.Fprintln(c.ErrOrStderr(), "`roadbed history` tells when it was there")
	}
	return e, err
}

// indented writes lines below a row.
func indented(w io.Writer, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(w, "  %s\n", strings.TrimRight(strings.ReplaceAll(line, "\t", " "), "\n"))
	}
}
