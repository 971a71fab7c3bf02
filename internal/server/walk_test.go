package server

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// granted are operations that a person without any right may call, with the reason. What else does not refuse must say of
// itself that it leaves out what may not be seen, and give nothing.
var granted = map[string]string{
	"whoami": "the caller", "signOut": "the caller's own session", "listTokens": "the caller's own", "unstar": "the caller's own",
	"getStatus": "what the server is", "listKinds": "what the server is", "listPolicyPoints": "what the server is",
	"lintWorkflow": "reads what it is given", "lintTemplate": "reads what it is given", "checkDocsFiles": "reads what it is given",
	"getHome": "what the caller may read: here nothing", "listStars": "the caller's own: here none", "listViews": "the caller's own: here none",
}

// readers are operations besides GET that a reader may call too, with the reason.
var readers = map[string]string{
	"signOut": granted["signOut"], "unstar": granted["unstar"], "star": "the caller's own, of what they may see",
	"lintWorkflow": granted["lintWorkflow"], "lintTemplate": granted["lintTemplate"], "checkDocsFiles": granted["checkDocsFiles"],
	"previewScorecard": "keeps nothing", "fetchRepository": "brings what the forge has already", "commentProposal": "whoever reads may say something",
}

// hidden are operations that know nothing of a thing of somebody else's, even to a reader.
var hidden = map[string]string{"revokeToken": "others' tokens are not shown"}

// leavesOut is how the description of an operation says that it gives only what the caller may see.
var leavesOut = regexp.MustCompile(`others are (left out|not counted|neither found nor counted)`)

// absent are operations that have nothing to give to the administrator either, with the status of their answer.
var absent = map[string]int{
	"listOffers":      http.StatusServiceUnavailable, // its forge does not answer
	"diffApplication": http.StatusNotFound, "readPodLog": http.StatusNotFound, "getPlan": http.StatusNotFound, "getDecision": http.StatusNotFound, "getModuleVersion": http.StatusNotFound,
	"readLog": http.StatusNotFound, "downloadLog": http.StatusNotFound, // the run waits, before its first step
	"getDocs": http.StatusNotFound, "getDocsPage": http.StatusNotFound, "searchDocs": http.StatusNotFound, "checkDocs": http.StatusNotFound, "downloadDocsFile": http.StatusNotFound,
}

// TestEveryRouteRefusesWithoutRights walks all that the document of the API has, about things that are there, with requests
// that could be done: as nobody, as a person without any right, and what changes something as a reader too.
func TestEveryRouteRefusesWithoutRights(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		mallory, rita := person(t, h, "mallory"), person(t, h, "rita")
		binding, err := json.Marshal(map[string]string{"source": "rita", "documents": `{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: rita}, spec: {role: reader, subjects: ["user:default/rita"]}}`})
		if err != nil {
			t.Fatal(err)
		}
		if code, body := do(t, server, http.MethodPost, "/api/v1/apply", h.Options.AdminToken, string(binding)); code != http.StatusOK {
			t.Fatalf("make a reader: %d %s", code, body)
		}
		w := walk{t, h, server, furnish(t, h, server)}
		all := routes(h)
		if documented := w.documented(); len(all) != documented {
			t.Errorf("%d operations are walked, and the document of the API has %d", len(all), documented)
		}
		for _, exceptions := range []map[string]string{granted, readers, hidden} {
			for id := range exceptions {
				if !slices.ContainsFunc(all, func(r route) bool { return r.op.OperationID == id }) {
					t.Errorf("there is no operation %s any more; take it out of the list", id)
				}
			}
		}
		for _, r := range all {
			w.nobody(r)
			w.administrator(r)
			w.mallory(r, mallory)
			w.reader(r, rita)
		}
		for _, path := range []string{
			"/entities/component/default/none", "/repositories/default/none", "/stacks/default/none", "/integrations/default/none",
			"/discoveries/default/none", "/applications/default/none", "/runs/" + w.ids["runs"], "/repositories/default/none/proposals/1",
			"/locations/" + w.ids["locations"], "/sources/none",
		} {
			if code, body := w.do(http.MethodGet, "/api/v1"+path, h.Options.AdminToken, ""); code != http.StatusOK || strings.Contains(body, `"terminal":true`) {
				t.Errorf("after all that was refused, %s is %d %.300s", path, code, body)
			}
		}
		for token, may := range map[string][]string{mallory: nil, rita: {"star.added"}, h.Options.AdminToken: w.changes(h.Options.AdminToken)} {
			if changed := w.changes(token); !slices.Equal(changed, may) {
				t.Errorf("the ledger has %q, want %q", changed, may)
			}
		}
	})
}

