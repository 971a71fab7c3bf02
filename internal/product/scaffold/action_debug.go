package scaffold

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// longestWait is how long a step may wait; Backstage's limit is the same.
const longestWait = 10 * time.Minute

func debugActions() []Action {
	return []Action{
		{
			ID: "debug:log", Description: "Writes a message to the log, and the files of the workspace.", DryRun: true,
			Input: object(nil, map[string]any{
				"message":       text("What to write."),
				"listWorkspace": map[string]any{"description": "Lists the files: true or with-filenames, or with-contents.", "type": []any{"boolean", "string"}, "enum": []any{true, false, "with-filenames", "with-contents"}},
				"extra":         map[string]any{"description": "Anything; written as JSON."},
			}),
			run: func(_ *Service, _ context.Context, c *call) error { return c.logMessage() },
		},
		{
			ID: "debug:wait", Description: "Waits, at most 10 minutes.",
			Input: object(nil, map[string]any{"minutes": number("Minutes."), "seconds": number("Seconds."), "milliseconds": number("Milliseconds.")}),
			run:   func(_ *Service, ctx context.Context, c *call) error { return c.wait(ctx) },
		},
	}
}

func (c *call) logMessage() error {
	var in struct {
		Message       string
		ListWorkspace any
		Extra         any
	}
	if err := c.into(&in); err != nil {
		return err
	}
	if in.Message != "" {
		c.logf("%s", in.Message)
	}
	if in.Extra != nil {
		extra, err := json.MarshalIndent(c.task.Hidden.redactValue(in.Extra), "", "  ")
		if err != nil {
			return err
		}
		c.logf("%s", extra)
	}
	if in.ListWorkspace == nil || in.ListWorkspace == false {
		return nil
	}
	c.logf("workspace:")
	for _, name := range c.space.names() {
		c.logf("  - %s", name)
		if f := c.space.files[name]; in.ListWorkspace == "with-contents" && !isBinary(f) {
			c.logf("\n    %s", strings.ReplaceAll(c.task.Hidden.redact(string(f.data)), "\n", "\n    "))
		}
	}
	return nil
}

func (c *call) wait(ctx context.Context) error {
	var in struct{ Minutes, Seconds, Milliseconds float64 }
	if err := c.into(&in); err != nil {
		return err
	}
	seconds := in.Minutes*60 + in.Seconds + in.Milliseconds/1000
	if seconds > longestWait.Seconds() {
		return fault.Errorf(fault.Invalid, "a step waits at most %s, not %.0f seconds", longestWait, seconds)
	}
	if seconds <= 0 || c.dryRun {
		return nil
	}
	timer := time.NewTimer(time.Duration(seconds * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
