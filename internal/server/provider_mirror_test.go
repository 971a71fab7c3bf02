package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	packages "github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/machinery/provider/providertest"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// timeVersion is the version of the provider that `make provider` builds.
const timeVersion = "0.14.2"

// realProvider gives a provider that works.
func realProvider(t *testing.T) []byte {
	t.Helper()
	lacktest.Programs()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join(cache, "roadbed", "provider-time-"+timeVersion, "terraform-provider-time"))
	if err != nil {
		lacktest.Skip(t, "there is no provider; run make provider")
	}
	return program
}

// timeArchive packs it as its registries do.
func timeArchive(t *testing.T, program []byte) []byte {
	return providertest.Archive(t, "time", timeVersion, program, map[string]string{"LICENSE": "MPL-2.0\n"})
}

// timeRegistry offers hashicorp/time, which both engines look for at their own registries.
func timeRegistry(t *testing.T, program []byte) *providertest.Registry {
	t.Helper()
	r := providertest.New(t)
	archive := timeArchive(t, program)
	r.Add("hashicorp/time", timeVersion, packages.Here(), archive)
	r.Add("hashicorp/time", timeVersion, "darwin_arm64", providertest.Archive(t, "time", timeVersion, []byte("of another system"), nil))
	r.Add("hashicorp/time", "0.13.0", packages.Here(), archive)
	return r
}

const timeInfra = `terraform {
  required_providers {
    time = {
      source  = "hashicorp/time"
      version = "~> 0.14"
    }
  }
}
variable "name" {
  type = string
}
resource "time_static" "made" {
  triggers = { name = var.name }
}
output "made" {
  value = time_static.made.rfc3339
}
`

// mirroring opens a house whose runs take providers from its mirror.
func mirroring(t *testing.T, database, how string, r *providertest.Registry) *ground {
	t.Helper()
	o := options(t)
	o.Database, o.ProviderMirror = database, how
	o.releases.http = r.Transport()
	h, server := openWith(t, o)
	needs(t, h.engine.path())
	return newGround(t, h, server)
}

var lockedHashes = regexp.MustCompile(`"((?:h1|zh):[^"]+)"`)

// TestRunsTakeProvidersFromTheMirror has each engine plan and apply with a real provider, which its registry is asked for
// once. Steps have no network.
func TestRunsTakeProvidersFromTheMirror(t *testing.T) {
	t.Parallel()
	program := realProvider(t)
	eachDatabase(t, func(t *testing.T, database string) {
		r := timeRegistry(t, program)
		g := mirroring(t, database, mirrorOn, r)
		hosts := 0
		for _, p := range g.house.engine.cache.Local(t.Context(), toolchain.Engines()...) {
			hosts++
			name := "time-" + p.Name
			commit := g.push("alice", "crew/"+name, map[string]string{"infra/main.tf": timeInfra})
			g.apply(stackDocument(name, fmt.Sprintf("  engine: {name: %s, version: %q}\n", p.Name, p.Version)))
			run := g.rests(g.stackRun(name, commit))
			g.wantRun(run, "unconfirmed", "1 to create")
			if _, err := g.act("bob", run.ID, "confirm"); err != nil {
				t.Fatal(err)
			}
			g.wantRun(until(t, g.admin, run.ID, ended), "finished", "applied")
			if log := g.log(run.ID, "apply"); strings.Contains(log, "Initializing") != (g.jobs(run.ID)["show"].Kind != "") {
				t.Errorf("to read and to apply, it is prepared otherwise:\n%s", log) // it is fetched by the first one: that may get an archive
			}
			// With a lock file that has the hash of what is shared, the runs after the next need no init at all.
			n, err := packages.ParseName(registryOf[p.Name] + "/hashicorp/time")
			if err != nil {
				t.Fatal(err)
			}
			for _, inits := range []int{1, 0, 0} {
				commit = g.push("alice", "crew/"+name, map[string]string{
					"infra/.terraform.lock.hcl": fmt.Sprintf("provider %q {\n  version     = %q\n  constraints = \"~> 0.14\"\n  hashes = [\n    %q,\n  ]\n}\n", n, timeVersion, g.house.Mirror.Packages.Hash(n, timeVersion)),
					"infra/main.tf":             timeInfra + "# " + commit + "\n",
				})
				again := g.rests(g.stackRun(name, commit))
				g.wantRun(again, "finished", "nothing to change")
				if log := g.log(again.ID, "plan"); strings.Count(log, "Initializing the backend") != inits {
					t.Errorf("there are not %d inits:\n%s", inits, log)
				}
				if keys := slices.Sorted(maps.Keys(g.jobs(again.ID))); !slices.Equal(keys, []string{"judge", "plan"}) {
					t.Errorf("the steps are %v", keys)
				}
			}
			// What was linked to is in nobody's way where it is needed no more.
			dir := filepath.Join(g.dir, "alice", "crew", name)
			g.do("alice", dir, "rm", "--quiet", "infra/.terraform.lock.hcl")
			commit = g.push("alice", "crew/"+name, map[string]string{"infra/main.tf": "variable \"name\" {}\nresource \"terraform_data\" \"it\" {\n  input = var.name\n}\n"})
			gone := g.rests(g.stackRun(name, commit))
			g.wantRun(gone, "unconfirmed", "1 to create")
			if _, err := g.act("alice", gone.ID, "discard"); err != nil {
				t.Fatal(err)
			}
			// A lock file of another system has no hash for what is shared; the archive is taken then.
			commit = g.push("alice", "crew/"+name, map[string]string{"infra/main.tf": timeInfra, "infra/.terraform.lock.hcl": lockOfAnother(g, registryOf[p.Name])})
			g.wantRun(g.rests(g.stackRun(name, commit)), "finished", "nothing to change")
		}
		if n := r.Count(); n != hosts { // the registry of each engine is another
			t.Errorf("%d registries gave the provider %d times", hosts, n)
		}
	})
}

