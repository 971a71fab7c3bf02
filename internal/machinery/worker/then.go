package worker

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Then is a command that a step runs after its first one, in a workspace and a sandbox of its own: it sees nothing of what the
// first did but the files that it takes. It is for what must not be touched by programs of the first, and need not wait for
// a step of its own. It runs in the pool's own image, whatever that of the first is.
type Then struct {
	If      string            `json:"if"`              // name of a text output of the first, which must be "yes"
	Argv    []string          `json:"argv"`            // run in /work
	Image   string            `json:"image,omitempty"` // of a pool that names one
	Env     map[string]string `json:"env,omitempty"`
	Files   []File            `json:"files,omitempty"` // with their content
	Takes   []string          `json:"takes,omitempty"` // files directly in /work that the first has left
	Tools   []string          `json:"tools,omitempty"`
	Outputs []Output          `json:"outputs,omitempty"`
}

// follows tells whether it is to be run after a result.
func (t *Then) follows(r Result) bool {
	return t != nil && r.ExitCode == 0 && r.Reason == "" && strings.TrimSpace(r.Outputs[t.If]) == "yes"
}

// then runs the second command, and gives what comes of it. Its limits are those of the step.
func (w *Worker) then(ctx, alive context.Context, l Lease, first, second *workspace, log io.Writer) Result {
	t := l.Job.Then
	next := l
	next.Token, next.IDToken, next.Secrets = "", "", nil
	next.Job = Job{Kind: l.Job.Kind, Argv: t.Argv, Image: t.Image, OwnImage: t.Image != "", Env: t.Env, Files: t.Files, Tools: t.Tools, Outputs: t.Outputs, Limits: l.Job.Limits, Sealed: l.Job.Sealed}
	if err := second.take(t.Takes, first); err != nil {
		return failed(log, fmt.Errorf("prepare the workspace: %w", err))
	}
	result, c := w.stage(ctx, alive, next, second, log)
	if c != nil {
		c.into(alive, next.Job.Outputs, &result)
	}
	return result
}

// take copies files of another workspace, in which nothing runs any more.
func (s *workspace) take(files []string, from *workspace) error {
	left := defaultBounds()
	for _, name := range files {
		name, err := below(name)
		if err != nil {
			return err
		}
		if strings.Contains(name, "/") {
			return fault.Errorf(fault.Invalid, "%s is not directly in the workspace", name)
		}
		f, _, err := collector{root: from.root}.open(name)
		if err != nil {
			return err
		}
		err = write(s.root, name, 0o600, f, &left)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
