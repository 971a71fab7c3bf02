package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// How much of a list is shown when nobody says: what happened grows without end, what there is has one.
const (
	newest = 50
	whole  = 0
)

// list is what a verb has to say of the list that it shows.
type list[T any] struct {
	path  string
	query url.Values
	head  string        // of the table's columns, with tabs
	row   func(T) []any // of the table; what is empty becomes a dash
	noun  string        // what there is none of when it is empty
	next  string        // and what to do then
	check func() error  // of an empty list: whether it was asked for rightly

	below   func(T) string // lines below a row of the table; none when nil
	missing bool           // that there is no such list means that it is empty
}

// listing makes a verb that shows a list; what reads its arguments and flags.
func listing[T any](s *state, use, short string, args cobra.PositionalArgs, limit int, what func(args []string) (list[T], error)) *cobra.Command {
	c := s.verb(use, short, args, func(c *cobra.Command, api *client.Client, args []string) error {
		l, err := what(args)
		if err != nil {
			return err
		}
		return showList(s, c, api, l)
	})
	limitFlag(c, limit)
	return c
}

func limitFlag(c *cobra.Command, limit int) {
	c.Flags().Int("limit", limit, "how `many` at most; 0 for all")
}

// showList reads a list as far as --limit goes, and tells people on standard error when there is more, or nothing.
func showList[T any](s *state, c *cobra.Command, api *client.Client, l list[T]) error {
	limit, err := c.Flags().GetInt("limit")
	if err != nil {
		return err
	}
	if limit < 0 {
		return Usage(errors.New("--limit is less than 0; 0 is for all"))
	}
	items, more, err := client.Some[T](c.Context(), api, l.path, l.query, limit)
	if l.missing && fault.Is(err, fault.NotFound) {
		items, err = []T{}, nil
	}
	if err != nil {
		return err
	}
	if len(items) == 0 && l.check != nil {
		if err := l.check(); err != nil {
			return err
		}
	}
	err = s.show(c, items, func(w io.Writer) {
		if len(items) == 0 {
			return
		}
		fmt.Fprintln(w, l.head)
		for _, item := range items {
			fmt.Fprintln(w, cells(l.row(item)))
			if l.below != nil {
				indented(w, l.below(item))
			}
		}
	})
	switch {
	case err != nil:
		return err
	case len(items) == 0 && narrowed(c):
		fmt.Fprintf(c.ErrOrStderr(), "no %s that match these flags; fewer flags show more\n", l.noun)
	case len(items) == 0:
		fmt.Fprintf(c.ErrOrStderr(), "no %s that you may see; %s\n", l.noun, l.next)
	case more:
		fmt.Fprintf(c.ErrOrStderr(), "there are more than these %d; --limit 0 shows all\n", len(items))
	}
	return nil
}

// narrowed tells whether flags of the verb itself leave things out.
func narrowed(c *cobra.Command) (yes bool) {
	c.Flags().Visit(func(f *pflag.Flag) {
		yes = yes || f.Name != "limit" && c.InheritedFlags().Lookup(f.Name) == nil
	})
	return yes
}

// cells is one row of a table, on one line whatever is in it.
func cells(values []any) string {
	row := make([]string, len(values))
	for i, v := range values {
		row[i] = dash(strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, fmt.Sprint(v)))
	}
	return strings.Join(row, "\t")
}