// TestAMirrorOfWhatWasAdded is of a server that fetches nothing: what people add is all that runs get.
func TestAMirrorOfWhatWasAdded(t *testing.T) {
	t.Parallel()
	program := realProvider(t)
	eachDatabase(t, func(t *testing.T, database string) {
		r := timeRegistry(t, program)
		g := mirroring(t, database, mirrorOnly, r)
		p := g.house.engine.cache.Local(t.Context(), toolchain.Engines()...)[0]
		more := fmt.Sprintf("  engine: {name: %s, version: %q}\n", p.Name, p.Version)
		commit := g.push("alice", "crew/net", map[string]string{"infra/main.tf": timeInfra})
		g.apply(stackDocument("net", more))
		run := until(t, g.admin, g.stackRun("net", commit), ended)
		g.wantRun(run, "failed", "planning: ")
		if log := g.log(run.ID, "plan"); !strings.Contains(log, "hashicorp/time") {
			t.Errorf("it says:\n%s", log)
		}
		host := map[string]string{"tofu": "registry.opentofu.org", "terraform": "registry.terraform.io"}[p.Name]
		path := "/mirror/providers/" + host + "/hashicorp/time/" + timeVersion + "/" + packages.Here()
		archive := providertest.Archive(t, "time", timeVersion, program, nil)
		add := func(who string, content []byte) error {
			raw := client.Raw{Type: "application/zip", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
			return g.as[who].Do(t.Context(), "PUT", path, nil, raw, nil)
		}
		for who, want := range map[string]fault.Kind{"alice": fault.Denied, "rita": fault.Denied, "mallory": fault.Denied} {
			if err := add(who, archive); !fault.Is(err, want) {
				t.Errorf("%s adds a provider: %v", who, err)
			}
		}
		if err := add("admin", []byte("no archive")); !fault.Is(err, fault.Invalid) {
			t.Errorf("what is no archive: %v", err)
		}
		for range 2 {
			if err := add("admin", archive); err != nil {
				t.Fatal(err)
			}
		}
		if err := add("admin", providertest.Archive(t, "time", timeVersion, []byte("another"), nil)); !fault.Is(err, fault.Conflict) {
			t.Errorf("another of the same name: %v", err)
		}
		all, err := client.All[client.MirroredProvider](t.Context(), g.as["rita"], "/mirror/providers", nil)
		if err != nil || len(all) != 1 || len(all[0].Hashes) != 2 || all[0].From != "" {
			t.Errorf("%+v, %v", all, err)
		}
		if _, err := client.All[client.MirroredProvider](t.Context(), g.as["mallory"], "/mirror/providers", nil); !fault.Is(err, fault.Denied) {
			t.Errorf("who may read nothing: %v", err)
		}
		retried, err := client.Post[client.RunDetail](t.Context(), g.alice, "/stacks/default/net/runs", map[string]string{"type": "proposed"})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(retried.ID), "finished", "1 to create")
		if n := r.Count(); n != 0 {
			t.Errorf("a registry was asked %d times", n)
		}
		g.wantNoted("provider:"+host+"/hashicorp/time", "mirror.added", 1)
		if err := g.admin.Do(t.Context(), "DELETE", path, nil, nil, nil); err != nil {
			t.Error(err)
		}
		g.wantNoted("provider:"+host+"/hashicorp/time", "mirror.removed", 1)
	})
}

