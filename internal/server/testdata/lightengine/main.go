// Command lightengine speaks as much of OpenTofu's command line, plan, state and HTTP backend as the crash test's
// infrastructure needs: one resource whose id is made once, and outputs. It takes milliseconds where the real one takes
// a second, so that kills meet all of the main job and not its plans alone.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

type state struct {
	Version   int              `json:"version"`
	Engine    string           `json:"terraform_version"`
	Serial    int64            `json:"serial"`
	Lineage   string           `json:"lineage"`
	Outputs   map[string]value `json:"outputs"`
	Resources []resource       `json:"resources"`
}

type value struct {
	Value string `json:"value"`
	Type  string `json:"type"`
}

type resource struct {
	Mode      string     `json:"mode"`
	Type      string     `json:"type"`
	Name      string     `json:"name"`
	Provider  string     `json:"provider"`
	Instances []instance `json:"instances"`
}

type instance struct {
	Version    int               `json:"schema_version"`
	Attributes map[string]string `json:"attributes"`
}

type plan struct {
	Serial  int64
	Lineage string
	Actions []string
	Input   string
	Region  string
}

func main() {
	args := os.Args[1:]
	flags := strings.Join(args, " ")
	switch {
	case args[0] == "init": // and notes the backend, as engines do
		data := os.Getenv("TF_DATA_DIR")
		fail(os.MkdirAll(data, 0o755))
		fail(os.WriteFile(filepath.Join(data, "terraform.tfstate"), []byte("{\n  \"backend\": {\n    \"type\": \"http\",\n    \"config\": {\n      \"address\": null\n    }\n  }\n}\n"), 0o644))
	case args[0] == "plan":
		os.Exit(makePlan(flags))
	case args[0] == "show" && strings.Contains(flags, "-json"):
		show(readPlan(args[len(args)-1]))
	case args[0] == "show":
		fmt.Println("terraform_data.database:", readPlan(args[len(args)-1]).Actions)
	case args[0] == "apply":
		apply(readPlan(args[len(args)-1]))
	case args[0] == "output":
		print(current().Outputs)
	default:
		fail(fmt.Errorf("%s is not among what this engine does", flags))
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func print(v any) {
	data, err := json.Marshal(v)
	fail(err)
	fmt.Println(string(data))
}

func call(method, address string, body any) ([]byte, int) {
	data, err := json.Marshal(body)
	fail(err)
	var answer []byte
	var code int
	for try := range 6 { // as TF_HTTP_RETRY_MAX has the real ones do it
		time.Sleep(time.Second << try / 2 * min(1, time.Duration(try)))
		if answer, code, err = ask(method, address, data); err == nil && code < 500 {
			break
		}
	}
	fail(err)
	if code >= 300 && code != http.StatusNotFound && code != http.StatusLocked {
		fail(fmt.Errorf("%s %s: %d: %s", method, address, code, answer))
	}
	return answer, code
}

func ask(method, address string, data []byte) ([]byte, int, error) {
	request, err := http.NewRequest(method, address, bytes.NewReader(data))
	fail(err)
	request.Header.Set("Content-Type", "application/json")
	request.SetBasicAuth(os.Getenv("TF_HTTP_USERNAME"), os.Getenv("TF_HTTP_PASSWORD"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return answer, response.StatusCode, err
}

type lock struct{ ID, Operation, Who string }

// locked does something under the lock of the state, for which it waits.
func locked(what string, do func(id string)) {
	l := lock{ID: rand.Text(), Operation: what, Who: "lightengine"}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		answer, code := call("LOCK", os.Getenv("TF_HTTP_LOCK_ADDRESS"), l)
		if code == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			fail(fmt.Errorf("the state is locked: %s", answer))
		}
	}
	do(l.ID)
	call("UNLOCK", os.Getenv("TF_HTTP_UNLOCK_ADDRESS"), l)
}

func current() (s state) {
	data, code := call(http.MethodGet, os.Getenv("TF_HTTP_ADDRESS"), nil)
	if code == http.StatusOK && len(data) > 0 {
		fail(json.Unmarshal(data, &s))
	}
	return s
}

func (s state) attribute(name string) string {
	if len(s.Resources) == 0 {
		return ""
	}
	return s.Resources[0].Instances[0].Attributes[name]
}

func makePlan(flags string) (code int) {
	_, out, ok := strings.Cut(flags, "-out=")
	if !ok {
		fail(fmt.Errorf("name a file with -out"))
	}
	text, err := os.ReadFile("main.tf")
	fail(err)
	region := regexp.MustCompile(`default = "([^"]*)"`).FindSubmatch(text)
	if region == nil {
		fail(fmt.Errorf("%s names no region", filepath.Base("main.tf")))
	}
	locked("OperationTypePlan", func(string) {
		s := current()
		p := plan{Serial: s.Serial, Lineage: s.Lineage, Region: string(region[1]), Input: os.Getenv("TF_VAR_name") + "." + string(region[1])}
		switch s.attribute("input") {
		case p.Input:
			p.Actions = []string{"no-op"}
		case "":
			p.Actions, code = []string{"create"}, 2
		default:
			p.Actions, code = []string{"update"}, 2
		}
		data, err := json.Marshal(p)
		fail(err)
		fail(os.WriteFile(out, data, 0o600))
	})
	return code
}

func readPlan(path string) (p plan) {
	data, err := os.ReadFile(path)
	fail(err)
	fail(json.Unmarshal(data, &p))
	return p
}

func show(p plan) {
	type change map[string]any
	detail := change{"actions": p.Actions, "before": nil, "after": change{"input": p.Input}}
	print(change{
		"format_version":   "1.2",
		"resource_changes": []change{{"address": "terraform_data.database", "mode": "managed", "type": "terraform_data", "name": "database", "change": detail}},
		"output_changes":   change{},
	})
}

// apply takes a moment between what it makes and what it writes down.
func apply(p plan) {
	locked("OperationTypeApply", func(id string) {
		s := current()
		if s.Serial != p.Serial || s.Lineage != p.Lineage {
			fail(fmt.Errorf("the saved plan is stale: the state is at %d, the plan was made at %d", s.Serial, p.Serial))
		}
		made := s.attribute("id")
		if made == "" {
			made = rand.Text()
		}
		if s.Lineage == "" {
			s.Lineage = rand.Text()
		}
		time.Sleep(50 * time.Millisecond)
		s.Version, s.Engine, s.Serial = 4, "1.12.6", s.Serial+1
		s.Resources = []resource{{
			Mode: "managed", Type: "terraform_data", Name: "database", Provider: `provider["terraform.io/builtin/terraform"]`,
			Instances: []instance{{Attributes: map[string]string{"id": made, "input": p.Input}}},
		}}
		s.Outputs = map[string]value{"id": {made, "string"}, "endpoint": {p.Input, "string"}, "region": {p.Region, "string"}}
		call(http.MethodPost, os.Getenv("TF_HTTP_ADDRESS")+"?ID="+id, s)
		time.Sleep(20 * time.Millisecond)
	})
}
