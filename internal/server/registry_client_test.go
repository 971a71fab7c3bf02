package server

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// releaseKey is a key that signs releases of providers.
type releaseKey struct {
	entity *openpgp.Entity
	public string
}

func newReleaseKey(t *testing.T) releaseKey {
	t.Helper()
	e, err := openpgp.NewEntity("Release", "", "release@example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Serialize(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return releaseKey{e, out.String()}
}

// release writes a release of the provider cloud, signed, and gives its folder. Engines that install it don't run it.
func (k releaseKey) release(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	prefix := "terraform-provider-cloud_" + version + "_"
	var sums bytes.Buffer
	for _, platform := range []string{runtime.GOOS + "_" + runtime.GOARCH, "plan9_arm"} {
		var archive bytes.Buffer
		w := zip.NewWriter(&archive)
		f, err := w.CreateHeader(&zip.FileHeader{Name: "terraform-provider-cloud_v" + version, Method: zip.Deflate, ExternalAttrs: 0o755 << 16})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("#!/bin/sh\necho " + platform + "\n")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, prefix+platform+".zip"), archive.String())
		fmt.Fprintf(&sums, "%x  %s%s.zip\n", sha256.Sum256(archive.Bytes()), prefix, platform)
	}
	write(t, filepath.Join(dir, prefix+"manifest.json"), `{"version": 1, "metadata": {"protocol_versions": ["6.0"]}}`)
	write(t, filepath.Join(dir, prefix+"SHA256SUMS"), sums.String())
	var signature bytes.Buffer
	if err := openpgp.DetachSign(&signature, k.entity, &sums, nil); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, prefix+"SHA256SUMS.sig"), signature.String())
	return dir
}

func providerDocument(name string, keys ...string) string {
	text := "apiVersion: roadbed.dev/v1\nkind: Provider\nmetadata: {name: " + name + "}\nspec:\n  owner: group:default/crew\n  signingKeys:\n"
	for _, key := range keys {
		text += "    - |\n      " + strings.ReplaceAll(strings.TrimSpace(key), "\n", "\n      ") + "\n"
	}
	return text
}

// publish sends a release as somebody, as the command line does.
func (g *ground) publish(who, dir, version string) error {
	prefix := filepath.Join(dir, "terraform-provider-cloud_"+version+"_")
	sums, err := os.ReadFile(prefix + "SHA256SUMS")
	if err != nil {
		return err
	}
	signature, err := os.ReadFile(prefix + "SHA256SUMS.sig")
	if err != nil {
		return err
	}
	v, err := client.Post[client.ProviderVersion](g.t.Context(), g.as[who], "/providers/default/cloud/versions", map[string]any{"version": version, "protocols": []string{"6.0"}, "sums": string(sums), "signature": signature})
	if err != nil {
		return err
	}
	for _, p := range v.Platforms {
		if err := g.send(who, version, p.OS+"/"+p.Arch, filepath.Join(dir, p.Filename)); err != nil {
			return err
		}
	}
	return nil
}

func (g *ground) send(who, version, platform, file string) error {
	body := client.Raw{Type: "application/zip", Open: func() (io.ReadCloser, error) { return os.Open(file) }}
	return g.as[who].Do(g.t.Context(), "POST", "/providers/default/cloud/versions/"+version+"/platforms/"+platform, nil, body, nil)
}

