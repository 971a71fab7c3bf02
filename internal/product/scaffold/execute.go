package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/nunjucks"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxEach is how often one step may be repeated.
const maxEach = 200

// execution is what the steps of one template share: of a run, of which each step has one of its own, or of a dry run.
type execution struct {
	s        *Service
	task     *task
	template Template
	user     actor.Principal
	session  *nunjucks.Session
	outputs  map[string]any // step id → {output}
	space    *workspace
	failed   bool // an earlier step has failed
	dryRun   bool
	keeper   keeper
	log      io.Writer
	entity   any // of the user
}

// newExecution opens a session of templates; Close it. ctx carries the person for whom it works.
func (s *Service) newExecution(ctx context.Context, t *task, template Template, log io.Writer) (*execution, error) {
	session, err := s.nunjucks.Open(ctx, nunjucks.Style{})
	if err != nil {
		return nil, err
	}
	user := actor.From(ctx)
	return &execution{
		s: s, task: t, template: template, user: user, session: session, outputs: map[string]any{}, space: newWorkspace(), log: log,
		entity: s.userEntity(ctx, user),
	}, nil
}

// userEntity gives the person's entity as templates know it, or what is known without one.
func (s *Service) userEntity(ctx context.Context, p actor.Principal) any {
	if p.Ref.IsZero() {
		return nil
	}
	if e, err := s.Catalog.Get(ctx, p.Ref); err == nil {
		return normal(e.Document.Value())
	}
	return map[string]any{"kind": "User", "metadata": map[string]any{"name": p.Ref.Name, "namespace": p.Ref.Namespace}, "spec": map[string]any{}}
}

// Close frees the session.
func (e *execution) Close() { e.session.Close() }

// renderer knows what Backstage's contexts of a template hold. Secrets are known only where an action's input is
// rendered.
func (e *execution) renderer(secrets bool) renderer {
	parameters := e.task.Hidden.into(e.task.Values)
	if parameters == nil {
		parameters = map[string]any{}
	}
	values := map[string]any{
		"parameters":  parameters,
		"steps":       e.outputs,
		"user":        map[string]any{"entity": e.entity, "ref": e.user.Ref.String()},
		"environment": map[string]any{"parameters": map[string]any{}, "secrets": map[string]any{}},
		"context":     map[string]any{"task": map[string]any{"id": e.task.Run}},
		"secrets":     map[string]any{},
	}
	if secrets && e.task.Hidden.Secrets != nil {
		values["secrets"] = e.task.Hidden.Secrets
	}
	return renderer{e.session, values}
}

// step runs one step of the template on the workspace, and gives its output.
func (e *execution) step(ctx context.Context, i int) (output map[string]any, skipped bool, err error) {
	step := e.template.Steps[i]
	path := []string{"steps", step.ID}
	action, ok := e.s.actions[step.Action]
	if !ok {
		return nil, false, fault.Errorf(fault.Invalid, "action %q is not installed here; %s", step.Action, e.s.similar(step.Action))
	}
	if step.Each == nil {
		if run, err := e.condition(ctx, e.renderer(false), step, path); err != nil || !run {
			return map[string]any{}, err == nil, err
		}
	}
	if e.dryRun && !action.DryRun {
		fmt.Fprintf(e.log, "%s is left out of a dry run\n", action.ID)
		output, _ = example(action.Output).(map[string]any)
		return output, true, nil
	}
	rounds, err := e.rounds(ctx, step, path)
	if err != nil {
		return nil, false, err
	}
	// Every round's input is rendered and checked before the first one runs.
	var inputs []map[string]any
	for _, r := range rounds {
		input, err := e.input(ctx, action, step, r, path)
		if err != nil {
			return nil, false, err
		}
		inputs = append(inputs, input)
	}
	output = map[string]any{}
	for i, input := range inputs {
		c := &call{
			task: e.task, step: step, user: e.user, input: input, space: e.space, log: e.log,
			output: map[string]any{}, dryRun: e.dryRun, keeper: e.keeper,
		}
		if step.Each != nil {
			fmt.Fprintf(e.log, "round %d of %d\n", i+1, len(inputs))
		}
		if err := action.run(e.s, ctx, c); err != nil {
			return nil, false, err
		}
		for name, value := range c.output {
			if step.Each == nil {
				output[name] = value
			} else {
				all, _ := output[name].([]any)
				output[name] = append(all, value)
			}
		}
	}
	output, _ = normal(output).(map[string]any)
	return output, false, ctx.Err()
}

