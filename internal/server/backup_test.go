package server

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
)

// waiting is a workflow that waits for a person and then does a step.
const waiting = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: waits}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: ask, template: ask}
        - - {name: go, template: go}
    - name: ask
      suspend: {}
    - name: go
      container: {image: busybox, command: [sh, -c], args: ["echo went on"]}
`

// TestABackupOfARunningServerGoesOn restores a backup that was made while the server ran, and continues a run that
// waited for a person.
func TestABackupOfARunningServerGoesOn(t *testing.T) {
	t.Parallel()
	h, server := open(t)
	api := client.New(server.URL, h.Options.AdminToken)
	started, err := client.Post[client.RunDetail](t.Context(), api, "/workflows/runs", map[string]string{"document": waiting})
	if err != nil {
		t.Fatal(err)
	}
	until(t, api, started.ID, func(r client.RunDetail) bool { return r.Waiting })
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	if _, err := backup(t.Context(), h.DB, h.Options.Data, file); err != nil {
		t.Fatal(err)
	}
	o := h.Options
	o.Data = filepath.Join(t.TempDir(), "restored")
	o.Database = "sqlite:" + filepath.Join(o.Data, databaseName)
	if _, err := restore(o, file); err != nil {
		t.Fatal(err)
	}
	if _, err := restore(o, file); err == nil {
		t.Error("a backup is restored over what is there")
	}
	again, second := openWith(t, o)
	other := client.New(second.URL, o.AdminToken)
	r := until(t, other, started.ID, func(r client.RunDetail) bool { return r.Waiting })
	if len(r.Can) == 0 {
		t.Fatalf("nothing can be done with the restored run: %+v", r)
	}
	if _, err := client.Post[client.RunDetail](t.Context(), other, "/runs/"+started.ID+"/approve", nil); err != nil {
		t.Fatal(err)
	}
	r = until(t, other, started.ID, func(r client.RunDetail) bool { return r.Terminal })
	if r.State != "succeeded" {
		t.Errorf("the restored run ended as %s: %s", r.State, r.Reason)
	}
	report, err := ledger.Verify(t.Context(), again.DB)
	if err != nil || report.Broken != nil {
		t.Errorf("the restored ledger: %+v, %v", report.Broken, err)
	}
	// The first server's run is where it was.
	if r := until(t, api, started.ID, func(client.RunDetail) bool { return true }); !r.Waiting {
		t.Errorf("the first server's run is %s", r.State)
	}
}

// until follows a run until it is as wanted.
func until(t *testing.T, api *client.Client, id string, wanted func(client.RunDetail) bool) (last client.RunDetail) {
	t.Helper()
	deadline := time.AfterFunc(time.Minute, func() { t.Error("the run does not get there") })
	defer deadline.Stop()
	err := api.Follow(t.Context(), "/runs/"+id+"/events", nil, func(e client.Event) (bool, error) {
		var r client.RunDetail
		if err := json.Unmarshal(e.Data, &r); err != nil {
			return false, err
		}
		last = r
		return wanted(r), nil
	})
	if err != nil {
		t.Fatalf("%v; the run is %s: %s", err, last.State, last.Reason)
	}
	return last
}

func TestStatesAreRefusedWithoutAStack(t *testing.T) {
	t.Parallel()
	h, server := open(t)
	for _, method := range []string{http.MethodGet, http.MethodPost, "LOCK", "UNLOCK"} {
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/api/state/default/none", strings.NewReader(`{"ID":"1"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth("anybody", h.Options.AdminToken)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("%s of a stack that is not there = %d", method, response.StatusCode)
		}
	}
}
