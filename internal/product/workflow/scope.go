package workflow

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// globals are what `workflow.` names.
type globals struct {
	name, space, id, entrypoint string
	parameters                  map[string]string
	labels, annotations         map[string]string
	created                     time.Time
	priority                    int
	status, failures, duration  string // known in exit handlers alone; "" elsewhere
}

// peer is a task beside the one whose texts are filled in, as `tasks.NAME` or `steps.NAME` see it.
type peer struct {
	key     string
	phase   Phase
	values  Values
	group   []Values // of items, instead of values
	isGroup bool
	started time.Time
	ended   time.Time
}

// scope is all that the tags of one text may name.
type scope struct {
	run    *globals
	tmpl   *Template               // in whose body the text stands; nil at the top
	inputs map[string]string       // parameters of that template
	kind   string                  // of peers: "steps" or "tasks"; "" in a leaf
	peers  map[string]*peer        // nil for one that is known but has not run
	lazy   func() map[string]*peer // gives peers when they are first asked for
	self   string                  // name of the step or task
	item   any                     // of the items, when hasItem
	has    bool
	extra  map[string]string // retries, lastRetry.…, node.name, …
}

// beside gives the peers.
func (s *scope) beside() map[string]*peer {
	if s.lazy != nil {
		s.peers, s.lazy = s.lazy(), nil
	}
	return s.peers
}

// lookup gives the value of a simple tag.
func (s *scope) lookup(name string) (string, found) {
	head, rest, _ := strings.Cut(name, ".")
	switch head {
	case "workflow":
		return s.run.lookup(rest)
	case "inputs":
		return s.input(rest)
	case "outputs":
		return s.outputPath(rest)
	case "steps", "tasks":
		if head != s.kind {
			return "", unknown
		}
		if rest == "name" {
			return s.self, present
		}
		return s.peerValue(rest)
	case "item":
		if s.has {
			return itemValue(s.item, rest)
		}
		return "", unknown
	}
	if v, ok := s.extra[name]; ok {
		return v, present
	}
	return "", unknown
}

func fromMap(m map[string]string, key string) (string, found) {
	if v, ok := m[key]; ok {
		return v, present
	}
	return "", unknown
}

func (g *globals) lookup(name string) (string, found) {
	head, rest, nested := strings.Cut(name, ".")
	switch head {
	case "name":
		return g.name, present
	case "namespace":
		return g.space, present
	case "uid":
		return g.id, present
	case "mainEntrypoint":
		return g.entrypoint, present
	case "priority":
		return strconv.Itoa(g.priority), present
	case "parameters":
		return fromTable(g.parameters, rest, nested)
	case "labels":
		return fromTable(g.labels, rest, nested)
	case "annotations":
		return fromTable(g.annotations, rest, nested)
	case "creationTimestamp":
		return timestamp(g.created, rest)
	case "status":
		return g.status, ifSet(g.status)
	case "failures":
		return g.failures, ifSet(g.failures)
	case "duration":
		return g.duration, ifSet(g.duration)
	}
	return "", unknown
}

func ifSet(s string) found {
	if s == "" {
		return unknown
	}
	return present
}

func fromTable(m map[string]string, key string, nested bool) (string, found) {
	if v, state := fromMap(m, key); nested && state == present {
		return v, state
	}
	if !nested || key == "json" {
		return toJSON(m), present
	}
	return "", unknown
}

// layouts of workflow.creationTimestamp.X: the letters of strftime.
var layouts = map[string]string{
	"": time.RFC3339, "RFC3339": time.RFC3339, "Y": "2006", "y": "06", "m": "01", "d": "02", "H": "15", "I": "03", "M": "04", "S": "05",
	"B": "January", "b": "Jan", "A": "Monday", "a": "Mon", "p": "PM", "j": "002", "F": "2006-01-02", "T": "15:04:05", "Z": "MST",
}

func timestamp(t time.Time, format string) (string, found) {
	if format == "s" {
		return strconv.FormatInt(t.Unix(), 10), present
	}
	layout, ok := layouts[format]
	if !ok {
		return "", unknown
	}
	return t.UTC().Format(layout), present
}

func (s *scope) input(name string) (string, found) {
	head, rest, nested := strings.Cut(name, ".")
	switch {
	case head == "parameters" && !nested:
		return toJSON(parameterList(s.inputs)), present
	case head == "parameters":
		return fromMap(s.inputs, rest)
	case head == "artifacts" && s.tmpl != nil:
		artifact, path, _ := strings.Cut(rest, ".")
		for _, a := range s.tmpl.Inputs.Artifacts {
			if a.Name == artifact && path == "path" && a.Path != "" {
				return a.Path, present
			}
		}
	}
	return "", unknown
}

