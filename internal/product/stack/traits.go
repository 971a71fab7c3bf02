package stack

import (
	"encoding/json"

	"github.com/roadbed-dev/roadbed/internal/core/pool"
	"github.com/roadbed-dev/roadbed/internal/core/run"
)

// Marks of runs, by which lists of them are narrowed; the type of a run is one too.
const (
	MarkChanges     = "changes"      // its newest plan has something to change
	MarkDestroys    = "destroys"     // it plans to destroy everything
	MarkSaves       = "saves"        // its plan waits for a confirmation, whatever the stack says
	MarkRefreshOnly = "refresh-only" // it takes up into the state what was changed by others
	MarkStopping    = "stopping"     // it is to be canceled, and has not ended
	MarkFollows     = "follows"      // it follows one of another stack
)

// MarkPool gives the mark of runs whose commands a worker pool runs.
func MarkPool(name string) string { return pool.Mark(name) }

// changing is what a run is that can change something, and settling one of those that is no task.
func changing() run.Choice { return run.Choice{Not: []string{Proposed, Drift}} }
func settling() run.Choice { return run.Choice{Not: []string{Proposed, Drift, Task}} }

// MarksOf gives the marks of a run, as they are kept with it.
func MarksOf(r run.Run) []string { return traits(r).Marks }

func traits(r run.Run) run.Traits {
	var in Input
	if json.Unmarshal(r.Input, &in) != nil { // it is shown as a run of no type
		in = Input{}
	}
	var out Output
	if len(r.Output) > 0 && json.Unmarshal(r.Output, &out) != nil {
		out = Output{}
	}
	up := Upload{}
	if in.Upload != nil {
		up = *in.Upload
	}
	t := run.Traits{Text: up.Message}
	mark := func(name string, has bool) {
		if has {
			t.Marks = append(t.Marks, name)
		}
	}
	mark(in.Type, in.Type != "")
	mark(MarkChanges, !out.Summary.Empty())
	mark(MarkDestroys, in.Type == Destroy || up.Destroy)
	mark(MarkSaves, up.Save)
	mark(MarkRefreshOnly, up.RefreshOnly)
	mark(MarkStopping, r.CancelRequested && !r.Terminal)
	mark(MarkFollows, in.Follows())
	mark(MarkPool(in.Pool), in.Pool != "")
	return t
}
