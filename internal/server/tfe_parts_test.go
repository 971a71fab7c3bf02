package server

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

const oddInfra = `variable "net-cidr" { type = string }
variable "zone-name" { type = string }
variable "plain" { type = string }
resource "terraform_data" "a" { input = "${var.net-cidr} ${var.zone-name} ${var.plain}" }
output "all" { value = terraform_data.a.output }
`

// TestVariablesOfTheRemoteProtocolReachTheEngine: those whose names no shell hands on, and those of a set.
func TestVariablesOfTheRemoteProtocolReachTheEngine(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		m := remote{g, "alice"}
		ws := m.workspace("default", "net")
		m.wants(200, "PATCH", "workspaces/"+ws.ID+"/tag-bindings", `{"data":[{"type":"tag-bindings","attributes":{"key":"app","value":"shop"}}]}`)
		m.wants(422, "PATCH", "workspaces/"+ws.ID+"/tag-bindings", `{"data":[{"type":"tag-bindings","attributes":{"key":"roadbed.dev/x","value":"shop"}}]}`)
		for query, want := range map[string]int{"[key]=app": 1, "[key]=app&filter[tagged][0][value]=shop": 1, "[key]=app&filter[tagged][0][value]=other": 0, "[key]=other": 0} {
			if _, said := m.send("GET", "organizations/default/workspaces?filter[tagged][0]"+query, nil); strings.Count(string(said), `"type":"workspaces"`) != want {
				t.Errorf("%s finds %s", query, said)
			}
		}
		vars := "workspaces/" + ws.ID + "/vars"
		v := m.wants(201, "POST", vars, `{"data":{"attributes":{"key":"net-cidr","value":"10.0.0.0/8 ${x}","category":"terraform","description":"of the network"}}}`)
		if v.text("description") != "of the network" || v.text("version-id") == "" {
			t.Errorf("the variable is %+v", v)
		}
		m.wants(422, "POST", vars, `{"data":{"attributes":{"key":"net-cidr","value":"again","category":"terraform"}}}`)
		m.wants(422, "POST", vars, fmt.Sprintf(`{"data":{"attributes":{"key":"long","description":%q}}}`, strings.Repeat("x", 513)))
		first := m.wants(201, "POST", vars, `{"data":{"attributes":{"key":"first","value":"kept"}}}`)
		renamed := m.wants(200, "PATCH", vars+"/"+first.ID, `{"data":{"attributes":{"key":"plain"}}}`)
		if renamed.ID != first.ID || renamed.text("value") != "kept" || renamed.text("version-id") == first.text("version-id") {
			t.Errorf("with another name it is %+v", renamed)
		}
		if other := m.wants(201, "POST", vars, `{"data":{"attributes":{"key":"first","value":"another","category":"env"}}}`); other.ID == first.ID {
			t.Error("two variables have one id")
		}

		set := m.wants(201, "POST", "organizations/default/varsets", `{"data":{"attributes":{"name":"Shared things!","description":"of all","global":false,"priority":false}}}`)
		m.wants(422, "POST", "organizations/default/varsets", `{"data":{"attributes":{"name":"Shared things!","global":false}}}`)
		m.wants(422, "POST", "organizations/default/varsets", `{"data":{"attributes":{"name":"Strong","priority":true}}}`)
		m.wants(201, "POST", "varsets/"+set.ID+"/relationships/vars", `{"data":{"attributes":{"key":"zone-name","value":"eu"}}}`)
		m.wants(201, "POST", "varsets/"+set.ID+"/relationships/vars", `{"data":{"attributes":{"key":"plain","value":"of the set"}}}`) // the stack's counts
		sealed := m.wants(201, "POST", "varsets/"+set.ID+"/relationships/vars", `{"data":{"attributes":{"key":"KEY","value":"s3cr3t-of-set","category":"env","sensitive":true}}}`)
		if sealed.text("value") != "null" && sealed.text("value") != "" {
			t.Errorf("a sensitive variable shows %s", sealed.text("value"))
		}
		m.wants(204, "POST", "varsets/"+set.ID+"/relationships/workspaces", fmt.Sprintf(`{"data":[{"type":"workspaces","id":%q}]}`, ws.ID))
		if _, said := m.send("GET", "workspaces/"+ws.ID+"/varsets", nil); !strings.Contains(string(said), "Shared things!") {
			t.Errorf("the sets of the workspace are %s", said)
		}
		context, err := client.Get[client.Entity](t.Context(), g.as["rita"], "/entities/context/default/shared-things", nil)
		if err != nil || strings.Contains(fmt.Sprint(context), "s3cr3t") {
			t.Errorf("the context is %+v, %v", context, err)
		}

		r := m.begins(201, ws.ID, m.sends(ws.ID, false, map[string]string{"main.tf": oddInfra}), "")
		if planned := m.status(r.ID, "planned", "errored"); planned.text("status") != "planned" {
			plan := m.wants(200, "GET", "runs/"+r.ID+"/plan", "")
			t.Fatalf("the plan ends with\n%s", m.wholeLog(plan.text("log-read-url"), 65536))
		}
		m.wants(201, "POST", "runs/"+r.ID+"/comments", `{"data":{"attributes":{"body":"who looks at it?"}}}`)
		m.wants(422, "POST", "runs/"+r.ID+"/comments", `{"data":{"attributes":{"body":""}}}`)
		locked := m.wants(200, "GET", "workspaces/"+ws.ID, "")
		if locked.text("locked") != "true" || !bytes.Contains(locked.Relations["locked-by"].Data, []byte(r.ID)) || !bytes.Contains(locked.Relations["current-run"].Data, []byte(r.ID)) {
			t.Errorf("while a run waits the workspace is %+v", locked)
		}
		(remote{g, "otto"}).wants(409, "POST", "workspaces/"+ws.ID+"/actions/unlock", "")
		remote{g, "bob"}.wants(202, "POST", "runs/"+r.ID+"/actions/apply", `{"comment":"looks right"}`)
		applied := m.status(r.ID, "applied", "errored")
		if !bytes.Contains(applied.Relations["confirmed-by"].Data, []byte(`"users"`)) || !strings.Contains(applied.text("status-timestamps"), "applied-at") {
			t.Errorf("the applied run is %+v", applied)
		}
		if _, said := m.send("GET", "runs/"+r.ID+"/comments", nil); !strings.Contains(string(said), "who looks at it?") || !strings.Contains(string(said), "looks right") {
			t.Errorf("the comments are %s", said)
		}
		if _, said := m.send("GET", "workspaces/"+ws.ID+"/current-state-version-outputs", nil); !strings.Contains(string(said), `"10.0.0.0/8 ${x} eu kept"`) {
			t.Errorf("the outputs are %s", said)
		}
		if _, said := m.send("GET", "workspaces/"+ws.ID+"/resources", nil); !strings.Contains(string(said), `"address":"terraform_data.a"`) {
			t.Errorf("the resources are %s", said)
		}
		if ws := m.wants(200, "GET", "workspaces/"+ws.ID, ""); ws.text("locked") != "false" || ws.text("workspace-kpis-runs-count") != "1" {
			t.Errorf("after the run the workspace is %+v", ws)
		}
		m.wants(204, "DELETE", "varsets/"+set.ID, "")
		m.wants(404, "GET", "varsets/"+set.ID, "")
	})
}

