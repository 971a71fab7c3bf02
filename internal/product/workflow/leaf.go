package workflow

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxAttempts bounds a retry strategy without a limit of its own.
const maxAttempts = 1000

// template evaluates a template with its retry strategy.
func (e *engine) template(at place, t *Template, inputs Values, task string) *state {
	if t.RetryStrategy == nil {
		return e.attempt(at, t, inputs, task, 0, nil)
	}
	index := e.node(Node{Key: at.key, Name: at.name, Type: TypeRetry, Template: t.Name, Parent: at.parent, Depends: at.depends, Inputs: inputs.Parameters})
	s := e.retry(at, t, inputs, task)
	e.settle(index, s)
	return s
}

func (e *engine) retry(at place, t *Template, inputs Values, task string) *state {
	r, err := e.readRetry(t, inputs)
	if err != nil {
		return &state{key: at.key, phase: Error, message: fault.Message(err)}
	}
	s := &state{key: at.key}
	var last *state
	for n := 0; n < maxAttempts; n++ {
		place := at.below(fmt.Sprintf("%s(%d)", at.key, n), fmt.Sprintf("%s(%d)", at.name, n))
		place.depth = at.depth
		if n > 0 {
			if due := last.ended.Add(r.wait(n)); e.facts.Now.Before(due) && !e.exists(place.key) {
				e.wakeAt(due)
				s.phase, s.message = Running, "tries again at "+due.UTC().Format(time.RFC3339)+": "+last.message
				return s
			}
			place.depends = []string{last.key}
		}
		last = e.attempt(place, t, inputs, task, n, last)
		s.absorb(last)
		s.phase, s.message, s.values = last.phase, last.message, last.values
		if !last.phase.Bad() || !r.again(last.phase) {
			return s
		}
		if r.limit >= 0 && n >= r.limit || r.most > 0 && last.ended.Sub(s.started) > r.most {
			s.message = strings.TrimSuffix("no more retries left: "+last.message, ": ")
			return s
		}
		if last.started.IsZero() { // it can't be started at all, now or later
			return s
		}
	}
	return s
}

// exists tells whether an attempt has begun.
func (e *engine) exists(key string) bool {
	if _, ok := e.facts.Leaves[key]; ok {
		return true
	}
	for k := range e.facts.Leaves {
		if rest, found := strings.CutPrefix(k, key); found && strings.ContainsAny(rest[:1], ".[(~") {
			return true
		}
	}
	return false
}

// retry is a retry strategy with its texts read.
type retry struct {
	limit   int // -1 is none
	policy  string
	first   time.Duration // pause before the second attempt
	factor  float64       // by which each pause is longer than the one before
	longest time.Duration // pause; 0 is a day
	most    time.Duration // from the first attempt's start to the last one's end; 0 is any
}

func (e *engine) readRetry(t *Template, inputs Values) (retry, error) {
	r := retry{limit: -1, policy: t.RetryStrategy.RetryPolicy, factor: 1}
	sc := e.inner(t, inputs)
	duration := func(text Text) (time.Duration, error) {
		if text == "" {
			return 0, nil
		}
		filled, err := sc.must(string(text))
		if err != nil {
			return 0, err
		}
		return parseDuration(filled)
	}
	if t.RetryStrategy.Limit != "" {
		text, err := sc.must(string(t.RetryStrategy.Limit))
		if err != nil {
			return r, err
		}
		if r.limit, err = strconv.Atoi(strings.TrimSpace(text)); err != nil || r.limit < 0 {
			return r, fault.Errorf(fault.Invalid, "retryStrategy.limit %q is not a number", clip(text, 50))
		}
	}
	b := t.RetryStrategy.Backoff
	if b == nil {
		return r, nil
	}
	var err error
	if r.first, err = duration(b.Duration); err != nil {
		return r, err
	}
	if r.most, err = duration(b.MaxDuration); err != nil {
		return r, err
	}
	if r.longest, err = duration(b.Cap); err != nil {
		return r, err
	}
	if b.Factor != "" {
		text, err := sc.must(string(b.Factor))
		if err != nil {
			return r, err
		}
		if r.factor, err = strconv.ParseFloat(strings.TrimSpace(text), 64); err != nil || r.factor < 1 || r.factor > 1000 {
			return r, fault.Errorf(fault.Invalid, "retryStrategy.backoff.factor %q is not a number from 1 to 1000", clip(text, 50))
		}
	}
	return r, nil
}

// wait gives the pause before attempt n, from 1.
func (r retry) wait(n int) time.Duration {
	seconds := r.first.Seconds() * math.Pow(r.factor, float64(n-1))
	longest := 24 * time.Hour
	if r.longest > 0 {
		longest = r.longest
	}
	if seconds > longest.Seconds() {
		return longest
	}
	return time.Duration(seconds * float64(time.Second))
}

// again tells whether an end is one to try again after. Argo: OnFailure unless the policy says otherwise.
func (r retry) again(p Phase) bool {
	switch r.policy {
	case "Always":
		return true
	case "OnError", "OnTransientError":
		return p == Error
	}
	return p == Failed
}

