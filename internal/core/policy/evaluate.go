package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"sort"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

const (
	maxTime     = 2 * time.Second  // of one policy
	maxAllTime  = 10 * time.Second // of all policies of a decision
	maxMemory   = 512 << 20        // bytes that the heap may grow by while a policy runs
	maxMessages = 100              // of one rule
	maxMessage  = 1000             // bytes of one message
	maxNotes    = 5
)

// vote asks one policy. It always gives a vote: what can't be decided is in its Error. Only the end of ctx itself,
// and not a limit of the policy, is returned as an error.
func (c *compiled) vote(ctx context.Context, p attached, input ast.Value) (Vote, error) {
	v := Vote{Policy: p.Ref, Space: p.Space, Version: p.Version, Rules: c.rules, Says: map[string][]string{}}
	limited, stop := bounded(ctx, maxTime)
	defer stop()
	var failed []topdown.Error
	results, err := c.ask.Eval(limited, rego.EvalParsedInput(input), rego.EvalBuiltinErrorList(&failed))
	if ctx.Err() != nil {
		return v, ctx.Err()
	}
	if err != nil {
		v.Error = why(limited, err)
		return v, nil
	}
	for _, f := range failed {
		if len(v.Notes) < maxNotes {
			v.Notes = append(v.Notes, shorten(f.Error()))
		}
	}
	if len(results) != 1 {
		v.Error = "it gave no answer" // which the query always has
		return v, nil
	}
	all, ok := results[0].Bindings[answers].(map[string]any)
	if !ok {
		v.Error = "it gave no answer"
		return v, nil
	}
	for _, rule := range c.rules {
		defined, _ := all[rule].([]any)
		if len(defined) == 0 {
			continue
		}
		value := defined[0]
		messages := messagesOf(value, p.saying())
		if len(messages) == 0 {
			continue
		}
		v.Says[rule] = messages
		if gives(rule) {
			if v.Error = v.give(rule, value); v.Error != "" {
				v.Says = map[string][]string{}
				return v, nil
			}
		}
	}
	return v, nil
}

var (
	errTime   = errors.New("it took longer than its time limit")
	errMemory = errors.New("it used more memory than policies may")
)

// bounded gives a context that ends when the time or the memory of an evaluation is used up, and says why by its cause.
func bounded(ctx context.Context, limit time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Short evaluations are never measured, so a hungry one beside them does not end them.
		timer, tick := time.NewTimer(limit), time.NewTicker(50*time.Millisecond)
		defer timer.Stop()
		defer tick.Stop()
		start := heap()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
				cancel(errTime)
				return
			case <-tick.C:
				if heap() > start+maxMemory {
					runtime.GC() // what is garbage does not count
					if heap() > start+maxMemory {
						cancel(errMemory)
						return
					}
				}
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
	}
}

func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// why says why an evaluation failed, for people.
func why(ctx context.Context, err error) string {
	if cause := context.Cause(ctx); cause != nil {
		return cause.Error()
	}
	var failed *topdown.Error
	if errors.As(err, &failed) && failed.Location != nil {
		return shorten(fmt.Sprintf("line %d: %s", failed.Location.Row, failed.Message))
	}
	return shorten(err.Error())
}

// messagesOf reads what a rule gave: a set, list or object of messages, one message, or true, which says what it is
// given. False, null and empty things say nothing.
func messagesOf(value any, saying string) []string {
	var all []string
	switch v := value.(type) {
	case nil:
	case bool:
		if v {
			all = []string{saying}
		}
	case string:
		if v != "" {
			all = []string{shorten(v)}
		}
	case []any:
		for _, item := range v {
			if len(all) == maxMessages {
				return append(all, fmt.Sprintf("and %d more", len(v)-maxMessages))
			}
			all = append(all, textOf(item))
		}
		sort.Strings(all)
	case map[string]any:
		for key, item := range v {
			if item == nil || item == false {
				continue
			}
			if item != true {
				key += ": " + textOf(item)
			}
			all = append(all, shorten(key))
		}
		sort.Strings(all)
		if len(all) > maxMessages {
			all = append(all[:maxMessages], fmt.Sprintf("and %d more", len(all)-maxMessages))
		}
	default:
		all = []string{textOf(v)}
	}
	return all
}

func textOf(value any) string {
	if text, ok := value.(string); ok {
		return shorten(text)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return shorten(fmt.Sprint(value))
	}
	return shorten(string(raw))
}

func shorten(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "…"
}
