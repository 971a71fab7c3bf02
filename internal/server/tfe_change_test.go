package server

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"

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