// attempt evaluates a template once. last is the attempt before, if it is tried again.
func (e *engine) attempt(at place, t *Template, inputs Values, task string, n int, last *state) *state {
	switch {
	case t.DAG != nil:
		return e.dag(at, t, inputs)
	case t.Steps != nil:
		return e.steps(at, t, inputs)
	}
	kind := TypePod
	switch {
	case t.Suspend != nil:
		kind = TypeSuspend
	case t.Plugin != nil:
		kind = TypePlugin
	}
	node := Node{Key: at.key, Name: at.name, Type: kind, Template: t.Name, Parent: at.parent, Depends: at.depends, Inputs: inputs.Parameters}
	if l, ok := e.facts.Leaves[at.key]; ok {
		node.Phase, node.Message, node.Step, node.Outputs, node.Started, node.Ended = l.Phase, l.Message, at.key, l.Values, l.Started, l.Ended
		e.node(node)
		s := &state{key: at.key, phase: l.Phase, message: l.Message, begun: true, values: withDefaults(t, l), started: l.Started, ended: l.Ended}
		return s
	}
	node.Phase = Pending
	sc := e.inner(t, inputs)
	sc.extra = map[string]string{"node.name": at.key, "pod.name": at.key, "retries": strconv.Itoa(n)}
	if t.RetryStrategy != nil { // Argo: the first attempt sees these
		sc.extra["lastRetry.exitCode"], sc.extra["lastRetry.duration"] = "0", "0"
		sc.extra["lastRetry.status"], sc.extra["lastRetry.message"] = "", ""
	}
	if last != nil {
		sc.extra["lastRetry.exitCode"] = last.values.ExitCode
		sc.extra["lastRetry.status"] = string(last.phase)
		sc.extra["lastRetry.duration"] = strconv.FormatFloat(last.ended.Sub(last.started).Seconds(), 'f', 0, 64)
		sc.extra["lastRetry.message"] = last.message
	}
	start := Start{Key: at.key, Name: at.name, Group: at.parent, Type: kind, Template: *t, Inputs: inputs, Attempt: n, home: at.home}
	start.Capture = e.captures[task]
	e.candidates = append(e.candidates, candidate{start: start, scope: sc, gate: at.gate, node: e.node(node)})
	return &state{key: at.key, phase: Pending}
}

// withDefaults adds the defaults of outputs that a leaf did not leave. Argo: they count also for one that succeeded
// without its file.
func withDefaults(t *Template, l Leaf) Values {
	v := l.Values
	if l.Phase != Succeeded {
		return v
	}
	filled := false
	for _, p := range t.Outputs.Parameters {
		if _, has := v.Parameters[p.Name]; has || p.ValueFrom == nil {
			continue
		}
		if text, ok := p.ValueFrom.Default.text(); ok {
			if !filled {
				copied := map[string]string{}
				for k, x := range v.Parameters {
					copied[k] = x
				}
				v.Parameters, filled = copied, true
			}
			v.Parameters[p.Name] = text
		}
	}
	return v
}

// captureNames finds the tasks beside which a text speaks of an outputs.result. It may find too many: that only costs
// a little.
func captureNames(p *Plan) map[string]bool {
	names := map[string]bool{}
	var scan func(t *Template)
	scan = func(t *Template) {
		for _, task := range tasksOf(t) {
			if task.Inline != nil {
				scan(task.Inline)
			}
		}
		text := toJSON(t)
		if !strings.Contains(text, "result") {
			return
		}
		for _, task := range tasksOf(t) {
			if strings.Contains(text, "."+task.Name+".") || strings.Contains(text, "'"+task.Name+"'") || strings.Contains(text, `\"`+task.Name+`\"`) {
				names[task.Name] = true
			}
		}
	}
	for i := range p.Spec.Templates {
		scan(&p.Spec.Templates[i])
	}
	for _, spec := range p.Refs {
		for i := range spec.Templates {
			scan(&spec.Templates[i])
		}
	}
	return names
}

// tasksOf gives the tasks of a dag or the steps of all groups.
func tasksOf(t *Template) []*Task {
	var tasks []*Task
	if t.DAG != nil {
		for i := range t.DAG.Tasks {
			tasks = append(tasks, &t.DAG.Tasks[i])
		}
	}
	for i := range t.Steps {
		for j := range t.Steps[i] {
			tasks = append(tasks, &t.Steps[i][j])
		}
	}
	return tasks
}

// filled gives the start with the tags of its template filled in, or with the reason why they can't be.
func (s Start) filled(sc *scope) Start {
	raw, err := json.Marshal(s.Template)
	if err != nil {
		s.Err = err
		return s
	}
	var tree any
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		s.Err = err
		return s
	}
	m := tree.(map[string]any)
	retry := m["retryStrategy"]
	delete(m, "retryStrategy") // it is read elsewhere, and may name what only a new attempt knows
	if inputs, ok := m["inputs"].(map[string]any); ok {
		delete(inputs, "parameters")
	}
	filled, err := sc.fillAny(tree)
	if err != nil {
		s.Err = err
		return s
	}
	filled.(map[string]any)["retryStrategy"] = retry
	raw, err = json.Marshal(filled)
	if err != nil {
		s.Err = err
		return s
	}
	var t Template
	if err := json.Unmarshal(raw, &t); err != nil {
		s.Err = fault.Errorf(fault.Invalid, "the template is wrong when its tags are filled in: %w", err)
		return s
	}
	s.Template = t
	return s
}
