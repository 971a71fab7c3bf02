package backstage

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// postRefresh reads the location of an entity again. What was applied is as it was said.
func (h *Handler) postRefresh(c call) error {
	var body struct {
		EntityRef          *string `json:"entityRef"`
		AuthorizationToken *string `json:"authorizationToken"`
	}
	var fields map[string]json.RawMessage
	if err := c.object(&fields, false); err != nil {
		return err
	}
	for name := range fields {
		if name != "entityRef" && name != "authorizationToken" {
			return fault.Errorf(fault.Invalid, "request/body must NOT have additional properties")
		}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	if err := decode(text, &body); err != nil {
		return err
	}
	if body.EntityRef == nil {
		return missing("entityRef")
	}
	if body.AuthorizationToken != nil && *body.AuthorizationToken != "" { // who refreshes, in place of who asks
		if c.Request, err = h.as(c.Request, *body.AuthorizationToken); err != nil {
			return err
		}
	}
	unknown := fault.Errorf(fault.NotFound, "Entity %s not found", clip(*body.EntityRef))
	r, err := ref.Parse(*body.EntityRef, "", "")
	if err != nil {
		return unknown
	}
	e, err := h.byName(c, r)
	if fault.Is(err, fault.NotFound) {
		return unknown
	}
	if err == nil && e.File.Location != "" {
		_, _, err = h.catalog.RefreshLocation(c.Context(), e.File.Location)
	}
	if err != nil {
		return err
	}
	c.WriteHeader(http.StatusOK)
	return nil
}

// postValidate checks an entity as reading it would, and writes nothing.
func (h *Handler) postValidate(c call) error {
	var body struct {
		Entity   json.RawMessage `json:"entity"`
		Location *string         `json:"location"`
	}
	if err := c.object(&body, false); err != nil {
		return err
	}
	switch {
	case body.Location == nil:
		return missing("location")
	case len(body.Entity) == 0:
		return missing("entity")
	case !isObject(body.Entity):
		return notObject("entity")
	}
	kind, target, ok := strings.Cut(*body.Location, ":")
	switch {
	case !ok || kind == "" || target == "":
		return c.unfit("TypeError", "Unable to parse location ref '"+clip(*body.Location)+"', expected '<type>:<target>', e.g. 'url:https://host/path'")
	case kind != "url":
		return c.unfit("TypeError", "Invalid location ref "+clip(*body.Location)+", only 'url:<target>' is supported, e.g. url:https://host/path")
	}
	documents, err := document.Parse("entity", body.Entity, document.Limits{})
	if err != nil {
		return c.unfits(err)
	}
	if len(documents) != 1 {
		return c.unfit("InputError", "An entity is expected")
	}
	if wrong := h.catalog.Validate(documents[0]); len(wrong) > 0 {
		return c.unfits(fault.At("the entity is wrong", wrong...))
	}
	c.WriteHeader(http.StatusOK)
	return nil
}

type unfit struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

func (c call) unfit(name, message string) error {
	writeJSON(c.ResponseWriter, http.StatusBadRequest, map[string][]unfit{"errors": {{name, message}}})
	return nil
}

// unfits tells what is wrong with an entity, each thing by itself.
func (c call) unfits(err error) error {
	details := fault.Details(err)
	if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.TooLarge {
		return err
	}
	if len(details) == 0 {
		return c.unfit("InputError", fault.Message(err))
	}
	list := make([]unfit, len(details))
	for i, d := range details {
		d.File, d.Line, d.Column = "", 0, 0 // it was sent, not read
		list[i] = unfit{"InputError", d.String()}
	}
	writeJSON(c.ResponseWriter, http.StatusBadRequest, map[string][]unfit{"errors": list})
	return nil
}

// analysis is what could be registered at an address.
type analysis struct {
	Existing []existing `json:"existingEntityFiles"`
	Generate []generate `json:"generateEntities"`
}

type existing struct {
	Location     spec            `json:"location"`
	IsRegistered bool            `json:"isRegistered"`
	Entity       json.RawMessage `json:"entity"`
}

type spec struct {
	Type   string `json:"type"`
	Target string `json:"target"`
}

type generate struct {
	Entity any   `json:"entity"`
	Fields []any `json:"fields"`
}

// postAnalyze looks for catalog files in the repository of an address, and suggests an entity where there is none.
func (h *Handler) postAnalyze(c call) error {
	var body struct {
		Location *struct {
			Type   *string `json:"type"`
			Target *string `json:"target"`
		} `json:"location"`
		CatalogFileName string `json:"catalogFileName"`
		CatalogFilename string `json:"catalogFilename"`
	}
	if err := c.object(&body, false); err != nil {
		return err
	}
	switch {
	case body.Location == nil:
		return missing("location")
	case body.Location.Target == nil:
		return fault.Errorf(fault.Invalid, "request/body/location must have required property 'target'")
	case body.Location.Type == nil:
		return fault.Errorf(fault.Invalid, "request/body/location must have required property 'type'")
	}
	u, err := url.Parse(*body.Location.Target)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return fault.Errorf(fault.Invalid, "The given location.target is not a URL")
	}
	name := body.CatalogFilename
	if name == "" {
		name = body.CatalogFileName
	}
	if name == "" {
		name = "catalog-info.yaml"
	}
	a := analysis{Existing: []existing{}, Generate: []generate{}}
	if a.Existing, err = h.catalogFiles(c, u.String(), name); err != nil {
		return err
	}
	if len(a.Existing) == 0 {
		a.Generate = append(a.Generate, generate{suggested(u), []any{}})
	}
	writeJSON(c.ResponseWriter, http.StatusOK, a)
	return nil
}

// catalogFiles gives what the files of a name in a repository declare; of one that can't be read, nothing.
func (h *Handler) catalogFiles(c call, address, name string) ([]existing, error) {
	found := []existing{}
	files, err := h.catalog.CatalogFiles(c.Context(), address, name)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		for i := range f.Entities {
			e := &f.Entities[i]
			found = append(found, existing{spec{"url", e.File.Address(h.base)}, f.Registered, h.appendOne(nil, e)})
		}
	}
	return found, nil
}

// suggested gives an entity for the repository of an address, in which its owner fills in the rest.
func suggested(u *url.URL) any {
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if parts[0] == "git" || parts[0] == "repositories" {
		parts = parts[1:]
	}
	for i, part := range parts { // GitLab's groups have any depth
		if i >= 2 && (part == "-" || part == "blob" || part == "tree" || part == "src") {
			parts = parts[:i]
			break
		}
	}
	if u.Hostname() != "gitlab.com" && len(parts) > 2 {
		parts = parts[:2]
	}
	name := strings.TrimSuffix(path.Base(strings.Join(parts, "/")), ".git")
	metadata := map[string]any{"name": name}
	prefix := map[string]string{"github.com": "github.com", "gitlab.com": "gitlab.com", "bitbucket.org": "bitbucket.org", "dev.azure.com": "dev.azure.com"}[u.Hostname()]
	if prefix != "" && len(parts) > 1 {
		metadata["annotations"] = map[string]string{prefix + "/project-slug": strings.TrimSuffix(strings.Join(parts, "/"), ".git")}
	}
	return map[string]any{
		"apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": metadata,
		"spec": map[string]string{"type": "other", "lifecycle": "unknown"},
	}
}
