package server

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

// remote speaks the remote protocol as a client does.
type remote struct {
	*ground
	who string
}

type remoteResource struct {
	ID         string                     `json:"id"`
	Attributes map[string]json.RawMessage `json:"attributes"`
	Relations  map[string]struct {
		Data json.RawMessage `json:"data"`
	} `json:"relationships"`
}

func (x remoteResource) text(name string) string {
	var text string
	if json.Unmarshal(x.Attributes[name], &text) != nil {
		return string(x.Attributes[name])
	}
	return text
}

// send sends a request; path is below /api/v2/, or a whole address that is called without a token.
func (m remote) send(method, path string, body []byte) (int, []byte) {
	m.t.Helper()
	at := m.url + "/api/v2/" + path
	open := strings.HasPrefix(path, "http")
	if open {
		at = path
	}
	request, err := http.NewRequestWithContext(m.t.Context(), method, at, bytes.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	if !open && m.who != "" {
		request.Header.Set("Authorization", "Bearer "+m.as[m.who].Token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		m.t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return answer.StatusCode, said
}

// wants sends a request, fails the test unless it gives that status, and gives the resource that came.
func (m remote) wants(status int, method, path, body string) (x remoteResource) {
	m.t.Helper()
	code, said := m.send(method, path, []byte(body))
	if code != status {
		m.t.Fatalf("%s %s by %s = %d, want %d: %s", method, path, m.who, code, status, said)
	}
	var document struct {
		Data json.RawMessage `json:"data"`
	}
	if len(said) > 0 && json.Unmarshal(said, &document) == nil && len(document.Data) > 0 && document.Data[0] == '{' {
		if err := json.Unmarshal(document.Data, &x); err != nil {
			m.t.Fatal(err)
		}
	}
	return x
}

func (m remote) workspace(organization, name string) remoteResource {
	m.t.Helper()
	return m.wants(201, "POST", "organizations/"+organization+"/workspaces", fmt.Sprintf(`{"data":{"type":"workspaces","attributes":{"name":%q}}}`, name))
}

// sends uploads a configuration and gives its id.
func (m remote) sends(workspace string, speculative bool, files map[string]string) string {
	m.t.Helper()
	c := m.wants(201, "POST", "workspaces/"+workspace+"/configuration-versions", fmt.Sprintf(`{"data":{"attributes":{"speculative":%t}}}`, speculative))
	if code, said := m.send("PUT", c.text("upload-url"), tarball(m.t, files)); code != 200 {
		m.t.Fatalf("the upload gives %d %s", code, said)
	}
	if c := m.wants(200, "GET", "configuration-versions/"+c.ID, ""); c.text("status") != "uploaded" {
		m.t.Fatalf("after the upload the configuration is %s", c.text("status"))
	}
	return c.ID
}

func (m remote) begins(status int, workspace, configuration, more string) remoteResource {
	m.t.Helper()
	return m.wants(status, "POST", "runs", fmt.Sprintf(`{"data":{"attributes":{"message":"by a client"%s},"relationships":{"workspace":{"data":{"type":"workspaces","id":%q}},"configuration-version":{"data":{"type":"configuration-versions","id":%q}}}}}`,
		more, workspace, configuration))
}

// status follows a run of the protocol until it has one of the states.
func (m remote) status(id string, states ...string) remoteResource {
	m.t.Helper()
	ctx, stop := context.WithTimeout(m.t.Context(), 2*time.Minute)
	defer stop()
	var x remoteResource
	err := eventually(ctx, func() (bool, error) {
		x = m.wants(200, "GET", "runs/"+id, "")
		for _, s := range states {
			if x.text("status") == s {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		m.t.Fatalf("run %s is %s, want %v", id, x.text("status"), states)
	}
	return x
}

// wholeLog reads a log in parts, as clients do, until its end.
func (m remote) wholeLog(at string, limit int) string {
	m.t.Helper()
	var all []byte
	for !bytes.HasSuffix(all, []byte{3}) {
		code, part := m.send("GET", fmt.Sprintf("%s?limit=%d&offset=%d", at, limit, len(all)), nil)
		if code != 200 || len(part) > limit {
			m.t.Fatalf("the log gives %d with %d bytes", code, len(part))
		}
		all = append(all, part...)
	}
	if all[0] != 2 || bytes.Count(all, []byte{2}) != 1 || bytes.Count(all, []byte{3}) != 1 {
		m.t.Errorf("the log is not framed: %q", all)
	}
	return string(all[1 : len(all)-1])
}

// TestTheRemoteProtocol holds the protocol to what clients rely on: a workspace, its configuration, runs with their logs,
// states, outputs, variables, tags and locks.
func TestTheRemoteProtocol(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		m := remote{g, "alice"}
		code, said := m.send("GET", g.url+"/.well-known/terraform.json", nil)
		if code != 200 || !strings.Contains(string(said), `"tfe.v2":"/api/v2/"`) || !strings.Contains(string(said), `"modules.v1":"/v1/modules/"`) {
			t.Errorf("the discovery is %d %s", code, said)
		}
		m.wants(204, "GET", "ping", "")
		if p := m.wants(200, "GET", "account/details", ""); p.text("username") != "alice" {
			t.Errorf("the account is %+v", p)
		}
		if e := m.wants(200, "GET", "organizations/default/entitlement-set", ""); e.text("operations") != "true" {
			t.Errorf("the entitlements are %+v", e)
		}
		ws := m.workspace("default", "net")
		m.wants(422, "POST", "organizations/default/workspaces", `{"data":{"attributes":{"name":"net"}}}`)
		if named := m.wants(200, "GET", "organizations/default/workspaces/net", ""); named.ID != ws.ID || named.text("terraform-version") != "latest" {
			t.Errorf("by its name the workspace is %+v", named)
		}
		m.wants(404, "GET", "workspaces/"+ws.ID+"/current-state-version", "")

		// A variable of each sort, one of them a secret.
		for _, v := range []string{`"key":"name","value":"shop"`, `"key":"LEVEL","value":"3","category":"env"`, `"key":"token","value":"s3cr3t-value","sensitive":true`} {
			m.wants(201, "POST", "workspaces/"+ws.ID+"/vars", `{"data":{"attributes":{`+v+`}}}`)
		}
		if _, said := m.send("GET", "workspaces/"+ws.ID+"/vars", nil); !strings.Contains(string(said), `"shop"`) || strings.Contains(string(said), "s3cr3t") || !strings.Contains(string(said), `"key":"token"`) {
			t.Errorf("the variables are %s", said)
		}
		m.wants(204, "POST", "workspaces/"+ws.ID+"/relationships/tags", `{"data":[{"type":"tags","attributes":{"name":"web"}}]}`)
		for query, want := range map[string]int{"search[tags]=web": 1, "search[tags]=other": 0, "search[name]=ne": 1, "search[wildcard-name]=x*": 0} {
			_, said := m.send("GET", "organizations/default/workspaces?"+query, nil)
			if got := strings.Count(string(said), `"type":"workspaces"`); got != want {
				t.Errorf("%s finds %d workspaces, want %d", query, got, want)
			}
		}

		configuration := lightInfra + "\nvariable \"token\" { type = string }\n"
		c := m.sends(ws.ID, false, map[string]string{"main.tf": configuration})
		m.wants(404, "PUT", g.url+"/api/v2/configuration-uploads/anything", "")
		r := m.begins(201, ws.ID, c, "")
		planned := m.status(r.ID, "planned", "errored")
		if planned.text("has-changes") != "true" || !strings.Contains(planned.text("actions"), `"is-confirmable":true`) {
			t.Fatalf("the planned run is %s %s", planned.text("status"), planned.text("actions"))
		}
		own := strings.TrimPrefix(r.ID, "run-")
		plan := m.wants(200, "GET", "plans/plan-"+own, "")
		log := m.wholeLog(plan.text("log-read-url"), 4096)
		if !strings.Contains(log, "1 to add") || !strings.Contains(log, "four-eyes") && !strings.Contains(log, "plan:") || strings.Contains(log, "s3cr3t") {
			t.Errorf("the log of the plan is\n%s", log)
		}
		if again := m.wholeLog(plan.text("log-read-url"), 7); again != log {
			t.Errorf("read in parts of 7 bytes the log is another one")
		}
		if plan.text("resource-additions") != "1" || plan.text("status") != "finished" {
			t.Errorf("the plan is %+v", plan)
		}
		if code, said := m.send("GET", "plans/plan-"+own+"/json-output", nil); code != 403 {
			t.Errorf("the plan with its sensitive values is given to who may not read states: %d %.100s", code, said)
		}
		if code, said := (remote{g, "otto"}).send("GET", "plans/plan-"+own+"/json-output", nil); code != 200 || !strings.Contains(string(said), `"format_version"`) {
			t.Errorf("the plan as JSON is %d %.100s", code, said)
		}
		// Four eyes: whose upload it is can't agree alone.
		m.wants(403, "POST", "runs/"+r.ID+"/actions/apply", "")
		remote{g, "bob"}.wants(202, "POST", "runs/"+r.ID+"/actions/apply", `{"comment":"looks right"}`)
		m.status(r.ID, "applied")
		apply := m.wants(200, "GET", "applies/apply-"+own, "")
		if log := m.wholeLog(apply.text("log-read-url"), 65536); !strings.Contains(log, "Apply complete") || apply.text("status") != "finished" {
			t.Errorf("the apply is %s, its log\n%s", apply.text("status"), log)
		}

		// The state: read by who may, written under a lock that holds against oneself too.
		state := m.wants(200, "GET", "workspaces/"+ws.ID+"/current-state-version", "")
		if code, _ := m.send("GET", "state-versions/"+state.ID+"/download", nil); code != 403 {
			t.Errorf("a developer downloads a state: %d", code)
		}
		otto := remote{g, "otto"}
		code, content := otto.send("GET", "state-versions/"+state.ID+"/download", nil)
		if code != 200 || !bytes.Contains(content, []byte(`"lineage"`)) {
			t.Fatalf("the state is %d %.200s", code, content)
		}
		otto.wants(200, "POST", "workspaces/"+ws.ID+"/actions/lock", `{"reason":"by hand"}`)
		otto.wants(409, "POST", "workspaces/"+ws.ID+"/actions/lock", `{"reason":"again"}`)
		remote{g, "admin"}.wants(409, "POST", "workspaces/"+ws.ID+"/actions/unlock", "")
		var known map[string]any
		if err := json.Unmarshal(content, &known); err != nil {
			t.Fatal(err)
		}
		serial := int(known["serial"].(float64)) + 1
		known["serial"] = serial
		next, err := json.Marshal(known)
		if err != nil {
			t.Fatal(err)
		}
		sum := md5.Sum(next)
		version := func(serial int, inline string) string {
			return fmt.Sprintf(`{"data":{"attributes":{"serial":%d,"md5":%q,"lineage":"","state":%q}}}`, serial, hex.EncodeToString(sum[:]), inline)
		}
		m.wants(403, "POST", "workspaces/"+ws.ID+"/state-versions", version(serial, ""))
		pending := otto.wants(201, "POST", "workspaces/"+ws.ID+"/state-versions", version(serial, ""))
		otto.wants(404, "GET", "state-versions/"+pending.ID, "")
		otto.wants(422, "PUT", pending.text("hosted-state-upload-url"), string(content))
		otto.wants(200, "PUT", pending.text("hosted-state-upload-url"), string(next))
		if v := otto.wants(200, "GET", "state-versions/"+pending.ID, ""); v.text("serial") != fmt.Sprint(serial) || v.text("status") != "finalized" {
			t.Errorf("the state that was sent is %+v", v)
		}
		otto.wants(201, "POST", "workspaces/"+ws.ID+"/state-versions", version(serial, base64.StdEncoding.EncodeToString(next))) // the same again
		otto.wants(422, "POST", "workspaces/"+ws.ID+"/state-versions", version(serial, base64.StdEncoding.EncodeToString(content)))
		otto.wants(200, "POST", "workspaces/"+ws.ID+"/actions/unlock", "")
		otto.wants(409, "POST", "workspaces/"+ws.ID+"/actions/unlock", "")
		if _, said := m.send("GET", "workspaces/"+ws.ID+"/current-state-version-outputs", nil); !strings.Contains(string(said), `"region-one"`) {
			t.Errorf("the outputs are %s", said)
		}

		// A preview of what may only be planned, and of a removal.
		c = m.sends(ws.ID, true, map[string]string{"main.tf": configuration})
		preview := m.begins(201, ws.ID, c, `,"is-destroy":true`)
		if x := m.status(preview.ID, "planned_and_finished", "errored"); x.text("plan-only") != "true" || x.text("is-destroy") != "true" || x.text("has-changes") != "true" {
			t.Errorf("the preview is %+v", x)
		}
		for _, list := range []string{"run-events", "task-stages", "policy-checks"} {
			m.wants(200, "GET", "runs/"+preview.ID+"/"+list, "")
		}
		m.wants(409, "POST", "workspaces/"+ws.ID+"/actions/safe-delete", "")
		m.wants(204, "DELETE", "organizations/default/workspaces/net", "")
		m.wants(404, "GET", "workspaces/"+ws.ID, "")
	})
}

// TestTheRemoteProtocolShowsNothingOfOtherSpaces asks for the things of a space by who has no rights there, by ids and by
// links that were made for others.
func TestTheRemoteProtocolShowsNothingOfOtherSpaces(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}\n---\n" +
			"{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: lars}, spec: {memberOf: []}}\n---\n" +
			"{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: lars-develops}, spec: {role: developer, space: lab, subjects: [\"user:default/lars\"]}}")
		g.as["lars"] = client.New(g.url, g.token("user:default/lars"))
		alice, lars := remote{g, "alice"}, remote{g, "lars"}
		ws := alice.workspace("default", "net")
		lab := lars.workspace("lab", "net") // two spaces may use one name
		if lab.ID == ws.ID {
			t.Error("two workspaces have one id")
		}
		c := alice.sends(ws.ID, true, map[string]string{"main.tf": lightInfra})
		r := alice.begins(201, ws.ID, c, `,"variables":[{"key":"name","value":"\"x\""}]`)
		alice.status(r.ID, "planned_and_finished", "errored")
		own := strings.TrimPrefix(r.ID, "run-")
		for _, path := range []string{
			"organizations/default", "organizations/default/entitlement-set", "organizations/default/workspaces", "organizations/default/workspaces/net", "organizations/nowhere/workspaces",
			"workspaces/" + ws.ID, "workspaces/" + ws.ID + "/runs", "workspaces/" + ws.ID + "/vars", "workspaces/" + ws.ID + "/state-versions", "configuration-versions/" + c,
			"runs/" + r.ID, "plans/plan-" + own, "plans/plan-" + own + "/json-output", "applies/apply-" + own, "runs/" + r.ID + "/run-events", "runs/run-nothing", "workspaces/ws-nothing",
			"state-versions/sv-nothing", "state-version-outputs/wsout-x-00",
		} {
			lars.wants(404, "GET", path, "")
			(remote{g, ""}).wants(401, "GET", path, "")
		}
		for _, path := range []string{"workspaces/" + ws.ID + "/configuration-versions", "runs/" + r.ID + "/actions/cancel"} {
			lars.wants(404, "POST", path, "{}")
		}
		for _, path := range []string{"workspaces/" + ws.ID + "/actions/lock", "workspaces/" + ws.ID + "/state-versions"} {
			lars.wants(404, "POST", path, "{}")
		}
		lars.begins(404, ws.ID, c, "")
		lars.begins(404, lab.ID, c, "")
		// A link ends with the token that asked for it.
		plan := alice.wants(200, "GET", "plans/plan-"+own, "")
		alice.wholeLog(plan.text("log-read-url"), 65536)
		alice.wants(404, "GET", plan.text("log-read-url")+"x", "")
		alice.wants(404, "PUT", strings.Replace(plan.text("log-read-url"), "plan-logs", "state-uploads", 1), "") // it opens nothing else
		tokens, err := client.All[client.Token](t.Context(), g.admin, "/tokens", url.Values{"owner": {"user:default/alice"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range tokens {
			if err := g.admin.Do(t.Context(), "DELETE", "/tokens/"+token.ID, nil, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if code, _ := alice.send("GET", plan.text("log-read-url")+"?limit=10&offset=0", nil); code != 401 {
			t.Errorf("a link outlives the token that asked for it: %d", code)
		}
	})
}

// TestACodeOfASignInIsGoodOnce and for its program alone.
func TestACodeOfASignInIsGoodOnce(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		exchange := func(code, verifier, redirect string) (int, string) {
			t.Helper()
			answer, err := http.PostForm(g.url+"/oauth/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {"terraform-cli"}, "code": {code}, "code_verifier": {verifier}, "redirect_uri": {redirect}})
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			said, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			return answer.StatusCode, string(said)
		}
		const redirect = "http://localhost:10005/login"
		verifier := strings.Repeat("v", 50)
		sum := sha256.Sum256([]byte(verifier))
		challenge := base64.RawURLEncoding.EncodeToString(sum[:])
		link, err := client.Post[client.SignInLink](t.Context(), g.alice, "/signin-links", map[string]any{"user": "user:default/alice"})
		if err != nil {
			t.Fatal(err)
		}
		browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		signed, err := browser.Post(g.url+"/api/v1/session", "application/json", strings.NewReader(`{"code":"`+link.Code+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		var me struct {
			CSRF string `json:"csrf"`
		}
		if err := json.NewDecoder(signed.Body).Decode(&me); err != nil {
			t.Fatal(err)
		}
		signed.Body.Close()
		page := func(method string, with url.Values) *http.Response {
			t.Helper()
			form := url.Values{"client_id": {"terraform-cli"}, "response_type": {"code"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}, "state": {"s"}, "redirect_uri": {redirect}, "answer": {"allow"}, "csrf": {me.CSRF}}
			for name := range with {
				form.Set(name, with.Get(name))
			}
			request, err := http.NewRequestWithContext(t.Context(), method, g.url+"/oauth/authorize", strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for _, cookie := range signed.Cookies() {
				request.AddCookie(cookie)
			}
			answer, err := browser.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			return answer
		}
		code := func() string {
			t.Helper()
			at, err := page("POST", nil).Location()
			if err != nil || at.Query().Get("state") != "s" {
				t.Fatalf("the page leads to %v, %v", at, err)
			}
			return at.Query().Get("code")
		}
		for _, wrong := range []url.Values{
			{"redirect_uri": {"https://evil.example/login"}}, {"redirect_uri": {"http://evil.example:10000/login"}}, {"redirect_uri": {"http://localhost:80/login"}},
			{"redirect_uri": {"http://localhost:10000@evil.example/"}}, {"code_challenge_method": {"plain"}}, {"client_id": {"other"}}, {"response_type": {"token"}}, {"code_challenge": {"short"}},
		} {
			if answer := page("POST", wrong); answer.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("%v gives %s", wrong, answer.Status)
			}
		}
		if answer := page("POST", url.Values{"csrf": {"wrong"}}); answer.StatusCode != http.StatusForbidden {
			t.Errorf("without the session's proof: %s", answer.Status)
		}
		if at, err := page("POST", url.Values{"answer": {"deny"}}).Location(); err != nil || at.Query().Get("error") != "access_denied" || at.Query().Get("code") != "" {
			t.Errorf("who refuses leads to %v, %v", at, err)
		}
		first := code()
		if status, said := exchange(first, verifier, redirect); status != 200 || !strings.Contains(said, `"access_token":"rbt_`) {
			t.Fatalf("the exchange gives %d %s", status, said)
		}
		for what, again := range map[string]func() (int, string){
			"a second time":    func() (int, string) { return exchange(first, verifier, redirect) },
			"another verifier": func() (int, string) { return exchange(code(), strings.Repeat("w", 50), redirect) },
			"another redirect": func() (int, string) { return exchange(code(), verifier, "http://localhost:10006/login") },
			"nothing":          func() (int, string) { return exchange("", verifier, redirect) },
		} {
			if status, said := again(); status != 400 || !strings.Contains(said, "invalid_grant") {
				t.Errorf("%s: %d %s", what, status, said)
			}
		}
		used := code() // a wrong try uses it up
		exchange(used, strings.Repeat("w", 50), redirect)
		if status, _ := exchange(used, verifier, redirect); status != 400 {
			t.Errorf("a code is good after a wrong try: %d", status)
		}
	})
}
