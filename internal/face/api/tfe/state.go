package tfe

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (h *Handler) stateRoutes() {
	h.handle("POST workspaces/{workspace}/state-versions", h.createState)
	h.handle("workspaces/{workspace}/state-versions", h.listStates)
	h.handle("state-versions", h.listStatesNamed)
	h.handle("workspaces/{workspace}/current-state-version", h.currentState)
	h.handle("workspaces/{workspace}/current-state-version-outputs", h.currentOutputs)
	h.handle("state-versions/{state}", h.readState)
	h.handle("state-versions/{state}/download", h.downloadState)
	h.handle("state-versions/{state}/outputs", h.stateOutputs)
	h.handle("state-version-outputs/{output}", h.readOutput)
	h.open("PUT state-uploads/{pass}", h.uploadState)
	h.open("PUT json-state-uploads/{pass}", h.uploadNothing)
}

// inlineLimit bounds a state that comes within a request, in bytes of the request; a larger one comes by its link.
const inlineLimit = 64 << 20

func stateID(text string) string { return houseID(text, "sv", "sta") }

func (h *Handler) wireState(r *http.Request, v stack.StateVersion) object {
	created := time.UnixMicro(v.Created)
	run := ""
	if v.Run != "" {
		run = wireID(v.Run)
	}
	id := wireID(v.ID)
	outputs := []any{}
	for _, name := range slices.Sorted(maps.Keys(v.Outputs)) {
		outputs = append(outputs, object{"type": "state-version-outputs", "id": outputID(v.ID, name)})
	}
	return resource("state-versions", id, object{
		"created-at": moment(created), "serial": v.Serial, "lineage": v.Lineage, "size": v.Size, "status": "finalized", "state-version": 4, "resources-processed": true,
		"hosted-state-download-url": h.Base(r.Context()) + Prefix + "state-versions/" + id + "/download", "hosted-json-state-download-url": nil,
		"hosted-state-upload-url": nil, "hosted-json-state-upload-url": nil, "vcs-commit-sha": nil, "vcs-commit-url": nil, "terraform-version": "",
		"resources": []any{}, "modules": object{}, "providers": object{},
	}, object{"run": to("runs", run), "outputs": object{"data": outputs}, "created-by": to("users", v.Actor)})
}

func (h *Handler) answerState(w http.ResponseWriter, r *http.Request, status int, v stack.StateVersion) error {
	if slices.Contains(words(r.URL.Query().Get("include")), "outputs") {
		return one(w, status, h.wireState(r, v), wireOutputs(v.ID, v.Outputs, false)...)
	}
	return one(w, status, h.wireState(r, v))
}

type stateAttributes struct {
	Serial *int64 `json:"serial"`
	MD5    string `json:"md5"`
	State  string `json:"state"` // base64; "" when it comes by the link
}

// createState takes a state, or the word that one will come.
func (h *Handler) createState(w http.ResponseWriter, r *http.Request) error {
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	// A state may be large: it is read of those alone who may write it, and not of many at a time.
	if err := h.Stacks.MayWriteState(r.Context(), ws.Ref); err != nil {
		return err
	}
	if err := h.bodies.Acquire(r.Context(), inlineLimit); err != nil {
		return fault.Errorf(fault.Canceled, "the request was cut short: %w", err)
	}
	defer h.bodies.Release(inlineLimit)
	var in stateAttributes
	if _, err := read(w, r, inlineLimit, &in); err != nil {
		return err
	}
	if in.Serial == nil || len(in.MD5) != 32 {
		return fault.Errorf(fault.Invalid, "a state version needs its serial and the md5 of its state")
	}
	if in.State == "" {
		return h.announce(w, r, ws, in)
	}
	data, err := base64.StdEncoding.DecodeString(in.State)
	if err != nil {
		return fault.Errorf(fault.Invalid, "the state is not base64: %w", err)
	}
	v, err := h.write(r, ws, in.MD5, *in.Serial, data)
	if err != nil {
		return err
	}
	return h.answerState(w, r, http.StatusCreated, v)
}

