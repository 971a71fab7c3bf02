package workflow

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Handlers gives the platform actions of this room, for the server's own worker.
func (s *Service) Handlers() map[string]worker.Handler {
	handlers := make(map[string]worker.Handler, len(s.Plugins))
	for name, p := range s.Plugins {
		handlers[PluginAction(name)] = p.Do
	}
	return handlers
}

// PluginCall is the input of a platform step that does a plugin template.
type PluginCall struct {
	Plugin string          `json:"plugin"` // NAME of roadbed/NAME
	Args   json.RawMessage `json:"args"`
	Node   string          `json:"node"`
	Run    string          `json:"run"`
	Space  string          `json:"space"`
	Source run.Source      `json:"source"`
}

// PluginAction gives the action of the platform step that does the plugin roadbed/NAME.
func PluginAction(name string) string { return "workflow.plugin." + name }

const pluginPrefix = "roadbed/"

func (s Start) pluginJob(r *run.Run) (worker.Job, error) {
	for key, args := range s.Template.Plugin {
		name, found := strings.CutPrefix(key, pluginPrefix)
		if !found {
			return worker.Job{}, fault.Errorf(fault.Invalid, "plugin %q is not one of Roadbed's", clip(key, 50))
		}
		input, err := json.Marshal(PluginCall{Plugin: name, Args: args, Node: s.Key, Run: r.ID, Space: r.Space, Source: r.Source})
		return worker.Job{Kind: worker.KindPlatform, Action: PluginAction(name), Input: input}, err
	}
	return worker.Job{}, fault.Errorf(fault.Invalid, "the plugin has no name")
}

// resume ends suspended steps whose time has come or of which a person has decided, and gives the next such time.
func resume(v *run.View) (wake time.Time) {
	for _, s := range v.Steps {
		if s.State != run.StepWaiting {
			continue
		}
		d := dataOf(s)
		switch {
		case d.Verdict == verdictRejected:
			v.End(s, run.StepFailed, "rejected")
		case d.Verdict != "" || !d.Until.IsZero() && !v.Now.Before(d.Until):
			v.End(s, run.StepSucceeded, "")
		default:
			wake = earlier(wake, d.Until)
		}
	}
	return wake
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// maskEarlier has a job hide the secrets of all steps before it: what they left may hold them.
func maskEarlier(v *run.View, job *worker.Job) {
	refs := map[string]bool{}
	for _, s := range v.Steps {
		for _, r := range s.Job.SecretEnv {
			refs[r] = true
		}
		for _, r := range s.Job.MaskRefs { // of a job
			refs[r] = true
		}
	}
	for _, r := range job.SecretEnv {
		delete(refs, r)
	}
	job.MaskRefs = sortedKeys(refs)
	job.Sealed = job.Sealed || len(refs) > 0
}

// start adds the step of a leaf. It tells whether the step has ended already, because it can't be run as it is.
func start(v *run.View, p *Plan, s Start, wake *time.Time) (ended bool) {
	data := stepData{Type: s.Type}
	step, err := run.Step{Key: s.Key, Title: s.Name, Group: s.Group}, s.Err
	switch {
	case err != nil:
	case s.Type == TypeSuspend:
		step.State, step.Pool = run.StepWaiting, run.ServerPool
		step.Ready = v.Now
		if text := string(s.Template.Suspend.Duration); text != "" {
			var wait time.Duration
			if wait, err = parseDuration(text); err == nil {
				data.Until = v.Now.Add(wait)
				*wake = earlier(*wake, data.Until)
			}
		}
	default:
		step, err = s.step(v.Run, p)
		maskEarlier(v, &step.Job)
	}
	step.Key = stepKey(v, s.Key)
	if err != nil {
		data.Broken = true
		step.State, step.Job, step.Ready = run.StepFailed, worker.Job{}, v.Now
		step.Reason = fault.Message(err)
	}
	raw, err := json.Marshal(data)
	if err == nil {
		step.Data = raw
	}
	v.Add(step)
	return data.Broken
}
