package registry

import (
	"context"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Notice is a version of a module as notification policies see it, in Spacelift's shape.
type Notice struct {
	Space           string
	Labels          []string
	Module, Version map[string]any
}

// Notice gives a version to what tells of it. It asks for no right. NotFound when it is gone.
func (s *Service) Notice(ctx context.Context, module, version string) (n Notice, err error) {
	r, err := ref.Parse(module, "module", ref.DefaultNamespace)
	if err != nil {
		return n, err
	}
	var m Module
	var v Version
	var latest string
	tests := []any{}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if m, err = getModule(ctx, tx, r, ""); err != nil {
			return err
		}
		if v, err = getVersion(ctx, tx, r, version, ""); err != nil {
			return err
		}
		all, err := versionsOf(ctx, tx, r)
		if err != nil {
			return err
		}
		latest = overview(m, all).Latest
		tests, err = s.testsSeen(ctx, tx, v)
		return err
	})
	if err != nil {
		return n, err
	}
	commit := map[string]any{"hash": v.Commit, "branch": m.Spec.Source.Branch, "author": v.Actor, "message": "", "created_at": nil, "url": ""}
	if c, err := s.Repositories.CommitAt(ctx, m.Spec.Source.Repository, v.Commit); err == nil {
		commit["message"], commit["created_at"] = c.Message, c.Committer.When.UnixNano()
	}
	return Notice{m.Space, m.Spec.Labels, seenModule(m), map[string]any{
		"id": v.ID, "number": v.Version, "state": seenState(v.State), "latest": v.Version == latest, "created_at": v.Created.UnixNano(),
		"commit": commit, "test_runs": tests, "tag": v.Tag, "note": v.Message,
	}}, nil
}

// testsSeen gives the tests of a version. What was skipped has no run.
func (s *Service) testsSeen(ctx context.Context, tx *store.Tx, v Version) ([]any, error) {
	all := []any{}
	tests, err := testsOf(ctx, tx, v.ID, v.Round)
	if err != nil {
		return nil, err
	}
	for _, t := range tests {
		seen := map[string]any{"id": t.ID, "title": t.Name, "state": seenTest(t.State), "run": t.Run, "note": t.Reason, "created_at": nil, "updated_at": nil}
		if t.Run != "" {
			r, err := s.Runs.GetTx(ctx, tx, t.Run)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return nil, err
			}
			if err == nil {
				seen["created_at"], seen["updated_at"] = r.Created.UnixNano(), r.Updated.UnixNano()
			}
		}
		all = append(all, seen)
	}
	return all, nil
}

// seenState is how Spacelift calls a state of a version.
func seenState(state State) string {
	return map[State]string{Testing: "PENDING", Ready: "ACTIVE", Failed: "FAILED"}[state]
}

// seenTest is how Spacelift calls a state of a test, which is a run there.
func seenTest(state TestState) string {
	if state == TestPassed {
		return "FINISHED"
	}
	return strings.ToUpper(string(state))
}

// seenModule is a module as policies see it.
func seenModule(m Module) map[string]any {
	namespace, _, _ := strings.Cut(m.Spec.Source.Repository, "/")
	labels := m.Spec.Labels
	if labels == nil {
		labels = []string{}
	}
	return map[string]any{
		"id": strings.TrimPrefix(strings.TrimPrefix(m.Ref.String(), "module:"), ref.DefaultNamespace+"/"), "name": m.Spec.Name, "ref": m.Ref.String(),
		"terraform_provider": m.Spec.Provider, "labels": labels, "branch": m.Spec.Source.Branch, "repository": m.Spec.Source.Repository,
		"namespace": namespace, "project_root": m.Spec.Source.Path, "tag_prefix": m.Spec.Source.TagPrefix, "administrative": false, "worker_pool": map[string]any{},
		"space": map[string]any{"id": m.Space, "name": m.Space, "labels": []string{}},
	}
}
