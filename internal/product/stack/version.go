package stack

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Engines tells which versions of which engines there are for runs.
type Engines interface {
	// Own gives the engine that runs what asks for none; "" where it is not known yet.
	Own(ctx context.Context) (name, version string)
	// Resolve gives the version that is used of those that will do. Conflict, with a list of what there is, for none.
	Resolve(ctx context.Context, name string, wanted toolchain.Wanted) (version string, err error)
	// Machine tells whether the machine has a vendor's program anyway, and, where that is asked, in which version: "" where it
	// does not tell.
	Machine(ctx context.Context, name string, ask bool) (version string, there bool)
}

// EngineChoice is the engine of a run, which it keeps from its plan to its apply.
type EngineChoice struct {
	Name    string `json:"name,omitempty"`    // tofu or terraform, or a vendor's program; "" for whatever the pool has
	Version string `json:"version,omitempty"` // in full; "" for the one that the pool has anyway
	Wanted  string `json:"wanted,omitempty"`  // a constraint, as somebody has written it
	From    string `json:"from,omitempty"`    // who has: the stack, or a file of the repository
}

// String gives what the engine calls itself, as far as it is known.
func (c EngineChoice) String() string {
	switch {
	case c.Name == "":
		return ""
	case c.Version == "":
		return toolchain.Title(c.Name)
	}
	return toolchain.Title(c.Name) + " v" + c.Version
}

// Tool names the pool's tool that a run asks for.
func (c EngineChoice) Tool() string {
	if c.Name == "" || c.Version == "" {
		return ToolEngine
	}
	return ToolEngine + ":" + c.Name + "@" + c.Version
}

// ParseTool reads the name of a tool that Tool gives of an engine whose version was chosen; ok is false for any other.
func ParseTool(tool string) (name, version string, ok bool) {
	text, ok := strings.CutPrefix(tool, ToolEngine+":")
	if !ok {
		return "", "", false
	}
	name, version, ok = strings.Cut(text, "@")
	return name, version, ok && slices.Contains(toolchain.Engines(), name) && toolchain.Check(name, version) == nil
}

// engineName gives a name of an engine as this room has it: tofu or terraform, "" for none, false for one that is unknown.
func engineName(text string) (string, bool) {
	switch text {
	case "", toolchain.OpenTofu, toolchain.Terraform:
		return text, true
	case "opentofu":
		return toolchain.OpenTofu, true
	}
	return "", false
}

// check tells what is wrong with what a document says of its engine.
func (e *Engine) check(bad func(message, hint string, at ...string)) {
	name, ok := engineName(e.Name)
	if !ok {
		bad(fmt.Sprintf("engine %q is unknown", e.Name), "write tofu or terraform", "spec", "engine", "name")
	}
	e.Name = name
	if _, err := toolchain.ParseWanted(e.Version); err != nil {
		bad(fault.Message(err), "in Terraform's syntax", "spec", "engine", "version")
	}
}

// workflowTools are Spacelift's names of engines.
var workflowTools = map[string]string{"OPEN_TOFU": toolchain.OpenTofu, "TERRAFORM_FOSS": toolchain.Terraform}

// engineAsked is what one source says of the engine.
type engineAsked struct {
	name, version string
	// versions that a repository's file says of one engine, whichever is used in the end
	terraform, tofu string
	from            string
}

// engineSaid gives what settings of a repository say, as far as it is read here.
func (s *settings) engineSaid(file string) engineAsked {
	a := engineAsked{from: file}
	if s.WorkflowTool != nil {
		a.name = workflowTools[fmt.Sprint(s.WorkflowTool)]
	}
	if s.TerraformVersion != nil {
		a.terraform = fmt.Sprint(s.TerraformVersion)
	}
	if s.OpenTofuVersion != nil {
		a.tofu = fmt.Sprint(s.OpenTofuVersion)
	}
	return a
}

// checkEngine tells what of a file's settings is no version.
func (s *settings) checkEngine(bad func(message, hint string, at ...string)) {
	for name, value := range map[string]any{"terraform_version": s.TerraformVersion, "opentofu_version": s.OpenTofuVersion} {
		if value == nil {
			continue
		}
		if _, err := toolchain.ParseWanted(fmt.Sprint(value)); err != nil {
			bad(fault.Message(err), "", name)
		}
	}
}

// said adds what a source says of the engine; it comes over what was said before.
func (e *Environment) said(a engineAsked) {
	if a.name != "" {
		e.asks.name, e.asks.named = a.name, a.from
	}
	if a.version != "" {
		e.asks.version, e.asks.from = a.version, a.from
		e.asks.terraform, e.asks.tofu = "", "" // of sources below
	}
	if a.terraform != "" || a.tofu != "" {
		e.asks.version = ""
		e.asks.terraform, e.asks.tofu, e.asks.from = a.terraform, a.tofu, a.from
	}
}

// asks is what all sources together say of the engine.
type asks struct {
	engineAsked
	named string // who said the name
}

// Files of a repository that say which version they want, where neither the stack nor the repository's settings do.
const (
	tofuVersionFile      = ".opentofu-version"
	terraformVersionFile = ".terraform-version"
	lockFile             = ".terraform.lock.hcl"
)

