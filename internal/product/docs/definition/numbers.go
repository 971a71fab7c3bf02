package definition

import "slices"

// numbers compares what numbers the fields of a message or the values of an enum have: on the wire there is nothing else.
func (c *comparison) numbers(a, b Type) {
	had, has := a.numbered(), b.numbered()
	pair(had, has, func(n numbered) string { return n.name },
		func(gone numbered) {
			for _, n := range has {
				if n.number == gone.number && !slices.Contains(had, n) {
					c.tell(a.Name, true, "the number %d was that of %s and is that of %s", n.number, gone.name, n.name)
					return
				}
			}
			if !slices.ContainsFunc(has, func(n numbered) bool { return n.number == gone.number }) && !b.reserved.all(gone.number, gone.number) {
				c.tell(a.Name, false, "the number %d of %s is not reserved", gone.number, gone.name)
			}
		},
		func(n numbered) {
			if a.reserved.all(n.number, n.number) || slices.Contains(a.reserved.names, n.name) {
				c.tell(a.Name, true, "%s = %d was reserved", n.name, n.number)
			}
		},
		func(was, is numbered) {
			if a.Kind == "enum" && was.number != is.number {
				c.tell(a.Name, true, "the value %s had the number %d and has %d", was.name, was.number, is.number)
			}
		})
	for _, r := range a.reserved.ranges {
		if !b.reserved.all(r[0], r[1]) {
			c.tell(a.Name, false, "%d to %d is no longer reserved", r[0], r[1])
		}
	}
}

type numbered struct {
	name   string
	number int
}

func (t Type) numbered() (all []numbered) {
	for _, f := range t.Fields {
		all = append(all, numbered{f.Name, f.Number})
	}
	for i, number := range t.Numbers {
		all = append(all, numbered{t.Values[i], number})
	}
	return all
}
