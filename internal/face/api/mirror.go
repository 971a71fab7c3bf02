package api

import (
	"context"
	"net/http"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (a *API) mirrorRoutes(one string) {
	register(a, operation("retryImport", http.MethodPost, one+"/import/retry", "repositories", "Try an import again, or have a repository that follows another one look now"), a.retryImport)
	register(a, operation("cancelImport", http.MethodPost, one+"/import/cancel", "repositories", "End an import, or that a repository follows another one"), a.cancelImport)
	register(a, operation("listMirrors", http.MethodGet, one+"/mirrors", "repositories", "Where its branches and tags are pushed on to"), a.listMirrors)
	op := operation("addMirror", http.MethodPost, one+"/mirrors", "repositories", "Have its branches and tags pushed on to another repository")
	op.DefaultStatus = 201
	register(a, op, a.addMirror)
	register(a, operation("removeMirror", http.MethodDelete, one+"/mirrors/{id}", "repositories", "End a mirror; what was pushed there stays"), a.removeMirror)
	register(a, operation("pushMirror", http.MethodPost, one+"/mirrors/{id}/push", "repositories", "Push to a mirror now"), a.pushMirror)
}

// CredentialsInput is what an address elsewhere asks for.
type CredentialsInput struct {
	Username string `json:"username,omitempty" maxLength:"200"`
	Password string `json:"password,omitempty" maxLength:"1000" writeOnly:"true" doc:"Kept sealed, and never shown."`
	Secret   string `json:"secret,omitempty" maxLength:"200" doc:"SPACE/NAME or SPACE/NAME#KEY of a secret that is the password, in place of one."`
}

func (c CredentialsInput) read() repository.Credentials {
	return repository.Credentials{Username: c.Username, Password: c.Password, Secret: c.Secret}
}

// importInput says where a new repository comes from.
type importInput struct {
	URL string `json:"url" maxLength:"1000" doc:"https:// or http://, without credentials in it."`
	CredentialsInput
	Every string `json:"every,omitempty" maxLength:"20" doc:"Looks again and again for what moved there, such as each 15m; until that ends nothing else changes it. Empty for once."`
}

func (i *importInput) read() (*repository.NewImport, error) {
	if i == nil {
		return nil, nil
	}
	every, err := readEvery(i.Every)
	return &repository.NewImport{URL: i.URL, Credentials: i.CredentialsInput.read(), Every: every}, err
}

func readEvery(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	every, err := time.ParseDuration(text)
	if err != nil {
		return 0, fault.Errorf(fault.Invalid, "every is %.40q; write a time such as 15m or 6h", text)
	}
	return every, nil
}

func (a *API) wireImport(r repository.Repository) *Import {
	i := r.Import
	if i == nil {
		return nil
	}
	out := &Import{
		URL: i.URL, Username: i.Username, Secret: i.Secret, State: i.State, Bytes: i.Bytes, Refs: i.Refs, Attempts: i.Attempts, Due: moment(i.Due), Error: i.Error, Fetched: moment(i.Fetched),
	}
	if i.Every > 0 {
		out.Every = i.Every.String()
	}
	if p := a.Repositories.Progress(r); p.Phase != "" {
		out.Phase, out.Done, out.Total, out.Bytes = p.Phase, p.Done, p.Total, max(p.Bytes, out.Bytes)
	}
	return out
}

type retryImportInput struct {
	Named
	Body *CredentialsInput `required:"false"`
}

func (a *API) retryImport(ctx context.Context, in *retryImportInput) (*body[Repository], error) {
	var c repository.Credentials
	if in.Body != nil {
		c = in.Body.read()
	}
	r, err := a.Repositories.RetryImport(ctx, in.full(), c)
	if err != nil {
		return nil, err
	}
	return answer(a.wireRepository(ctx, r)), nil
}

func (a *API) cancelImport(ctx context.Context, in *Named) (*body[Repository], error) {
	r, err := a.Repositories.CancelImport(ctx, in.full())
	if err != nil {
		return nil, err
	}
	return answer(a.wireRepository(ctx, r)), nil
}

func (a *API) wireMirror(m repository.Mirror, by Actor) Mirror {
	out := Mirror{
		ID: m.ID, URL: m.URL, Username: m.Username, Secret: m.Secret, Integration: m.Integration, Patterns: append([]string{}, m.Patterns...), Every: m.Every.String(), Force: m.Force,
		State: "ready", Attempts: m.Attempts, Due: moment(m.Due), Error: m.Error, Failing: moment(m.Failing), Pushed: moment(m.Pushed), Created: m.Created, By: by, Etag: m.Etag(),
	}
	switch {
	case a.Repositories.Mirroring(m):
		out.State = "running"
	case m.Error != "":
		out.State = "failed"
	case m.Pushed.IsZero():
		out.State = "waiting"
	}
	return out
}

type listMirrorsInput struct {
	Named
	Paging
}

func (a *API) listMirrors(ctx context.Context, in *listMirrorsInput) (*body[List[Mirror]], error) {
	part, err := a.Repositories.Mirrors(ctx, in.full(), in.part())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, m := range part.Items {
		ids = append(ids, m.CreatedBy)
	}
	who, err := a.people(ctx, ids)
	return listPart(part, func(m repository.Mirror) Mirror { return a.wireMirror(m, who(m.CreatedBy)) }), err
}

type addMirrorInput struct {
	Named
	Body struct {
		URL string `json:"url" maxLength:"1000" doc:"https:// or http://, without credentials in it; with an integration OWNER/NAME at its forge."`
		CredentialsInput
		Integration string   `json:"integration,omitempty" maxLength:"200" doc:"NAMESPACE/NAME, whose credentials are used."`
		Patterns    []string `json:"patterns,omitempty" maxItems:"20" doc:"Of branches (main, release/*) and tags (refs/tags/v*); empty for all."`
		Every       string   `json:"every,omitempty" maxLength:"20" doc:"How long between looks without a push; empty for an hour."`
		Force       bool     `json:"force,omitempty" doc:"What is there and not from here is overwritten and deleted."`
	}
}

func (a *API) addMirror(ctx context.Context, in *addMirrorInput) (*tagged[Mirror], error) {
	if _, err := a.Repositories.Authorize(ctx, repository.Manage, in.full()); err != nil {
		return nil, err
	}
	b := in.Body
	every, err := readEvery(b.Every)
	if err != nil {
		return nil, err
	}
	m, err := a.Repositories.AddMirror(ctx, in.full(), repository.NewMirror{
		URL: b.URL, Credentials: b.CredentialsInput.read(), Integration: b.Integration, Patterns: b.Patterns, Every: every, Force: b.Force,
	})
	if err != nil {
		return nil, err
	}
	who, err := a.people(ctx, []string{m.CreatedBy})
	if err != nil {
		return nil, err
	}
	return withTag(m.Etag(), a.wireMirror(m, who(m.CreatedBy))), nil
}

// MirrorInput names a mirror.
type MirrorInput struct {
	Named
	ID string `path:"id" maxLength:"60"`
}

type removeMirrorInput struct {
	MirrorInput
	Match
}

func (a *API) removeMirror(ctx context.Context, in *removeMirrorInput) (*struct{}, error) {
	return nil, a.Repositories.RemoveMirror(ctx, in.full(), in.ID, in.etag())
}

func (a *API) pushMirror(ctx context.Context, in *MirrorInput) (*struct{}, error) {
	return nil, a.Repositories.PushMirror(ctx, in.full(), in.ID)
}
