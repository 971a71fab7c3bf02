package delivery

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// decide asks the deploy policies of the application's space whether a sync may go on. Denied with what they say.
func (s *Service) decide(ctx context.Context, w work, objects []cluster.Object, changes []cluster.Change, log io.Writer) error {
	d, err := s.Policy.Decide(ctx, "deploy", w.app.Space, deployInput(w, objects, changes), policy.Refs{Run: w.run.ID, Subject: w.app.Ref.String()})
	if err != nil {
		return fault.Wrap(err, "ask the deploy policies")
	}
	for _, name := range d.Policies {
		fmt.Fprintf(log, "asked: %s\n", name)
	}
	for _, warning := range d.Outcome["warn"] {
		fmt.Fprintf(log, "warning: %s\n", warning)
	}
	if against := append(d.Outcome["deny"], d.Outcome["reject"]...); len(against) > 0 {
		return fault.Errorf(fault.Denied, "policy forbids this deployment: %s", strings.Join(against, "; "))
	}
	if _, approved := d.Outcome["approve"]; approved {
		return nil
	}
	for _, v := range d.Votes {
		for _, rule := range v.Rules {
			if rule == "approve" {
				return fault.Errorf(fault.Denied, "policy forbids this deployment: %s does not approve it", v.Policy)
			}
		}
	}
	return nil
}

// deployInput is what deploy policies see: who, what and where, with the objects as they would be, secret values hidden.
func deployInput(w work, objects []cluster.Object, changes []cluster.Change) map[string]any {
	list := make([]any, len(objects))
	for i, o := range objects {
		list[i] = cluster.Redact(o).Raw
	}
	what := make([]any, len(changes))
	for i, c := range changes {
		what[i] = map[string]any{"key": c.Key.String(), "action": string(c.Action)}
	}
	return map[string]any{
		"application": map[string]any{"ref": w.app.Ref.String(), "space": w.app.Space, "repository": w.app.Repository, "branch": w.app.Branch, "path": w.app.Path},
		"destination": map[string]any{"cluster": w.app.clusterName(), "namespace": w.app.namespace()},
		"run":         map[string]any{"id": w.run.ID, "author": w.run.Actor, "reason": w.in.Reason, "rollback": w.in.Manifests != ""},
		"commit":      w.in.Commit,
		"objects":     list,
		"changes":     what,
	}
}
