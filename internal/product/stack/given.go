package stack

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Given is what the steps of a run are given besides its sources and variables. It is fixed when the run is made: an edit
// of a context changes nothing of a run that is there. Values of secrets are looked up when a step begins.
type Given struct {
	Files    []Mount           `json:"files,omitempty"`
	Hooks    map[string][]Hook `json:"hooks,omitempty"`    // by phase, in their order
	Contexts map[string]int64  `json:"contexts,omitempty"` // with the edit of each
	Labels   []string          `json:"labels,omitempty"`   // of the stack
	Own      []string          `json:"own,omitempty"`      // variables that are no context's, where contexts tell Infracost anything
	File     string            `json:"file,omitempty"`     // of the repository, which had a say
	Engine   EngineChoice      `json:"engine,omitzero"`    // which runs it
	Tool     EngineChoice      `json:"tool,omitzero"`      // the vendor's program
	Mirror   *Mirror           `json:"mirror,omitempty"`   // from which its engine takes providers; nil for their registries
	Init     *Init             `json:"init,omitempty"`     // by which its engine needs none of its own; nil where it does
	Wrong    string            `json:"wrong,omitempty"`    // why the run can't begin
	Warnings []string          `json:"warnings,omitempty"`
	Asked    bool              `json:"asked,omitempty"` // approval policies are asked before the run begins
	Takes    []string          `json:"takes,omitempty"` // runs that wait outside, whose place the run takes once it has finished
}

// Mount is a file that is mounted: a blob, or a secret.
type Mount struct {
	Path      string `json:"path"`
	Digest    string `json:"digest,omitempty"`
	SecretRef string `json:"secretRef,omitempty"`
}

// fromStack is where what a stack's own document says is from.
const fromStack = "the stack"

// SetVariable is one variable of an environment as runs see it.
type SetVariable struct {
	Variable
	From string   // a context's reference, "the stack", or a file of the repository
	Over []string // whose values it takes the place of, the nearest first
}

// SetFile is one mounted file as runs see it.
type SetFile struct {
	File
	From string
	Over []string
}

// Environment is what the runs of a stack are given, and where it is from.
type Environment struct {
	Contexts  []attachment
	Variables []SetVariable // by name
	Files     []SetFile     // by path
	Hooks     map[string][]Hook
	Path      string         // folder within the repository
	Terraform map[string]any // spec.variables that nothing overrides
	File      string         // of the repository, which had a say; "" for none
	Engine    EngineChoice
	Tool      EngineChoice // the vendor's program; none for most
	Image     string       // in which steps run; "" for what the pool has
	ImageFrom string
	Wrong     string
	Warnings  []string

	asks   asks
	mirror *Mirror
	init   *Init
}

// combine lays contexts, in their order, what the repository says and what the stack's document says over one another.
func combine(stack Stack, contexts []attachment, c configuration) Environment {
	e := Environment{Contexts: contexts, Hooks: map[string][]Hook{}, Path: stack.Path, Terraform: stack.Spec.Variables}
	variables, files := map[string]SetVariable{}, map[string]SetFile{}
	set := func(from string, all []Variable) {
		for _, v := range all {
			next := SetVariable{Variable: v, From: from}
			if before, ok := variables[v.Name]; ok {
				next.Over = append([]string{before.From}, before.Over...)
			}
			variables[v.Name] = next
		}
	}
	mount := func(from string, all []File) {
		for _, f := range all {
			next := SetFile{File: f, From: from}
			if before, ok := files[f.Path]; ok {
				next.Over = append([]string{before.From}, before.Over...)
			}
			files[f.Path] = next
		}
	}
	for _, a := range contexts {
		set(a.Ref.String(), a.Spec.Variables)
		mount(a.Ref.String(), a.Spec.Files)
	}
	var before, after []settings
	if c.file != "" {
		e.File = c.file
		before, after = c.layers(stack)
	}
	for _, s := range before {
		e.lay(c.file, s, set)
	}
	e.said(engineAsked{name: stack.Spec.Engine.Name, version: stack.Spec.Engine.Version, from: fromStack})
	if stack.Spec.Image != "" {
		e.Image, e.ImageFrom = stack.Spec.Image, fromStack
	}
	set(fromStack, stack.Spec.Environment)
	set(fromStack, inputs(stack.Spec.Variables))
	mount(fromStack, stack.Spec.Files)
	if stack.Path != "" || before == nil {
		e.Path = stack.Path
	}
	for _, s := range after {
		e.lay(c.file, s, set)
	}
	own := ownHooks(stack, before, after, e.File)
	for _, phase := range Phases() {
		e.Hooks[phase] = around(phase, contexts, own[phase])
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		e.Variables = append(e.Variables, variables[name])
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		e.Files = append(e.Files, files[name])
	}
	e.Terraform = maps.Clone(stack.Spec.Variables)
	maps.DeleteFunc(e.Terraform, func(k string, _ any) bool { return variables["TF_VAR_"+k].From != fromStack })
	e.bound()
	return e
}

