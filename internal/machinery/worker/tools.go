package worker

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// FindTools gives the tools that this machine can lend to steps: "go" where Go is installed, "roadbed" (the
// running program, whose path is given), "tofu" where engine, the path of an OpenTofu or Terraform, is not "", and what of
// kubectl, terragrunt, pulumi, infracost and ansible is on PATH.
func FindTools(ctx context.Context, program, engine string) map[string]Tool {
	tools := map[string]Tool{}
	if program != "" {
		tools["roadbed"] = single("roadbed", program)
	}
	if engine != "" {
		t := single("tofu", engine)
		// No notice of newer versions, and no questions.
		t.Env = map[string]string{"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
		t.CacheEnv = map[string]string{"TF_PLUGIN_CACHE_DIR": "{cache}"}
		tools["tofu"] = t
	}
	for _, name := range []string{"kubectl", "terragrunt", "pulumi", "infracost"} {
		if found, err := exec.LookPath(name); err == nil {
			if found, err = filepath.Abs(found); err == nil {
				tools[name] = Beside(name, found)
			}
		}
	}
	// Ansible is many files, so that only one that steps see anyway, as the system's, can be lent.
	if found, err := exec.LookPath("ansible-playbook"); err == nil && (strings.HasPrefix(found, "/usr/") || strings.HasPrefix(found, "/bin/")) {
		tools["ansible"] = Tool{}
	}
	if goroot := findGo(ctx); goroot != "" {
		env := goEnv()
		env["GOROOT"] = "/tools/go"
		tools["go"] = Tool{
			Mounts:   []execute.Mount{{Source: goroot, Target: "/tools/go", ReadOnly: true}},
			Path:     []string{"/tools/go/bin"},
			Env:      env,
			CacheEnv: map[string]string{"GOCACHE": "{cache}/build", "GOMODCACHE": "{cache}/mod"},
			Seeds:    goSeeds(goroot),
		}
	}
	return tools
}

// goEnv is how Go works in steps: with what it has, without a C compiler.
func goEnv() map[string]string {
	return map[string]string{
		"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOPROXY": "off", "GOSUMDB": "off",
		"GOFLAGS": "-buildvcs=false", "GOTELEMETRY": "off", "GOENV": "off",
	}
}

// single is a tool of one program, at /tools/NAME/NAME.
func single(name, program string) Tool {
	dir := "/tools/" + name
	return Tool{Mounts: []execute.Mount{{Source: program, Target: dir + "/" + name, ReadOnly: true}}, Path: []string{dir}}
}

// Beside is a tool of one program, at /tools/NAME/NAME, and of what belongs to it and stands in its folder: NAME-*, as the
// languages of Pulumi.
func Beside(name, program string) Tool {
	t := single(name, program)
	others, err := filepath.Glob(filepath.Join(filepath.Dir(program), name+"-*"))
	if err != nil { // the folder's name is a pattern
		return t
	}
	for _, other := range others {
		t.Mounts = append(t.Mounts, execute.Mount{Source: other, Target: "/tools/" + name + "/" + filepath.Base(other), ReadOnly: true})
	}
	return t
}

// findGo gives the root of an installed Go, or "".
func findGo(ctx context.Context) string {
	candidates := []string{"go", "/usr/local/go/bin/go"}
	for _, c := range candidates {
		program, err := exec.LookPath(c)
		if err != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, program, "env", "GOROOT")
		cmd.Dir = "/"
		out, err := cmd.Output()
		root := strings.TrimSpace(string(out))
		if err != nil || root == "" {
			continue
		}
		if resolved, err := filepath.EvalSymlinks(root); err == nil {
			if info, err := os.Stat(filepath.Join(resolved, "bin", "go")); err == nil && info.Mode().IsRegular() {
				return resolved
			}
		}
	}
	return ""
}

// DefaultTools is FindTools for the running program.
func DefaultTools(ctx context.Context, engine string) (map[string]Tool, error) {
	program, err := os.Executable()
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return nil, fmt.Errorf("find the running program: %w", err)
	}
	return FindTools(ctx, program, engine), nil
}