// TestConfigurationsAreKeptAndArchived tells which one a run is of that names none.
func TestConfigurationsAreKeptAndArchived(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		m := remote{g, "alice"}
		ws := m.workspace("default", "net")
		first := m.sends(ws.ID, false, map[string]string{"main.tf": "output \"x\" { value = 1 }\n"})
		second := m.sends(ws.ID, false, map[string]string{"main.tf": "output \"x\" { value = 2 }\n"})
		tried := m.wants(201, "POST", "workspaces/"+ws.ID+"/configuration-versions", `{"data":{"attributes":{"provisional":true}}}`)
		archive := tarball(t, map[string]string{"main.tf": "output \"x\" { value = 3 }\n"})
		if code, said := m.send("PUT", tried.text("upload-url"), archive); code != 200 {
			t.Fatalf("%d %s", code, said)
		}
		if code, said := m.send("GET", "configuration-versions/"+tried.ID+"/download", nil); code != 200 || !bytes.Equal(said, archive) {
			t.Errorf("what was uploaded comes back as %d, %d bytes", code, len(said))
		}
		if code, _ := (remote{g, "rita"}).send("GET", "configuration-versions/"+tried.ID+"/download", nil); code != 404 {
			t.Errorf("who may not plan downloads it: %d", code)
		}
		start := func(configuration string) remoteResource {
			t.Helper()
			return m.wants(201, "POST", "runs", fmt.Sprintf(`{"data":{"attributes":{},"relationships":{"workspace":{"data":{"type":"workspaces","id":%q}},"configuration-version":{"data":%s}}}}`, ws.ID, configuration))
		}
		begin := func(configuration string) remoteResource {
			t.Helper()
			r := start(configuration)
			m.wants(202, "POST", "runs/"+m.status(r.ID, "planned", "errored").ID+"/actions/discard", "")
			return r
		}
		archived := func(configuration string) (int, string) {
			code, said := m.send("POST", "configuration-versions/"+configuration+"/actions/archive", nil)
			return code, string(said)
		}
		if code, said := archived(second); code != 409 || !strings.Contains(said, "because it is current") {
			t.Errorf("beside a provisional one the newest is archived: %d %s", code, said)
		}
		m.wants(201, "POST", "workspaces/"+ws.ID+"/configuration-versions", `{"data":{"attributes":{}}}`) // which nobody sends
		if ws := m.wants(200, "GET", "workspaces/"+ws.ID, ""); !bytes.Contains(ws.Relations["current-configuration-version"].Data, []byte(second)) {
			t.Errorf("the current configuration is %s", ws.Relations["current-configuration-version"].Data)
		}
		of := func(r remoteResource) string { return string(r.Relations["configuration-version"].Data) }
		if r := begin("null"); !strings.Contains(of(r), second) {
			t.Errorf("a run that names no configuration is of %s", of(r))
		}
		provisional := fmt.Sprintf(`{"type":"configuration-versions","id":%q}`, tried.ID)
		begin(provisional)
		if r := begin("null"); !strings.Contains(of(r), second) {
			t.Errorf("after a run of the provisional one that was discarded, another is of %s", of(r))
		}
		r := start(provisional)
		m.status(r.ID, "planned", "errored")
		remote{g, "bob"}.wants(202, "POST", "runs/"+r.ID+"/actions/apply", "")
		m.status(r.ID, "applied", "errored")
		if c := m.wants(200, "GET", "configuration-versions/"+tried.ID, ""); c.text("provisional") != "false" {
			t.Errorf("once it is applied the provisional one is %+v", c)
		}
		r = start("null")
		if m.status(r.ID, "planned_and_finished", "planned", "errored"); !strings.Contains(of(r), tried.ID) {
			t.Errorf("once the provisional one is applied, another run is of %s", of(r))
		}
		if code, said := archived(tried.ID); code != 409 || !strings.Contains(said, "because it is current") {
			t.Errorf("the current one is archived: %d %s", code, said)
		}
		(remote{g, "rita"}).wants(403, "POST", "configuration-versions/"+first+"/actions/archive", "")
		for range 2 {
			m.wants(202, "POST", "configuration-versions/"+first+"/actions/archive", "")
		}
		if c := m.wants(200, "GET", "configuration-versions/"+first, ""); c.text("status") != "archived" {
			t.Errorf("it is %s", c.text("status"))
		}
		m.wants(404, "GET", "configuration-versions/"+first+"/download", "")
		m.begins(409, ws.ID, first, "")
	})
}

