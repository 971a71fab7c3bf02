package tfe

import (
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// statuses are what clients call the states of runs, with which runs they call so: each run by one of them.
var statuses = []struct {
	name    string
	choices []run.Choice
}{
	{"pending", calm("queued")},
	{"plan_queued", calm("ready")},
	{"planning", append(calm("planning", "judging", "replan_requested"), stopping("queued", "ready", "planning", "judging", "replan_requested", "unconfirmed", "pending_review"))},
	{"planned", calm("unconfirmed")},
	{"confirmed", calm("confirmed")},
	{"applying", append(calm("applying", "performing"), stopping("confirmed", "applying", "performing"))}, // a task changes things as it likes
	{"planned_and_finished", append(calm("pending_review"), // of a preview, whose plan is there
		run.Choice{States: done, Not: []string{stack.MarkChanges, stack.Task}}, run.Choice{States: done, Has: []string{stack.Proposed}}, run.Choice{States: done, Has: []string{stack.Drift}})},
	{"applied", []run.Choice{{States: done, Has: []string{stack.MarkChanges}, Not: []string{stack.Proposed, stack.Drift}}, {States: done, Has: []string{stack.Task}}}},
	{"errored", calm("failed")},
	{"discarded", calm("discarded")},
	{"canceled", calm("canceled")},
}

var done = []string{"finished"}

// calm gives the runs in some states that are not to be canceled.
func calm(states ...string) []run.Choice {
	return []run.Choice{{States: states, Not: []string{stack.MarkStopping}}}
}

// stopping gives the runs in some states that are to be canceled.
func stopping(states ...string) run.Choice {
	return run.Choice{States: states, Has: []string{stack.MarkStopping}}
}

// statusOf gives what clients call the state of a run.
func statusOf(r run.Run) string {
	marks := stack.MarksOf(r)
	for _, s := range statuses {
		for _, c := range s.choices {
			if c.Fits(r.State, marks) {
				return s.name
			}
		}
	}
	return r.State
}

// choices gives which runs statusOf calls so; none for a word that it has not.
func choices(status string) []run.Choice {
	for _, s := range statuses {
		if s.name == status {
			return s.choices
		}
	}
	return nil
}

// operation gives which runs clients call so.
func operation(word string) []run.Choice {
	switch word {
	case "plan_and_apply":
		return []run.Choice{{Not: []string{stack.Proposed, stack.Drift}}}
	case "plan_only":
		return []run.Choice{{Has: []string{stack.Proposed}}, {Has: []string{stack.Drift}}}
	case "save_plan":
		return []run.Choice{{Has: []string{stack.MarkSaves}}}
	case "refresh_only":
		return []run.Choice{{Has: []string{stack.MarkRefreshOnly}}}
	case "destroy":
		return []run.Choice{{Has: []string{stack.MarkDestroys}}}
	}
	return nil
}
