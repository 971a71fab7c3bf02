package tfe

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/mail"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (h *Handler) organizationRoutes() {
	h.handle("organizations", h.organizations)
	h.handle("POST organizations", h.createOrganization)
	h.handle("organizations/{organization}", h.organization)
	h.handle("PATCH organizations/{organization}", h.updateOrganization)
	h.handle("DELETE organizations/{organization}", h.deleteOrganization)
}

// emailAnnotation of a space's document has the address at which an organization is reached.
const emailAnnotation = "roadbed.dev/email"

// spaceDocument gives the document of a space; nil where there is none, or the caller may not see it.
func (h *Handler) spaceDocument(ctx context.Context, space string) (*catalog.Entity, error) {
	e, err := h.Catalog.Get(ctx, spaceRef(space))
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return &e, err
}

func spaceRef(space string) ref.Entity { return ref.New("space", ref.DefaultNamespace, space) }

func (h *Handler) organizations(w http.ResponseWriter, r *http.Request) error {
	spaces, err := h.Access.ListSpaces(r.Context())
	if err != nil {
		return err
	}
	spaces = slices.DeleteFunc(spaces, func(s access.Space) bool { return h.Stacks.MaySpace(r.Context(), s.Name) != nil })
	p := pagingOf(r)
	total := len(spaces)
	asked := r.URL.Query().Get("q")
	if asked == "" {
		spaces = cut(spaces, p)
	}
	refs := make([]ref.Entity, len(spaces))
	for i, s := range spaces {
		refs[i] = spaceRef(s.Name)
	}
	documents, err := h.Catalog.ByRefs(r.Context(), refs)
	if err != nil {
		return err
	}
	var all []object
	for i, s := range spaces {
		e := documents[i]
		if strings.Contains(s.Name, asked) || strings.Contains(emailOf(e), asked) {
			all = append(all, h.wireOrganization(r, s.Name, e))
		}
	}
	if asked != "" {
		total, all = len(all), cut(all, p)
	}
	return many(w, p, total, all)
}

func emailOf(e *catalog.Entity) string {
	if e == nil {
		return ""
	}
	return e.Document.Metadata.Annotations[emailAnnotation]
}

func (h *Handler) wireOrganization(r *http.Request, space string, e *catalog.Entity) object {
	may := func(action string) bool { return h.Access.May(r.Context(), action, space) }
	manage := e != nil && space != access.Root && h.Access.May(r.Context(), "space:admin", e.Space)
	attributes := object{
		"name": space, "external-id": space, "email": emailOf(e), "collaborator-auth-policy": "password", "cost-estimation-enabled": true,
		"plan-expired": false, "is-unified": true, "default-execution-mode": "remote", "assessments-enforced": false, "allow-force-delete-workspaces": true,
		"permissions": object{
			"can-create-workspace": may("entity:write"), "can-create-workspace-migration": false, "can-update": manage, "can-destroy": manage,
			"can-create-team": false, "can-traverse": true, "can-update-api-token": false, "can-update-oauth": false, "can-update-sentinel": false,
		},
	}
	if e != nil {
		attributes["created-at"] = moment(e.Created)
	}
	return resource("organizations", space, attributes, object{"default-project": to("projects", projectOf(space))})
}

func (h *Handler) answerOrganization(w http.ResponseWriter, r *http.Request, status int, space string) error {
	e, err := h.spaceDocument(r.Context(), space)
	if err != nil {
		return err
	}
	var included []object
	if slices.Contains(asksFor(r), "default_project") {
		included = append(included, wireProject(space))
	}
	return one(w, status, h.wireOrganization(r, space, e), included...)
}

func (h *Handler) organization(w http.ResponseWriter, r *http.Request) error {
	space := r.PathValue("organization")
	if err := h.Stacks.MaySpace(r.Context(), space); err != nil {
		return err
	}
	return h.answerOrganization(w, r, http.StatusOK, space)
}

