package definition

import (
	"strconv"
	"strings"
)

// Limit is what a value must be beyond its type, by a keyword of JSON Schema.
type Limit struct {
	Key   string
	Value string
	Each  bool // of what a list or a map holds
}

// Limits are all that hold, in the order of limitWords.
type Limits []Limit

// side tells in which direction a limit bounds.
type side int

const (
	below side = iota + 1
	above
	exact // what else is right can't be told from two values
)

var limitWords = []struct {
	key, words string
	side       side
}{
	{"minimum", "at least ", below},
	{"maximum", "at most ", above},
	{"exclusiveMinimum", "above ", below},
	{"exclusiveMaximum", "below ", above},
	{"multipleOf", "a multiple of ", exact},
	{"minLength", "length at least ", below},
	{"maxLength", "length at most ", above},
	{"pattern", "like ", exact},
	{"minItems", "items at least ", below},
	{"maxItems", "items at most ", above},
	{"uniqueItems", "items only once", exact},
	{"minProperties", "fields at least ", below},
	{"maxProperties", "fields at most ", above},
	{"additionalProperties", "no other fields", exact},
}

// limits reads those of a schema.
func limits(s map[string]any) (all Limits) {
	for _, w := range limitWords {
		value, ok := s[w.key]
		if !ok {
			continue
		}
		l := Limit{Key: w.key, Value: str(value)}
		switch w.key {
		case "minimum", "maximum":
			if truth(s["exclusive"+strings.ToUpper(w.key[:1])+w.key[1:]]) { // as OpenAPI 3.0 says it
				l.Key = "exclusive" + strings.ToUpper(w.key[:1]) + w.key[1:]
			}
		case "exclusiveMinimum", "exclusiveMaximum":
			if _, is := value.(bool); is {
				continue
			}
		case "uniqueItems":
			if !truth(value) {
				continue
			}
			l.Value = ""
		case "additionalProperties":
			if is, told := value.(bool); is || !told {
				continue
			}
			l.Value = ""
		}
		all = append(all, l)
	}
	return all
}

// each gives the limits as those of what a list or a map holds.
func (all Limits) each() Limits {
	inner := make(Limits, len(all))
	for i, l := range all {
		inner[i] = Limit{l.Key, l.Value, true}
	}
	return inner
}

// String gives them for people.
func (all Limits) String() string {
	var parts []string
	for _, w := range limitWords {
		for _, l := range all {
			if w.key != l.Key {
				continue
			}
			if l.Each {
				parts = append(parts, "each "+w.words+l.Value)
			} else {
				parts = append(parts, w.words+l.Value)
			}
		}
	}
	return strings.Join(parts, ", ")
}

// bound is where a range ends.
type bound struct {
	value float64
	open  bool // the value itself lies outside
}

// end gives the narrowest bound on a side that holds for what is measured (a value, its length, its items); there is none when ok
// is false.
func (all Limits) end(measure string, of side, each bool) (b bound, ok bool) {
	for _, l := range all {
		name, open := strings.CutPrefix(l.Key, "exclusive")
		name = strings.ToLower(name)
		if l.Each != each || l.side() != of || !strings.HasSuffix(name, measure) {
			continue
		}
		value, err := strconv.ParseFloat(l.Value, 64)
		if err != nil {
			continue
		}
		if n := (bound{value, open}); !ok || n.narrower(b, of) {
			b, ok = n, true
		}
	}
	return b, ok
}

func (b bound) narrower(than bound, of side) bool {
	switch {
	case b.value == than.value:
		return b.open && !than.open
	case of == above:
		return b.value < than.value
	}
	return b.value > than.value
}

// tightened tells whether something that was right before is not any more, and loosened whether a range is wider than it was.
// A pattern that is another one counts as tightened: nobody can tell.
func tightened(before, after Limits) (tight, loose bool) {
	for _, each := range []bool{false, true} {
		for _, measure := range []string{"imum", "length", "items", "properties"} {
			for _, of := range []side{below, above} {
				a, had := before.end(measure, of, each)
				b, has := after.end(measure, of, each)
				if measure != "imum" && of == below { // nothing is shorter than nothing
					had, has = had && a.value > 0, has && b.value > 0
				}
				tight = tight || has && (!had || b.narrower(a, of))
				loose = loose || had && (!has || a.narrower(b, of))
			}
		}
	}
	for _, l := range after {
		tight = tight || l.side() == exact && !before.imply(l)
	}
	return tight, loose
}

func (l Limit) side() side {
	for _, w := range limitWords {
		if w.key == l.Key {
			return w.side
		}
	}
	return 0
}

// imply tells whether what is within the limits is within another, exact one.
func (all Limits) imply(other Limit) bool {
	for _, l := range all {
		if l == other {
			return true
		}
		if l.Key != "multipleOf" || other.Key != l.Key || l.Each != other.Each {
			continue
		}
		a, errA := strconv.ParseInt(l.Value, 10, 64)
		b, errB := strconv.ParseInt(other.Value, 10, 64)
		if errA == nil && errB == nil && b > 0 && a%b == 0 {
			return true
		}
	}
	return false
}
