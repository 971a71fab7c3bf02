package server

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// writesState writes a state of a workspace, as who may.
func (m remote) writesState(workspace, state string) {
	m.t.Helper()
	sum := md5.Sum([]byte(state))
	m.wants(200, "POST", "workspaces/"+workspace+"/actions/lock", "")
	m.wants(201, "POST", "workspaces/"+workspace+"/state-versions", fmt.Sprintf(`{"data":{"attributes":{"serial":1,"md5":%q,"state":%q}}}`,
		hex.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString([]byte(state))))
	m.wants(200, "POST", "workspaces/"+workspace+"/actions/unlock", "")
}

// TestOutputsOfTheRemoteProtocolAreKeptBesideTheState loses what a state holds: who wants its outputs without sensitive values
// gets them all the same.
func TestOutputsOfTheRemoteProtocolAreKeptBesideTheState(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		otto := remote{g, "otto"}
		ws := remote{g, "alice"}.workspace("default", "net")
		otto.writesState(ws.ID, `{"version":4,"serial":1,"lineage":"l","outputs":{"zone":{"value":"eu-1","type":"string"},"key":{"value":"s3cr3t","type":"string","sensitive":true}},"resources":[]}`)
		now := otto.wants(200, "GET", "workspaces/"+ws.ID+"/current-state-version", "")
		if _, said := otto.send("GET", "state-versions/"+now.ID+"/outputs", nil); !strings.Contains(string(said), "s3cr3t") {
			t.Errorf("who may read the state is shown %s", said)
		}
		err := g.house.DB.Read(t.Context(), func(tx *store.Tx) error {
			var digest string
			if err := tx.QueryRow(t.Context(), "SELECT digest FROM stack_states WHERE stack = 'stack:default/net'").Scan(&digest); err != nil {
				return err
			}
			return g.house.Blob.Delete(t.Context(), digest)
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/current-state-version-outputs", "/current-state-version?include=outputs", "?include=outputs"} {
			code, said := otto.send("GET", "workspaces/"+ws.ID+path, nil)
			if code != 200 || !strings.Contains(string(said), `"eu-1"`) || !strings.Contains(string(said), `"key"`) || strings.Contains(string(said), "s3cr3t") {
				t.Errorf("%s is %d %s", path, code, said)
			}
		}
		if code, _ := otto.send("GET", "state-versions/"+now.ID+"/outputs", nil); code == 200 {
			t.Error("what is lost is shown")
		}
	})
}

// TestConfigurationsThatAreCutShortAreNotTakenForWhole damages what was uploaded, as a broken disk does.
func TestConfigurationsThatAreCutShortAreNotTakenForWhole(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		m := remote{g, "alice"}
		ws := m.workspace("default", "net")
		noise := make([]byte, 300_000) // no archive makes it small
		_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
		c := m.sends(ws.ID, false, map[string]string{"main.tf": "output \"x\" { value = 1 }\n", "noise": string(noise)})
		err := g.house.DB.Read(t.Context(), func(tx *store.Tx) error {
			var digest string
			if err := tx.QueryRow(t.Context(), "SELECT kept FROM stack_configurations").Scan(&digest); err != nil {
				return err
			}
			_, name, _ := strings.Cut(digest, ":")
			return os.Truncate(g.house.path("blobs", "content", name[:2], name), 200_000)
		})
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), "GET", g.url+"/api/v2/configuration-versions/"+c+"/download", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+m.as["alice"].Token)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if got, err := io.ReadAll(answer.Body); err == nil {
			t.Errorf("%d bytes are taken for the whole configuration", len(got))
		}
	})
}