// TestOrganizationsAreSpaces that administrators make and delete.
func TestOrganizationsAreSpaces(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		admin, alice := remote{g, "admin"}, remote{g, "alice"}
		lab := `{"data":{"type":"organizations","attributes":{"name":"lab","email":"lab@example.com"}}}`
		alice.wants(403, "POST", "organizations", lab)
		(remote{g, ""}).wants(401, "POST", "organizations", lab)
		if o := admin.wants(201, "POST", "organizations", lab); o.ID != "lab" || o.text("email") != "lab@example.com" || !strings.Contains(o.text("permissions"), `"can-destroy":true`) {
			t.Errorf("the organization is %+v", o)
		}
		for _, wrong := range []string{lab, `{"data":{"attributes":{"name":"No Name","email":"a@b.example"}}}`, `{"data":{"attributes":{"name":"other","email":"nobody"}}}`, `{"data":{"attributes":{"name":"other","default-execution-mode":"local"}}}`} {
			admin.wants(422, "POST", "organizations", wrong)
		}
		spaces, err := client.All[client.Space](t.Context(), g.admin, "/spaces", url.Values{})
		if err != nil || !strings.Contains(fmt.Sprint(spaces), "lab") {
			t.Errorf("the spaces are %v, %v", spaces, err)
		}
		alice.wants(200, "GET", "organizations/lab", "") // she develops in the root, and so below it
		alice.wants(404, "PATCH", "organizations/nowhere", `{"data":{"attributes":{"email":"a@b.example"}}}`)
		if code, said := alice.send("PATCH", "organizations/lab", []byte(`{"data":{"attributes":{"email":"alice@example.com"}}}`)); code != 403 {
			t.Errorf("a developer changes a space: %d %s", code, said)
		}
		if o := admin.wants(200, "PATCH", "organizations/lab", `{"data":{"attributes":{"email":"new@example.com"}}}`); o.text("email") != "new@example.com" {
			t.Errorf("the changed organization is %+v", o)
		}
		alice.wants(422, "PATCH", "organizations/lab", `{"data":{"attributes":{"name":"other"}}}`)
		ws := alice.workspace("lab", "net")
		admin.wants(409, "DELETE", "organizations/lab", "")
		alice.wants(204, "DELETE", "workspaces/"+ws.ID, "")
		if code, _ := alice.send("DELETE", "organizations/lab", nil); code != 403 {
			t.Errorf("a developer deletes a space: %d", code)
		}
		admin.wants(204, "DELETE", "organizations/lab", "")
		admin.wants(404, "GET", "organizations/lab", "")
	})
}

