package api

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/provider"
)

func (a *API) providerMirrorRoutes() {
	const one = "/mirror/providers/{host}/{namespace}/{type}/{version}/{platform}"
	register(a, operation("listMirroredProviders", http.MethodGet, "/mirror/providers", "mirror", "Packages of providers that the mirror keeps, by provider, version and platform"), a.listMirroredProviders)
	op := operation("addProvider", http.MethodPut, one, "mirror", "Add a package of a provider to the mirror; the same again changes nothing, and another one is refused")
	op.MaxBodyBytes = provider.MostArchive
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/zip": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
	register(a, op, a.addProvider)
	register(a, operation("removeProvider", http.MethodDelete, one, "mirror", "Take a package of a provider out of the mirror"), a.removeProvider)
}

// MirrorPath names a package of a provider.
type MirrorPath struct {
	Host      string `path:"host" maxLength:"253" example:"registry.opentofu.org"`
	Namespace string `path:"namespace" maxLength:"64" example:"hashicorp"`
	Type      string `path:"type" maxLength:"64" example:"time"`
	Version   string `path:"version" maxLength:"100" example:"0.14.2"`
	Platform  string `path:"platform" maxLength:"41" example:"linux_amd64"`
}

func (p MirrorPath) read() provider.Package {
	return provider.Package{Name: provider.Name{Host: p.Host, Namespace: p.Namespace, Type: p.Type}, Version: p.Version, Platform: p.Platform}
}

func wireMirrored(k provider.Kept) client.MirroredProvider {
	return client.MirroredProvider{
		Provider: k.Name.String(), Version: k.Version, Platform: k.Platform, Size: k.Size, Hashes: k.Hashes(), From: k.From, Signed: k.Signed, Kept: k.Kept.UTC(),
	}
}

func (a *API) listMirroredProviders(ctx context.Context, in *Paging) (*body[List[client.MirroredProvider]], error) {
	part, err := a.Mirror.List(ctx, in.part())
	return listPart(part, wireMirrored), err
}

type addProviderInput struct {
	MirrorPath
	archive io.Reader
}

// Resolve takes the body as it comes, at the pace of what is served.
func (in *addProviderInput) Resolve(c huma.Context) []error {
	r, w := humago.Unwrap(c)
	in.archive = git.PacedBody(w, r)
	return nil
}

func (a *API) addProvider(ctx context.Context, in *addProviderInput) (*body[client.MirroredProvider], error) {
	k, err := a.Mirror.Add(ctx, in.read(), in.archive)
	if err != nil {
		return nil, err
	}
	return answer(wireMirrored(k)), nil
}

func (a *API) removeProvider(ctx context.Context, in *MirrorPath) (*struct{}, error) {
	return nil, a.Mirror.Remove(ctx, in.read())
}
