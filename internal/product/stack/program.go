package stack

import (
	"context"
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// program gives the vendor's program of those that are kept by version, and which version the stack asks for; "" for none.
func (v Vendor) program() (name, wanted string) {
	switch {
	case v.Terragrunt != nil:
		return ToolTerragrunt, v.Terragrunt.Version
	case v.Kubernetes != nil:
		return ToolKubectl, v.Kubernetes.KubectlVersion
	case v.Pulumi != nil:
		return ToolPulumi, v.Pulumi.PulumiVersion
	}
	return "", ""
}

// program names the pool's tool that is a vendor's program, in the version that was chosen, or of those that will do.
func (c EngineChoice) program(tool string) string {
	switch {
	case c.Version != "":
		return tool + "@" + c.Version
	case c.Wanted != "":
		return tool + "@" + c.Wanted
	}
	return tool
}

// ParseProgram reads the name of a tool that is a vendor's program, and which versions of it will do; ok is false for another.
func ParseProgram(tool string) (name string, wanted toolchain.Wanted, ok bool) {
	name, text, _ := strings.Cut(tool, "@")
	if !toolchain.IsTool(name) {
		return "", wanted, false
	}
	wanted, err := toolchain.ParseFor(name, text)
	return name, wanted, err == nil
}

// toolSaid is where a step that plans says which version of the vendor's program it has.
var toolSaid = worker.Output{Name: "tool", Path: "/work/tool-is", Kind: worker.OutputText, MaxBytes: 200, Optional: true}

// plannedBy holds the steps after a plan to the version of the vendor's program that it was made with. Where the run was given no
// version, as on agents, which find theirs by what was asked, that very version is asked for; where nothing was asked, a machine
// with another one stops.
func (in Input) plannedBy(m made) Input {
	c := in.Given.Tool
	version := toolchain.Plain(m.tool)
	if c.Name == "" || c.Version != "" || !toolchain.ValidVersion(version) {
		return in
	}
	wanted, err := toolchain.ParseFor(c.Name, c.Wanted)
	if err != nil || !wanted.Any() && !wanted.Allows(version) { // a hook may have written anything
		return in
	}
	if in.planned = version; !wanted.Any() {
		in.Given.Tool.Version = version
	}
	return in
}

// toolVersion gives the version that a step holds the vendor's program to. On agents whoever lends it does.
func (in Input) toolVersion() string {
	if chosen := in.Given.Tool; chosen.Name != "" {
		return chosen.Version
	}
	_, wanted := in.Vendor.program()
	return wanted
}

// chooseProgram finds the version of a vendor's program. The machine's own is taken where it will do; where nothing was asked,
// without asking what it is. Agents find theirs themselves, by what was asked.
func (s *Service) chooseProgram(ctx context.Context, e *Environment, v Vendor, onAgents bool) error {
	name, text := v.program()
	if name == "" || s.Engines == nil {
		return nil
	}
	wanted, err := toolchain.ParseFor(name, text)
	if err != nil { // its document was checked, by an earlier life perhaps
		e.wrong(fmt.Sprintf("spec.vendor: %s", fault.Message(err)))
		return nil
	}
	e.Tool = EngineChoice{Name: name, Wanted: text}
	if text != "" {
		e.Tool.From = fromStack
	}
	if onAgents {
		return nil
	}
	own, there := s.Engines.Machine(ctx, name, !wanted.Any())
	switch {
	case there && wanted.Any():
		return nil
	case there && !wanted.Latest() && wanted.Allows(own):
		e.Tool.Version = own
		return nil
	}
	version, err := s.Engines.Resolve(ctx, name, wanted)
	if fault.Is(err, fault.Conflict) {
		e.wrong(fmt.Sprintf("the stack asks for a program that can't be had: %s", fault.Message(err)))
		return nil
	}
	e.Tool.Version = version
	return err
}