// inputs gives a stack's variables as the environment has them.
func inputs(all map[string]any) []Variable {
	out := make([]Variable, 0, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, Variable{Name: "TF_VAR_" + k, Value: variable(all[k])})
	}
	return out
}

// lay puts settings of a file over what is there.
func (e *Environment) lay(file string, s settings, set func(from string, all []Variable)) {
	all, _ := s.variables() // they were checked
	set(file, all)
	if s.ProjectRoot != nil {
		if e.Path = path.Clean(*s.ProjectRoot); e.Path == "." {
			e.Path = ""
		}
	}
	e.said(s.engineSaid(file))
	if s.RunnerImage != "" {
		e.Image, e.ImageFrom = s.RunnerImage, file
	}
	for _, name := range s.unread() {
		w := fmt.Sprintf("%s: %s is not read here: the pool's engines run stacks", file, name)
		if !slices.Contains(e.Warnings, w) {
			e.Warnings = append(e.Warnings, w)
		}
	}
}

// ownHooks gives the hooks that are no context's: those of the layer that has any for a phase and overrides the others.
func ownHooks(stack Stack, before, after []settings, file string) map[string][]Hook {
	out := map[string][]Hook{}
	put := func(from string, h *Hooks) {
		for _, phase := range Phases() {
			commands := *h.at(phase)
			if commands == nil { // an empty list takes away
				continue
			}
			out[phase] = nil
			for _, c := range commands {
				out[phase] = append(out[phase], Hook{From: from, Command: c})
			}
		}
	}
	for i := range before {
		put(file, before[i].hooks())
	}
	put(fromStack, &stack.Spec.Hooks)
	for i := range after {
		put(file, after[i].hooks())
	}
	return out
}

// around gives the hooks of a phase: before it those of contexts come first, in their order; after it, the other way round.
func around(phase string, contexts []attachment, own []Hook) []Hook {
	var lists [][]Hook
	for _, a := range contexts {
		var list []Hook
		for _, c := range *a.Spec.Hooks.at(phase) {
			list = append(list, Hook{From: a.Ref.String(), Command: c})
		}
		lists = append(lists, list)
	}
	lists = append(lists, own)
	if !strings.HasPrefix(phase, "before") {
		slices.Reverse(lists)
	}
	return slices.Concat(lists...)
}

// bound holds what several sources bring together to what a run takes.
func (e *Environment) bound() {
	size := 0
	for _, f := range e.Files {
		size += len(f.Content)
	}
	all := 0
	for _, v := range e.Variables {
		all += len(v.Name) + len(v.Value)
	}
	switch err := (Given{Hooks: e.Hooks}).tooMuch(); {
	case err != nil:
		e.wrong(fault.Message(err))
	case size > mostFileBytes:
		e.wrong(fmt.Sprintf("the files of its contexts have %d bytes together; a run is given at most %d", size, mostFileBytes))
	case all > mostEnvironment:
		e.wrong(fmt.Sprintf("the variables of its contexts have %d bytes together; a run is given at most %d", all, mostEnvironment))
	}
}

const mostEnvironment = 512 << 10 // bytes

// wrong notes why a run can't begin; the first reason stays.
func (e *Environment) wrong(why string) {
	if e.Wrong == "" {
		e.Wrong = why
	}
}

// prepared is what a run is made of, as it was read before the transaction that makes it.
type prepared struct {
	authors []string
	given   Given
	env     Environment
	up      []string // the stack's space and those above from which it inherits
	aside   []string // runs of the stack that wait outside
}

// prepare finds what a run of a stack at a commit is given, and whose changes that are.
func (s *Service) prepare(ctx context.Context, stack Stack, commit string) (prepared, error) {
	p, err := s.prepareGiven(ctx, stack, commit)
	if err != nil {
		return p, err
	}
	if p.authors, err = s.authors(ctx, stack, commit); err != nil {
		return p, err
	}
	p.authors, err = s.contextAuthors(ctx, stack, commit, p)
	return p, err
}

