package stack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Summary counts what a plan would do.
type Summary struct {
	Create  int `json:"create"`
	Update  int `json:"update"`
	Delete  int `json:"delete"`
	Replace int `json:"replace"`
	NoOp    int `json:"noop"`
	Import  int `json:"import,omitempty"`
	Move    int `json:"move,omitempty"`
	Forget  int `json:"forget,omitempty"`
	Refresh int `json:"refresh,omitempty"` // resources whose change by others is taken up into the state
	Outputs int `json:"outputs"`           // outputs that change
}

// Empty tells whether the plan changes nothing.
func (s Summary) Empty() bool {
	return s.Create+s.Update+s.Delete+s.Replace+s.Import+s.Move+s.Forget+s.Refresh+s.Outputs == 0
}

// listed counts what comes into the state, or goes from it, as the plan is applied. A resource that is changed, or made anew, may be
// the same again, and an engine writes no state that is.
func (s Summary) listed() int { return s.Create + s.Delete + s.Import }

func (s Summary) String() string {
	if s.Empty() {
		return "nothing to change"
	}
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{{s.Create, "to create"}, {s.Update, "to change"}, {s.Replace, "to replace"}, {s.Delete, "to destroy"}, {s.Import, "to import"}, {s.Move, "to move"}, {s.Forget, "to forget"}, {s.Refresh, "to refresh"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	if s.Outputs > 0 {
		parts = append(parts, plural(s.Outputs, "output changes", "outputs change"))
	}
	return strings.Join(parts, ", ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Plan is what a page shows of a plan: the engine's JSON, with sensitive values taken out.
type Plan struct {
	Vendor  string // see Vendor.Word; Terragrunt's plans are the engine's
	Engine  string // version
	Summary Summary
	Changes []Change
	Outputs []Change
	Outside []Change // what others have changed of what is there, as far as it is not among the changes
	Refresh bool     // it changes the state alone: its changes are what others have changed
	Cost    *Cost    // of a run's plan; nil when it is not known

	about json.RawMessage // what a tool says of the whole, for policies
	size  int             // of the JSON, bytes
}

// Change is what a plan would do to one resource or output.
type Change struct {
	Address      string
	Type         string
	Name         string
	Mode         string // managed or data
	Module       string
	Provider     string
	Actions      []string // create, update, delete, read, no-op, forget; replace is delete and create
	Action       string   // one word: create, update, delete, replace, read, no-op, import, move, forget
	Reason       string
	Before       any
	After        any
	AfterUnknown any
	PreviousAddr string
	Importing    json.RawMessage // from what it is imported, in the engine's shape; nil for what is not
	Replaces     []string        // paths of the attributes that force a replacement, such as disk[0].size
	Sensitive    bool            // some value was taken out
}

// maskedValue stands where a sensitive value was, and maskedChange where it becomes another one.
const (
	maskedValue  = "(sensitive value)"
	maskedChange = "(sensitive value, changed)"
)

type planFile struct {
	FormatVersion   string                `json:"format_version"`
	EngineVersion   string                `json:"terraform_version"`
	ResourceChanges []planChange          `json:"resource_changes"`
	ResourceDrift   []planChange          `json:"resource_drift,omitempty"`
	OutputChanges   map[string]planDetail `json:"output_changes"`
	Vendor          string                `json:"roadbed_vendor,omitempty"` // of a tool that is no engine
	About           json.RawMessage       `json:"roadbed_about,omitempty"`  // what it says of the whole
}

type planChange struct {
	Address         string     `json:"address"`
	PreviousAddress string     `json:"previous_address"`
	ModuleAddress   string     `json:"module_address"`
	Mode            string     `json:"mode"`
	Type            string     `json:"type"`
	Name            string     `json:"name"`
	ProviderName    string     `json:"provider_name"`
	ActionReason    string     `json:"action_reason"`
	Change          planDetail `json:"change"`
}

type planDetail struct {
	Actions         []string        `json:"actions"`
	Before          any             `json:"before"`
	After           any             `json:"after"`
	AfterUnknown    any             `json:"after_unknown"`
	BeforeSensitive any             `json:"before_sensitive"`
	AfterSensitive  any             `json:"after_sensitive"`
	ReplacePaths    [][]any         `json:"replace_paths,omitempty"`
	Importing       json.RawMessage `json:"importing"`
}

// ReadPlan reads the JSON of a plan (`show -json`), takes sensitive values out and counts what would be done.
func ReadPlan(data []byte) (Plan, error) {
	var f planFile
	if err := json.Unmarshal(data, &f); err != nil {
		return Plan{}, fault.Errorf(fault.Invalid, "read plan: %w", err)
	}
	if f.FormatVersion == "" {
		return Plan{}, fault.Errorf(fault.Invalid, "read plan: no format_version; is this the output of show -json?")
	}
	p := Plan{Vendor: cmp.Or(f.Vendor, vendorEngine), Engine: f.EngineVersion, about: f.About, size: len(data), Changes: []Change{}, Outputs: []Change{}}
	for _, c := range f.ResourceChanges {
		change := c.change()
		p.count(change.Action)
		p.Changes = append(p.Changes, change)
	}
	p.drift(f)
	names := make([]string, 0, len(f.OutputChanges))
	for name := range f.OutputChanges {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		change := detail(name, f.OutputChanges[name])
		if change.Action != "no-op" {
			p.Summary.Outputs++
		}
		p.Outputs = append(p.Outputs, change)
	}
	return p, nil
}

// drift reads what others have changed since the state was written. A plan that speaks of no resource besides would only
// write that into the state, as one of -refresh-only does, or one that destroys what is gone already.
func (p *Plan) drift(f planFile) {
	p.Refresh = len(f.ResourceChanges) == 0 && len(f.ResourceDrift) > 0
	for _, c := range f.ResourceDrift {
		change := c.change()
		switch {
		case change.Action == "no-op":
		case !p.Refresh:
			p.Outside = append(p.Outside, change)
		default:
			if change.Action == "delete" { // it is gone, and destroyed by nobody here
				change.Action = "forget"
			}
			if change.Action == "update" {
				p.Summary.Refresh++
			} else {
				p.count(change.Action)
			}
			p.Changes = append(p.Changes, change)
		}
	}
}

// byOthers gives what others have changed, whatever the plan makes of it.
func (p Plan) byOthers() []Change {
	if p.Refresh {
		return p.Changes
	}
	return p.Outside
}

// listed gives what the plan does to what is there: nothing where it changes the state alone.
func (p Plan) listed() []Change {
	if p.Refresh {
		return nil
	}
	return p.Changes
}

func (c planChange) change() Change {
	change := detail(c.Address, c.Change)
	change.Type, change.Name, change.Mode, change.Module, change.Reason = c.Type, c.Name, c.Mode, c.ModuleAddress, c.ActionReason
	change.PreviousAddr, change.Provider = c.PreviousAddress, c.ProviderName
	if change.Action == "no-op" && c.PreviousAddress != "" && c.PreviousAddress != c.Address {
		change.Action = "move"
	}
	return change
}

func (p *Plan) count(action string) {
	switch action {
	case "create":
		p.Summary.Create++
	case "update":
		p.Summary.Update++
	case "delete":
		p.Summary.Delete++
	case "replace":
		p.Summary.Replace++
	case "import":
		p.Summary.Import++
	case "move":
		p.Summary.Move++
	case "forget":
		p.Summary.Forget++
	case "no-op":
		p.Summary.NoOp++
	}
}

func detail(address string, d planDetail) Change {
	before, hidB := redact(d.Before, d.BeforeSensitive, 0)
	after, hidA := redact(d.After, d.AfterSensitive, 0)
	if hidB && hidA {
		after = tellChanged(d.Before, d.After, before, after, 0)
	}
	c := Change{
		Address: address, Actions: d.Actions, Action: actionWord(d), Before: before, After: after,
		AfterUnknown: d.AfterUnknown, Sensitive: hidB || hidA, Replaces: replacing(d.ReplacePaths),
	}
	if d.imports() {
		c.Importing = d.Importing
	}
	return c
}

func (d planDetail) imports() bool { return len(d.Importing) > 0 && string(d.Importing) != "null" }

// tellChanged marks in what is shown of after where a sensitive value becomes another one: both are shown alike.
func tellChanged(rawBefore, rawAfter, before, after any, depth int) any {
	if depth > maxDepth {
		return after
	}
	switch a := after.(type) {
	case string:
		if a == maskedValue && before == any(maskedValue) && !reflect.DeepEqual(rawBefore, rawAfter) {
			return maskedChange
		}
	case map[string]any:
		b, is := before.(map[string]any)
		rb, isRaw := rawBefore.(map[string]any)
		ra, isToo := rawAfter.(map[string]any)
		if !is || !isRaw || !isToo {
			return after
		}
		out := make(map[string]any, len(a))
		for k, v := range a {
			out[k] = tellChanged(rb[k], ra[k], b[k], v, depth+1)
		}
		return out
	case []any:
		b, is := before.([]any)
		rb, isRaw := rawBefore.([]any)
		ra, isToo := rawAfter.([]any)
		if !is || !isRaw || !isToo {
			return after
		}
		out := slices.Clone(a)
		for i := range min(len(a), len(b)) {
			out[i] = tellChanged(rb[i], ra[i], b[i], a[i], depth+1)
		}
		return out
	}
	return after
}

// Bounds of the paths that are told of one change.
const (
	mostReplacing = 100
	mostPath      = 500 // bytes
)

// replacing writes paths as people read them: disk[0].size.
func replacing(paths [][]any) (all []string) {
	for _, path := range paths[:min(len(paths), mostReplacing)] {
		var b strings.Builder
		for _, step := range path {
			switch step := step.(type) {
			case string:
				if b.Len() > 0 {
					b.WriteByte('.')
				}
				b.WriteString(step)
			case float64:
				fmt.Fprintf(&b, "[%v]", step)
			}
			if b.Len() > mostPath {
				break
			}
		}
		if text := cut(b.String(), mostPath); text != "" && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

func actionWord(d planDetail) string {
	switch {
	case len(d.Actions) == 2:
		return "replace"
	case len(d.Actions) == 0:
		return "no-op"
	case d.Actions[0] == "no-op" && d.imports():
		return "import"
	}
	return d.Actions[0]
}

// maxDepth bounds how deep values are looked into; what lies deeper is taken out.
const maxDepth = 64

// redact replaces what the mark (true, or the same shape with true at the leaves) says is sensitive.
func redact(value, mark any, depth int) (any, bool) {
	if mark == nil || mark == false || value == nil {
		return value, false
	}
	if depth > maxDepth {
		return maskedValue, true
	}
	hidden := false
	switch m := mark.(type) {
	case bool:
		return maskedValue, true
	case map[string]any:
		object, ok := value.(map[string]any)
		if !ok {
			return value, false
		}
		out := make(map[string]any, len(object))
		for k, v := range object {
			var h bool
			out[k], h = redact(v, m[k], depth+1)
			hidden = hidden || h
		}
		return out, hidden
	case []any:
		list, ok := value.([]any)
		if !ok {
			return value, false
		}
		out := make([]any, len(list))
		for i, v := range list {
			var mark any
			if i < len(m) {
				mark = m[i]
			}
			var h bool
			out[i], h = redact(v, mark, depth+1)
			hidden = hidden || h
		}
		return out, hidden
	}
	return value, false
}

// beside gives what policies see of a plan under the name of its tool, by Spacelift's names.
func (p Plan) beside() map[string]any {
	switch p.Vendor {
	case vendorKubernetes:
		items := make([]any, 0, len(p.Changes))
		for _, c := range p.Changes {
			items = append(items, map[string]any{"id": c.Address, "action": c.Action, "before": c.Before, "after": c.After})
		}
		return map[string]any{vendorKubernetes: map[string]any{"items": items}}
	case vendorAnsible, vendorPulumi:
		if len(p.about) > 0 {
			return map[string]any{p.Vendor: p.about}
		}
	}
	return nil
}