// TestRemoteRelationsThatAreWrongChangeNothing sends more of a relation than is taken, and what is none.
func TestRemoteRelationsThatAreWrongChangeNothing(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		m := remote{g, "alice"}
		ws := m.workspace("default", "net")
		m.wants(200, "PATCH", "workspaces/"+ws.ID+"/tag-bindings", `{"data":[{"type":"tag-bindings","attributes":{"key":"app","value":"shop"}}]}`)
		set := m.wants(201, "POST", "organizations/default/varsets", `{"data":{"attributes":{"name":"shared"}}}`)
		m.wants(204, "POST", "varsets/"+set.ID+"/relationships/workspaces", fmt.Sprintf(`{"data":[{"type":"workspaces","id":%q}]}`, ws.ID))
		many := "[" + strings.Repeat(`{"type":"workspaces","id":"ws-x"},`, 1000) + `{"type":"workspaces","id":"ws-x"}]`
		for data, want := range map[string]int{many: 413, `{"type":"workspaces","id":"ws-x"}`: 422, `"all"`: 422} {
			m.wants(want, "PATCH", "varsets/"+set.ID, `{"data":{"attributes":{"description":"other"},"relationships":{"workspaces":{"data":`+data+`}}}}`)
			m.wants(want, "PATCH", "workspaces/"+ws.ID, `{"data":{"attributes":{"description":"other"},"relationships":{"tag-bindings":{"data":`+data+`}}}}`)
			m.wants(want, "POST", "organizations/default/workspaces", `{"data":{"attributes":{"name":"other"},"relationships":{"tags":{"data":`+data+`}}}}`)
		}
		if now := m.wants(200, "GET", "varsets/"+set.ID, ""); now.text("workspace-count") != "1" || now.text("description") != "" {
			t.Errorf("the set is %+v", now)
		}
		if _, said := m.send("GET", "workspaces/"+ws.ID+"/tag-bindings", nil); !strings.Contains(string(said), `"shop"`) {
			t.Errorf("the bindings are %s", said)
		}
		m.wants(200, "PATCH", "varsets/"+set.ID, `{"data":{"relationships":{"workspaces":{"data":null}}}}`) // says nothing of them
		if now := m.wants(200, "PATCH", "varsets/"+set.ID, `{"data":{"relationships":{"workspaces":{"data":[]}}}}`); now.text("workspace-count") != "0" {
			t.Errorf("the set that is to be attached to none is %+v", now)
		}
	})
}

// secretsOf gives the secrets of the root space, by name, with their checksums.
func (g *ground) secretsOf() map[string]string {
	g.t.Helper()
	all, err := client.All[client.SecretInfo](g.t.Context(), g.admin, "/secrets/default", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	sums := map[string]string{}
	for _, s := range all {
		sums[s.Name] = s.Checksum
	}
	return sums
}

// TestVariablesOfTheRemoteProtocolKeepToTheirOwnSecrets: a secret that many are given is not set by way of one variable, and none by
// who may not change the document.
func TestVariablesOfTheRemoteProtocolKeepToTheirOwnSecrets(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		if err := g.admin.Do(t.Context(), "PUT", "/secrets/default/prod-db", nil, map[string]any{"value": "of-all"}, nil); err != nil {
			t.Fatal(err)
		}
		const named = "spec: {owner: \"group:default/crew\", source: {upload: true}, environment: [{name: DB, secretRef: default/prod-db}]}"
		g.apply("{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: sam}, spec: {memberOf: []}}\n---\n" +
			"{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: sealer}, spec: {description: Keeps secrets, permissions: [\"*:read\", \"secret:write\"]}}\n---\n" +
			"{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: sam-seals}, spec: {role: sealer, space: default, subjects: [\"user:default/sam\"]}}\n---\n" +
			"apiVersion: roadbed.dev/v1\nkind: Stack\nmetadata: {name: net}\n" + named + "\n---\n" +
			"apiVersion: roadbed.dev/v1\nkind: Context\nmetadata: {name: shared}\nspec: {variables: [{name: DB, secretRef: default/prod-db}]}\n")
		g.as["sam"] = client.New(g.url, g.token("user:default/sam"))
		g.push("alice", "default/kept", map[string]string{"catalog-info.yaml": "apiVersion: roadbed.dev/v1\nkind: Stack\nmetadata: {name: kept}\n" + named + "\n"})
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/kept"}); err != nil {
			t.Fatal(err)
		}
		alice, sam := remote{g, "alice"}, remote{g, "sam"}
		before := g.secretsOf()
		for _, of := range []string{"workspaces/" + alice.wants(200, "GET", "organizations/default/workspaces/net", "").ID + "/vars", "varsets/varset-default~shared/relationships/vars"} {
			_, said := alice.send("GET", of, nil)
			at := of + "/" + firstBetween(string(said), `"id":"`, `"`)
			sam.wants(403, "PATCH", at, `{"data":{"attributes":{"value":"of-sam"}}}`)
			sam.wants(403, "POST", of, `{"data":{"attributes":{"key":"OTHER","value":"of-sam","category":"env","sensitive":true}}}`)
			if now := g.secretsOf(); fmt.Sprint(now) != fmt.Sprint(before) {
				t.Errorf("who may not change the document makes the secrets %v of %v", now, before)
			}
			first := alice.wants(200, "PATCH", at, `{"data":{"attributes":{"value":"of-one"}}}`)
			now := g.secretsOf()
			if len(now) != len(before)+1 || now["prod-db"] != before["prod-db"] {
				t.Errorf("%s makes the secrets %v of %v", at, now, before)
			}
			if again := alice.wants(200, "PATCH", at, `{"data":{"attributes":{"value":"another"}}}`); again.ID != first.ID {
				t.Errorf("the variable is %+v after %+v", again, first)
			}
			if later := g.secretsOf(); len(later) != len(now) || fmt.Sprint(later) == fmt.Sprint(now) {
				t.Errorf("another value makes the secrets %v of %v", later, now)
			}
			before = g.secretsOf()
		}
		kept := "workspaces/" + alice.wants(200, "GET", "organizations/default/workspaces/kept", "").ID + "/vars"
		_, said := alice.send("GET", kept, nil)
		alice.wants(409, "PATCH", kept+"/"+firstBetween(string(said), `"id":"`, `"`), `{"data":{"attributes":{"value":"of-one"}}}`)
		alice.wants(409, "POST", kept, `{"data":{"attributes":{"key":"OTHER","value":"x","category":"env","sensitive":true}}}`)
		if now := g.secretsOf(); fmt.Sprint(now) != fmt.Sprint(before) {
			t.Errorf("what a repository declares makes the secrets %v of %v", now, before)
		}
		for _, at := range []string{"/entities/stack/default/net", "/entities/context/default/shared"} {
			e, err := client.Get[json.RawMessage](t.Context(), g.as["rita"], at, nil)
			if err != nil || !strings.Contains(string(e), ".DB.") || strings.Contains(string(e), "prod-db") {
				t.Errorf("%s is %s, %v", at, e, err)
			}
		}
	})
}