// TestTheMirrorIsForWhoMayRead speaks its protocol.
func TestTheMirrorIsForWhoMayRead(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		r := timeRegistry(t, []byte("#!/bin/sh\n"))
		g := mirroring(t, database, mirrorOn, r)
		get := func(who, path string) (int, string) {
			t.Helper()
			q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/v1/providers-mirror/"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if who != "" {
				q.Header.Set("Authorization", "Bearer "+g.as[who].Token)
			}
			answer, err := http.DefaultClient.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			return answer.StatusCode, string(body)
		}
		const time = "registry.opentofu.org/hashicorp/time/"
		archive := "terraform-provider-time_" + timeVersion + "_" + packages.Here() + ".zip"
		for _, c := range []struct {
			who, path string
			status    int
			want      string
		}{
			{"", time + "index.json", http.StatusUnauthorized, ""}, {"mallory", time + "index.json", http.StatusForbidden, "mirror:read"},
			{"mallory", time + archive, http.StatusForbidden, ""},
			{"rita", time + "index.json", http.StatusOK, `"` + timeVersion + `":{}`}, {"rita", time + timeVersion + ".json", http.StatusOK, archive},
			{"rita", time + archive, http.StatusOK, "PK"},
			{"rita", "registry.opentofu.org/hashicorp/none/index.json", http.StatusNotFound, ""},
			{"rita", "elsewhere.example/hashicorp/time/index.json", http.StatusNotFound, "may not ask elsewhere.example"},
			{"rita", time + "9.9.9.json", http.StatusNotFound, ""}, {"rita", time + "x.zip", http.StatusNotFound, ""},
			{"rita", "registry.opentofu.org/hashicorp%5c..%5cx/time/index.json", http.StatusNotFound, ""}, {"rita", time + "..%5c..%5crecords%5cx.json", http.StatusNotFound, ""},
			{"rita", "registry.opentofu.org/hashicorp/local/" + archive, http.StatusNotFound, ""},
		} {
			if status, body := get(c.who, c.path); status != c.status || !strings.Contains(body, c.want) {
				t.Errorf("%s gets %s: %d %.300s", c.who, c.path, status, body)
			}
		}
		// An archive is fetched by its address alone, which is good for its provider and no other.
		_, body := get("rita", time+timeVersion+".json")
		var version struct {
			Archives map[string]struct {
				URL    string
				Hashes []string
			}
		}
		if err := json.Unmarshal([]byte(body), &version); err != nil || len(version.Archives) != 2 || len(version.Archives[packages.Here()].Hashes) != 2 || len(version.Archives["darwin_arm64"].Hashes) != 1 {
			t.Errorf("%+v, %v", version, err)
		}
		address := version.Archives[packages.Here()].URL
		if status, body := get("", time+address); status != http.StatusOK || !strings.HasPrefix(body, "PK") {
			t.Errorf("without a token its address %s gives %d %.300s", address, status, body)
		}
		sealed, _, _ := strings.Cut(address, "/")
		for _, path := range []string{"registry.opentofu.org/hashicorp/local/" + address, time + sealed[1:] + "/" + archive, time + "AAAA/" + archive, "registry.terraform.io/hashicorp/time/" + address} {
			if status, body := get("", path); status != http.StatusNotFound {
				t.Errorf("%s gives %d %.300s", path, status, body)
			}
		}
		if _, body := get("mallory", time+timeVersion+".json"); strings.Contains(body, "archives") {
			t.Error("who may not read the mirror is given addresses")
		}
	})
}