// TestEnginesInstallModulesAndProvidersFromHere by the address of the server alone, with a token, as people do at their desks.
func TestEnginesInstallModulesAndProvidersFromHere(t *testing.T) {
	eachDesktop(t, func(d *desktop) {
		_, port, _ := strings.Cut(d.host, ":")
		d.host = "127.0.0.1:" + port // engines want a dot in the host of a module
		d.as("rita")
		g := d.g
		g.push("alice", "crew/net", map[string]string{"main.tf": moduleMain, "modules/sub/main.tf": `output "sub" { value = "below" }`})
		g.apply(moduleDocument("net", ""))
		g.tag("net", "v1.0.0")
		g.version("net", "1.0.0")
		g.push("alice", "crew/net", map[string]string{"more.tf": `output "more" { value = "two" }`})
		g.tag("net", "v1.1.0")
		g.version("net", "1.1.0")
		g.tag("net", "v2.0.0-rc.1")
		g.version("net", "2.0.0-rc.1")

		use := func(constraint string) string {
			return fmt.Sprintf("module \"net\" {\n  source  = \"%s/default/net/null0\"\n  version = %q\n  name    = \"desk\"\n}\nmodule \"sub\" {\n  source  = \"%s/default/net/null0//modules/sub\"\n  version = \"1.1.0\"\n}\noutput \"name\" { value = \"${module.net.name} ${module.sub.sub}\" }\n", d.host, constraint, d.host)
		}
		d.files(map[string]string{"main.tf": use("~> 1.0")})
		d.runs(0, "1.1.0 for net", "init")
		d.runs(0, "1 added", "apply", "-auto-approve")
		if got := d.runs(0, "", "output", "-raw", "name"); got != "desk below" {
			t.Errorf("the output is %q", got)
		}
		d.dir = d.t.TempDir()
		d.files(map[string]string{"main.tf": use("1.0.0")})
		d.runs(0, "1.0.0 for net", "init")
		d.dir = d.t.TempDir()
		d.files(map[string]string{"main.tf": use("2.0.0")})
		d.runs(1, "", "init")
		d.as("mallory")
		d.dir = d.t.TempDir()
		d.files(map[string]string{"main.tf": use("1.0.0")})
		d.runs(1, "", "init")

		key := newReleaseKey(d.t)
		g.apply(providerDocument("cloud", newReleaseKey(d.t).public, key.public))
		if err := g.publish("alice", key.release(d.t, "1.0.0"), "1.0.0"); err != nil {
			d.t.Fatal(err)
		}
		provider := fmt.Sprintf("terraform {\n  required_providers {\n    cloud = {\n      source  = \"%s/default/cloud\"\n      version = \">= 1.0.0\"\n    }\n  }\n}\n", d.host)
		d.as("rita")
		d.dir = d.t.TempDir()
		d.files(map[string]string{"main.tf": provider})
		d.runs(0, "Installed "+d.host+"/default/cloud v1.0.0 (", "init")
		if lock, err := os.ReadFile(filepath.Join(d.dir, ".terraform.lock.hcl")); err != nil || !strings.Contains(string(lock), `"1.0.0"`) {
			d.t.Errorf("the lock is %s, %v", lock, err)
		}
		d.as("mallory")
		d.dir = d.t.TempDir()
		d.files(map[string]string{"main.tf": provider})
		d.runs(1, "", "init")
	})
}

