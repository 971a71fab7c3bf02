package run

import "github.com/roadbed-dev/roadbed/internal/machinery/store"

// What a product's list of its own rows is narrowed by, or put in order by, may be a run of each. These give the parts of such a
// statement, so that databases look at as many rows as the list asks for; what they are given as names of columns are the product's.

// Join gives the words that put the run with an id, where there is one, beside each row, under a name.
func Join(name, id string) string { return " LEFT JOIN runs " + name + " ON " + name + ".id = " + id }

// Joined gives the condition, to be added, that one of some choices fits the run that Join has put beside a row. It does not hold
// where there is none, and never of no choices.
func Joined(w *store.Where, name string, choices []Choice) string {
	return "(" + name + ".id IS NOT NULL AND " + either(choices, func(c Choice) string { return c.condition(w, name+".") }) + ")"
}

// HolderOf gives the expression of the id of the run that holds a lock; it is null as HoldersTx gives none.
func HolderOf(lock string) string {
	return "(SELECT held.id FROM run_locks taken JOIN runs held ON held.id = taken.run WHERE taken.name = " + lock + ")"
}

// EndOf gives the expression of the id of the run that EndTx gives of a subject in a space; null for none.
func EndOf(w *store.Where, space, subject string, q Query, newest bool) string {
	q.Spaces, q.Subject, q.Names = nil, "", nil
	own := &store.Where{Args: w.Args}
	own.Add("subject = " + subject)
	own.Add("space = " + space)
	q.narrow(own)
	w.Args = own.Args
	return "(SELECT id FROM runs" + own.String() + "ORDER BY id " + direction(newest) + " LIMIT 1)"
}

func direction(newest bool) string {
	if newest {
		return "DESC"
	}
	return "ASC"
}
