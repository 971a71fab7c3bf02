package stack

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// shelf has an engine of its own, and some more.
type shelf struct {
	name, version string
	more          map[string][]string
	own           map[string]string // vendors' programs, by name
}

func (s shelf) Own(context.Context) (name, version string) { return s.name, s.version }

func (s shelf) Machine(_ context.Context, name string, _ bool) (version string, there bool) {
	own := s.own[name]
	return own, own != ""
}

func (s shelf) Resolve(_ context.Context, name string, w toolchain.Wanted) (string, error) {
	if v := w.Newest(s.more[name]); v != "" {
		return v, nil
	}
	return "", fault.Errorf(fault.Conflict, "there is no %s %s here", name, w)
}

func TestWhoSaysWhichEngine(t *testing.T) {
	t.Parallel()
	usual := shelf{name: "tofu", version: "1.12.6", more: map[string][]string{"tofu": {"1.12.6", "1.11.5", "1.9.0"}, "terraform": {"1.11.4", "1.5.7"}}}
	terraform := shelf{name: "terraform", version: "1.11.4", more: usual.more}
	for name, c := range map[string]struct {
		engines     Engines
		spec        string
		ours        string            // .roadbed/config.yml
		files       map[string]string // below infra, or at the top with a slash
		want        string            // as its tool
		from, wrong string
		warning     string
	}{
		"nobody":                         {want: "engine"},
		"the stack, and its own will do": {spec: "  engine: {version: ~> 1.12}", want: "engine:tofu@1.12.6", from: "the stack"},
		"the stack, another version":     {spec: "  engine: {name: opentofu, version: 1.11.5}", want: "engine:tofu@1.11.5", from: "the stack"},
		"the stack, another engine":      {spec: "  engine: {name: terraform}", want: "engine:terraform@1.11.4"},
		"the pool's own by its name":     {spec: "  engine: {name: tofu}", want: "engine"},
		"latest":                         {spec: "  engine: {version: latest}", want: "engine:tofu@1.12.6", from: "the stack"},
		"what there is not":              {spec: "  engine: {version: 2.0.0}", want: "engine", from: "the stack", wrong: "the stack asks for an engine that can't be had: there is no tofu 2.0.0"},
		"an engine that there is not":    {engines: shelf{name: "tofu", version: "1.12.6"}, spec: "  engine: {name: terraform}", want: "engine", wrong: "the stack asks for an engine that can't be had: there is no terraform"},
		"the repository's settings": {
			ours: "version: 2\nstack_defaults: {terraform_workflow_tool: TERRAFORM_FOSS, terraform_version: 1.5.7}\n", want: "engine:terraform@1.5.7", from: ourConfiguration,
		},
		"the settings of a stack come over it": {
			spec: "  engine: {version: 1.9.0}", ours: "version: 2\nstacks: {net: {opentofu_version: 1.11.5}}\n", want: "engine:tofu@1.11.5", from: ourConfiguration,
		},
		"defaults of version 1 come before it": {
			spec: "  engine: {version: 1.9.0}", ours: "version: 1\nstack_defaults: {opentofu_version: 1.11.5}\n", want: "engine:tofu@1.9.0", from: "the stack",
		},
		"Spacelift's word for the tool that is named": {
			spec: "  engine: {name: tofu}", ours: "version: 2\nstack_defaults: {terraform_version: 1.9.0}\n", want: "engine:tofu@1.9.0", from: ourConfiguration,
		},
		"and for a tool that nobody has named": {
			ours: "version: 2\nstack_defaults: {terraform_version: 1.5.7}\n", want: "engine", warning: "terraform_version 1.5.7 is not read",
		},
		"which is Terraform": {
			engines: terraform, ours: "version: 2\nstack_defaults: {terraform_version: 1.5.7}\n", want: "engine:terraform@1.5.7", from: ourConfiguration,
		},
		"a version file":                        {files: map[string]string{".opentofu-version": "v1.9.0 # comment\n"}, want: "engine:tofu@1.9.0", from: "infra/.opentofu-version"},
		"one at the top":                        {files: map[string]string{"/.opentofu-version": "1.11.5"}, want: "engine:tofu@1.11.5", from: ".opentofu-version"},
		"the nearer of both":                    {files: map[string]string{"/.opentofu-version": "1.11.5", ".opentofu-version": "1.9.0"}, want: "engine:tofu@1.9.0", from: "infra/.opentofu-version"},
		"one of the other engine":               {files: map[string]string{".terraform-version": "1.5.7"}, want: "engine"},
		"which is the pool's":                   {engines: terraform, files: map[string]string{".terraform-version": "1.5.7"}, want: "engine:terraform@1.5.7", from: "infra/.terraform-version"},
		"one that says something else":          {files: map[string]string{".opentofu-version": "latest-allowed\n"}, want: "engine", warning: "neither a version in full nor latest"},
		"the stack before a file":               {spec: "  engine: {version: 1.9.0}", files: map[string]string{".opentofu-version": "1.11.5"}, want: "engine:tofu@1.9.0", from: "the stack"},
		"the code, and its own will do":         {files: map[string]string{"versions.tf": "terraform {\n  required_version = \">= 1.3\"\n}\n"}, want: "engine:tofu@1.12.6", from: fromCode},
		"the code":                              {files: map[string]string{"main.tf": "terraform {\n  required_version = \"~> 1.9.0\"\n}\n"}, want: "engine:tofu@1.9.0", from: fromCode},
		"code of both engines":                  {files: map[string]string{"main.tf": "terraform {\n  required_version = \"> 1\"\n}\n", "main.tofu": "terraform {\n  required_version = \"< 1.12\"\n}\n"}, want: "engine:tofu@1.11.5", from: fromCode},
		"a comment":                             {files: map[string]string{"main.tf": "# required_version = \"~> 1.9.0\"\n"}, want: "engine"},
		"code that nothing will do for":         {files: map[string]string{"main.tf": "terraform {\n  required_version = \"~> 0.12\"\n}\n"}, want: "engine", from: fromCode, warning: "the pool's own engine runs it"},
		"a pool that does not know what it has": {engines: shelf{}, files: map[string]string{".opentofu-version": "1.9.0"}, want: "engine"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Service{Deps: Deps{Engines: usual}}
			if c.engines != nil {
				s.Engines = c.engines
			}
			stack := stackOf(t, c.spec)
			stack.Path = "infra"
			var said configuration
			if c.ours != "" {
				said = configurationOf(t, ourConfiguration, c.ours)
			}
			e := combine(stack, nil, said)
			files := map[string][]byte{}
			for file, text := range c.files {
				if top, ok := strings.CutPrefix(file, "/"); ok {
					files[top] = []byte(text)
				} else {
					files["infra/"+file] = []byte(text)
				}
			}
			for file := range files {
				if !strings.Contains(strings.Join(engineFiles("infra"), " ")+" ", file+" ") {
					t.Errorf("%s is not read", file)
				}
			}
			if err := s.choose(t.Context(), &e, files, false); err != nil {
				t.Fatal(err)
			}
			if got := e.Engine.Tool(); got != c.want || e.Engine.From != c.from {
				t.Errorf("%s from %q; want %s from %q", got, e.Engine.From, c.want, c.from)
			}
			if !strings.Contains(e.Wrong, c.wrong) || (e.Wrong == "") != (c.wrong == "") {
				t.Errorf("wrong: %q; want %q", e.Wrong, c.wrong)
			}
			if all := strings.Join(e.Warnings, "\n"); !strings.Contains(all, c.warning) || (all == "") != (c.warning == "") {
				t.Errorf("warnings: %q; want %q", all, c.warning)
			}
		})
	}
}