var statusFunction = regexp.MustCompile(`\b(always|failure)\s*\(\s*\)`)

// condition tells whether a step is to run.
func (e *execution) condition(ctx context.Context, r renderer, step Step, path []string) (bool, error) {
	switch condition := step.If.(type) {
	case nil:
		return true, nil
	case bool:
		return condition, nil
	case string:
		condition = statusFunction.ReplaceAllStringFunc(condition, func(call string) string {
			return fmt.Sprint(strings.HasPrefix(call, "always") || e.failed)
		})
		value, err := r.render(ctx, condition, append(slices.Clip(path), "if")...)
		return truthy(value), err
	}
	return false, nil
}

// rounds gives the renderers of a step's repetitions; a step without each has one.
func (e *execution) rounds(ctx context.Context, step Step, path []string) ([]renderer, error) {
	r := e.renderer(true)
	if step.Each == nil {
		return []renderer{r}, nil
	}
	value, err := r.render(ctx, step.Each, append(slices.Clip(path), "each")...)
	if err != nil {
		return nil, err
	}
	var items []map[string]any
	switch value := value.(type) {
	case []any:
		for i, item := range value {
			items = append(items, map[string]any{"key": index(i), "value": item})
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			items = append(items, map[string]any{"key": key, "value": value[key]})
		}
	default:
		return nil, fault.Errorf(fault.Invalid, "steps.%s.each must give a list or a mapping, not %v", step.ID, clip(e.task.Hidden.redact(fmt.Sprint(value)), 100))
	}
	if len(items) > maxEach {
		return nil, fault.Errorf(fault.Invalid, "steps.%s.each has %d items; at most %d are done", step.ID, len(items), maxEach)
	}
	var rounds []renderer
	for _, item := range items {
		round := r.with("each", item)
		run, err := e.condition(ctx, round, step, path)
		if err != nil {
			return nil, err
		}
		if run {
			rounds = append(rounds, round)
		}
	}
	return rounds, nil
}

// input renders a step's input and checks it against the action's schema.
func (e *execution) input(ctx context.Context, action Action, step Step, r renderer, path []string) (map[string]any, error) {
	rendered, err := r.render(ctx, anyMap(step.Input), append(slices.Clip(path), "input")...)
	if err != nil {
		return nil, err
	}
	input, _ := rendered.(map[string]any)
	if input == nil {
		input = map[string]any{}
	}
	details, err := checkAgainst(action.Input, input, strings.Join(path, ".")+".input", e.task.Hidden)
	if err != nil {
		return nil, fmt.Errorf("schema of action %s: %w", action.ID, err)
	}
	if len(details) > 0 {
		return nil, fault.At("the input of "+action.ID+" is not what it takes", details...)
	}
	return input, nil
}

// outcome renders the template's output. Links and texts whose condition is false are left out.
func (e *execution) outcome(ctx context.Context) (map[string]any, error) {
	rendered, err := e.renderer(false).render(ctx, anyMap(e.template.Output), "output")
	if err != nil {
		return nil, err
	}
	out, _ := rendered.(map[string]any)
	for _, name := range []string{"links", "text"} {
		items, ok := out[name].([]any)
		if !ok {
			continue
		}
		kept := []any{}
		for _, item := range items {
			if m, ok := item.(map[string]any); ok {
				if condition, has := m["if"]; has {
					if !truthy(condition) {
						continue
					}
					delete(m, "if")
				}
			}
			kept = append(kept, item)
		}
		out[name] = kept
	}
	return out, nil
}

// explain gives an error as people may see it, with its places.
func explain(err error) string {
	var known *fault.Error
	if errors.As(err, &known) && known.Kind != fault.Internal {
		return known.Error()
	}
	return fault.Message(err)
}