func (h *Handler) write(r *http.Request, ws stack.Workspace, sum string, serial int64, data []byte) (v stack.StateVersion, err error) {
	if have := md5.Sum(data); !strings.EqualFold(hex.EncodeToString(have[:]), sum) {
		return v, fault.Errorf(fault.Invalid, "the state came with another md5 than it has; send it again")
	}
	return h.Stacks.WriteWorkspaceState(r.Context(), ws.Ref, serial, data)
}

// announce answers with the link by which a state is to come.
func (h *Handler) announce(w http.ResponseWriter, r *http.Request, ws stack.Workspace, in stateAttributes) error {
	p, err := h.Stacks.AnnounceState(r.Context(), ws.Ref, *in.Serial, strings.ToLower(in.MD5))
	if err != nil {
		return err
	}
	state, err := h.link(r, "state-uploads", toState, p, uploadTime)
	if err != nil {
		return err
	}
	rendered, err := h.link(r, "json-state-uploads", toState, p, uploadTime)
	if err != nil {
		return err
	}
	return one(w, http.StatusCreated, resource("state-versions", wireID(p), object{
		"created-at": moment(h.Now()), "serial": *in.Serial, "status": "pending", "hosted-state-upload-url": state, "hosted-json-state-upload-url": rendered,
		"hosted-state-download-url": nil, "resources-processed": false,
	}, object{"run": to("runs", "")}))
}

