package stack

import (
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// OIDC asks for a token by which a cloud knows the steps of a stack's runs.
type OIDC struct {
	Audience string `json:"audience,omitempty"` // who is to trust it, such as sts.amazonaws.com
}

// What a token says of the step that has it. Spacelift: scope.
const (
	scopeRead  = "read"  // it plans
	scopeWrite = "write" // it applies what was reviewed, or performs a task
)

func (o OIDC) check(bad func(message, hint string, at ...string)) {
	if strings.ContainsFunc(o.Audience, func(r rune) bool { return r <= ' ' || r > '~' }) || len(o.Audience) > 500 {
		bad(fmt.Sprintf("audience %q can't be used", o.Audience), "write what the cloud expects, such as sts.amazonaws.com", "spec", "oidc", "audience")
	}
}

// identify asks for the token of a step, where the stack wants one. A step that is given one is given the one of its own
// phase: what plans can't show a cloud that it applies.
func (in Input) identify(r *run.Run, job *worker.Job, writing bool) {
	job.IDToken = nil
	if in.OIDC.Audience == "" {
		return
	}
	scope, name := scopeRead, stackName(in.Stack)
	if writing {
		scope = scopeWrite
	}
	job.IDToken = &worker.IDToken{
		Audience: in.OIDC.Audience,
		Subject:  fmt.Sprintf("space:%s:stack:%s:run_type:%s:scope:%s", r.Space, name, in.Type, scope),
		Claims:   map[string]string{"stack": name, "run_type": in.Type, "scope": scope, "repository": r.Source.Repository, "commit": r.Source.Commit},
	}
}
