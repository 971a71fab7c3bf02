package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Push policies that have the rule module_version say which version a push of a module is, beside what tags and its
// configuration say: of any tag, and of the module's branch. Those without that rule are about stacks, and are not asked.

const (
	jobRelease    = "registry.release"
	ruleVersion   = "module_version"
	mostAffected  = 10_000 // files of a push that policies see
	versionsAsked = 200    // that policies see
)

// releaseArgs is a push that may be a version.
type releaseArgs struct {
	Module string `json:"module"`
	Ref    string `json:"ref"`
	Old    string `json:"old,omitempty"`
	Hash   string `json:"hash"`
	Pusher string `json:"pusher,omitempty"`
}

func (s *Service) subscribeReleases() {
	queue.Handle(s.Queue, jobRelease, queue.HandleOptions{Timeout: lookTimeout}, func(ctx context.Context, a releaseArgs) error {
		return s.release(actor.AsSystem(ctx), a)
	})
}

// askRelease has the push policies asked of a push, where there are any.
func (s *Service) askRelease(ctx context.Context, tx *store.Tx, m Module, push repository.Push, pusher string) error {
	tag := strings.HasPrefix(push.Ref, "refs/tags/")
	if s.Policy == nil || strings.Trim(push.New, "0") == "" || !tag && push.Ref != "refs/heads/"+m.Spec.Source.Branch {
		return nil
	}
	if any, err := s.Policy.AnyTx(ctx, tx, "push"); err != nil || !any {
		return err
	}
	a := releaseArgs{Module: m.Ref.String(), Ref: push.Ref, Old: push.Old, Hash: push.New, Pusher: pusher}
	return s.Queue.Insert(ctx, tx, jobRelease, a, queue.InsertOptions{Unique: a.Module + " " + a.Ref + " " + a.Hash})
}

// release makes the version that push policies say a push is. Doing it twice makes nothing twice: a module has one version
// of a number.
func (s *Service) release(ctx context.Context, a releaseArgs) error {
	m, have, err := s.withVersions(ctx, a.Module)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.mayRead(ctx, m); err != nil {
		if final(err) {
			return nil // the look says so
		}
		return err
	}
	f := found{ref: a.Ref, commit: a.Hash}
	if tag, is := strings.CutPrefix(a.Ref, "refs/tags/"); is {
		f.tag, f.hash = tag, a.Hash
		if f.commit, err = s.Repositories.Head(ctx, m.Spec.Source.Repository, a.Ref); err != nil {
			return ignoreGone(err)
		}
	}
	if there, err := s.onBranch(ctx, m, f); err != nil || !there {
		return ignoreGone(err)
	}
	refs := policy.Refs{Subject: m.Ref.String(), Labels: m.Spec.Labels, Having: ruleVersion}
	d, asked, err := s.Policy.Consult(ctx, "push", m.Space, refs, func() (any, error) { return s.releaseInput(ctx, m, have, a, f) })
	if err != nil || !asked {
		return fault.Wrap(err, "ask the push policies of %s", m.Ref)
	}
	note := func(tx *store.Tx, version, why string) error {
		data := map[string]any{"decision": d.ID, "version": version, "commit": f.commit, "ref": a.Ref, "message": clip(why)}
		return s.noteIn(ctx, tx, m.Space, m.Ref, "module.push-decided", data)
	}
	version, why := versionBy(d, have, f.commit)
	switch {
	case version == "" && why == "":
		return nil
	case why == "" && len(have) >= mostVersions:
		why = fmt.Sprintf("a module has at most %d versions", mostVersions)
	case why == "":
		f.version = version
		made, err := s.makeVersion(ctx, m, f, func(tx *store.Tx) error { return note(tx, version, "") })
		if err != nil || made {
			return err
		}
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if why == "" { // there is one by now, or the module has changed
			if have, err = versionsOf(ctx, tx, m.Ref); err != nil {
				return err
			}
			if _, why := versionBy(d, have, f.commit); why != "" {
				return note(tx, "", why)
			}
			return nil
		}
		return note(tx, version, why)
	})
}

// onBranch tells whether what was pushed to the module's branch is still there: what was pushed away makes no version. What
// a tag is of was asked just now.
func (s *Service) onBranch(ctx context.Context, m Module, f found) (bool, error) {
	if f.tag != "" {
		return true, nil
	}
	head, err := s.Repositories.Head(ctx, m.Spec.Source.Repository, f.ref)
	if err != nil {
		return false, err
	}
	return s.Repositories.IsAncestor(ctx, m.Spec.Source.Repository, f.commit, head)
}

