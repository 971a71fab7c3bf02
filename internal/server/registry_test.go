package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/registry"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const moduleMain = `variable "name" {
  type        = string
  description = "What it is called."
  validation {
    condition     = length(var.name) < 10
    error_message = "the name is too long"
  }
}

resource "terraform_data" "a" {
  input = var.name
}

output "name" {
  value = terraform_data.a.output
}
`

const moduleExample = `variable "name" {
  type    = string
  default = "short"
}

module "it" {
  source = "../.."
  name   = var.name
}
`

const moduleTests = `version: 1
tests:
  - name: Plain
    id: plain
    project_root: examples/plain
  - name: A long name is refused
    negative: true
    project_root: examples/plain
    environment: {TF_VAR_name: much-longer-than-that}
    depends_on: [plain]
`

func moduleFiles() map[string]string {
	return map[string]string{"main.tf": moduleMain, "examples/plain/main.tf": moduleExample, ".spacelift/config.yml": moduleTests, "README.md": "# Net\n"}
}

func moduleDocument(name, more string) string {
	return fmt.Sprintf("apiVersion: roadbed.dev/v1\nkind: Module\nmetadata: {name: %s}\nspec:\n  owner: group:default/crew\n  provider: null0\n  source: {repository: crew/%s}\n%s", name, name, more)
}

// tag tags what is checked out of a repository of the crew, as Alice.
func (g *ground) tag(repository, tag string) {
	g.t.Helper()
	dir := filepath.Join(g.dir, "alice", "crew", repository)
	g.do("alice", dir, "tag", "--force", tag)
	g.do("alice", dir, "push", "--quiet", "--force", "origin", "refs/tags/"+tag)
}

// version gives a version of a module when its tests have ended.
func (g *ground) version(module, version string) (v client.ModuleVersionDetail) {
	g.t.Helper()
	return g.versionWhen(module, version, func(v client.ModuleVersionDetail) bool { return v.State != "testing" })
}

func (g *ground) versionWhen(module, version string, when func(client.ModuleVersionDetail) bool) (v client.ModuleVersionDetail) {
	g.t.Helper()
	ctx, stop := context.WithTimeout(g.t.Context(), 2*time.Minute)
	defer stop()
	err := eventually(ctx, func() (bool, error) {
		var err error
		v, err = client.Get[client.ModuleVersionDetail](ctx, g.admin, "/modules/default/"+module+"/versions/"+version, nil)
		if fault.Is(err, fault.NotFound) {
			return false, nil
		}
		return err == nil && when(v), err
	})
	if err != nil {
		m, _ := client.Get[client.Module](g.t.Context(), g.admin, "/modules/default/"+module, nil)
		g.t.Fatalf("version %s of %s does not come: %v; it is %+v of %+v", version, module, err, v, m)
	}
	return v
}

// protocol asks the registry as an engine does.
func (g *ground) protocol(token, path string) (status int, body string, header http.Header) {
	g.t.Helper()
	request, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, g.url+path, http.NoBody)
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	var text strings.Builder
	if err := response.Write(&text); err != nil {
		g.t.Fatal(err)
	}
	_, body, _ = strings.Cut(text.String(), "\r\n\r\n")
	return response.StatusCode, body, response.Header
}

// offered gives the versions of a module that engines are offered, as somebody.
func (g *ground) offered(who, address string) string {
	g.t.Helper()
	status, body, _ := g.protocol(g.as[who].Token, "/v1/modules/"+address+"/versions")
	if status != http.StatusOK {
		return fmt.Sprint(status)
	}
	var list struct {
		Modules []struct{ Versions []struct{ Version string } }
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Modules) != 1 {
		g.t.Fatalf("versions: %s: %v", body, err)
	}
	var out []string
	for _, v := range list.Modules[0].Versions {
		out = append(out, v.Version)
	}
	return strings.Join(out, " ")
}

// TestAModuleIsTestedAndUsedByAStack tells the life of a version: from its tag over its tests to a stack that uses it.
func TestAModuleIsTestedAndUsedByAStack(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/policy/default/four-eyes", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		files := moduleFiles() // applying reads a file of the module again
		files["main.tf"] = strings.Replace(moduleMain, "input = var.name\n", "input            = var.name\n  triggers_replace = file(\"${path.module}/README.md\")\n", 1)
		g.push("alice", "crew/net", files)
		g.apply(moduleDocument("net", ""))
		g.tag("net", "v1.0.0")
		v := g.version("net", "1.0.0")
		if v.State != "ready" || !v.Offered || v.Tag != "v1.0.0" || v.By.Name != "alice" || len(v.Tests) != 2 || v.Files != 3 {
			t.Fatalf("the version is %+v", v)
		}
		if c := v.Content; c.Readme != "# Net\n" || len(c.Inputs) != 1 || c.Inputs[0].Description != "What it is called." || len(c.Outputs) != 1 || c.Resources[0] != "terraform_data.a" {
			t.Errorf("it declares %+v", c)
		}
		for i, want := range []string{"applied and destroyed", "could not be applied, as the test expects"} {
			r := g.rests(v.Tests[i].Run)
			g.wantRun(r, "finished", want)
			if r.Kind != "testing" || r.Actor.Name != "alice" || len(r.Steps) != 2 {
				t.Errorf("the test %s is the run %+v", v.Tests[i].Name, r)
			}
		}
		if log := g.log(v.Tests[0].Run, "destroy"); !strings.Contains(log, "1 destroyed") {
			t.Errorf("destroying says %s", log)
		}
		if log := g.log(v.Tests[1].Run, "apply"); !strings.Contains(log, "the name is too long") {
			t.Errorf("the negative test says %s", log)
		}
		g.wantNoted("module:default/net", "module.version-ready", 1)

		id := g.stack("app", fmt.Sprintf("variable \"name\" {}\nmodule \"net\" {\n  source  = %q\n  version = \"~> 1.0\"\n  name    = var.name\n}\noutput \"name\" { value = module.net.name }\n",
			g.house.registryHost()+"/default/net/null0"), "  autodeploy: true\n")
		g.wantRun(g.rests(id), "finished", "applied: 1 to create")
		if got := g.output("app", "name"); got != `"app"` {
			t.Errorf("the stack's output is %s", got)
		}
	})
}

// TestAVersionThatFailsItsTestsIsNotOffered: what a test applied goes, also when it could not be applied to its end.
func TestAVersionThatFailsItsTestsIsNotOffered(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.push("alice", "crew/net", map[string]string{"main.tf": moduleMain, "examples/half/main.tf": `resource "terraform_data" "made" {}
resource "terraform_data" "breaks" {
  depends_on = [terraform_data.made]
  provisioner "local-exec" { command = "echo it breaks; exit 3" }
}
`, "examples/fine/main.tf": moduleExample})
		g.apply(moduleDocument("net", ""))
		g.tag("net", "1.0.0")
		v := g.version("net", "1.0.0")
		if v.State != "failed" || v.Offered || len(v.Tests) != 2 || v.Tests[0].State != "passed" || v.Tests[1].State != "failed" || !strings.Contains(v.Tests[1].Reason, "applying") {
			t.Fatalf("the version is %+v", v)
		}
		r := g.rests(v.Tests[1].Run)
		g.wantRun(r, "failed", "applying")
		if log := g.log(r.ID, "destroy"); !strings.Contains(log, "2 destroyed") {
			t.Errorf("destroying says %s", log)
		}
		if got := g.offered("alice", "default/net/null0"); got != "" {
			t.Errorf("engines are offered %q", got)
		}
		if status, body, _ := g.protocol(g.as["alice"].Token, "/v1/modules/default/net/null0/1.0.0/download"); status != http.StatusNotFound {
			t.Errorf("its archive = %d %s", status, body)
		}
		if _, err := client.Post[client.ModuleVersionDetail](t.Context(), g.as["rita"], "/modules/default/net/versions/1.0.0/test", nil); !fault.Is(err, fault.Denied) {
			t.Errorf("Rita, who reads, tests it again: %v", err)
		}
		if _, err := client.Post[client.ModuleVersionDetail](t.Context(), g.as["alice"], "/modules/default/net/versions/1.0.0/test", nil); err != nil {
			t.Fatal(err)
		}
		if again := g.version("net", "1.0.0"); again.State != "failed" || again.Tests[1].Run == v.Tests[1].Run || again.Digest != v.Digest {
			t.Errorf("tested again it is %+v", again)
		}
		if _, err := client.Get[client.Module](t.Context(), g.as["mallory"], "/modules/default/net", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("Mallory sees it: %v", err)
		}
	})
}

// TestAVersionNeverChanges, whatever becomes of its tag.
func TestAVersionNeverChanges(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.push("alice", "crew/net", map[string]string{"main.tf": moduleMain})
		g.apply(moduleDocument("net", ""))
		g.tag("net", "v1.0.0")
		first := g.version("net", "1.0.0")
		if first.State != "ready" || first.Moved != "" || len(first.Tests) != 0 {
			t.Fatalf("the version is %+v", first)
		}
		commit := g.push("alice", "crew/net", map[string]string{"main.tf": moduleMain + "# evil\n"})
		g.tag("net", "v1.0.0")
		moved := g.versionWhen("net", "1.0.0", func(v client.ModuleVersionDetail) bool { return v.Moved != "" })
		if moved.Moved != commit || moved.Digest != first.Digest || moved.Commit != first.Commit || !moved.Offered {
			t.Errorf("after its tag has moved, the version is %+v", moved)
		}
		g.do("alice", filepath.Join(g.dir, "alice", "crew", "net"), "push", "--quiet", "origin", ":refs/tags/v1.0.0")
		if gone := g.versionWhen("net", "1.0.0", func(v client.ModuleVersionDetail) bool { return v.Moved != commit }); gone.Moved != "it is gone" || gone.Digest != first.Digest {
			t.Errorf("after its tag has gone, the version is %+v", gone)
		}
		g.wantNoted("module:default/net", "module.tag-moved", 2)
		g.wantNoted("module:default/net", "module.version-created", 1)

		// A version that the configuration names, and one whose files can't be packed.
		g.push("alice", "crew/net", map[string]string{".roadbed/config.yml": "module_version: 1.1.0\n"})
		if v := g.version("net", "1.1.0"); v.State != "ready" || v.Tag != "" || v.By.Name != "alice" {
			t.Errorf("the configuration makes %+v", v)
		}
		dir := filepath.Join(g.dir, "alice", "crew", "net")
		if err := os.Symlink("/etc/passwd", filepath.Join(dir, "evil.tf")); err != nil {
			t.Fatal(err)
		}
		g.push("alice", "crew/net", nil)
		g.tag("net", "v1.2.0")
		if v := g.version("net", "1.2.0"); v.State != "failed" || !strings.Contains(v.Message, "evil.tf") || v.Digest != "" {
			t.Errorf("a link makes %+v", v)
		}
		if got := g.offered("alice", "default/net/null0"); got != "1.1.0 1.0.0" {
			t.Errorf("engines are offered %q", got)
		}
		m, err := client.Get[client.Module](t.Context(), g.admin, "/modules/default/net", nil)
		if err != nil || m.Latest != "1.1.0" || m.Newest != "1.2.0" || m.State != "failed" || m.Versions != 3 {
			t.Errorf("the module is %+v, %v", m, err)
		}
	})
}

func TestAYankedVersionIsNotOffered(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.push("alice", "crew/net", map[string]string{"main.tf": moduleMain})
		g.apply(moduleDocument("net", ""))
		g.tag("net", "v1.0.0")
		g.version("net", "1.0.0")
		const at = "/modules/default/net/versions/1.0.0/"
		yank := func(who, reason string) error {
			_, err := client.Post[client.ModuleVersionDetail](t.Context(), g.as[who], at+"yank", map[string]string{"reason": reason})
			return err
		}
		for who, want := range map[string]fault.Kind{"rita": fault.Denied, "mallory": fault.NotFound} {
			if err := yank(who, "mine"); !fault.Is(err, want) {
				t.Errorf("%s yanks: %v", who, err)
			}
		}
		if err := yank("alice", " "); !fault.Is(err, fault.Invalid) {
			t.Errorf("without a reason: %v", err)
		}
		if err := yank("alice", "opens a port"); err != nil {
			t.Fatal(err)
		}
		if err := yank("bob", "again"); !fault.Is(err, fault.Conflict) {
			t.Errorf("twice: %v", err)
		}
		v := g.version("net", "1.0.0")
		if v.Offered || v.State != "ready" || v.Yanked == nil || v.Yanked.Reason != "opens a port" || v.Yanked.By.Name != "alice" {
			t.Errorf("the version is %+v", v)
		}
		if got := g.offered("alice", "default/net/null0"); got != "" {
			t.Errorf("engines are offered %q", got)
		}
		if status, body, _ := g.protocol(g.as["alice"].Token, "/v1/modules/default/net/null0/1.0.0/download"); status != http.StatusNoContent {
			t.Errorf("its archive, by who has its address = %d %s", status, body)
		}
		if _, err := client.Post[client.ModuleVersionDetail](t.Context(), g.as["alice"], at+"restore", nil); err != nil {
			t.Fatal(err)
		}
		if got := g.offered("alice", "default/net/null0"); got != "1.0.0" {
			t.Errorf("after it is restored, engines are offered %q", got)
		}
		if _, err := client.Post[client.ModuleVersionDetail](t.Context(), g.as["alice"], at+"test", nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("a version that is ready is tested again: %v", err)
		}
		g.wantNoted("module:default/net", "module.version-yanked", 1)
	})
}

const registrySpaces = `{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: shop}, spec: {parent: default}}
---
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}
---
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: bench}, spec: {parent: lab}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: otto-in-shop}, spec: {role: reader, space: shop, subjects: ["user:default/otto"]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: mallory-in-bench}, spec: {role: developer, space: bench, subjects: ["user:default/mallory"]}}
`

// TestModulesOfOtherSpacesAreNotSeen but for those that are shared, by people and by steps, in the API and by the protocol.
func TestModulesOfOtherSpacesAreNotSeen(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(registrySpaces)
		g.push("alice", "crew/net", map[string]string{"main.tf": moduleMain})
		place := func(space, more string) {
			t.Helper()
			body := map[string]any{"documents": moduleDocument("net", more), "source": "modules", "space": space}
			if _, err := client.Post[client.List[client.Applied]](t.Context(), g.admin, "/apply", body); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.admin.Do(t.Context(), "PATCH", "/repositories/crew/net", nil, map[string]string{"space": "shop"}, nil); err != nil {
			t.Fatal(err)
		}
		place("shop", "")
		g.tag("net", "v1.0.0")
		g.version("net", "1.0.0")
		step := func(space string) context.Context {
			return actor.With(t.Context(), actor.Principal{Kind: actor.Workload, ID: "step", Run: "run", Space: space, Scopes: []string{"module:read", "provider:read"}})
		}
		address := registry.Address{Space: "shop", Name: "net", System: "null0"}
		sees := func(what string, want map[string]bool) {
			t.Helper()
			for _, who := range []string{"rita", "otto", "mallory"} {
				list, err := client.Get[client.List[client.Module]](t.Context(), g.as[who], "/modules", nil)
				if err != nil || len(list.Items) == 1 != want[who] || list.Next != "" {
					t.Errorf("%s: %s is listed %+v, %v", what, who, list, err)
				}
				for _, path := range []string{"", "/versions", "/versions/1.0.0"} {
					_, err := client.Get[map[string]any](t.Context(), g.as[who], "/modules/default/net"+path, nil)
					if (err == nil) != want[who] || err != nil && !fault.Is(err, fault.NotFound) {
						t.Errorf("%s: %s gets %q: %v", what, who, path, err)
					}
				}
				if got := g.offered(who, address.String()); (got == "1.0.0") != want[who] || got != "1.0.0" && got != "404" {
					t.Errorf("%s: %s is offered %q", what, who, got)
				}
				if status, _, _ := g.protocol(g.as[who].Token, "/v1/modules/shop/net/null0/1.0.0/download"); (status == http.StatusNoContent) != want[who] {
					t.Errorf("%s: %s downloads = %d", what, who, status)
				}
			}
			for _, space := range []string{"shop", "lab", "bench", "default"} {
				if _, err := g.house.Modules.Offered(step(space), address); (err == nil) != want[space] {
					t.Errorf("%s: a step in %s: %v", what, space, err)
				}
			}
			if _, err := g.house.Modules.Offered(actor.With(t.Context(), actor.Principal{Kind: actor.Workload, ID: "step", Space: "shop", Scopes: []string{"run:read"}}), address); err == nil {
				t.Errorf("%s: a step without the scope", what)
			}
		}
		sees("alone", map[string]bool{"rita": true, "otto": true, "shop": true})
		place("shop", "  shareWith: [lab]\n")
		sees("shared with lab", map[string]bool{"rita": true, "otto": true, "mallory": true, "shop": true, "lab": true, "bench": true})
		if _, err := client.Post[client.ModuleVersionDetail](t.Context(), g.as["mallory"], "/modules/default/net/versions/1.0.0/yank", map[string]string{"reason": "mine"}); !fault.Is(err, fault.Denied) {
			t.Errorf("who sees it by sharing yanks it: %v", err)
		}
		// A link is worth no more than who asked for it.
		status, _, header := g.protocol(g.as["mallory"].Token, "/v1/modules/shop/net/null0/1.0.0/download")
		link := header.Get("X-Terraform-Get")
		if status != http.StatusNoContent || !strings.HasPrefix(link, "/v1/registry-files/") {
			t.Fatalf("the link is %d %q", status, link)
		}
		if status, body, _ := g.protocol("", link); status != http.StatusUnauthorized && status != http.StatusOK {
			t.Errorf("the link = %d %.100q", status, body)
		}
		place("shop", "")
		sees("no more", map[string]bool{"rita": true, "otto": true, "shop": true})
		response, err := http.Get(g.url + link)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("the link of who sees it no more = %d", response.StatusCode)
		}
		// A repository of another space is not read, and says so.
		far := strings.Replace(moduleDocument("net", ""), "{name: net}", "{name: far}", 1)
		if _, err := client.Post[client.List[client.Applied]](t.Context(), g.admin, "/apply", map[string]any{"documents": far, "source": "far", "space": "lab"}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
		defer stop()
		if err := eventually(ctx, func() (bool, error) {
			m, err := client.Get[client.Module](ctx, g.admin, "/modules/default/far", nil)
			return strings.Contains(m.Error, "may not use repository crew/net"), err
		}); err != nil {
			t.Errorf("a module of another space than its repository: %v", err)
		}
	})
}

// TestTheRegistryAnswersNobodyWithoutAToken, nor by links that it has not made.
func TestTheRegistryAnswersNobodyWithoutAToken(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		for path, want := range map[string]int{
			"/v1/modules/default/net/null0/versions":                     http.StatusUnauthorized,
			"/v1/modules/default/net/null0/1.0.0/download":               http.StatusUnauthorized,
			"/v1/providers/default/cloud/versions":                       http.StatusUnauthorized,
			"/v1/providers/default/cloud/1.0.0/download/linux/amd64":     http.StatusUnauthorized,
			"/v1/registry-files/" + strings.Repeat("A", 500) + "/x.zip":  http.StatusNotFound,
			"/v1/registry-files/x/" + url.PathEscape("../../etc/passwd"): http.StatusNotFound,
			"/v1/modules/" + url.PathEscape("../..") + "/a/b/versions":   http.StatusUnauthorized,
			"/v1/modules/": http.StatusNotFound,
		} {
			response, err := http.Get(g.url + path)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != want {
				t.Errorf("GET %.60s = %d, want %d", path, response.StatusCode, want)
			}
		}
		for _, path := range []string{"/v1/modules/default/none/null0/versions", "/v1/modules/default/none/null0/1.0.0/download", "/v1/providers/default/none/versions", "/v1/providers/default/none/1.0.0/download/linux/amd64"} {
			if status, body, _ := g.protocol(g.as["admin"].Token, path); status != http.StatusNotFound || !strings.Contains(body, "or you may not see it") {
				t.Errorf("GET %s = %d %s", path, status, body)
			}
		}
		var found map[string]any
		response, err := http.Get(g.url + "/.well-known/terraform.json")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(&found); err != nil || found["modules.v1"] != "/v1/modules/" || found["providers.v1"] != "/v1/providers/" {
			t.Errorf("discovery says %v, %v", found, err)
		}
	})
}
