package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/product/directory"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (a *API) directoryRoutes() {
	register(a, operation("listDirectories", http.MethodGet, "/directories", "directories", "Where people and groups come from, by name"), a.listDirectories)
	register(a, operation("getDirectory", http.MethodGet, "/directories/{namespace}/{name}", "directories", "A directory, and what of it could not be taken"), a.getDirectory)
	op := operation("lookAtDirectory", http.MethodPost, "/directories/{namespace}/{name}/look", "directories", "Read a directory now")
	op.Description = "It takes as long as the server does, at most a few minutes. What is found is in the answer, also when the server does not answer. One that is written to by SCIM is held against the catalog."
	register(a, op, a.lookAtDirectory)
}

type listDirectoriesInput struct {
	Paging
	Space string `query:"space" maxLength:"63" doc:"Only those of this space."`
}

func (a *API) listDirectories(ctx context.Context, in *listDirectoriesInput) (*body[List[Directory]], error) {
	part, err := a.Directories.List(ctx, in.Space, in.part())
	return listPart(part, func(d directory.Directory) Directory {
		w := a.wireDirectory(ctx, d)
		w.Problems = []DirectoryProblem{}
		return w
	}), err
}

func (a *API) getDirectory(ctx context.Context, in *Named) (*body[Directory], error) {
	d, err := a.Directories.Get(ctx, in.Namespace+"/"+in.Name)
	if err != nil {
		return nil, err
	}
	return answer(a.wireDirectory(ctx, d)), nil
}

func (a *API) lookAtDirectory(ctx context.Context, in *Named) (*body[Directory], error) {
	d, err := a.Directories.Look(ctx, in.Namespace+"/"+in.Name)
	if err != nil {
		return nil, err
	}
	return answer(a.wireDirectory(ctx, d)), nil
}

func (a *API) wireDirectory(ctx context.Context, d directory.Directory) Directory {
	r, err := ref.Parse(d.Name, "directory", "")
	if err != nil { // a name that the catalog has taken
		r = ref.New("directory", "", d.Name)
	}
	w := Directory{
		Ref: r.String(), Namespace: r.Namespace, Name: r.Name, Space: d.Space, Protocol: d.Protocol(), People: d.People, Inactive: d.Inactive, Groups: d.Groups,
		State: string(d.State), Reason: d.Reason, Looked: moment(d.Looked), Since: moment(d.Since), Wrong: d.Wrong, Last: wireBrought(d.Last),
		PeopleNamespace: d.Spec.Namespace, PeopleSpace: d.Target(), Problems: []DirectoryProblem{}, Can: []string{},
	}
	if l := d.Spec.LDAP; l != nil {
		w.Server, w.Interval = l.URL, int64(l.Interval.Seconds())
	} else {
		w.Address = baseURL(ctx) + "/scim/v2/" + d.Name
	}
	for _, p := range d.Problems {
		w.Problems = append(w.Problems, DirectoryProblem{What: p.What, Message: p.Message})
	}
	if a.Access.May(ctx, directory.Write, d.Space) {
		w.Can = append(w.Can, "look")
	}
	return w
}