// prepareUpload is prepare for a run of an uploaded folder, in which nothing is looked for.
func (s *Service) prepareUpload(ctx context.Context, stack Stack, c Configuration) (prepared, error) {
	p, err := s.prepareGiven(ctx, stack, "")
	if err != nil {
		return p, err
	}
	p.authors = uploadAuthors(stack, c)
	p.authors, err = s.contextAuthors(ctx, stack, "", p)
	return p, err
}

// prepareGiven finds what a run is given, of which the files are kept.
func (s *Service) prepareGiven(ctx context.Context, stack Stack, commit string) (prepared, error) {
	p := prepared{}
	asked, err := s.askedQueued(ctx, stack)
	if err != nil {
		return p, err
	}
	if p.env, p.up, err = s.environment(ctx, stack, commit); err != nil {
		return p, err
	}
	aside, takes, err := s.aside(ctx, stack, commit)
	if err != nil {
		return p, err
	}
	p.aside = aside
	p.given = Given{
		Hooks: map[string][]Hook{}, Contexts: map[string]int64{}, Labels: stack.Spec.Labels, File: p.env.File, Wrong: p.env.Wrong, Warnings: p.env.Warnings,
		Engine: p.env.Engine, Tool: p.env.Tool, Mirror: p.env.mirror, Init: p.env.init, Asked: asked, Takes: takes,
		Own: p.env.ownNames(),
	}
	for phase, hooks := range p.env.Hooks {
		if len(hooks) > 0 {
			p.given.Hooks[phase] = hooks
		}
	}
	for _, a := range p.env.Contexts {
		p.given.Contexts[a.Ref.String()] = a.Edit
	}
	for _, f := range p.env.Files {
		m := Mount{Path: f.Path, SecretRef: f.SecretRef}
		if f.SecretRef == "" && p.given.Wrong == "" {
			if m.Digest, _, err = s.Blob.Put(ctx, bytes.NewReader([]byte(f.Content)), mostFileBytes); err != nil {
				return p, fault.Wrap(err, "keep the file %s", f.Path)
			}
		}
		p.given.Files = append(p.given.Files, m)
	}
	return p, nil
}

// environment gives what a run of a stack at a commit is given; with "" what the repository says is left out.
func (s *Service) environment(ctx context.Context, stack Stack, commit string) (e Environment, up []string, err error) {
	if up, err = s.Access.Inherited(ctx, stack.Space); err != nil {
		return e, nil, err
	}
	var contexts []attachment
	var last *Init
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if contexts, err = attached(ctx, tx, stack, up); err != nil {
			return err
		}
		if stack.Spec.Vendor.Word() == vendorEngine && commit != "" {
			if last, err = lastInit(ctx, tx, stack); err != nil {
				return err
			}
		}
		for i := range contexts[:min(len(contexts), mostContexts)] {
			why := contexts[i].Why
			c, err := getContext(ctx, tx, contexts[i].Ref, "")
			if err != nil {
				return err
			}
			contexts[i] = attachment{c, why}
		}
		return nil
	})
	if err != nil {
		return e, nil, err
	}
	var c configuration
	var files map[string][]byte
	if commit != "" {
		c, files, err = s.readConfiguration(ctx, stack.Repository, commit, stack.Path)
	}
	wrong := ""
	if fault.Is(err, fault.Invalid) {
		wrong, err = fault.Message(err), nil
	}
	if err != nil {
		return e, nil, err
	}
	taken, warnings := onePricer(contexts[:min(len(contexts), mostContexts)], up)
	e = combine(stack, taken, c)
	e.Warnings = append(e.Warnings, warnings...)
	s.settleImage(&e, stack.Spec.WorkerPool)
	if wrong != "" {
		e.wrong(wrong)
	}
	if len(contexts) > mostContexts {
		e.wrong(fmt.Sprintf("it has %d contexts; at most %d are taken", len(contexts), mostContexts))
	}
	for _, name := range stack.Spec.Contexts {
		if !slices.ContainsFunc(contexts, func(a attachment) bool { return a.Ref.String() == name }) {
			e.wrong(fmt.Sprintf("%s, which the stack names, is not in space %s, nor in one above from which that inherits; declare it there, or take it out of the stack", name, stack.Space))
		}
	}
	if commit != "" && e.Path != stack.Path { // the repository has moved it
		if files, err = s.Repositories.ReadFiles(ctx, stack.Repository, commit, engineFiles(e.Path), mostCode); err != nil && !fault.Is(err, fault.TooLarge) {
			return e, nil, fault.Wrap(err, "read which engine %s wants", e.Path)
		}
	}
	e.init, e.mirror = last, s.mirrored(files[path.Join(e.Path, lockFile)], commit != "")
	if err := s.chooseProgram(ctx, &e, stack.Spec.Vendor, stack.Spec.WorkerPool != ""); err != nil {
		return e, up, err
	}
	return e, up, s.choose(ctx, &e, files, stack.Spec.WorkerPool != "")
}