func (h *Handler) uploadState(w http.ResponseWriter, r *http.Request) error {
	ctx, id, err := h.admit(r.Context(), r.PathValue("pass"), toState)
	if err != nil {
		return err
	}
	size := r.ContentLength
	if size < 0 || size > stack.StateLimit {
		size = stack.StateLimit
	}
	if err := h.bodies.Acquire(ctx, size); err != nil {
		return fault.Errorf(fault.Canceled, "the request was cut short: %w", err)
	}
	defer h.bodies.Release(size)
	data, err := body(w, r, stack.StateLimit)
	if err != nil {
		return err
	}
	if _, err := h.Stacks.WriteAnnounced(ctx, id, data); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// uploadNothing takes the form of a state that clients make beside it, which nothing here is read from.
func (h *Handler) uploadNothing(w http.ResponseWriter, r *http.Request) error {
	if _, _, err := h.admit(r.Context(), r.PathValue("pass"), toState); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (h *Handler) currentState(w http.ResponseWriter, r *http.Request) error {
	v, err := h.current(r)
	if err != nil {
		return err
	}
	return h.answerState(w, r, http.StatusOK, v)
}

func (h *Handler) current(r *http.Request) (v stack.StateVersion, err error) {
	ws, err := h.asked(r)
	if err != nil {
		return v, err
	}
	o, err := h.Stacks.Get(r.Context(), ws.Ref)
	if err == nil && o.State == nil {
		err = fault.Errorf(fault.NotFound, "workspace %s has no state", ws.Name)
	}
	if err != nil {
		return v, err
	}
	return *o.State, nil
}

func (h *Handler) listStates(w http.ResponseWriter, r *http.Request) error {
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	return h.answerStates(w, r, ws)
}

// listStatesNamed lists the states of the workspace that a filter names.
func (h *Handler) listStatesNamed(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	ws, err := h.Stacks.WorkspaceNamed(r.Context(), q.Get("filter[organization][name]"), q.Get("filter[workspace][name]"))
	if err != nil {
		return err
	}
	return h.answerStates(w, r, ws)
}

func (h *Handler) answerStates(w http.ResponseWriter, r *http.Request, ws stack.Workspace) error {
	p := pagingOf(r)
	list, total, err := h.Stacks.StatesPart(r.Context(), ws.Ref, p.place())
	if err != nil {
		return err
	}
	var all []object
	for _, v := range list {
		all = append(all, h.wireState(r, v))
	}
	return many(w, p, total, all)
}

func (h *Handler) readState(w http.ResponseWriter, r *http.Request) error {
	id, err := h.Stacks.AnnouncedState(r.Context(), stateID(r.PathValue("state")))
	if err != nil {
		return err
	}
	_, v, err := h.Stacks.StateVersion(r.Context(), id)
	if err != nil {
		return err
	}
	return h.answerState(w, r, http.StatusOK, v)
}

func (h *Handler) downloadState(w http.ResponseWriter, r *http.Request) error {
	data, err := h.Stacks.StateContent(r.Context(), stateID(r.PathValue("state")))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(data) //nolint:gosec // JSON with its content type, never taken for a page
	return nil
}

// outputID names an output of a version of a state.
func outputID(state, name string) string {
	return "wsout-" + strings.TrimPrefix(state, "sta_") + "-" + hex.EncodeToString([]byte(name))
}

// wireOutputs gives those of a version of a state. Those that are kept beside it, without sensitive values, do where none of these
// is shown: a state is large, and is opened for them alone.
func wireOutputs(state string, values map[string]stack.Value, reveal bool) []object {
	all := []object{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, wireOutput(state, name, values[name], reveal))
	}
	return all
}

// wireOutput gives an output; a sensitive one has its value only where it is asked for by itself, or by its version.
func wireOutput(state, name string, v stack.Value, reveal bool) object {
	var value, detailed any
	if len(v.Value) > 0 && (reveal || !v.Sensitive) {
		value = v.Value
	}
	if len(v.Type) > 0 {
		detailed = v.Type
	}
	return resource("state-version-outputs", outputID(state, name), object{"name": name, "sensitive": v.Sensitive, "type": shortType(v.Type), "value": value, "detailed-type": detailed}, nil)
}

// shortType gives the word for a type: string, number, bool, array or map.
func shortType(raw json.RawMessage) string {
	var word string
	if json.Unmarshal(raw, &word) == nil {
		return word
	}
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil || len(parts) == 0 || json.Unmarshal(parts[0], &word) != nil {
		return ""
	}
	if word == "object" || word == "map" {
		return "map"
	}
	return "array"
}

func (h *Handler) currentOutputs(w http.ResponseWriter, r *http.Request) error {
	v, err := h.current(r)
	if err != nil {
		return err
	}
	return answerOutputs(w, r, wireOutputs(v.ID, v.Outputs, false))
}

func (h *Handler) stateOutputs(w http.ResponseWriter, r *http.Request) error {
	state := stateID(r.PathValue("state"))
	values, err := h.Stacks.StateOutputs(r.Context(), state)
	if err != nil {
		return err
	}
	return answerOutputs(w, r, wireOutputs(state, values, true))
}

// answerOutputs gives all in one page to who names none: clients of these stop after the first.
func answerOutputs(w http.ResponseWriter, r *http.Request, all []object) error {
	if r.URL.Query().Has("page[number]") {
		p := pagingOf(r)
		return many(w, p, len(all), cut(all, p))
	}
	return many(w, paging{1, max(len(all), 1)}, len(all), all)
}

func (h *Handler) readOutput(w http.ResponseWriter, r *http.Request) error {
	rest, ok := strings.CutPrefix(r.PathValue("output"), "wsout-")
	id, coded, cut := strings.Cut(rest, "-")
	name, err := hex.DecodeString(coded)
	none := fault.Errorf(fault.NotFound, "there is no such output, or you may not see it")
	if !ok || !cut || err != nil {
		return none
	}
	values, err := h.Stacks.StateOutputs(r.Context(), "sta_"+id)
	if err != nil {
		return err
	}
	v, there := values[string(name)]
	if !there {
		return none
	}
	return one(w, http.StatusOK, wireOutput("sta_"+id, string(name), v, true))
}
