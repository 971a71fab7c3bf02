package workflow

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxItems bounds what one task expands to.
const maxItems = 1000

// maxNumber bounds the numbers of a sequence, so that what is computed of them fits.
const maxNumber = 1_000_000_000

// items gives what a task expands to.
func (s *scope) items(t *Task) ([]any, error) {
	items, err := s.rawItems(t)
	if err == nil && len(items) > maxItems {
		err = fault.Errorf(fault.TooLarge, "%d items are over the limit of %d", len(items), maxItems)
	}
	return items, err
}

func (s *scope) rawItems(t *Task) ([]any, error) {
	switch {
	case t.WithItems != nil:
		if !strings.Contains(toJSON(t.WithItems), "{{") {
			return t.WithItems, nil
		}
		filled, err := s.fillAny(t.WithItems)
		if err != nil {
			return nil, err
		}
		return filled.([]any), nil
	case t.WithParam != "":
		text, state, err := s.fill(t.WithParam)
		if err != nil || state == absent {
			return nil, err
		}
		var list []any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&list); err != nil {
			return nil, fault.Errorf(fault.Invalid, "withParam %q is not a JSON list", clip(strings.TrimSpace(text), 100))
		}
		for i := range list {
			list[i] = plainNumbers(list[i])
		}
		return list, nil
	}
	return s.sequence(t.WithSequence)
}

// plainNumbers gives whole numbers as int64, so that they are written as they came.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	}
	return v
}

var sequenceFormat = regexp.MustCompile(`^[^%]*%[0-9]{0,3}[dxXo][^%]*$`)

func (s *scope) sequence(q *Sequence) ([]any, error) {
	number := func(what string, t Text, otherwise int) (int, error) {
		if t == "" {
			return otherwise, nil
		}
		text, err := s.must(string(t))
		if err != nil {
			return 0, err
		}
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < -maxNumber || n > maxNumber {
			return 0, fault.Errorf(fault.Invalid, "withSequence.%s %q is not a whole number from -%d to %d", what, clip(text, 50), maxNumber, maxNumber)
		}
		return n, nil
	}
	start, err := number("start", q.Start, 0)
	if err != nil {
		return nil, err
	}
	end, err := number("end", q.End, 0)
	if err != nil {
		return nil, err
	}
	if q.Count != "" {
		count, err := number("count", q.Count, 0)
		if err != nil {
			return nil, err
		}
		if count <= 0 {
			return []any{}, nil
		}
		end = start + count - 1
	}
	step := 1
	if end < start {
		step = -1
	}
	if (end-start)*step >= maxItems {
		return nil, fault.Errorf(fault.TooLarge, "withSequence gives more than %d items", maxItems)
	}
	format := q.Format
	if format == "" {
		format = "%d"
	} else if !sequenceFormat.MatchString(format) {
		return nil, fault.Errorf(fault.Invalid, "withSequence.format %q must have one of %%d, %%x, %%X, %%o", clip(format, 50))
	}
	var items []any
	for n := start; n != end+step; n += step {
		items = append(items, fmt.Sprintf(format, n))
	}
	return items, nil
}

// fillAny fills the tags of all texts in a value of JSON, in a copy.
func (s *scope) fillAny(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return s.must(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = s.fillAny(v[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			var err error
			if m[key], err = s.fillAny(value); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
	return v, nil
}

// itemName gives Argo's name of the i-th of a task's items: NAME(0:value).
func itemName(task string, i int, item any) string {
	text := expressionText(item)
	if m, ok := item.(map[string]any); ok {
		text = ""
		for _, key := range sortedKeys(m) {
			if text != "" {
				text += ","
			}
			text += key + ":" + expressionText(m[key])
		}
	}
	return fmt.Sprintf("%s(%d:%s)", task, i, clip(strings.Join(strings.Fields(text), " "), 40))
}

// parseDuration reads Argo's durations: a number of seconds, or 10s, 2m, 6h, 1d.
func parseDuration(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 && n < 1<<31 {
		return time.Duration(n) * time.Second, nil
	}
	if days, found := strings.CutSuffix(text, "d"); found {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 && n < 10_000 {
			return time.Duration(n * 24 * float64(time.Hour)), nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fault.Errorf(fault.Invalid, "%q is not a duration; write seconds, or a number with s, m, h or d", clip(text, 50))
	}
	return d, nil
}

// maxQuantity is more than any machine has, and fits every integer.
const maxQuantity = 1e18

// parseQuantity reads Kubernetes' quantities: 512Mi, 1G, 500m, 2.
func parseQuantity(text string) (float64, error) {
	units := []struct {
		suffix string
		factor float64
	}{
		{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40},
		{"m", 1e-3}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"", 1},
	}
	for _, u := range units {
		number, found := strings.CutSuffix(strings.TrimSpace(text), u.suffix)
		if !found {
			continue
		}
		f, err := strconv.ParseFloat(number, 64)
		if f *= u.factor; err != nil || !(f >= 0 && f <= maxQuantity) { // NaN is neither
			break
		}
		return f, nil
	}
	return 0, fault.Errorf(fault.Invalid, "%q is not a quantity; write such as 512Mi, 2Gi, 500m or 2", clip(text, 50))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