// outputPath gives outputs.parameters.NAME.path and outputs.artifacts.NAME.path.
func (s *scope) outputPath(name string) (string, found) {
	parts := strings.Split(name, ".")
	if s.tmpl == nil || len(parts) != 3 || parts[2] != "path" {
		return "", unknown
	}
	for _, p := range s.tmpl.Outputs.Parameters {
		if parts[0] == "parameters" && p.Name == parts[1] && p.ValueFrom != nil && p.ValueFrom.Path != "" {
			return p.ValueFrom.Path, present
		}
	}
	for _, a := range s.tmpl.Outputs.Artifacts {
		if parts[0] == "artifacts" && a.Name == parts[1] {
			return a.Path, present
		}
	}
	return "", unknown
}

// peerValue gives NAME.status, NAME.outputs.parameters.X and so on.
func (s *scope) peerValue(name string) (string, found) {
	task, rest, _ := strings.Cut(name, ".")
	p, ok := s.beside()[task]
	if !ok {
		return "", unknown
	}
	if p == nil {
		return "", absent
	}
	switch rest {
	case "id":
		return p.key, present
	case "status":
		return string(p.phase), present
	case "startedAt":
		return p.started.UTC().Format(time.RFC3339), present
	case "finishedAt":
		return p.ended.UTC().Format(time.RFC3339), present
	case "exitCode":
		if p.values.ExitCode == "" {
			return "", absent
		}
		return p.values.ExitCode, present
	case "outputs.result":
		return p.result()
	case "outputs.parameters":
		return p.allParameters(), present
	}
	if name, found := strings.CutPrefix(rest, "outputs.parameters."); found {
		return p.parameter(name)
	}
	return "", unknown
}

func (p *peer) result() (string, found) {
	if p.isGroup {
		list := []any{}
		for _, v := range p.group {
			if v.Result != nil {
				list = append(list, looseJSON(*v.Result))
			}
		}
		return toJSON(list), present
	}
	if p.values.Result == nil {
		return "", absent
	}
	return *p.values.Result, present
}

func (p *peer) parameter(name string) (string, found) {
	if p.isGroup {
		list := []string{}
		for _, v := range p.group {
			if value, ok := v.Parameters[name]; ok {
				list = append(list, value)
			}
		}
		return toJSON(list), present
	}
	if v, ok := p.values.Parameters[name]; ok {
		return v, present
	}
	return "", absent
}

func (p *peer) allParameters() string {
	if !p.isGroup {
		return toJSON(p.values.Parameters)
	}
	list := []map[string]string{}
	for _, v := range p.group {
		if len(v.Parameters) > 0 {
			list = append(list, v.Parameters)
		}
	}
	return toJSON(list)
}

// artifact finds what a `from` names: {{inputs.artifacts.X}} or {{tasks.T.outputs.artifacts.X}}.
func (s *scope) artifact(from string, inputs map[string]ArtifactValue) (ArtifactValue, found) {
	tags := tagsOf(from)
	if len(tags) != 1 || tags[0].expression || tags[0].start != 0 || tags[0].end != len(from) {
		return ArtifactValue{}, unknown
	}
	parts := strings.Split(tags[0].body, ".")
	switch {
	case len(parts) == 3 && parts[0] == "inputs" && parts[1] == "artifacts":
		if a, ok := inputs[parts[2]]; ok {
			return a, present
		}
		return ArtifactValue{}, absent
	case len(parts) == 5 && parts[0] == s.kind && parts[2] == "outputs" && parts[3] == "artifacts":
		p, ok := s.beside()[parts[1]]
		if !ok {
			return ArtifactValue{}, unknown
		}
		if p != nil {
			if a, ok := p.values.Artifacts[parts[4]]; ok {
				return a, present
			}
		}
		return ArtifactValue{}, absent
	}
	return ArtifactValue{}, unknown
}

// itemValue gives {{item}} and {{item.KEY}}.
func itemValue(item any, key string) (string, found) {
	if key == "" {
		return expressionText(item), present
	}
	m, ok := item.(map[string]any)
	if !ok {
		return "", unknown
	}
	v, ok := m[key]
	if !ok {
		return "", unknown
	}
	return expressionText(v), present
}

func parameterList(m map[string]string) []map[string]string {
	list := []map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, map[string]string{"name": name, "value": m[name]})
	}
	return list
}

// looseJSON gives what text says as JSON, or the text itself.
func looseJSON(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) == nil {
		return v
	}
	return text
}

func toJSON(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprintf("%q", err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
