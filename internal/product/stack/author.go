package stack

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// unknownAuthor stands among a run's authors for those whom the ledger does not tell.
const unknownAuthor = "unknown"

// mostEditors bounds how many editors of a stack's document are known by name.
const mostEditors = 50

// Editors tells who has changed a stack's document: the number of the newest edit of each. Who did it in a repository is
// known by its pushes, so that its commit stands for them.
type Editors map[string]int64

// with gives the editors after one more edit. Of too many those who edited longest ago become unknown.
func (e Editors) with(who string, edit int64) Editors {
	next := maps.Clone(e)
	if next == nil {
		next = Editors{}
	}
	next[who] = edit
	named := make([]string, 0, len(next))
	for name := range next {
		if name != unknownAuthor {
			named = append(named, name)
		}
	}
	slices.SortFunc(named, func(a, b string) int { return cmp.Compare(next[b], next[a]) })
	for _, name := range named[min(len(named), mostEditors):] {
		next[unknownAuthor] = max(next[unknownAuthor], next[name])
		delete(next, name)
	}
	return next
}

// since gives who has edited after an edit, sorted.
func (e Editors) since(edit int64) []string {
	var who []string
	for name, at := range e {
		if at > edit {
			who = append(who, name)
		}
	}
	slices.Sort(who)
	return who
}

const commitPrefix = "commit:"

// committed names the editors of a document that a repository brings.
func committed(repository, commit string) string { return commitPrefix + repository + "@" + commit }

// editor names who is behind a change of a stack's document. Of a file it is never who has it read again.
func (s *Service) editor(ctx context.Context, tx *store.Tx, c document.Change) (string, error) {
	if c.Commit != "" {
		repository, err := s.Documents.RepositoryOf(ctx, tx, c.Source)
		if err != nil || repository == "" {
			return unknownAuthor, err
		}
		return committed(repository, c.Commit), nil
	}
	if p := actor.From(ctx); p.Kind != actor.System && p.ID != "" {
		return p.ID, nil
	}
	return unknownAuthor, nil
}

// authors gives whose changes a run at a commit would apply: who pushed since the last run that finished, and who
// changed the document since that run was made. Of a stack that is as both say it is nobody: who begins the run alone has a
// part in it.
func (s *Service) authors(ctx context.Context, stack Stack, commit string) ([]string, error) {
	if stack.stands(commit) {
		return nil, nil
	}
	var all []string
	add := func(who string) {
		if !slices.Contains(all, who) {
			all = append(all, who)
		}
	}
	if stack.Applied != commit {
		who, whole, err := s.Repositories.Pushers(ctx, stack.Repository, "refs/heads/"+stack.Branch, stack.Applied, commit)
		if err != nil {
			return nil, err
		}
		if all = who; !whole {
			add(unknownAuthor)
		}
	}
	for _, who := range stack.Editors.since(stack.AppliedEdit) {
		var err error
		if all, err = s.addEditor(ctx, stack, commit, who, all); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 { // only the platform has pushed, and what changed the document is not known here
		add(unknownAuthor)
	}
	return all, nil
}

// addEditor adds who is behind an edit of a document to the authors of a run at a commit. An edit that came with a push
// that is among theirs adds nobody.
func (s *Service) addEditor(ctx context.Context, stack Stack, commit, who string, all []string) ([]string, error) {
	if strings.HasPrefix(who, commitPrefix) {
		pushed, err := s.pushedSince(ctx, stack, who, commit)
		if err != nil || pushed {
			return all, err
		}
		who = unknownAuthor
	}
	if !slices.Contains(all, who) {
		all = append(all, who)
	}
	return all, nil
}

// pushedSince tells whether an edit lies in what was pushed to the stack's branch after the commit that is applied and
// until another, so that its authors are among the pushers.
func (s *Service) pushedSince(ctx context.Context, stack Stack, edit, until string) (bool, error) {
	at, ours := strings.CutPrefix(edit, committed(stack.Repository, ""))
	if !ours {
		return false, nil
	}
	within := func(commit string) (bool, error) {
		is, err := s.Repositories.IsAncestor(ctx, stack.Repository, at, commit)
		if fault.Is(err, fault.NotFound) { // such as after a forced push
			return false, nil
		}
		return is, fault.Wrap(err, "find commit %s of the document of %s", at, stack.Ref)
	}
	if is, err := within(until); err != nil || !is {
		return false, err
	}
	if stack.Applied == "" {
		return true, nil
	}
	applied, err := within(stack.Applied)
	return !applied, err
}

// stands tells whether a stack is as a commit and its document say.
func (s Stack) stands(commit string) bool {
	return s.Applied == commit && len(s.Editors.since(s.AppliedEdit)) == 0
}
