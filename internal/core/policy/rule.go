package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// gives tells whether what a rule gives is more than words for people: names that something is done with, or messages
// that are sent. It is kept in full.
func gives(rule string) bool {
	switch rule {
	case "roles", "team", "space_admin", "space_write", "space_read", "trigger", "message", "cancel", "external_dependency", "lock", "unlock",
		"module_version", "inbox", "slack", "webhook", "pull_request":
		return true
	}
	return false
}

// maxGiven bounds what one rule gives, in bytes of JSON.
const maxGiven = 256 << 10

// give keeps what a rule gave; it says why that can't be.
func (v *Vote) give(rule string, value any) (failure string) {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("what its rule %s gives has no JSON form: %s", rule, shorten(err.Error()))
	}
	if len(raw) > maxGiven {
		return fmt.Sprintf("its rule %s gives more than %d KiB", rule, maxGiven>>10)
	}
	if v.Gives == nil {
		v.Gives = map[string]json.RawMessage{}
	}
	v.Gives[rule] = raw
	return ""
}

// Holds tells whether a rule holds by any policy.
func (d Decision) Holds(rule string) bool { return len(d.Outcome[rule]) > 0 }

// Speaks tells whether some policy that was asked has a rule, whether it holds or not.
func (d Decision) Speaks(rule string) bool {
	return slices.ContainsFunc(d.Votes, func(v Vote) bool { return slices.Contains(v.Rules, rule) })
}

// Given is what a policy gave by a rule.
type Given struct {
	Policy string
	Value  any // as JSON is read
}

// Given gives what the policies gave by a rule, what is in a set or list one by one, each once of each policy.
func (d Decision) Given(rule string) []Given {
	var all []Given
	seen := map[string]bool{}
	add := func(policy string, value any) {
		key, err := json.Marshal(value)
		if err != nil || seen[policy+" "+string(key)] {
			return
		}
		seen[policy+" "+string(key)] = true
		all = append(all, Given{policy, value})
	}
	for _, v := range d.Votes {
		var value any
		if json.Unmarshal(v.Gives[rule], &value) != nil {
			continue // it gave nothing
		}
		if list, ok := value.([]any); ok {
			for _, item := range list {
				add(v.Policy, item)
			}
			continue
		}
		add(v.Policy, value)
	}
	return all
}

// First is Given for at most so many of each policy; more is how many others each has given.
func (d Decision) First(rule string, most int) (all []Given, more map[string]int) {
	more = map[string]int{}
	for _, v := range d.Votes {
		items := []json.RawMessage{v.Gives[rule]}
		if raw := bytes.TrimSpace(v.Gives[rule]); len(raw) > 0 && raw[0] == '[' && json.Unmarshal(raw, &items) != nil {
			continue // it gave nothing that can be read
		}
		seen := map[string]bool{}
		for i, item := range items {
			if len(seen) == most {
				more[v.Policy] += len(items) - i
				break
			}
			var value any
			if seen[string(item)] || json.Unmarshal(item, &value) != nil {
				continue
			}
			seen[string(item)] = true
			all = append(all, Given{v.Policy, value})
		}
	}
	return all, more
}

// SpaceOf gives the space of a policy that was asked.
func (d Decision) SpaceOf(policy string) string {
	for _, v := range d.Votes {
		if v.Policy == policy {
			return v.Space
		}
	}
	return ""
}

// Names gives the texts that policies gave by a rule, sorted, each once: as a text, a set of them, or keys that hold.
func (d Decision) Names(rule string) []string {
	var names []string
	for _, g := range d.Given(rule) {
		names = append(names, namesIn(g.Value)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// namesIn gives the texts of what a rule gave: a text, a set of them, or keys that hold. What is neither is left out.
func namesIn(value any) (names []string) {
	switch v := value.(type) {
	case string:
		if v != "" {
			names = append(names, v)
		}
	case []any:
		for _, item := range v {
			if name, is := item.(string); is && name != "" {
				names = append(names, name)
			}
		}
	case map[string]any:
		for key, holds := range v {
			if holds == true && key != "" {
				names = append(names, key)
			}
		}
	}
	return names
}