// TestManyInitsAtOnce has twenty of each engine take a provider from the mirror at the same time, ten as archives and ten
// by links to what is shared. The mirror fetches it once, and lock files have its hashes.
func TestManyInitsAtOnce(t *testing.T) {
	t.Parallel()
	for name, engine := range remotes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := timeRegistry(t, []byte("#!/bin/sh\n"))
			o := options(t)
			o.Dev, o.Isolation, o.ProviderMirror = true, preferIsolation, mirrorOn
			o.releases.http = r.Transport()
			address := running(t, o)
			g := groundAt(t, "http://"+address, o.AdminToken)
			shared := filepath.Join(o.Data, "providers", "unpacked")
			_, port, _ := strings.Cut(address, ":")
			initialize := func(configuration string) string {
				dir := t.TempDir()
				write(t, filepath.Join(dir, "main.tf"), timeInfra)
				write(t, filepath.Join(dir, "cli.rc"), configuration)
				c := exec.CommandContext(context.WithoutCancel(t.Context()), engine, "init", "-input=false", "-no-color")
				c.Dir = dir
				c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "SSL_CERT_FILE=" + filepath.Join(o.Data, "ca.pem"), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE=" + filepath.Join(dir, "cli.rc")}
				if out, err := c.CombinedOutput(); err != nil {
					t.Errorf("init: %v\n%s", err, out)
					return ""
				}
				lock, err := os.ReadFile(filepath.Join(dir, ".terraform.lock.hcl"))
				if err != nil {
					t.Error(err)
				}
				return string(lock)
			}
			network := fmt.Sprintf("network_mirror {\n    url = \"https://localhost:%s/v1/providers-mirror/\"\n  }\n", port)
			begin := fmt.Sprintf("credentials \"localhost:%s\" {\n  token = %q\n}\nprovider_installation {\n  ", port, g.as["rita"].Token)
			link := fmt.Sprintf("filesystem_mirror {\n    path = %q\n  }\n  ", shared)
			var all sync.WaitGroup
			locks := make([]string, 20)
			for i := range locks {
				all.Go(func() {
					configuration := begin + network + "}\n"
					if i%2 == 1 {
						configuration = begin + link + network + "}\n"
					}
					locks[i] = initialize(configuration)
				})
			}
			all.Wait()
			if n := r.Count(); n != 1 {
				t.Errorf("the registry gave it %d times", n)
			}
			kept, err := client.All[client.MirroredProvider](t.Context(), g.admin, "/mirror/providers", nil)
			if err != nil || len(kept) != 1 {
				t.Fatalf("%+v, %v", kept, err)
			}
			for i, lock := range locks {
				found := lockedHashes.FindAllStringSubmatch(lock, -1)
				right := len(found) > 0
				for _, f := range found {
					right = right && (f[1] == kept[0].Hashes[0] || f[1] == kept[0].Hashes[1])
				}
				if !right || !strings.Contains(lock, kept[0].Hashes[0]) {
					t.Errorf("the lock file of init %d has other hashes than %v:\n%s", i, kept[0].Hashes, lock)
				}
			}
		})
	}
}

// registryOf gives the registry of each engine.
var registryOf = map[string]string{"tofu": "registry.opentofu.org", "terraform": "registry.terraform.io"}

// lockOfAnother is a lock file that another system has made: it has no hash for what is unpacked here.
func lockOfAnother(g *ground, host string) string {
	g.t.Helper()
	n, err := packages.ParseName(host + "/hashicorp/time")
	if err != nil {
		g.t.Fatal(err)
	}
	all, err := g.house.Mirror.Packages.Archives(g.t.Context(), n, timeVersion)
	if err != nil || len(all[packages.Here()]) != 2 {
		g.t.Fatalf("%v, %v", all, err)
	}
	return fmt.Sprintf("provider %q {\n  version = %q\n  hashes = [\n    \"h1:%s=\",\n    %q,\n  ]\n}\n", n, timeVersion, strings.Repeat("A", 43), all[packages.Here()][1])
}
