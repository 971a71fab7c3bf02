package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// point says what is asked of policies at one place of the platform.
type point struct {
	about string
	rules []string // besides deny and warn, which every point has
}

// points gives every point at which something is asked, with Spacelift's rules where it has them. Policies at others
// would be believed in and decide nothing, so they are refused.
func points() map[string]point {
	return map[string]point{
		"login":          {"whether somebody may sign in to the portal", []string{"allow", "admin", "deny_admin", "roles", "team", "space_admin", "space_write", "space_read"}},
		"push":           {"what a push, a tag or a proposal does for a stack", pushRules()},
		"plan":           {"whether a planned change of infrastructure may go on", nil},
		"approval":       {"whether a run that waits has the approvals that it needs", []string{"approve", "reject"}},
		"trigger":        {"which stacks are to run when a run of another has ended", []string{"trigger"}},
		"notification":   {"whom a run's new state, a version of a module, or what fails outside of runs is told to", []string{"inbox", "slack", "webhook", "pull_request"}},
		"initialization": {"whether a run of a stack may begin", nil},
		"task":           {"whether a task of a stack may begin", nil},
		"deploy":         {"whether a revision may go to its destination", []string{"approve", "reject"}},
	}
}

func pushRules() []string {
	return []string{
		"track", "propose", "ignore", "ignore_track", "notrigger", "notify", "prioritize", "allow_fork", "fail", "message",
		"cancel", "external_dependency", "lock", "unlock", "module_version",
	}
}

// Points gives the names of all points with what each is about.
func Points() map[string]string {
	all := map[string]string{}
	for name, p := range points() {
		all[name] = p.about
	}
	return all
}

func pointNames() string {
	var names []string
	for name := range points() {
		names = append(names, name)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// rulesOf gives what is asked of a policy at a point.
func rulesOf(name string) []string {
	return append([]string{"deny", "warn"}, points()[name].rules...)
}

// A grant counts only when every policy that has the rule gives it.
func grants(rule string) bool {
	switch rule {
	case "approve":
		return true
	}
	return false
}

// Vote is what one policy said. It is stored as JSON.
type Vote struct {
	Policy  string                     `json:"policy"`          // reference of its document
	Space   string                     `json:"space,omitempty"` // in which the policy holds, with those below
	Version string                     `json:"version"`         // digest of its text
	Rules   []string                   `json:"rules,omitempty"` // those of the point's rules that it has
	Says    map[string][]string        `json:"says,omitempty"`  // rule → messages; a rule that does not hold is absent
	Gives   map[string]json.RawMessage `json:"gives,omitempty"` // what rules gave that are more than words, in full
	Error   string                     `json:"error,omitempty"` // why it could not decide
	Notes   []string                   `json:"notes,omitempty"` // built-in functions that failed, and so were taken as undefined
}

// unite gives the outcome of all votes.
func unite(votes []Vote) map[string][]string {
	outcome := map[string][]string{}
	for _, v := range votes {
		if v.Error != "" {
			outcome["deny"] = append(outcome["deny"], fmt.Sprintf("policy %s can't decide: %s", nameOf(v.Policy), v.Error))
		}
		for _, rule := range v.Rules {
			if !grants(rule) && len(v.Says[rule]) > 0 {
				outcome[rule] = append(outcome[rule], v.Says[rule]...)
			}
		}
	}
	if len(outcome["deny"]) > 0 || len(outcome["reject"]) > 0 {
		return outcome
	}
	for rule := range grantsIn(votes) {
		if messages, all := granted(votes, rule); all {
			outcome[rule] = messages
		}
	}
	return outcome
}

func grantsIn(votes []Vote) map[string]bool {
	found := map[string]bool{}
	for _, v := range votes {
		for _, rule := range v.Rules {
			if grants(rule) {
				found[rule] = true
			}
		}
	}
	return found
}

func granted(votes []Vote, rule string) (messages []string, all bool) {
	for _, v := range votes {
		if !slices.Contains(v.Rules, rule) {
			continue
		}
		if len(v.Says[rule]) == 0 {
			return nil, false
		}
		messages = append(messages, v.Says[rule]...)
	}
	return messages, true
}

// nameOf gives the short name of a policy for messages.
func nameOf(reference string) string {
	_, name, _ := strings.Cut(reference, ":")
	return strings.TrimPrefix(name, "default/")
}

// RulesOf gives the rules that are read at a point.
func RulesOf(name string) []string { return rulesOf(name) }