func ignoreGone(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// versionBy reads a decision: which version a push is, or why it is none though a policy names one. "" for both where no
// policy makes one of it, and where it is made already: ignore goes before all, and where a policy tracks anything, this push has to be tracked.
func versionBy(d policy.Decision, have []Version, commit string) (version, why string) {
	names := d.Names(ruleVersion)
	switch {
	case d.Denied():
		return "", "a push policy denies: " + strings.Join(d.Outcome["deny"], "; ")
	case d.Holds("fail"):
		return "", "a push policy fails it: " + strings.Join(d.Names("message"), "; ")
	case len(names) == 0 || d.Holds("ignore") || d.Holds("ignore_track") || d.Holds("notrigger"):
		return "", ""
	case d.Speaks("track") && !d.Holds("track"):
		return "", ""
	case len(names) > 1:
		return "", "push policies name several versions: " + strings.Join(names[:min(len(names), 10)], ", ")
	case !ValidVersion(names[0]):
		return "", fmt.Sprintf("a push policy names %.100q, which is no version such as 1.2.0", names[0])
	}
	for _, v := range have {
		if v.Version == names[0] && v.Commit == commit {
			return "", ""
		}
		if v.Version == names[0] {
			return "", fmt.Sprintf("there is a version %s already, of commit %s; a version never changes", v.Version, v.Commit)
		}
	}
	return names[0], ""
}

// releaseInput is Spacelift's shape of a push policy's input for a module.
func (s *Service) releaseInput(ctx context.Context, m Module, have []Version, a releaseArgs, f found) (any, error) {
	branch, _ := strings.CutPrefix(a.Ref, "refs/heads/")
	if f.tag != "" {
		branch = ""
	}
	push := map[string]any{"hash": f.commit, "branch": branch, "tag": f.tag, "author": a.Pusher, "message": "", "created_at": nil}
	old := a.Old
	c, err := s.Repositories.CommitAt(ctx, m.Spec.Source.Repository, f.commit)
	if err != nil {
		return nil, err
	}
	push["message"], push["created_at"] = c.Message, c.Committer.When.UnixNano()
	if (f.tag != "" || strings.Trim(old, "0") == "") && len(c.Parents) > 0 {
		old = c.Parents[0]
	}
	if push["affected_files"], err = s.affected(ctx, m, old, f.commit); err != nil {
		return nil, err
	}
	versions := make([]string, 0, len(have))
	for _, v := range have {
		versions = append(versions, v.Version)
	}
	sortVersions(versions)
	latest := any(nil)
	if len(versions) > 0 {
		latest = versions[0]
	}
	module := seenModule(m)
	module["current_version"], module["versions"] = latest, versions[:min(len(versions), versionsAsked)]
	return map[string]any{
		"push": push, "pull_request": nil, "in_progress": []any{}, "request": map[string]any{"timestamp_ns": s.Now().UnixNano()}, "module": module,
	}, nil
}

// affected gives the files that a push changes, those of the module's folder first. After a commit that is gone, all files
// of the new one are in doubt; one empty name stands for more than can be told.
func (s *Service) affected(ctx context.Context, m Module, old, commit string) ([]string, error) {
	paths, err := s.Repositories.ChangedPaths(ctx, m.Spec.Source.Repository, old, commit)
	if fault.Is(err, fault.NotFound) && strings.Trim(old, "0") != "" {
		paths, err = s.Repositories.ChangedPaths(ctx, m.Spec.Source.Repository, repository.Zero, commit)
	}
	if fault.Is(err, fault.TooLarge) {
		return []string{""}, nil
	}
	if err != nil {
		return nil, fault.Wrap(err, "read which files a push to %s changes", m.Spec.Source.Repository)
	}
	own := func(file string) int {
		if m.Spec.Source.Path == "" || strings.HasPrefix(file, m.Spec.Source.Path+"/") {
			return 0
		}
		return 1
	}
	if len(paths) > mostAffected {
		slices.SortStableFunc(paths, func(a, b string) int { return own(a) - own(b) })
	}
	return append([]string{}, paths[:min(len(paths), mostAffected)]...), nil
}
