package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

func (a *API) contextRoutes() {
	register(a, operation("listContexts", http.MethodGet, "/contexts", "stacks", "Contexts, by reference, without what they give"), a.listContexts)
	register(a, operation("getContext", http.MethodGet, "/contexts/{namespace}/{name}", "stacks", "One context: its variables, files and hooks"), a.getContext)
	register(a, operation("listContextStacks", http.MethodGet, "/contexts/{namespace}/{name}/stacks", "stacks", "The stacks that have a context, and why"), a.listContextStacks)
	register(a, operation("getStackEnvironment", http.MethodGet, "/stacks/{namespace}/{name}/environment", "stacks", "What a run of a stack would be given, and where it is from"), a.getStackEnvironment)
}

func (a *API) listContexts(ctx context.Context, in *Paging) (*body[List[client.Context]], error) {
	part, err := a.Stacks.Contexts(ctx, in.part())
	return listPart(part, wireContext), err
}

func wireContext(c stack.Context) client.Context {
	return client.Context{
		Ref: c.Ref.String(), Namespace: c.Ref.Namespace, Name: c.Ref.Name, Space: c.Space, Owner: c.Spec.Owner, Description: c.Spec.Description,
		Labels: append([]string{}, c.Spec.Labels...), Priority: c.Spec.Priority, Attach: append([]string{}, c.Spec.Attach...), Updated: c.Updated,
	}
}

func (a *API) getContext(ctx context.Context, in *Named) (*body[client.ContextDetail], error) {
	c, err := a.Stacks.Context(ctx, in.ref("context"))
	if err != nil {
		return nil, err
	}
	variables, files := make([]stack.SetVariable, len(c.Spec.Variables)), make([]stack.SetFile, len(c.Spec.Files))
	for i, v := range c.Spec.Variables {
		variables[i] = stack.SetVariable{Variable: v}
	}
	for i, f := range c.Spec.Files {
		files[i] = stack.SetFile{File: f}
	}
	out := client.ContextDetail{Context: wireContext(c), Hooks: wireHooks(c.Spec.Hooks.All())}
	out.Variables, out.Files, err = a.wireGiven(ctx, variables, files)
	return answer(out), err
}

type listContextStacksInput struct {
	Named
	Paging
}

func (a *API) listContextStacks(ctx context.Context, in *listContextStacksInput) (*body[List[client.ContextStack]], error) {
	part, err := a.Stacks.AttachedTo(ctx, in.ref("context"), in.part())
	return listPart(part, func(s stack.Attachment) client.ContextStack {
		return client.ContextStack{Ref: s.Stack.String(), Space: s.Space, Why: s.Why}
	}), err
}

func (a *API) getStackEnvironment(ctx context.Context, in *Named) (*body[client.StackEnvironment], error) {
	e, err := a.Stacks.Environment(ctx, in.ref("stack"))
	if err != nil {
		return nil, err
	}
	out := client.StackEnvironment{Contexts: make([]client.StackContext, len(e.Contexts)), Hooks: wireHooks(e.Hooks), Path: e.Path, File: e.File, Wrong: e.Wrong, Warnings: e.Warnings, Engine: client.StackEngine(e.Engine)}
	if tool := client.StackEngine(e.Tool); tool.Name != "" {
		out.Tool = &tool
	}
	for i, c := range e.Contexts {
		out.Contexts[i] = client.StackContext{Ref: c.Ref.String(), Space: c.Space, Priority: c.Spec.Priority, Why: c.Why}
	}
	out.Variables, out.Files, err = a.wireGiven(ctx, e.Variables, e.Files)
	return answer(out), err
}

// mostShown is how long a file may be to be shown, in bytes.
const mostShown = 64 << 10

// wireGiven gives variables and files with the checksums of those that are secrets.
func (a *API) wireGiven(ctx context.Context, variables []stack.SetVariable, files []stack.SetFile) ([]client.SetVariable, []client.SetFile, error) {
	var refs []string
	for _, v := range variables {
		refs = append(refs, v.SecretRef)
	}
	for _, f := range files {
		refs = append(refs, f.SecretRef)
	}
	sums, err := a.Secrets.Checksums(ctx, refs)
	if err != nil {
		return nil, nil, err
	}
	wired, mounted := make([]client.SetVariable, len(variables)), make([]client.SetFile, len(files))
	for i, v := range variables {
		wired[i] = client.SetVariable{Name: v.Name, Value: v.Value, SecretRef: v.SecretRef, Checksum: sums[v.SecretRef], From: v.From, Over: v.Over}
	}
	for i, f := range files {
		mounted[i] = client.SetFile{Path: f.Path, Size: len(f.Content), SecretRef: f.SecretRef, Checksum: sums[f.SecretRef], From: f.From, Over: f.Over}
		if len(f.Content) <= mostShown {
			mounted[i].Content = f.Content
		}
	}
	return wired, mounted, nil
}

func wireHooks(hooks map[string][]stack.Hook) []client.SetHook {
	out := []client.SetHook{}
	for _, phase := range stack.Phases() {
		for _, h := range hooks[phase] {
			out = append(out, client.SetHook{Phase: phase, Command: h.Command, From: h.From})
		}
	}
	return out
}