// atOnce sends requests of one kind at the same time, and counts the answers by their status.
func (m remote) atOnce(n int, send func(i int) (method, path, body string)) map[int]int {
	m.t.Helper()
	codes := make([]int, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			method, path, body := send(i)
			request, err := http.NewRequestWithContext(m.t.Context(), method, m.url+"/api/v2/"+path, strings.NewReader(body))
			if err != nil {
				m.t.Error(err)
				return
			}
			request.Header.Set("Authorization", "Bearer "+m.as[m.who].Token)
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				m.t.Error(err)
				return
			}
			codes[i] = answer.StatusCode
			answer.Body.Close()
		})
	}
	all.Wait()
	counts := map[int]int{}
	for _, code := range codes {
		counts[code]++
	}
	return counts
}

// TestVariablesOfTheRemoteProtocolThatMeet are changed at the same time: nothing of them is lost, and none is there twice.
func TestVariablesOfTheRemoteProtocolThatMeet(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		m := remote{g, "alice"}
		ws := m.workspace("default", "net")
		set := m.wants(201, "POST", "organizations/default/varsets", `{"data":{"attributes":{"name":"shared"}}}`)
		for _, of := range []string{"workspaces/" + ws.ID + "/vars", "varsets/" + set.ID + "/relationships/vars"} {
			made := m.atOnce(8, func(i int) (string, string, string) {
				return "POST", of, fmt.Sprintf(`{"data":{"attributes":{"key":"k%d","value":"v"}}}`, i)
			})
			if made[201] != 8 {
				t.Errorf("8 that are made at once give %v", made)
			}
			same := m.atOnce(4, func(int) (string, string, string) {
				return "POST", of, `{"data":{"attributes":{"key":"same","value":"v"}}}`
			})
			if same[201] != 1 || same[422] != 3 {
				t.Errorf("4 of one name give %v", same)
			}
			if _, said := m.send("GET", of, nil); strings.Count(string(said), `"type":"vars"`) != 9 {
				t.Errorf("there are %s", said)
			}
			v := m.wants(201, "POST", of, `{"data":{"attributes":{"key":"one","value":"old","description":"old"}}}`)
			parts := []string{`"value":"new"`, `"description":"new"`, `"hcl":true`}
			if changed := m.atOnce(len(parts), func(i int) (string, string, string) {
				return "PATCH", of + "/" + v.ID, `{"data":{"attributes":{` + parts[i] + `}}}`
			}); changed[200] != len(parts) {
				t.Errorf("changes of its parts give %v", changed)
			}
			if now := m.wants(200, "GET", of+"/"+v.ID, ""); now.text("value") != "new" || now.text("description") != "new" || now.text("hcl") != "true" {
				t.Errorf("after all the variable is %+v", now)
			}
		}
		tagged := m.atOnce(6, func(i int) (string, string, string) {
			return "POST", "workspaces/" + ws.ID + "/relationships/tags", fmt.Sprintf(`{"data":[{"type":"tags","attributes":{"name":"t%d"}}]}`, i)
		})
		if _, said := m.send("GET", "workspaces/"+ws.ID+"/relationships/tags", nil); tagged[204] != 6 || strings.Count(string(said), `"type":"tags"`) != 6 {
			t.Errorf("tags at once give %v and %s", tagged, said)
		}
	})
}

