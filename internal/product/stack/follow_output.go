package stack

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// mostOutput bounds an output that becomes a variable, in bytes: systems start no program with a longer one than 128 KiB.
const mostOutput = 100 << 10

// fitting gives an output as a variable, if it fits into one.
func fitting(stack, output string, value json.RawMessage) (string, error) {
	text := asText(value)
	if len(text) > mostOutput || strings.ContainsRune(text, 0) {
		return "", fault.Errorf(fault.TooLarge, "output %s of %s has %d bytes; a variable takes at most %d, and no NUL: give an address of it instead", output, stack, len(text), mostOutput)
	}
	return text, nil
}

// asText gives an output as a variable of the environment: a text as it is, all else as JSON.
func asText(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// secretTexts gives what of a value is to be hidden: the whole, and each text in it.
func secretTexts(value json.RawMessage) []string {
	texts := []string{asText(value)}
	var look func(v any)
	look = func(v any) {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case []any:
			for _, one := range v {
				look(one)
			}
		case map[string]any:
			for _, one := range v {
				look(one)
			}
		}
	}
	var v any
	if json.Unmarshal(value, &v) == nil {
		look(v)
	}
	slices.Sort(texts)
	return slices.DeleteFunc(slices.Compact(texts), func(text string) bool { return text == "" })
}

// owes tells whether what a stack uses of another is something else than its last run was given.
func (s *Service) owes(ctx context.Context, e edge) (stack Stack, owes bool, err error) {
	if stack.Ref, err = parseStack(e.Stack); err != nil {
		return stack, false, err
	}
	now, err := s.stackOf(ctx, stack.Ref)
	if err != nil || now.Deleted {
		return stack, false, err
	}
	at := slices.IndexFunc(now.Spec.DependsOn, func(d Dependency) bool { return d.Stack == e.Upstream })
	if at < 0 {
		return now, false, nil
	}
	owes, err = s.changedFor(ctx, now, now.Spec.DependsOn[at], e.Used)
	if err != nil {
		err = s.unless(ctx, now, err)
	}
	return now, owes, err
}

// changedFor tells whether what a stack uses of another is something else than in a version of its state.
func (s *Service) changedFor(ctx context.Context, stack Stack, d Dependency, used string) (bool, error) {
	now, version, err := s.outputsFor(ctx, stack, d)
	switch {
	case err != nil:
		return false, err
	case d.Always || used == "":
		return true, nil
	case version == used:
		return false, nil
	case len(d.Outputs) == 0:
		return true, nil
	}
	r, err := ref.Parse(d.Stack, "stack", ref.DefaultNamespace)
	if err != nil {
		return false, err
	}
	before, _, err := s.Outputs(ctx, r, used)
	if fault.Is(err, fault.NotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(d.Outputs, func(use OutputUse) bool {
		return !sameValue(before[use.Output].Value, now[use.Output].Value)
	}), nil
}

func sameValue(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return string(a) == string(b)
	}
	return reflect.DeepEqual(x, y)
}
