package api

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/product/registry"
)

func (a *API) providerRoutes() {
	const one, noun, version = "/providers/{namespace}/{name}", "providers", "/providers/{namespace}/{name}/versions/{version}"
	register(a, operation("listProviders", http.MethodGet, "/providers", noun, "Terraform providers, by reference"), a.listProviders)
	register(a, operation("getProvider", http.MethodGet, one, noun, "A provider and the keys by which its versions are signed"), a.getProvider)
	register(a, operation("listProviderVersions", http.MethodGet, one+"/versions", noun, "Versions of a provider, newest first"), a.listProviderVersions)
	register(a, operation("publishProviderVersion", http.MethodPost, one+"/versions", noun, "Begin a version by its signed sums; it is offered when all archives that they name are sent"), a.publishProviderVersion)
	op := operation("uploadProviderPlatform", http.MethodPost, version+"/platforms/{os}/{arch}", noun, "Send an archive of a version, as its sums name it")
	op.MaxBodyBytes = registry.MostArchive
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/zip": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
	register(a, op, a.uploadProviderPlatform)
	register(a, operation("yankProviderVersion", http.MethodPost, version+"/yank", noun, "Take a version back, so that engines are not offered it"), a.yankProviderVersion)
	register(a, operation("restoreProviderVersion", http.MethodPost, version+"/restore", noun, "Take a yank back"), a.restoreProviderVersion)
}

type listProvidersInput struct{ Paging }

func (a *API) listProviders(ctx context.Context, in *listProvidersInput) (*body[List[client.Provider]], error) {
	part, err := a.Modules.Providers(ctx, in.part())
	return listPart(part, a.wireProvider), err
}

type providerInput struct{ Named }

func (a *API) getProvider(ctx context.Context, in *providerInput) (*body[client.Provider], error) {
	p, err := a.Modules.Provider(ctx, in.ref("provider"))
	if err != nil {
		return nil, err
	}
	out := a.wireProvider(p)
	if a.Access.May(ctx, "provider:write", p.Space) {
		out.Can = []string{"yank"}
	}
	return answer(out), nil
}

func (a *API) wireProvider(p registry.Provider) client.Provider {
	out := client.Provider{
		Ref: p.Ref.String(), Namespace: p.Ref.Namespace, Name: p.Ref.Name, Space: p.Space, Type: p.Spec.Type, Owner: p.Owner, Title: p.Title, Description: p.Description,
		Address: a.Modules.Engine.Host + "/" + p.Space + "/" + p.Spec.Type, Keys: []client.ProviderKey{}, ShareWith: ids(p.Spec.ShareWith),
	}
	for _, k := range p.Spec.Keys() {
		out.Keys = append(out.Keys, client.ProviderKey(k))
	}
	return out
}

type listProviderVersionsInput struct {
	Named
	Paging
}

func (a *API) listProviderVersions(ctx context.Context, in *listProviderVersionsInput) (*body[List[client.ProviderVersion]], error) {
	part, err := a.Modules.ProviderVersions(ctx, in.ref("provider"), in.part())
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
	return listPart(part, func(v registry.ProviderVersion) client.ProviderVersion { return wireProviderVersion(v, who) }), nil
}

func wireProviderVersion(v registry.ProviderVersion, who func(string) Actor) client.ProviderVersion {
	out := client.ProviderVersion{
		Version: v.Version, Protocols: ids(v.Protocols), Platforms: make([]client.ProviderPlatform, len(v.Platforms)), Key: v.Fingerprint, Complete: v.Complete,
		Revoked: v.Revoked, Offered: v.Offered(), By: who(v.Actor), Yanked: wireYanked(v.Yanked, who), Created: v.Created.UTC(),
	}
	for i, p := range v.Platforms {
		out.Platforms[i] = client.ProviderPlatform{OS: p.OS, Arch: p.Arch, Filename: p.Filename, Sum: p.Sum, Size: p.Size, Uploaded: p.Blob != ""}
	}
	return out
}

type publishProviderInput struct {
	Named
	Body struct {
		Version   string   `json:"version" maxLength:"120" doc:"Such as 1.2.0."`
		Protocols []string `json:"protocols,omitempty" maxItems:"10" doc:"Of plugins, such as 5.0 or 6.0; 5.0 when left out."`
		Sums      string   `json:"sums" maxLength:"65536" doc:"The file SHA256SUMS as it was signed: lines of a SHA-256 and terraform-provider-TYPE_VERSION_OS_ARCH.zip."`
		Signature []byte   `json:"signature" maxLength:"24000" doc:"The file SHA256SUMS.sig, which is not in ASCII armor, in base64."`
	}
}

func (a *API) publishProviderVersion(ctx context.Context, in *publishProviderInput) (*body[client.ProviderVersion], error) {
	v, err := a.Modules.Publish(ctx, in.ref("provider"), registry.Publication{
		Version: in.Body.Version, Protocols: in.Body.Protocols, Sums: []byte(in.Body.Sums), Signature: in.Body.Signature,
	})
	return a.answerProviderVersion(ctx, v, err)
}

func (a *API) answerProviderVersion(ctx context.Context, v registry.ProviderVersion, err error) (*body[client.ProviderVersion], error) {
	if err != nil {
		return nil, err
	}
	who, err := a.people(ctx, []string{v.Actor, v.Yanked.Actor})
	return answer(wireProviderVersion(v, who)), err
}

// ProviderVersionInput names a version of a provider.
type ProviderVersionInput struct {
	Named
	Version string `path:"version" maxLength:"120" doc:"Such as 1.2.0."`
}

type uploadProviderInput struct {
	ProviderVersionInput
	OS      string `path:"os" maxLength:"20"`
	Arch    string `path:"arch" maxLength:"20"`
	archive io.Reader
}

// Resolve takes the body as it comes, at the pace of what is served.
func (in *uploadProviderInput) Resolve(c huma.Context) []error {
	r, w := humago.Unwrap(c)
	in.archive = git.PacedBody(w, r)
	return nil
}

func (a *API) uploadProviderPlatform(ctx context.Context, in *uploadProviderInput) (*body[client.ProviderVersion], error) {
	v, err := a.Modules.Upload(ctx, in.ref("provider"), in.Version, in.OS, in.Arch, in.archive)
	return a.answerProviderVersion(ctx, v, err)
}

type yankProviderInput struct {
	ProviderVersionInput
	Body YankInput
}

func (a *API) yankProviderVersion(ctx context.Context, in *yankProviderInput) (*body[client.ProviderVersion], error) {
	v, err := a.Modules.YankProvider(ctx, in.ref("provider"), in.Version, in.Body.Reason)
	return a.answerProviderVersion(ctx, v, err)
}

func (a *API) restoreProviderVersion(ctx context.Context, in *ProviderVersionInput) (*body[client.ProviderVersion], error) {
	v, err := a.Modules.RestoreProvider(ctx, in.ref("provider"), in.Version)
	return a.answerProviderVersion(ctx, v, err)
}
