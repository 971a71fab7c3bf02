package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/registry"
)

func (a *API) moduleRoutes() {
	const one, noun, version = "/modules/{namespace}/{name}", "modules", "/modules/{namespace}/{name}/versions/{version}"
	register(a, operation("listModules", http.MethodGet, "/modules", noun, "Terraform modules, by reference"), a.listModules)
	register(a, operation("getModule", http.MethodGet, one, noun, "A module and where it stands"), a.getModule)
	register(a, operation("listModuleVersions", http.MethodGet, one+"/versions", noun, "Versions of a module, newest first"), a.listModuleVersions)
	register(a, operation("getModuleVersion", http.MethodGet, version, noun, "A version: its tests, its README, inputs and outputs"), a.getModuleVersion)
	register(a, operation("yankModuleVersion", http.MethodPost, version+"/yank", noun, "Take a version back, so that engines are not offered it"), a.yankModuleVersion)
	register(a, operation("restoreModuleVersion", http.MethodPost, version+"/restore", noun, "Take a yank back"), a.restoreModuleVersion)
	register(a, operation("testModuleVersion", http.MethodPost, version+"/test", noun, "Run the tests of a version that failed once more"), a.testModuleVersion)
}

type listModulesInput struct {
	Paging
	Search string `query:"q" maxLength:"200" doc:"Only what has this in its address, its title or its description."`
}

func (a *API) listModules(ctx context.Context, in *listModulesInput) (*body[List[client.Module]], error) {
	part, err := a.Modules.Modules(ctx, in.Search, in.part())
	return listPart(part, a.wireModule), err
}

type moduleInput struct{ Named }

func (a *API) getModule(ctx context.Context, in *moduleInput) (*body[client.Module], error) {
	o, err := a.Modules.Module(ctx, in.ref("module"))
	if err != nil {
		return nil, err
	}
	m := a.wireModule(o)
	if a.Access.May(ctx, "module:write", o.Space) {
		m.Can = []string{"yank", "test"}
	}
	return answer(m), nil
}

func (a *API) wireModule(o registry.Overview) client.Module {
	s := o.Spec
	return client.Module{
		Ref: o.Ref.String(), Namespace: o.Ref.Namespace, Name: o.Ref.Name, Space: o.Space, Owner: o.Owner, Title: o.Title, Description: o.Description,
		Address: a.Modules.Engine.Host + "/" + o.Address().String(), Repository: s.Source.Repository, Branch: s.Source.Branch, Path: s.Source.Path, TagPrefix: s.Source.TagPrefix,
		ShareWith: ids(s.ShareWith), Labels: ids(s.Labels), Latest: o.Latest, Newest: o.Newest, State: string(o.State), Versions: o.Versions, Error: o.Message,
	}
}

type listModuleVersionsInput struct {
	Named
	Paging
}

func (a *API) listModuleVersions(ctx context.Context, in *listModuleVersionsInput) (*body[List[client.ModuleVersion]], error) {
	part, err := a.Modules.Versions(ctx, in.ref("module"), in.part())
	if err != nil {
		return nil, err
	}
	var actors []string
	for _, v := range part.Items {
		actors = append(actors, v.Actor, v.Yanked.Actor)
	}
	who, err := a.people(ctx, actors)
	if err != nil {
		return nil, err
	}
	return listPart(part, func(v registry.Version) client.ModuleVersion { return wireModuleVersion(v, who) }), nil
}

func wireModuleVersion(v registry.Version, who func(string) Actor) client.ModuleVersion {
	return client.ModuleVersion{
		Version: v.Version, State: string(v.State), Message: v.Message, Offered: v.Offered(), Tag: v.Tag, Moved: v.Moved, Commit: v.Commit, Digest: v.Archive,
		Size: v.Size, Files: v.Files, By: who(v.Actor), Yanked: wireYanked(v.Yanked, who), Created: v.Created.UTC(),
	}
}