func TestNamesOfTools(t *testing.T) {
	t.Parallel()
	c := EngineChoice{Name: "tofu", Version: "1.9.0"}
	if name, version, ok := ParseTool(c.Tool()); !ok || name != "tofu" || version != "1.9.0" || c.String() != "OpenTofu v1.9.0" {
		t.Errorf("%s is %s %s %v", c.Tool(), name, version, ok)
	}
	for _, bad := range []string{"engine", "engine:", "engine:tofu", "engine:tofu@../x", "engine:sh@1.0.0", "go", "engine:tofu@1.9", "engine:kubectl@1.31.2", "kubectl@1.31.2"} {
		if name, version, ok := ParseTool(bad); ok {
			t.Errorf("%q is %s %s", bad, name, version)
		}
	}
	for spec, want := range map[string]string{"{name: pulumi}": "engine \"pulumi\" is unknown", "{version: newest}": "no constraint of versions"} {
		d := documentOf(t, "  engine: "+spec)
		if _, wrong := read(d); len(wrong) != 1 || !strings.Contains(wrong[0].String(), want) {
			t.Errorf("%s: %v", spec, wrong)
		}
	}
}

// hashes are those of unpacked providers that a pool shows.
type hashes map[string]string

func (h hashes) Mirrors() (on, only bool, hosts []string) {
	return true, false, []string{"registry.opentofu.org"}
}
func (h hashes) Hash(provider, version string) string { return h[provider+" "+version] }

