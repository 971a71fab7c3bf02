package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	packages "github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// noTerraform says what is left out without Terraform, also in CI: it is neither in Debian nor built from its module here.
const noTerraform = "there is no terraform on the PATH: this is told with OpenTofu alone"

// remotes are the real clients of the remote protocol that the machine has.
func remotes(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	if built := filepath.Join(stack.BuiltEngine(), "tofu"); exec.CommandContext(t.Context(), built, "version").Run() == nil {
		found["tofu"] = built
	} else {
		lacktest.Log(t, "there is no tofu; run make tools")
	}
	if program, err := exec.LookPath("terraform"); err == nil {
		found["terraform"] = program
	} else {
		t.Log(noTerraform)
	}
	if len(found) == 0 {
		lacktest.Skip(t, "there is neither OpenTofu nor Terraform; run make tools")
	}
	return found
}

// desktop is a terminal in a folder, whose programs trust a server for trying out and have a token of it.
type desktop struct {
	t             *testing.T
	program, dir  string
	host          string
	environment   []string
	g             *ground
	authority     string
	home          string
	configuration string // file of the engine's own
}

// eachDesktop tells a story with each client, at a server of its own that asks for no second pair of eyes.
func eachDesktop(t *testing.T, story func(d *desktop)) {
	t.Helper()
	eachDesktopWith(t, func(*testing.T, *Options) {}, story)
}

// eachDesktopWith is eachDesktop with servers that are set up otherwise.
func eachDesktopWith(t *testing.T, change func(t *testing.T, o *Options), story func(d *desktop)) {
	t.Helper()
	t.Parallel()
	found := remotes(t)
	if found["terraform"] == "" {
		t.Run("terraform", func(t *testing.T) { t.Skip(noTerraform) })
	}
	for name, program := range found {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			o.Dev, o.Isolation, o.Engine = true, preferIsolation, program
			change(t, &o)
			address := running(t, o)
			_, port, _ := strings.Cut(address, ":")
			d := &desktop{t: t, program: program, dir: t.TempDir(), host: "localhost:" + port, authority: filepath.Join(o.Data, "ca.pem")}
			d.g = groundAt(t, "http://"+address, o.AdminToken)
			d.home = t.TempDir()
			d.configuration = filepath.Join(t.TempDir(), "cli.rc")
			d.environment = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.home, "SSL_CERT_FILE=" + d.authority, "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE=" + d.configuration, "TF_CLI_ARGS=-no-color"}
			d.as("admin")
			story(d)
		})
	}
}

// as gives the terminal's programs a token of somebody.
func (d *desktop) as(who string) {
	write(d.t, d.configuration, fmt.Sprintf("credentials %q {\n  token = %q\n}\n", d.host, d.g.as[who].Token))
}

// providers has the terminal's programs find a provider on its disk, and look nowhere else.
func (d *desktop) providers(name, version string, archive []byte) {
	d.t.Helper()
	mirror := d.t.TempDir()
	for _, host := range registryOf {
		write(d.t, filepath.Join(mirror, host, "hashicorp", name, fmt.Sprintf("terraform-provider-%s_%s_%s.zip", name, version, packages.Here())), string(archive))
	}
	own, err := os.ReadFile(d.configuration)
	if err != nil {
		d.t.Fatal(err)
	}
	write(d.t, d.configuration, string(own)+fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror))
}

func (d *desktop) alone() {
	d.t.Helper()
	if err := d.g.admin.Do(d.t.Context(), "DELETE", "/entities/policy/default/four-eyes", nil, nil, nil); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desktop) files(files map[string]string) {
	for name, content := range files {
		write(d.t, filepath.Join(d.dir, name), content)
	}
}

func (d *desktop) command(stdin io.Reader, env []string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	c := exec.CommandContext(d.t.Context(), d.program, args...)
	var out bytes.Buffer
	c.Dir, c.Stdin, c.Stdout, c.Stderr = d.dir, stdin, &out, &out
	c.Env = append(append([]string{}, d.environment...), env...)
	return c, &out
}

// runs runs a verb, and fails the test unless it ends with a code and says that.
func (d *desktop) runs(code int, says string, args ...string) string {
	d.t.Helper()
	return d.told(code, says, "", nil, args...)
}

func (d *desktop) told(code int, says, stdin string, env []string, args ...string) string {
	d.t.Helper()
	c, out := d.command(strings.NewReader(stdin), env, args...)
	err := c.Run()
	if c.ProcessState == nil {
		d.t.Fatalf("%s: %v", args, err)
	}
	text := strings.ReplaceAll(out.String(), "│ ", "")
	flat := strings.Join(strings.Fields(text), " ")
	if got := c.ProcessState.ExitCode(); got != code || !strings.Contains(flat, says) {
		d.t.Fatalf("%s %s = %d, want %d with %q:\n%s", filepath.Base(d.program), strings.Join(args, " "), got, code, says, text)
	}
	return text
}