func wireYanked(y registry.Yanked, who func(string) Actor) *client.Yanked {
	if y.Reason == "" {
		return nil
	}
	return &client.Yanked{Reason: y.Reason, By: who(y.Actor), Time: y.Time.UTC()}
}

// ModuleVersionInput names a version of a module.
type ModuleVersionInput struct {
	Named
	Version string `path:"version" maxLength:"120" doc:"Such as 1.2.0."`
}

func (a *API) getModuleVersion(ctx context.Context, in *ModuleVersionInput) (*body[client.ModuleVersionDetail], error) {
	d, err := a.Modules.Version(ctx, in.ref("module"), in.Version)
	if err != nil {
		return nil, err
	}
	who, err := a.people(ctx, []string{d.Actor, d.Yanked.Actor})
	if err != nil {
		return nil, err
	}
	out := client.ModuleVersionDetail{
		ModuleVersion: wireModuleVersion(d.Version, who), Tests: make([]client.ModuleTest, len(d.Tests)), Content: wirePart(d.Content.Part),
		Submodules: make([]client.ModulePart, len(d.Content.Submodules)), Examples: ids(d.Content.Examples), Warnings: ids(d.Content.Warnings),
	}
	for i, t := range d.Tests {
		out.Tests[i] = client.ModuleTest{ID: t.ID, Name: t.Name, Root: t.Root, Negative: t.Negative, DependsOn: t.DependsOn, State: string(t.State), Reason: t.Reason, Run: t.Run}
	}
	for i, p := range d.Content.Submodules {
		out.Submodules[i] = wirePart(p)
	}
	return answer(out), nil
}

func wirePart(p registry.Part) client.ModulePart {
	out := client.ModulePart{
		Path: p.Path, Readme: p.Readme, RequiredVersion: p.RequiredVersion, Inputs: make([]client.ModuleInput, len(p.Inputs)), Outputs: make([]client.ModuleOutput, len(p.Outputs)),
		Providers: make([]client.ModuleRequired, len(p.Providers)), Calls: make([]client.ModuleRequired, len(p.Calls)), Resources: ids(p.Resources),
	}
	for i, x := range p.Inputs {
		out.Inputs[i] = client.ModuleInput{Name: x.Name, Type: x.Type, Description: x.Description, Default: x.Default, Sensitive: x.Sensitive}
	}
	for i, x := range p.Outputs {
		out.Outputs[i] = client.ModuleOutput{Name: x.Name, Description: x.Description, Sensitive: x.Sensitive}
	}
	for i, x := range p.Providers {
		out.Providers[i] = client.ModuleRequired{Name: x.Name, Source: x.Source, Version: x.Version}
	}
	for i, x := range p.Calls {
		out.Calls[i] = client.ModuleRequired{Name: x.Name, Source: x.Source, Version: x.Version}
	}
	return out
}

// YankInput says why a version is taken back.
type YankInput struct {
	Reason string `json:"reason" minLength:"1" maxLength:"1000" doc:"Why; whoever uses the version reads it."`
}

type yankModuleInput struct {
	ModuleVersionInput
	Body YankInput
}

func (a *API) yankModuleVersion(ctx context.Context, in *yankModuleInput) (*body[client.ModuleVersionDetail], error) {
	if err := a.Modules.Yank(ctx, in.ref("module"), in.Version, in.Body.Reason); err != nil {
		return nil, err
	}
	return a.getModuleVersion(ctx, &in.ModuleVersionInput)
}

func (a *API) restoreModuleVersion(ctx context.Context, in *ModuleVersionInput) (*body[client.ModuleVersionDetail], error) {
	if err := a.Modules.Restore(ctx, in.ref("module"), in.Version); err != nil {
		return nil, err
	}
	return a.getModuleVersion(ctx, in)
}

func (a *API) testModuleVersion(ctx context.Context, in *ModuleVersionInput) (*body[client.ModuleVersionDetail], error) {
	if err := a.Modules.Retest(ctx, in.ref("module"), in.Version); err != nil {
		return nil, err
	}
	return a.getModuleVersion(ctx, in)
}
