package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/product/delivery"
)

func (a *API) applicationRoutes() {
	const one = "/applications/{namespace}/{name}"
	register(a, operation("listApplications", http.MethodGet, "/applications", "applications", "Applications, by reference"), a.listApplications)
	register(a, operation("getApplication", http.MethodGet, one, "applications", "One application with its objects and history"), a.getApplication)
	register(a, operation("diffApplication", http.MethodGet, one+"/diff", "applications", "What a sync would change"), a.diffApplication)
	op := operation("syncApplication", http.MethodPost, one+"/sync", "applications", "Deploy the head of the branch now")
	op.DefaultStatus = 201
	register(a, op, a.syncApplication)
	op = operation("rollbackApplication", http.MethodPost, one+"/rollback", "applications", "Deploy an earlier revision again")
	op.DefaultStatus = 201
	register(a, op, a.rollbackApplication)
	register(a, operation("readPodLog", http.MethodGet, one+"/log", "applications", "What a pod has written"), a.readPodLog)
	stream(a, operation("followApplication", http.MethodGet, one+"/events", "applications", "An application as it changes, as server-sent events"),
		map[string]any{"application": ApplicationDetail{}}, a.followApplication)
}

func (a *API) listApplications(ctx context.Context, in *Paging) (*body[List[Application]], error) {
	apps, err := a.Delivery.List(ctx, in.part())
	if err != nil {
		return nil, err
	}
	items := make([]Application, len(apps.Items))
	for i, s := range apps.Items {
		if items[i], err = a.wireApplication(ctx, s); err != nil {
			return nil, err
		}
	}
	return list(items, apps.Next), nil
}

func (a *API) wireApplication(ctx context.Context, s delivery.Status) (Application, error) {
	w := Application{
		Ref: s.Ref.String(), Namespace: s.Ref.Namespace, Name: s.Ref.Name, Space: s.Space, Component: s.Component.String(), Stack: s.Stack.String(),
		Repository: s.Repository, Branch: s.Branch, Path: s.Path, Destination: s.Destination(),
		Automated: s.Spec.SyncPolicy.Automated != nil, Sync: s.Sync, Health: string(s.Health), Why: s.Why, Message: s.Message, Left: s.Left, Revision: s.Synced, URLs: []string{}, Can: []string{},
	}
	if a.Access.May(ctx, "application:sync", s.Space) {
		w.Can = append(w.Can, "sync", "rollback")
	}
	for _, u := range s.URLs {
		w.URLs = append(w.URLs, ingressURL(ctx, u))
	}
	if s.Last != nil && a.Access.May(ctx, "run:read", s.Space) {
		runs, err := a.wireRuns(ctx, []run.Run{*s.Last})
		if err != nil {
			return w, err
		}
		w.LastRun = &runs[0]
	}
	return w, nil
}

// ingressURL gives the address at which the node's proxy answers for a host and path: the port of this server.
func ingressURL(ctx context.Context, hostPath string) string {
	scheme := "http://"
	if overTLS(ctx) {
		scheme = "https://"
	}
	host, path := hostPath, ""
	for i := range hostPath {
		if hostPath[i] == '/' {
			host, path = hostPath[:i], hostPath[i:]
			break
		}
	}
	return scheme + host + portOf(hostOf(ctx)) + path
}

func portOf(host string) string {
	for i := len(host) - 1; i >= 0; i-- {
		switch host[i] {
		case ':':
			return host[i:]
		case ']', '.':
			return ""
		}
	}
	return ""
}

func (a *API) getApplication(ctx context.Context, in *Named) (*body[ApplicationDetail], error) {
	s, err := a.Delivery.Get(ctx, in.ref("application"))
	if err != nil {
		return nil, err
	}
	history, err := a.Delivery.History(ctx, in.ref("application"), 50)
	if err != nil {
		return nil, err
	}
	w, err := a.wireApplication(ctx, s)
	if err != nil {
		return nil, err
	}
	out := ApplicationDetail{Application: w, Tree: []Object{}, History: []Revision{}}
	for _, n := range s.Objects {
		o := Object{
			Key: n.Key.String(), Parent: n.Parent.String(), Kind: n.Key.Kind, Name: n.Key.Name, Health: string(n.Health), Message: n.Message,
			Image: n.Image, Ready: n.Ready, Restarts: n.Restarts, Created: n.Created,
		}
		for _, u := range n.URLs {
			o.URLs = append(o.URLs, ingressURL(ctx, u))
		}
		out.Tree = append(out.Tree, o)
	}
	for _, r := range history {
		out.History = append(out.History, Revision{ID: r.ID, Commit: r.Commit, Run: r.Run, State: r.State, Message: r.Message, Created: r.Created})
	}
	return answer(out), nil
}

func (a *API) diffApplication(ctx context.Context, in *Named) (*body[List[ObjectChange]], error) {
	changes, err := a.Delivery.Diff(ctx, in.ref("application"))
	if err != nil {
		return nil, err
	}
	items := make([]ObjectChange, len(changes))
	for i, c := range changes {
		items[i] = ObjectChange{Key: c.Key.String(), Action: string(c.Action), Diff: c.Diff, Warnings: c.Warnings}
	}
	return list(items, ""), nil
}

func (a *API) syncApplication(ctx context.Context, in *Named) (*tagged[RunDetail], error) {
	r, err := a.Delivery.Sync(ctx, in.ref("application"))
	if err != nil {
		return nil, err
	}
	return a.getRun(ctx, &RunInput{r.ID})
}

type rollbackInput struct {
	Named
	Body struct {
		Revision string `json:"revision" maxLength:"64" doc:"Id in the application's history."`
	}
}

func (a *API) rollbackApplication(ctx context.Context, in *rollbackInput) (*tagged[RunDetail], error) {
	r, err := a.Delivery.Rollback(ctx, in.ref("application"), in.Body.Revision)
	if err != nil {
		return nil, err
	}
	return a.getRun(ctx, &RunInput{r.ID})
}

type podLogInput struct {
	Named
	Pod  string `query:"pod" maxLength:"300" doc:"Name or key; empty for the first."`
	Tail int    `query:"tail" minimum:"0" maximum:"10000" default:"500" doc:"The last lines."`
}

type textOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (a *API) readPodLog(ctx context.Context, in *podLogInput) (*textOutput, error) {
	r, err := a.Delivery.Logs(ctx, in.ref("application"), in.Pod, cluster.LogOptions{Tail: in.Tail})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, 4<<20))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return &textOutput{"text/plain; charset=utf-8", data}, nil
}

func (a *API) followApplication(ctx context.Context, in *Named, send sse.Sender) {
	wake, err := a.Delivery.Watch(ctx, in.ref("application"))
	if err != nil {
		a.sendProblem(ctx, send, err)
		return
	}
	ticker := time.NewTicker(2 * time.Second) // what it waits for changes without its objects
	defer ticker.Stop()
	for {
		d, err := a.getApplication(ctx, in)
		if err != nil {
			a.sendProblem(ctx, send, err)
			return
		}
		if send.Data(d.Body) != nil {
			return
		}
		select {
		case <-wake:
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