// TestTheRemoteProtocolsPartsAreOfWhoMaySeeThem asks for parts of another space, of others' tokens and by who may only read.
func TestTheRemoteProtocolsPartsAreOfWhoMaySeeThem(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}\n---\n" +
			"{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: lars}, spec: {memberOf: []}}\n---\n" +
			"{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: lars-develops}, spec: {role: developer, space: lab, subjects: [\"user:default/lars\"]}}")
		g.as["lars"] = client.New(g.url, g.token("user:default/lars"))
		alice, lars, rita := remote{g, "alice"}, remote{g, "lars"}, remote{g, "rita"}
		ws, lab := alice.workspace("default", "net"), lars.workspace("lab", "net")
		alice.wants(204, "POST", "workspaces/"+ws.ID+"/relationships/tags", `{"data":[{"type":"tags","attributes":{"name":"web"}}]}`)
		v := alice.wants(201, "POST", "workspaces/"+ws.ID+"/vars", `{"data":{"attributes":{"key":"a","value":"b"}}}`)
		set := alice.wants(201, "POST", "organizations/default/varsets", `{"data":{"attributes":{"name":"shared"}}}`)
		own := alice.wants(201, "POST", "varsets/"+set.ID+"/relationships/vars", `{"data":{"attributes":{"key":"a","value":"b"}}}`)
		c := alice.sends(ws.ID, true, map[string]string{"main.tf": "output \"x\" { value = 1 }\n"})
		r := alice.begins(201, ws.ID, c, "")
		alice.wants(201, "POST", "runs/"+r.ID+"/comments", `{"data":{"attributes":{"body":"mine"}}}`)
		run := alice.wants(200, "GET", "runs/"+r.ID, "")
		comment := firstBetween(string(run.Relations["comments"].Data), `"id":"`, `"`)
		event := firstBetween(string(run.Relations["run-events"].Data), `"id":"`, `"`)
		me := alice.wants(200, "GET", "account/details", "")
		token := alice.wants(201, "POST", "users/"+me.ID+"/authentication-tokens", `{"data":{"attributes":{"description":"of mine"}}}`)
		if !strings.HasPrefix(token.text("token"), "rbt_") {
			t.Errorf("the token is %+v", token)
		}
		alice.wants(200, "GET", "comments/"+comment, "")
		alice.wants(200, "GET", "run-events/"+event, "")
		for _, path := range []string{
			"organizations/default/tags", "organizations/default/varsets", "organizations/default/runs", "workspaces/" + ws.ID + "/resources", "workspaces/" + ws.ID + "/varsets", "workspaces/" + ws.ID + "/tag-bindings",
			"workspaces/" + ws.ID + "/vars/" + v.ID, "varsets/" + set.ID, "varsets/" + set.ID + "/relationships/vars", "varsets/" + set.ID + "/relationships/vars/" + own.ID,
			"configuration-versions/" + c + "/download", "runs/" + r.ID + "/comments", "comments/" + comment, "run-events/" + event,
			"users/" + me.ID + "/authentication-tokens", "authentication-tokens/" + token.ID, "varsets/varset-x~y", "varsets/nothing", "comments/wsc-x", "run-events/re-", "authentication-tokens/at-",
		} {
			lars.wants(404, "GET", path, "")
			(remote{g, ""}).wants(401, "GET", path, "")
		}
		attach := fmt.Sprintf(`{"data":[{"type":"workspaces","id":%q}]}`, ws.ID)
		theirs := lars.wants(201, "POST", "organizations/lab/varsets", `{"data":{"attributes":{"name":"shared"}}}`)
		for _, q := range [][2]string{
			{"POST", "varsets/" + set.ID + "/relationships/workspaces"}, {"POST", "varsets/" + theirs.ID + "/relationships/workspaces"}, {"POST", "tags/tag-web/relationships/workspaces"},
			{"POST", "runs/" + r.ID + "/comments"}, {"POST", "configuration-versions/" + c + "/actions/archive"}, {"PATCH", "varsets/" + set.ID}, {"DELETE", "varsets/" + set.ID}, {"PATCH", "workspaces/" + ws.ID + "/tag-bindings"},
			{"DELETE", "varsets/" + set.ID + "/relationships/vars/" + own.ID}, {"DELETE", "organizations/default/tags"}, {"DELETE", "authentication-tokens/" + token.ID},
		} {
			lars.wants(404, q[0], q[1], attach)
		}
		// Who may only read changes nothing, and is told so.
		for _, q := range [][3]string{
			{"POST", "organizations/default/varsets", `{"data":{"attributes":{"name":"other"}}}`}, {"PATCH", "varsets/" + set.ID, `{"data":{"attributes":{"description":"other"}}}`},
			{"POST", "varsets/" + set.ID + "/relationships/vars", `{"data":{"attributes":{"key":"x","value":"y"}}}`}, {"DELETE", "varsets/" + set.ID + "/relationships/vars/" + own.ID, ""},
			{"POST", "varsets/" + set.ID + "/relationships/workspaces", attach}, {"DELETE", "organizations/default/tags", `{"data":[{"type":"tags","id":"tag-web"}]}`},
			{"PATCH", "workspaces/" + ws.ID + "/tag-bindings", `{"data":[{"type":"tag-bindings","attributes":{"key":"app","value":"shop"}}]}`},
			{"PATCH", "workspaces/" + ws.ID + "/vars/" + v.ID, `{"data":{"attributes":{"value":"c"}}}`}, {"POST", "runs/" + r.ID + "/comments", `{"data":{"attributes":{"body":"x"}}}`},
		} {
			rita.wants(403, q[0], q[1], q[2])
		}
		if _, said := lars.send("GET", "organizations/lab/varsets", nil); strings.Contains(string(said), set.ID) {
			t.Errorf("a space shows the sets of another: %s", said)
		}
		lars.wants(200, "GET", "workspaces/"+lab.ID+"/varsets", "")
		alice.wants(204, "DELETE", "authentication-tokens/"+token.ID, "")
		if err := client.New(g.url, token.text("token")).Do(t.Context(), "GET", "/spaces", nil, nil, nil); err == nil {
			t.Error("a token that is deleted is good")
		}
		alice.wants(204, "DELETE", "organizations/default/tags", `{"data":[{"type":"tags","id":"tag-web"}]}`)
		if ws := alice.wants(200, "GET", "workspaces/"+ws.ID, ""); ws.text("tag-names") != "[]" && ws.text("tag-names") != "null" {
			t.Errorf("the tags are %s", ws.text("tag-names"))
		}
	})
}

// firstBetween gives what of a text stands between two others, the first time.
func firstBetween(text, from, to string) string {
	_, rest, _ := strings.Cut(text, from)
	found, _, _ := strings.Cut(rest, to)
	return found
}
