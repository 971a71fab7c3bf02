package api

import (
	"cmp"
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

func (a *API) stackSetRoutes() {
	register(a, operation("listStackSets", http.MethodGet, "/stack-sets", "stacks", "Stack sets, by reference"), a.listStackSets)
	register(a, operation("getStackSet", http.MethodGet, "/stack-sets/{namespace}/{name}", "stacks", "One stack set, and what its newest look came to"), a.getStackSet)
	register(a, operation("listStackSetFolders", http.MethodGet, "/stack-sets/{namespace}/{name}/folders", "stacks", "Folders of a stack set, by name, with the stack of each, or why it has none"), a.listStackSetFolders)
	op := operation("lookAtStackSet", http.MethodPost, "/stack-sets/{namespace}/{name}/look", "stacks", "Have a stack set look at its branch now")
	op.Description = "As after a push. It answers with what the look came to, or after a quarter of a minute with what is known then; the look goes on."
	register(a, op, a.lookAtStackSet)
	op = operation("tryStackSet", http.MethodPost, "/stack-sets/{namespace}/{name}/try", "stacks", "What a stack set would make and take away with another text; nothing is changed")
	register(a, op, a.tryStackSet)
}

func (a *API) listStackSets(ctx context.Context, in *Paging) (*body[List[StackSet]], error) {
	part, err := a.Stacks.Sets(ctx, in.part())
	return listPart(part, func(t stack.Set) StackSet { return a.wireSet(ctx, t) }), err
}

func (a *API) getStackSet(ctx context.Context, in *Named) (*body[StackSet], error) {
	t, err := a.Stacks.GetSet(ctx, in.ref("stackset"))
	if err != nil {
		return nil, err
	}
	return answer(a.wireSet(ctx, t)), nil
}

func (a *API) lookAtStackSet(ctx context.Context, in *Named) (*body[StackSet], error) {
	t, err := a.Stacks.LookAtSet(ctx, in.ref("stackset"))
	if err != nil {
		return nil, err
	}
	return answer(a.wireSet(ctx, t)), nil
}

type tryStackSetInput struct {
	Named
	Body StackSetTry
}

func (a *API) tryStackSet(ctx context.Context, in *tryStackSetInput) (*body[StackSetTried], error) {
	b := in.Body
	t, err := a.Stacks.TrySet(ctx, in.ref("stackset"), stack.SetTry{Folders: b.Folders, Ignore: b.Ignore, Files: b.Files, Name: b.Naming, Removed: b.Removed})
	if err != nil {
		return nil, err
	}
	n := t.Counts
	out := StackSetTried{
		Commit: t.Commit, Stacks: t.Stacks, Made: n[stack.FolderMade], Gone: n[stack.FolderGone], Kept: n[stack.FolderKept], Wrong: n[stack.FolderWrong],
		Changes: make([]client.StackSetTriedFolder, len(t.Changes)),
	}
	for i, f := range t.Changes {
		out.Changes[i] = client.StackSetTriedFolder{Folder: f.Folder, Standing: f.Standing, Stack: f.Stack, Why: f.Why}
	}
	return answer(out), nil
}

type listStackSetFoldersInput struct {
	Named
	Paging
	Text     string `query:"text" maxLength:"1000" doc:"Each of its words is in the folder or the stack's reference, in any case."`
	Standing string `query:"standing" maxLength:"100" doc:"Only these, with commas for several: made, stale, kept, held, wrong, ignored, bare."`
}

func (a *API) listStackSetFolders(ctx context.Context, in *listStackSetFoldersInput) (*body[List[StackSetFolder]], error) {
	part, err := a.Stacks.Folders(ctx, in.ref("stackset"), stack.FolderQuery{Text: in.Text, Standings: words(in.Standing)}, in.part())
	if err != nil {
		return nil, err
	}
	items := make([]StackSetFolder, len(part.Items))
	for i, f := range part.Items {
		items[i] = StackSetFolder{Folder: f.Folder, Standing: f.Standing, Why: f.Why}
		if f.Of == nil {
			continue
		}
		s, err := a.wireStack(ctx, *f.Of)
		if err != nil {
			return nil, err
		}
		items[i].Stack = &s
	}
	return list(items, part.Next), nil
}

func (a *API) wireSet(ctx context.Context, t stack.Set) StackSet {
	r := t.Report
	w := StackSet{
		Ref: t.Ref.String(), Namespace: t.Ref.Namespace, Name: t.Ref.Name, Space: t.Space, Repository: t.Spec.Source.Repository, Branch: t.Spec.Source.Branch,
		Owner: t.Spec.Owner, Folders: append([]string{}, t.Spec.Folders...), Ignore: t.Spec.Ignore, Files: t.Spec.FilePatterns(), Naming: cmp.Or(t.Spec.Name, stack.UsualName),
		PlanFirst: t.Spec.PlanFirst, Removed: t.Spec.Removed, Seen: t.Seen, Looked: moment(r.Looked), Took: r.Took, Stacks: r.Stacks,
		Kept: r.Kept, Held: r.Held, Wrong: r.Wrong, Stale: r.Stale, Ignored: r.Ignored, Bare: r.Bare, Made: r.Made, Gone: r.Gone,
		Problems: append([]string{}, r.Problem...), Message: r.Message, Can: []string{},
	}
	if a.Access.May(ctx, stack.LookRight, t.Space) {
		w.Can = append(w.Can, "look")
	}
	return w
}

// wireMembership tells of which set a stack is.
func wireMembership(m *stack.Membership) *StackMembership {
	if m == nil {
		return nil
	}
	return &StackMembership{Set: m.Set.String(), Standing: m.Standing, Why: m.Why}
}
