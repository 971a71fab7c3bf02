package scaffold

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Action is one thing that a step of a template can do.
type Action struct {
	ID          string
	Description string
	Input       map[string]any // JSON Schema
	Output      map[string]any // JSON Schema
	DryRun      bool           // it runs in a dry run too, since it changes nothing outside the workspace

	run func(s *Service, ctx context.Context, c *call) error
}

// call is one use of an action. The context of run carries the person for whom it works.
type call struct {
	task   *task
	step   Step
	user   actor.Principal
	input  map[string]any
	space  *workspace
	log    io.Writer
	output map[string]any
	dryRun bool
	keeper keeper
}

// keeper remembers what a run makes outside its workspace, so that a repeated step knows its own work.
type keeper interface {
	// state gives what is known of a thing of this run: "", "intended" or "made".
	state(ctx context.Context, m Made) (state, id string, err error)
	// intend writes down what is about to be made. What is written down already stays.
	intend(ctx context.Context, m Made) error
	// made confirms it, with what is known of it now.
	made(ctx context.Context, m Made) error
	// forget takes an intention back, since somebody else made the thing.
	forget(ctx context.Context, m Made) error
}

// into decodes the input; its schema has been checked.
func (c *call) into(target any) error {
	encoded, err := json.Marshal(c.input)
	if err == nil {
		err = json.Unmarshal(encoded, target)
	}
	if err != nil {
		return fault.Errorf(fault.Invalid, "the input of %s can't be read: %w", c.step.Action, err)
	}
	return nil
}

func (c *call) logf(format string, args ...any) {
	fmt.Fprintf(c.log, format+"\n", args...) // a log that can't be written doesn't stop the work
}

// actions gives all actions by id.
func actions() map[string]Action {
	byID := map[string]Action{}
	for _, list := range [][]Action{fetchActions(), fileActions(), catalogActions(), publishActions(), debugActions()} {
		for _, a := range list {
			byID[a.ID] = a
		}
	}
	return byID
}

// ListActions gives the actions that templates may use, by id.
func (s *Service) ListActions() []Action {
	return slices.SortedFunc(maps.Values(s.actions), func(a, b Action) int { return strings.Compare(a.ID, b.ID) })
}

// The few shapes of JSON Schema that actions are described in.

func object(required []string, properties map[string]any) map[string]any {
	schema := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		list := make([]any, len(required))
		for i := range required {
			list[i] = required[i]
		}
		schema["required"] = list
	}
	return schema
}

func typed(name, description string) map[string]any {
	return map[string]any{"type": name, "description": description}
}

func text(description string) map[string]any   { return typed("string", description) }
func flag(description string) map[string]any   { return typed("boolean", description) }
func number(description string) map[string]any { return typed("number", description) }

func list(items map[string]any, description string) map[string]any {
	return map[string]any{"type": "array", "items": items, "description": description}
}

// example gives a value of the shape of a schema, for the output of an action that a dry run leaves out.
func example(schema map[string]any) any {
	switch schema["type"] {
	case "object":
		value := map[string]any{}
		properties, _ := schema["properties"].(map[string]any)
		for name, property := range properties {
			if property, ok := property.(map[string]any); ok {
				value[name] = example(property)
			}
		}
		return value
	case "array":
		return []any{}
	case "number":
		return 0.0
	case "boolean":
		return false
	}
	return "<example>"
}