// TestALockFileSaysWhatIsShared: a provider is shown unpacked where the lock file has its hash, or does not name it.
func TestALockFileSaysWhatIsShared(t *testing.T) {
	t.Parallel()
	one, other := "h1:"+strings.Repeat("A", 43)+"=", "h1:"+strings.Repeat("B", 43)+"="
	block := func(provider, version string, hashes ...string) string {
		return "provider \"" + provider + "\" {\n  version     = \"" + version + "\"\n  constraints = \"~> 1\"\n  hashes = [\n    \"" + strings.Join(hashes, "\",\n    \"") + "\",\n  ]\n}\n\n"
	}
	const time, local = "registry.opentofu.org/hashicorp/time", "registry.opentofu.org/hashicorp/local"
	s := &Service{Deps: Deps{Providers: hashes{time + " 1.0.0": one}}}
	for name, c := range map[string]struct{ lock, want string }{
		"none":                     {"", ""},
		"its hash":                 {block(time, "1.0.0", one, "zh:00"), ""},
		"among others":             {block(local, "2.0.0", "zh:00") + block(time, "1.0.0", other, one), local},
		"of another system":        {"# made by tofu\n" + block(time, "1.0.0", other, "zh:00"), time},
		"of the archive alone":     {block(local, "2.0.0", one) + block(time, "1.0.0", "zh:00"), local + " " + time},
		"a version that is not":    {block(time, "1.1.0", other), time}, // yet: another run may bring it meanwhile
		"a name that is something": {block("a\", \"b", "1.0.0", other), ""},
	} {
		if got := s.mirrored([]byte(c.lock), true); strings.Join(got.Unshared, " ") != c.want {
			t.Errorf("%s: not shared are %v, want %q", name, got.Unshared, c.want)
		}
	}
	if got := s.mirrored(nil, false); strings.Join(got.Unshared, " ") != "*/*/*" {
		t.Errorf("a lock file that is not known: %v", got.Unshared)
	}
}

// TestWhatAnEngineIsToldOfProviders looks at the configuration that a step writes.
func TestWhatAnEngineIsToldOfProviders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mirror    Mirror
		shared    string
		want, not string
	}{
		"shared":      {Mirror{Hosts: []string{"a.example", "b.example"}, Unshared: []string{"a.example/x/y"}}, "/tools/providers", `filesystem_mirror {` + "\n" + `    path = "/tools/providers"` + "\n" + `    exclude = ["a.example/x/y"]`, ""},
		"not shared":  {Mirror{Hosts: []string{"a.example"}}, "", `include = ["a.example/*/*"]` + "\n  }\n  direct {\n" + `    exclude = ["a.example/*/*"]`, "filesystem_mirror"},
		"and no more": {Mirror{Only: true, Hosts: []string{"a.example"}}, "", `url = "https://127.0.0.1:7070/v1/providers-mirror/"` + "\n  }\n}\n", "direct"},
	} {
		dir := t.TempDir()
		env := map[string]string{"ROADBED_URL": "http://127.0.0.1:7070", "ROADBED_TOKEN": "word", "ROADBED_AUTHORITY": "/x", "ROADBED_SHARED": c.shared, "ROADBED_WORK": dir}
		c.mirror.environment(env)
		sh := exec.CommandContext(t.Context(), "/bin/sh", "-c", "set -eu\n"+mirroring+"\nwhile IFS= read -r line; do echo \"$line\"; done < \"$ROADBED_WORK/engine.rc\"\n")
		for k, v := range env {
			sh.Env = append(sh.Env, k+"="+v)
		}
		out, err := sh.CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) || c.not != "" && strings.Contains(string(out), c.not) || !strings.Contains(string(out), "credentials \"127.0.0.1:7070\" {\n  token = \"word\"") {
			t.Errorf("%s in %s: %v\n%s", name, filepath.Base(dir), err, out)
		}
	}
}