// unmoved fails when a context came, went or was changed since a run was prepared.
func (s *Service) unmoved(ctx context.Context, tx *store.Tx, stack Stack, p prepared) error {
	now, err := attached(ctx, tx, stack, p.up)
	if err != nil {
		return err
	}
	same := len(now) == len(p.given.Contexts) || len(now) > mostContexts
	for _, a := range now {
		edit, ok := p.given.Contexts[a.Ref.String()]
		same = same && (ok && edit == a.Edit || len(now) > mostContexts)
	}
	if !same {
		return fault.Errorf(fault.Conflict, "a context of %s was changed at this moment; start the run again", stack.Ref)
	}
	return nil
}

// noneAside fails when a run has begun to wait outside since another was prepared, which can't know whether to take its place.
func (s *Service) noneAside(ctx context.Context, tx *store.Tx, stack Stack, p prepared) error {
	aside, err := waitingAside(ctx, tx, stack.Ref.String())
	if err == nil && slices.ContainsFunc(aside, func(id string) bool { return !slices.Contains(p.aside, id) }) {
		err = fault.Errorf(fault.Conflict, "another run of %s was begun at this moment; start the run again", stack.Ref)
	}
	return err
}

// contextAuthors adds who changed the contexts of a stack since its newest run that finished: what they wrote runs too. Who
// took one away has changed it as well.
func (s *Service) contextAuthors(ctx context.Context, stack Stack, commit string, p prepared) ([]string, error) {
	all := p.authors
	var applied map[string]int64
	var gone []Context
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if applied, err = appliedContexts(ctx, tx, stack.Ref); err != nil {
			return err
		}
		for name := range applied {
			if _, still := p.given.Contexts[name]; still {
				continue
			}
			r, err := ref.Parse(name, "context", ref.DefaultNamespace)
			if err != nil {
				return err
			}
			c, err := getContext(ctx, tx, r, "")
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			gone = append(gone, c)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, a := range p.env.Contexts {
		gone = append(gone, a.Context)
	}
	for _, c := range gone {
		for _, who := range c.Editors.since(applied[c.Ref.String()]) {
			if all, err = s.addEditor(ctx, stack, commit, who, all); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// Environment gives what a run of a stack would be given now, at the head of its branch.
// Permission: stack:read in its space; otherwise NotFound. Of contexts in spaces above all is told that runs are given.
func (s *Service) Environment(ctx context.Context, r ref.Entity) (Environment, error) {
	stack, err := s.read(ctx, r)
	if err != nil {
		return Environment{}, err
	}
	if stack.Deleted {
		return Environment{}, access.NotFound("stack " + r.String())
	}
	if err := s.mayRead(ctx, stack); err != nil {
		return Environment{}, err
	}
	head, none := "", false
	if !stack.Remote() {
		head, err = s.Repositories.Head(ctx, stack.Repository, stack.Branch)
		if none = fault.Is(err, fault.NotFound); err != nil && !none {
			return Environment{}, fault.Wrap(err, "find the head of %s", stack.Branch)
		}
	}
	e, _, err := s.environment(ctx, stack, head)
	if none {
		e.Warnings = append(e.Warnings, fmt.Sprintf("branch %s of %s has no commit; push one, and what it says counts too", stack.Branch, stack.Repository))
	}
	return e, err
}

// take fills a run's input with what was prepared.
func (in *Input) take(p prepared) {
	if p.given.Engine.Name != "" {
		in.Engine = p.given.Engine.Name
	}
	in.Given, in.Path, in.Variables, in.Image = p.given, p.env.Path, p.env.Terraform, p.env.Image
	for _, v := range p.env.Variables {
		if _, own := in.Variables[strings.TrimPrefix(v.Name, "TF_VAR_")]; own && v.From == fromStack && strings.HasPrefix(v.Name, "TF_VAR_") {
			continue // as its own type
		}
		if v.SecretRef != "" {
			in.SecretEnv[v.Name] = v.SecretRef
		} else {
			in.Env[v.Name] = v.Value
		}
	}
}