// TestAProviderIsPublishedBySignedSums, each archive as they name it, and by a listed key.
func TestAProviderIsPublishedBySignedSums(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		key, other := newReleaseKey(t), newReleaseKey(t)
		g.apply(providerDocument("cloud", key.public))
		dir := key.release(t, "1.0.0")
		for who, want := range map[string]fault.Kind{"rita": fault.Denied, "mallory": fault.NotFound} {
			if err := g.publish(who, dir, "1.0.0"); !fault.Is(err, want) {
				t.Errorf("%s publishes: %v", who, err)
			}
		}
		if err := g.publish("alice", other.release(t, "1.0.0"), "1.0.0"); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "no key") {
			t.Errorf("signed by a key that is not listed: %v", err)
		}
		sums := filepath.Join(dir, "terraform-provider-cloud_1.0.0_SHA256SUMS")
		good, err := os.ReadFile(sums)
		if err != nil {
			t.Fatal(err)
		}
		write(t, sums, strings.Replace(string(good), "plan9", "linux", 1))
		if err := g.publish("alice", dir, "1.0.0"); !fault.Is(err, fault.Denied) {
			t.Errorf("sums that were changed after they were signed: %v", err)
		}
		write(t, sums, string(good))
		versions := func() (all []client.ProviderVersion) {
			t.Helper()
			list, err := client.Get[client.List[client.ProviderVersion]](t.Context(), g.as["rita"], "/providers/default/cloud/versions", nil)
			if err != nil {
				t.Fatal(err)
			}
			return list.Items
		}
		if len(versions()) != 0 {
			t.Errorf("what was refused is there: %+v", versions())
		}

		archive := filepath.Join(dir, "terraform-provider-cloud_1.0.0_plan9_arm.zip")
		right, err := os.ReadFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		write(t, archive, string(right)+"more")
		if err := g.publish("alice", dir, "1.0.0"); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "SHA-256") {
			t.Errorf("an archive that is another: %v", err)
		}
		if v := versions(); len(v) != 1 || v[0].Complete || v[0].Offered {
			t.Errorf("half of it is %+v", v)
		}
		if status, body, _ := g.protocol(g.as["rita"].Token, "/v1/providers/default/cloud/versions"); status != 200 || strings.Contains(body, "1.0.0") {
			t.Errorf("engines are offered half of it: %d %s", status, body)
		}
		write(t, archive, string(right))
		if err := g.publish("alice", dir, "1.0.0"); err != nil { // goes on
			t.Fatal(err)
		}
		v := versions()
		if len(v) != 1 || !v[0].Offered || len(v[0].Platforms) != 2 || v[0].By.Name != "alice" || v[0].Protocols[0] != "6.0" {
			t.Errorf("it is %+v", v)
		}
		if err := g.publish("alice", key.release(t, "1.0.0"), "1.0.0"); err != nil { // the same files
			t.Errorf("again: %v", err)
		}
		write(t, archive, "x")
		changed := filepath.Join(dir, "terraform-provider-cloud_1.0.0_SHA256SUMS")
		write(t, changed, string(good[:len(good)/2+1]))
		if err := g.publish("alice", dir, "1.0.0"); err == nil {
			t.Error("a version has changed")
		}
		if err := g.send("alice", "1.0.0", "linux/riscv", archive); !fault.Is(err, fault.NotFound) {
			t.Errorf("a platform that no sum names: %v", err)
		}

		offered := func(want bool, what string) {
			t.Helper()
			_, body, _ := g.protocol(g.as["rita"].Token, "/v1/providers/default/cloud/versions")
			if strings.Contains(body, `"1.0.0"`) != want {
				t.Errorf("%s: engines are offered %s", what, body)
			}
		}
		offered(true, "published")
		post := func(verb string, in any) {
			t.Helper()
			if _, err := client.Post[client.ProviderVersion](t.Context(), g.as["alice"], "/providers/default/cloud/versions/1.0.0/"+verb, in); err != nil {
				t.Fatal(err)
			}
		}
		post("yank", map[string]string{"reason": "crashes"})
		offered(false, "yanked")
		post("restore", nil)
		offered(true, "restored")
		g.apply(providerDocument("cloud", other.public))
		offered(false, "its key is not listed any more")
		if status, _, _ := g.protocol(g.as["rita"].Token, "/v1/providers/default/cloud/1.0.0/download/plan9/arm"); status != 404 {
			t.Errorf("its archive = %d", status)
		}
		if v := versions(); !v[0].Revoked || v[0].Offered {
			t.Errorf("it is %+v", v)
		}
		if list, err := client.Get[client.List[client.Provider]](t.Context(), g.as["mallory"], "/providers", nil); err != nil || len(list.Items) != 0 {
			t.Errorf("Mallory is listed %+v, %v", list, err)
		}
		if p, err := client.Get[client.Provider](t.Context(), g.as["rita"], "/providers/default/cloud", nil); err != nil || len(p.Keys) != 1 || p.Keys[0].Identity != "Release <release@example.com>" {
			t.Errorf("the provider is %+v, %v", p, err)
		}
	})
}
