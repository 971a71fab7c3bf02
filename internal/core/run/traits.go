package run

import (
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// Traits are by what lists of a kind's runs are narrowed beside the columns of a run.
type Traits struct {
	Marks []string // words without spaces
	Text  string   // that a search looks at, beside id, title and commit
}

func (k Kind) traits(r Run) Traits {
	if k.Traits == nil {
		return Traits{Text: r.searched("")}
	}
	t := k.Traits(r)
	t.Text = r.searched(t.Text)
	return t
}

func (r Run) searched(more string) string {
	return strings.Join([]string{r.ID, r.Title, r.Source.Commit, more}, "\n")
}

// marks gives the marks as they are kept, each between spaces.
func (t Traits) marks() string {
	text := ""
	for _, m := range t.Marks {
		if !strings.ContainsAny(m, " \x00") {
			text += m + " "
		}
	}
	if text == "" {
		return ""
	}
	return " " + text
}

// mostSearched bounds what a search looks at, in bytes: it is written anew at each change of a run.
const mostSearched = 4 << 10

func (t Traits) words() string {
	return strings.ToLower(clean(t.Text[:min(len(t.Text), mostSearched)]))
}

// clean takes out what PostgreSQL keeps in no text.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
}

// Choice is what runs have alike: one of some states, all of some marks, and none of others.
type Choice struct {
	States []string // any for nil
	Has    []string
	Not    []string
}

// Fits tells whether a run in a state, with these marks, is one of them.
func (c Choice) Fits(state string, marks []string) bool {
	has := func(m string) bool { return slices.Contains(marks, m) }
	return (c.States == nil || slices.Contains(c.States, state)) && !slices.ContainsFunc(c.Has, func(m string) bool { return !has(m) }) && !slices.ContainsFunc(c.Not, has)
}

// condition is Fits of the rows of runs; table is "", or what they are called with a dot behind.
func (c Choice) condition(w *store.Where, table string) string {
	parts := []string{"1 = 1"}
	if c.States != nil {
		parts = append(parts, w.In(table+"state", c.States))
	}
	for _, m := range c.Has {
		parts = append(parts, w.Has(table+"marks", " "+m+" "))
	}
	for _, m := range c.Not {
		parts = append(parts, "NOT "+w.Has(table+"marks", " "+m+" "))
	}
	return "(" + strings.Join(parts, " AND ") + ")"
}

// either gives the condition that one of several holds; of none it can't.
func either[T any](all []T, condition func(T) string) string {
	parts := []string{"1 = 0"}
	for _, x := range all {
		parts = append(parts, condition(x))
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// Condition is what another room asks of a column; it gives the condition, to be added.
type Condition func(w *store.Where, column string) string

// More narrows a query further. Of a list that is nil all runs are; of one that is empty, none.
type More struct {
	Actors    Condition  // of who began it; nil for anybody
	Beginning string     // of the commit; "" for any
	Names     []string   // one of them ends the subject's reference
	Texts     []string   // one of them is in what a search looks at
	Any       [][]Choice // of each list one fits
}

// narrow adds what a query asks of runs, save where it begins and ends.
func (q Query) narrow(w *store.Where) {
	for _, in := range []struct {
		column string
		values []string
	}{{"kind", q.Kinds}, {"state", q.States}, {"space", q.Spaces}} {
		if len(in.values) > 0 {
			w.Add(w.In(in.column, in.values))
		}
	}
	w.Equal("subject", q.Subject)
	w.Equal("repository", q.Repository)
	w.Equal("commit_id", q.Commit)
	w.Equal("actor", q.Actor)
	if q.Open {
		w.Add("terminal = 0")
	}
	if q.Waiting {
		w.Add("waiting = 1")
	}
	if q.Actors != nil {
		w.Add(q.Actors(w, "actor"))
	}
	if q.Beginning != "" {
		w.Add(w.Begins("commit_id", strings.ToLower(clean(q.Beginning))))
	}
	if q.Names != nil {
		w.Add(either(q.Names, func(name string) string { return w.Ends("subject", "/"+strings.ToLower(clean(name))) }))
	}
	if q.Texts != nil {
		w.Add(either(slices.Compact(q.Texts), func(text string) string { return w.Has("words", strings.ToLower(clean(text))) }))
	}
	for _, choices := range q.Any {
		w.Add(either(choices, func(c Choice) string { return c.condition(w, "") }))
	}
}