// codeFiles are where code has its required_version by custom.
var codeFiles = []string{"versions.tf", "terraform.tf", "main.tf", "providers.tf", "versions.tofu", "terraform.tofu", "main.tofu"}

const mostCode = 1 << 20 // bytes of one of these files

// engineFiles are the files of a repository that have a say in the engine of what is in a folder.
func engineFiles(folder string) []string {
	files := []string{path.Join(folder, tofuVersionFile), path.Join(folder, terraformVersionFile), path.Join(folder, lockFile)}
	if folder != "" {
		files = append(files, tofuVersionFile, terraformVersionFile)
	}
	for _, f := range codeFiles {
		files = append(files, path.Join(folder, f))
	}
	return files
}

// choose finds the engine of a run. What can't be had is why it does not begin. On agents, which have engines of their own, one
// that was asked for is named with its version.
func (s *Service) choose(ctx context.Context, e *Environment, files map[string][]byte, onAgents bool) error {
	c := EngineChoice{Name: e.asks.name}
	own, ownVersion := "", ""
	if s.Engines != nil {
		own, ownVersion = s.Engines.Own(ctx)
	}
	name := c.Name
	if name == "" {
		name = own
	}
	e.wantedBy(&c, name, files)
	e.Engine = c
	if s.Engines == nil || name == "" {
		return nil // the pool's engine runs it, or says that it can't
	}
	wanted, err := toolchain.ParseWanted(c.Wanted)
	if err != nil {
		e.wrong(fmt.Sprintf("%s: %s", c.From, fault.Message(err)))
		return nil
	}
	if name == own && !wanted.Latest() && (wanted.Any() || wanted.Allows(ownVersion)) {
		if e.Engine.Name = name; !wanted.Any() || onAgents && c.Name != "" {
			e.Engine.Version = ownVersion
		}
		return nil
	}
	version, err := s.Engines.Resolve(ctx, name, wanted)
	switch {
	case err == nil:
		e.Engine.Name, e.Engine.Version = name, version
		return nil
	case fault.Is(err, fault.Conflict) && c.From == fromCode && name == own:
		e.Engine.Name = name // whether that is so, the engine knows better
		e.Warnings = append(e.Warnings, fmt.Sprintf("the code says required_version = %q: %s; the pool's own engine runs it", c.Wanted, fault.Message(err)))
		return nil
	case fault.Is(err, fault.Conflict):
		from := c.From
		if from == "" {
			from = e.asks.named
		}
		e.wrong(fmt.Sprintf("%s asks for an engine that can't be had: %s", from, fault.Message(err)))
		return nil
	}
	return err
}

// fromCode is where a constraint is from that the code itself has.
const fromCode = "required_version"

// wantedBy finds who says which version, in this order: the stack and the repository's settings, as they lie over one another; a
// version file beside the code, or at the top; the code.
func (e *Environment) wantedBy(c *EngineChoice, name string, files map[string][]byte) {
	a := e.asks
	c.Wanted, c.From = a.version, a.from
	switch {
	case a.version != "":
		return
	case name == toolchain.OpenTofu && a.tofu != "":
		c.Wanted = a.tofu
		return
	case a.terraform != "" && (name == toolchain.Terraform || a.name != ""): // Spacelift's word for the version of the tool that is named
		c.Wanted = a.terraform
		return
	case a.terraform != "":
		e.Warnings = append(e.Warnings, fmt.Sprintf("%s: terraform_version %s is not read: the pool's engine is no Terraform; say terraform_workflow_tool, or spec.engine of the stack", a.from, a.terraform))
	}
	c.From = ""
	file := map[string]string{toolchain.OpenTofu: tofuVersionFile, toolchain.Terraform: terraformVersionFile}[name]
	if file == "" {
		return
	}
	for _, at := range slices.Compact([]string{path.Join(e.Path, file), file}) {
		text, ok := files[at]
		if !ok {
			continue
		}
		version, why := versionIn(text)
		if why != "" {
			e.Warnings = append(e.Warnings, fmt.Sprintf("%s is not read: %s", at, why))
			continue
		}
		c.Wanted, c.From = version, at
		return
	}
	var all []string
	for _, f := range codeFiles {
		if strings.HasSuffix(f, ".tofu") && name != toolchain.OpenTofu {
			continue
		}
		for _, m := range requiredVersion.FindAllSubmatch(files[path.Join(e.Path, f)], 8) {
			all = append(all, string(m[1]))
		}
	}
	if text := strings.Join(all, ", "); text != "" {
		if _, err := toolchain.ParseWanted(text); err == nil { // else the engine says what is wrong with it
			c.Wanted, c.From = text, fromCode
		}
	}
}

var requiredVersion = regexp.MustCompile(`(?m)^[ \t]*required_version[ \t]*=[ \t]*"([^"\r\n]{1,200})"`)

// versionIn reads a version file, as version managers do: one version, or latest.
func versionIn(text []byte) (version, why string) {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text[:min(len(text), 1000)])), "\n")
	line, _, _ = strings.Cut(line, "#")
	line = strings.TrimPrefix(strings.TrimSpace(line), "v")
	switch {
	case line == toolchain.Latest, toolchain.ValidVersion(line):
		return line, ""
	case line == "":
		return "", "it is empty"
	}
	return "", fmt.Sprintf("%.100q is neither a version in full nor latest", line)
}