// TestVariablesOfTheRemoteProtocolAreDescribedInTheLedger by their names: what was said of them and their values are not there.
func TestVariablesOfTheRemoteProtocolAreDescribedInTheLedger(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		m := remote{g, "alice"}
		ws := m.workspace("default", "net")
		vars := "workspaces/" + ws.ID + "/vars"
		v := m.wants(201, "POST", vars, `{"data":{"attributes":{"key":"zone","value":"the-value","description":"the-words"}}}`)
		m.wants(200, "PATCH", vars+"/"+v.ID, `{"data":{"attributes":{"value":"the-value-2"}}}`) // the document's entry tells of that
		m.wants(200, "PATCH", vars+"/"+v.ID, `{"data":{"attributes":{"hcl":true}}}`)
		m.wants(204, "DELETE", vars+"/"+v.ID, "")
		g.wantNoted("stack:default/net", "variable.described", 2)
		g.wantNoted("stack:default/net", "variable.forgotten", 1)
		all, err := client.All[client.Entry](t.Context(), g.admin, "/ledger", map[string][]string{"ref": {"stack:default/net"}, "type": {"variable."}})
		if err != nil || len(all) == 0 {
			t.Fatal(all, err)
		}
		for _, e := range all {
			if data := string(e.Data); !strings.Contains(data, "zone") || strings.Contains(data, "the-") {
				t.Errorf("%s tells %s", e.Type, data)
			}
		}
	})
}

// TestListsOfTheRemoteProtocolGiveTheirPart: of a queue, and of workspaces in the order of their changes.
func TestListsOfTheRemoteProtocolGiveTheirPart(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		m := remote{g, "alice"}
		ws := m.workspace("default", "anna")
		m.workspace("default", "bert")
		m.wants(200, "PATCH", "workspaces/"+ws.ID, `{"data":{"attributes":{"description":"changed last"}}}`)
		for order, want := range map[string]string{"latest-change-at": "bert", "-latest-change-at": "anna", "-name": "bert", "name": "anna"} {
			_, said := m.send("GET", "organizations/default/workspaces?page[size]=1&sort="+order, nil)
			if got := firstBetween(string(said), `"name":"`, `"`); got != want || !strings.Contains(string(said), `"total-count":2`) {
				t.Errorf("by %s the first is %s of %s", order, got, said)
			}
		}
		m.wants(422, "GET", "organizations/default/workspaces?sort=size", "")
		c := m.sends(ws.ID, false, map[string]string{"main.tf": "output \"x\" { value = 1 }\n"})
		first := m.begins(201, ws.ID, c, "")
		m.status(first.ID, "planned", "errored")
		second := m.begins(201, ws.ID, c, "") // waits for the first
		for number, want := range map[int]string{1: second.ID, 2: first.ID} {
			_, said := m.send("GET", fmt.Sprintf("organizations/default/runs/queue?page[size]=1&page[number]=%d", number), nil)
			if strings.Count(string(said), `"type":"runs"`) != 1 || !strings.Contains(string(said), want) || !strings.Contains(string(said), `"total-count":2`) {
				t.Errorf("part %d of the queue is %s", number, said)
			}
		}
	})
}