// organizationAttributes are those that mean something here. A pointer that is nil was not sent.
type organizationAttributes struct {
	Name          *string         `json:"name"`
	Email         *string         `json:"email"`
	ExecutionMode *string         `json:"default-execution-mode"`
	AgentPool     json.RawMessage `json:"default-agent-pool-id"`
}

func (a organizationAttributes) check() error {
	if a.ExecutionMode != nil && *a.ExecutionMode != "remote" {
		return fault.Errorf(fault.Invalid, "the default execution mode %q is not offered; workspaces of this server run remotely", *a.ExecutionMode)
	}
	if len(a.AgentPool) > 0 && string(a.AgentPool) != "null" {
		return fault.Errorf(fault.Invalid, "Default agent pool must not be specified unless using 'agent' execution mode, which an organization does not have by default; give each workspace its pool by agent-pool-id")
	}
	if a.Email != nil {
		if at, err := mail.ParseAddress(*a.Email); err != nil || at.Address != *a.Email || len(*a.Email) > 254 {
			return fault.Errorf(fault.Invalid, "Email %.100q is no address", *a.Email)
		}
	}
	return nil
}

// createOrganization declares a space below the root.
func (h *Handler) createOrganization(w http.ResponseWriter, r *http.Request) error {
	if err := h.Access.Authorize(r.Context(), "space:admin", access.Root); err != nil {
		return err
	}
	var in organizationAttributes
	if _, err := read(w, r, bodyLimit, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	if in.Name == nil || !access.ValidSpaceName(*in.Name) {
		return fault.Errorf(fault.Invalid, "Name of an organization has lower-case letters, digits and dashes, at most 63")
	}
	there, err := h.Access.Exists(r.Context(), *in.Name)
	if err != nil {
		return err
	}
	if there {
		return nameTaken()
	}
	d := document.Document{
		APIVersion: "roadbed.dev/v1", Kind: "Space", Metadata: document.Metadata{Name: *in.Name}, Spec: map[string]any{"parent": access.Root},
	}
	if in.Email != nil {
		d.Metadata.Annotations = map[string]string{emailAnnotation: *in.Email}
	}
	if err := h.declare(r.Context(), access.Root, d); err != nil {
		return err
	}
	return h.answerOrganization(w, r, http.StatusCreated, *in.Name)
}

func (h *Handler) updateOrganization(w http.ResponseWriter, r *http.Request) error {
	space := r.PathValue("organization")
	if err := h.Stacks.MaySpace(r.Context(), space); err != nil {
		return err
	}
	var in organizationAttributes
	if _, err := read(w, r, bodyLimit, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	if in.Name != nil && *in.Name != space {
		return fault.Errorf(fault.Invalid, "a space keeps its name; what is in it bears it")
	}
	if in.Email != nil {
		err := h.edit(r.Context(), spaceRef(space), func(d *document.Document) (bool, error) {
			if d.Metadata.Annotations[emailAnnotation] == *in.Email {
				return false, nil
			}
			all := maps.Clone(d.Metadata.Annotations)
			if all == nil {
				all = map[string]string{}
			}
			all[emailAnnotation] = *in.Email
			d.Metadata.Annotations = all
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	return h.answerOrganization(w, r, http.StatusOK, space)
}

// deleteOrganization deletes a space that has no workspaces: with it would go who answers for what they manage.
func (h *Handler) deleteOrganization(w http.ResponseWriter, r *http.Request) error {
	space := r.PathValue("organization")
	_, total, err := h.Stacks.Workspaces(r.Context(), space, stack.WorkspaceQuery{Place: page.Place{Limit: page.None}})
	if err != nil {
		return err
	}
	if total > 0 {
		return fault.Errorf(fault.Conflict, "organization %s has %d workspaces; delete them first", space, total)
	}
	if err := h.Catalog.Delete(r.Context(), spaceRef(space), ""); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