// walk asks a furnished house.
type walk struct {
	t      *testing.T
	h      *House
	server *httptest.Server
	ids    map[string]string
}

func (w walk) do(method, path, token, body string) (int, string) {
	w.t.Helper()
	return do(w.t, w.server, method, path, token, body)
}

// changes gives the types of the entries in the ledger that somebody has made.
func (w walk) changes(token string) (types []string) {
	w.t.Helper()
	_, answer := w.do(http.MethodGet, "/api/v1/whoami", token, "")
	var me struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &me); err != nil || me.ID == "" {
		w.t.Fatalf("whoami = %s", answer)
	}
	if _, err := w.h.Ledger.Seal(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	err := w.h.DB.Read(w.t.Context(), func(tx *store.Tx) error {
		entries, err := w.h.Ledger.List(w.t.Context(), tx, ledger.Query{Actor: me.ID})
		for _, e := range entries {
			types = append(types, e.Type)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return types
}

// documented counts the operations in the document as readers get it.
func (w walk) documented() (n int) {
	w.t.Helper()
	response, err := http.Get(w.server.URL + "/openapi.json")
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&document); err != nil {
		w.t.Fatal(err)
	}
	for _, item := range document.Paths {
		for _, method := range []string{"get", "head", "options", "trace", "post", "put", "patch", "delete"} {
			if item[method] != nil {
				n++
			}
		}
	}
	return n
}

func (w walk) path(r route) string { return filled(r.path, w.ids) + queries[r.op.OperationID] }

func (w walk) nobody(r route) {
	w.t.Helper()
	if r.op.OperationID == "signIn" {
		return
	}
	if code, body := w.do(r.method, w.path(r), "", bodyOf(w.h, r.op)); code != http.StatusUnauthorized {
		w.t.Errorf("%s %s answers nobody with %d %.200s", r.method, w.path(r), code, body)
	}
}

// stream tells whether an operation gives a live stream; see TestStreamsRefuseWithoutRights.
func (r route) stream() bool {
	content := r.op.Responses["200"]
	return content != nil && content.Content["text/event-stream"] != nil
}

// administrator looks that what is asked for is there.
func (w walk) administrator(r route) {
	w.t.Helper()
	if r.method != http.MethodGet || r.stream() {
		return
	}
	code, body := w.do(r.method, w.path(r), w.h.Options.AdminToken, "")
	if want := cmp.Or(absent[r.op.OperationID], http.StatusOK); code != want {
		w.t.Errorf("%s %s answers the administrator with %d %.300s", r.method, w.path(r), code, body)
	}
}

func refuses(code int) bool { return code == http.StatusForbidden || code == http.StatusNotFound }

func (w walk) mallory(r route, token string) {
	w.t.Helper()
	id := r.op.OperationID
	if id == "signIn" || r.stream() {
		return
	}
	code, body := w.do(r.method, w.path(r), token, bodyOf(w.h, r.op))
	ok := refuses(code) || code == http.StatusOK && leavesOut.MatchString(r.op.Description) && empty(body)
	if granted[id] != "" {
		ok = code < 500 && code != http.StatusForbidden
	}
	if !ok {
		w.t.Errorf("%s %s answers a person without rights with %d %.300s", r.method, w.path(r), code, body)
	}
}

func (w walk) reader(r route, token string) {
	w.t.Helper()
	id := r.op.OperationID
	if r.method == http.MethodGet || id == "signIn" {
		return
	}
	code, body := w.do(r.method, w.path(r), token, bodyOf(w.h, r.op))
	ok := code == http.StatusForbidden || code == http.StatusNotFound && hidden[id] != ""
	if readers[id] != "" {
		ok = code < 500 && code != http.StatusForbidden
	}
	if !ok {
		w.t.Errorf("%s %s answers a reader with %d %.300s", r.method, w.path(r), code, body)
	}
}
