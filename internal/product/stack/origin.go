package stack

import (
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// What begins by itself, and what is of what is applied, is at a commit of the stack's branch; for a stack without a
// repository it is of the upload that was applied last. What somebody has uploaded since is theirs to apply.

// origin is what a run is made of.
type origin struct {
	commit string         // "" for an upload
	upload *Configuration // nil for a commit
}

// originOf gives what a run of a type is made of that names nothing itself.
func (s *Service) originOf(ctx context.Context, stack Stack, kind string) (o origin, err error) {
	if !stack.Remote() {
		o.commit, err = s.commit(ctx, stack, kind, "")
		return o, err
	}
	c, err := s.appliedUpload(ctx, stack)
	o.upload = &c
	return o, err
}

// appliedUpload gives the upload that a stack without a repository is made of.
func (s *Service) appliedUpload(ctx context.Context, stack Stack) (c Configuration, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		c, err = store.One(tx.QueryRow(ctx, "SELECT "+configurationColumns+" FROM stack_configurations WHERE stack = $1 AND applied > 0 ORDER BY applied DESC, id DESC LIMIT 1", stack.Ref.String()),
			scanConfiguration, "configuration of %s", stack.Ref)
		return err
	})
	switch {
	case fault.Is(err, fault.NotFound):
		err = fault.Errorf(fault.Conflict, "%s has no repository, and nothing that was uploaded to it is applied yet; run `tofu apply` with its cloud block, or upload its folder and apply that", stack.Ref)
	case err == nil && c.Status != ConfigurationUploaded:
		err = fault.Errorf(fault.Conflict, "configuration %s, of which %s is made, is %s; upload its folder and apply that", c.ID, stack.Ref, c.Status)
	}
	return c, err
}

// prepareOrigin is prepare for a run of any origin. What is applied already adds no author.
func (s *Service) prepareOrigin(ctx context.Context, stack Stack, o origin) (prepared, error) {
	if o.upload == nil {
		return s.prepare(ctx, stack, o.commit)
	}
	p, err := s.prepareGiven(ctx, stack, "")
	if err != nil {
		return p, err
	}
	p.authors = editorsOf(stack)
	p.authors, err = s.contextAuthors(ctx, stack, "", p)
	return p, err
}

// editorsOf gives who has changed a stack's document since it was applied last. Who did it in a repository is not known.
func editorsOf(stack Stack) (all []string) {
	for _, who := range stack.Editors.since(stack.AppliedEdit) {
		if strings.HasPrefix(who, commitPrefix) {
			who = unknownAuthor
		}
		all = also(all, who)
	}
	return all
}

// also gives names with one more, each once.
func also(all []string, who string) []string {
	if slices.Contains(all, who) {
		return all
	}
	return append(all, who)
}

// startOrigin is start for a run of any origin.
func (s *Service) startOrigin(ctx context.Context, tx *store.Tx, stack Stack, kind string, o origin, key, author string, ready prepared, options ...func(*run.New, *Input)) (run.Run, bool, error) {
	if o.upload != nil {
		if err := s.useUpload(ctx, tx, *o.upload, stack.Ref); err != nil {
			return run.Run{}, false, err
		}
		c := *o.upload
		options = append(options, func(n *run.New, in *Input) {
			in.Upload, n.Source = &Upload{Configuration: c.ID, Blob: c.blob, Digest: c.Digest, VariablesBlob: c.variables}, run.Source{}
		})
	}
	return s.start(ctx, tx, stack, kind, o.commit, key, author, ready, options...)
}