// lastRun gives the newest run of a stack.
func (d *desktop) lastRun(name string) client.RunDetail {
	d.t.Helper()
	page, err := client.Get[client.List[client.Run]](d.t.Context(), d.g.admin, "/runs", url.Values{"subject": {name}, "limit": {"1"}})
	if err != nil || len(page.Items) == 0 {
		d.t.Fatalf("%s has no run: %v", name, err)
	}
	r, err := client.Get[client.RunDetail](d.t.Context(), d.g.admin, "/runs/"+page.Items[0].ID, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

const remoteInfra = `variable "region" {
  type    = string
  default = "one"
}
variable "key" {
  type      = string
  default   = "k"
  sensitive = true
}
resource "terraform_data" "a" { input = var.region }
output "region" { value = terraform_data.a.output }
output "list" { value = [var.region, 1] }
output "secret" {
  value     = "open-${var.key}"
  sensitive = true
}
`

func (d *desktop) cloud(workspaces string) string {
	return fmt.Sprintf("terraform {\n  cloud {\n    hostname     = %q\n    organization = \"default\"\n    workspaces { %s }\n  }\n}\n", d.host, workspaces)
}

func (d *desktop) backend(workspaces string) string {
	return fmt.Sprintf("terraform {\n  backend \"remote\" {\n    hostname     = %q\n    organization = \"default\"\n    workspaces { %s }\n  }\n}\n", d.host, workspaces)
}

// TestCloudBlocksPlanAndApplyHere tells the life of a workspace from the terminal: made by init, planned, applied without
// and with a question, turned down, read, and destroyed.
func TestCloudBlocksPlanAndApplyHere(t *testing.T) {
	eachDesktop(t, func(d *desktop) {
		d.alone()
		for _, block := range []struct{ name, text string }{{"net", d.cloud(`name = "net"`)}, {"old", d.backend(`name = "old"`)}} {
			d.dir = d.t.TempDir()
			d.files(map[string]string{"main.tf": block.text + remoteInfra})
			d.runs(0, "", "init")
			if s := d.g.stackNow(block.name); s.Space != "default" || s.Repository != "" || s.Owner != "user:default/admin" {
				d.t.Errorf("init made %+v", s)
			}
			d.runs(0, "1 to add, 0 to change, 0 to destroy", "plan")
			d.g.wantRun(d.lastRun("stack:default/"+block.name), "finished", "1 to create")
			d.runs(0, "1 added, 0 changed, 0 destroyed", "apply", "-auto-approve")
			d.g.wantRun(d.lastRun("stack:default/"+block.name), "finished", "applied")
			d.runs(0, "terraform_data.a", "state", "list")
			d.runs(0, "one", "output", "-raw", "region")
			if out := d.runs(0, "", "output", "-json"); !strings.Contains(out, `"open-k"`) || !strings.Contains(out, `"tuple"`) {
				d.t.Errorf("the outputs are %s", out)
			}
			d.runs(0, "No changes", "plan")
			d.files(map[string]string{"zone.auto.tfvars": "region = \"two\"\n"})
			d.told(1, "discarded", "no\n", nil, "apply")
			d.g.wantRun(d.lastRun("stack:default/"+block.name), "discarded", "")
			if block.name == "net" {
				d.told(0, "1 changed", "yes\n", nil, "apply", "-var", `region=thr"ee`)
			} else { // the older backend takes none
				d.files(map[string]string{"zone.auto.tfvars": `region = "thr\"ee"`})
				d.told(0, "1 changed", "yes\n", nil, "apply")
				d.files(map[string]string{"zone.auto.tfvars": `region = "two"`})
			}
			if got := d.runs(0, "", "output", "-raw", "region"); got != `thr"ee` {
				d.t.Errorf("the variable of the command line gives %s", got)
			}
			d.runs(0, "will be replaced, as requested", "plan", "-target=terraform_data.a", "-replace=terraform_data.a")
			if block.name == "net" { // the older backend has none
				d.runs(0, "", "plan", "-out=saved")
				d.runs(0, "Apply complete", "apply", "saved")
			}
			d.runs(0, "1 destroyed", "destroy", "-auto-approve")
			if s := d.g.stackNow(block.name); s.State.Resources != 0 {
				d.t.Errorf("after the destruction there are %d resources", s.State.Resources)
			}
		}
	})
}

// TestWorkspacesAreKeptApart by tags of a cloud block and by the prefix of a backend, and states are brought over.
func TestWorkspacesAreKeptApart(t *testing.T) {
	eachDesktop(t, func(d *desktop) {
		d.alone()
		d.files(map[string]string{"main.tf": d.cloud(`tags = ["shop"]`) + remoteInfra})
		d.told(0, "", "shop-one\n", nil, "init")
		d.runs(0, "shop-two", "workspace", "new", "shop-two")
		d.runs(0, "* shop-two", "workspace", "list")
		d.runs(0, "", "workspace", "select", "shop-one")
		d.runs(0, "* shop-one", "workspace", "list")
		d.runs(0, "1 added", "apply", "-auto-approve")
		d.runs(0, "", "workspace", "select", "shop-two")
		d.runs(1, "No state file was found", "state", "list")
		d.runs(0, "", "workspace", "select", "shop-one")
		d.runs(0, "terraform_data.b", "state", "mv", "terraform_data.a", "terraform_data.b")
		d.runs(0, "terraform_data.b", "state", "list")
		d.runs(0, "", "workspace", "select", "shop-two")
		d.runs(1, "resource", "workspace", "delete", "shop-one")
		d.runs(0, "", "workspace", "delete", "-force", "shop-one")

		d.dir = d.t.TempDir()
		d.files(map[string]string{"main.tf": d.backend(`prefix = "app-"`) + remoteInfra})
		remote{d.g, "admin"}.workspace("default", "app-dev")
		d.runs(0, "", "init")
		d.told(0, "", "", nil, "workspace", "new", "prod")
		d.runs(0, "* prod", "workspace", "list")
		d.runs(0, "1 added", "apply", "-auto-approve")
		d.g.stackNow("app-prod")
		// A local state is taken up by what init finds.
		d.dir = d.t.TempDir()
		d.files(map[string]string{"main.tf": remoteInfra})
		d.runs(0, "", "init")
		d.runs(0, "1 added", "apply", "-auto-approve")
		d.files(map[string]string{"cloud.tf": d.cloud(`name = "moved"`)})
		d.told(0, "", "yes\n", nil, "init")
		d.runs(0, "terraform_data.a", "state", "list")
		d.runs(0, "No changes", "plan")
	})
}

// TestARemoteRunIsConfirmedElsewhereOrStoppedHere: four eyes hold for terminals too.
func TestARemoteRunIsConfirmedElsewhereOrStoppedHere(t *testing.T) {
	eachDesktop(t, func(d *desktop) {
		d.as("alice")
		d.files(map[string]string{"main.tf": d.cloud(`name = "net"`) + remoteInfra})
		d.runs(0, "", "init")
		d.told(1, "an author of a run can't confirm it", "yes\n", nil, "apply")
		waiting := d.lastRun("stack:default/net")
		d.g.wantRun(waiting, "unconfirmed", "1 to create")

		// The next waits in the queue, until it is stopped.
		asked, answers := io.Pipe()
		c, out := d.command(asked, nil, "apply")
		if err := c.Start(); err != nil {
			d.t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(d.t.Context(), time.Minute)
		defer stop()
		var queued client.RunDetail
		if err := eventually(ctx, func() (bool, error) {
			queued = d.lastRun("stack:default/net")
			return queued.ID != waiting.ID && queued.State == "queued", nil
		}); err != nil {
			d.t.Fatalf("no run is queued: %v", err)
		}
		if err := c.Process.Signal(syscall.SIGINT); err != nil {
			d.t.Fatal(err)
		}
		go func() {
			_, _ = io.WriteString(answers, "yes\n") // the program may have ended
			_ = answers.Close()
		}()
		_ = c.Wait() // it ends as it likes, when it is stopped
		if r := until(d.t, d.g.admin, queued.ID, ended); r.State != "canceled" {
			d.t.Errorf("after ^C the run is %s: %s\n%s", r.State, r.Reason, out)
		}

		// Bob agrees in the portal while Alice's terminal waits for its apply.
		if _, err := d.g.act("bob", waiting.ID, "discard"); err != nil {
			d.t.Fatal(err)
		}
		c, out = d.command(strings.NewReader(""), nil, "apply", "-auto-approve")
		if err := c.Start(); err != nil {
			d.t.Fatal(err)
		}
		var next client.RunDetail
		if err := eventually(ctx, func() (bool, error) {
			next = d.lastRun("stack:default/net")
			return next.ID != queued.ID && next.Waiting, nil
		}); err != nil {
			d.t.Fatalf("no run waits: %v\n%s", err, out)
		}
		if _, err := d.g.act("bob", next.ID, "confirm"); err != nil {
			d.t.Fatal(err)
		}
		if err := c.Wait(); err != nil || !strings.Contains(out.String(), "1 added") || !strings.Contains(out.String(), "It waits for somebody who may confirm it") {
			d.t.Errorf("the terminal ends with %v:\n%s", err, out)
		}
		// What may not be seen is not there, and a stack of a repository applies nothing that is uploaded.
		d.as("mallory")
		d.dir = d.t.TempDir()
		d.files(map[string]string{"main.tf": d.cloud(`name = "net"`) + remoteInfra})
		d.runs(1, "organization \"default\" at host", "init")
	})
}

// TestATerminalSignsIn by the browser of a person who has signed in.
func TestATerminalSignsIn(t *testing.T) {
	eachDesktop(t, func(d *desktop) {
		// What login keeps is read where no other configuration is named.
		if err := os.MkdirAll(filepath.Join(d.home, ".terraform.d"), 0o700); err != nil {
			d.t.Fatal(err)
		}
		d.environment = slices.DeleteFunc(d.environment, func(v string) bool { return strings.HasPrefix(v, "TF_CLI_CONFIG_FILE=") })
		jar, err := cookiejar.New(nil)
		if err != nil {
			d.t.Fatal(err)
		}
		browser := trusting(d.t, d.authority)
		browser.Jar = jar
		link, err := client.Post[client.SignInLink](d.t.Context(), d.g.alice, "/signin-links", map[string]any{"user": "user:default/alice"})
		if err != nil {
			d.t.Fatal(err)
		}
		answer, err := browser.Post("https://"+d.host+"/api/v1/session", "application/json", strings.NewReader(`{"code":"`+link.Code+`"}`))
		if err != nil {
			d.t.Fatal(err)
		}
		answer.Body.Close()

		c, _ := d.command(nil, []string{"BROWSER=none", "DISPLAY="}, "login", d.host)
		in, err := c.StdinPipe()
		if err != nil {
			d.t.Fatal(err)
		}
		wrong := &bytes.Buffer{}
		c.Stdout, c.Stderr = nil, wrong
		out, err := c.StdoutPipe()
		if err != nil {
			d.t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			d.t.Fatal(err)
		}
		if _, err := io.WriteString(in, "yes\n"); err != nil {
			d.t.Fatal(err)
		}
		said := &bytes.Buffer{}
		at := regexp.MustCompile(`https://\S+/oauth/authorize\S+`)
		buffer := make([]byte, 4096)
		for at.FindString(said.String()) == "" || !strings.HasSuffix(said.String(), "\n") {
			n, err := out.Read(buffer)
			said.Write(buffer[:n])
			if err != nil {
				d.t.Fatalf("login says no address: %v\n%s", err, said)
			}
		}
		d.allow(browser, at.FindString(said.String()))
		rest, err := io.ReadAll(out)
		if err != nil {
			d.t.Fatal(err)
		}
		if err := c.Wait(); err != nil {
			d.t.Fatalf("login ends with %v\n%s%s%s", err, said, rest, wrong)
		}
		d.files(map[string]string{"main.tf": d.cloud(`name = "net"`) + remoteInfra})
		d.runs(0, "", "init")
		if s := d.g.stackNow("net"); s.Owner != "user:default/alice" {
			d.t.Errorf("the token that login got is of %s", s.Owner)
		}
	})
}

// allow lets the program in, as a person does at the page, and follows the browser to the program.
func (d *desktop) allow(browser *http.Client, page string) {
	d.t.Helper()
	answer, err := browser.Get(page)
	if err != nil {
		d.t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(text), "Let a program on this machine act as you?") {
		d.t.Fatalf("the page is %s %v\n%s", answer.Status, err, text)
	}
	form := url.Values{"answer": {"allow"}}
	for _, field := range regexp.MustCompile(`name="([a-z_]+)" value="([^"]*)"`).FindAllStringSubmatch(string(text), -1) {
		if field[1] != "answer" {
			form.Set(field[1], html.UnescapeString(field[2]))
		}
	}
	wrong := url.Values{}
	for name := range form {
		wrong.Set(name, form.Get(name))
	}
	wrong.Set("csrf", "another")
	for _, c := range []struct {
		form url.Values
		want int
	}{{wrong, http.StatusForbidden}, {form, http.StatusSeeOther}} {
		answer, err := browser.PostForm("https://"+d.host+"/oauth/authorize", c.form)
		if err != nil {
			d.t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != c.want {
			d.t.Fatalf("the form gives %s, want %d", answer.Status, c.want)
		}
		if c.want == http.StatusSeeOther {
			done, err := http.Get(answer.Header.Get("Location"))
			if errors.Is(err, io.EOF) { // the program has its code, and may be gone before it has answered
				continue
			}
			if err != nil {
				d.t.Fatal(err)
			}
			done.Body.Close()
		}
	}
}
