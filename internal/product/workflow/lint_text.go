package workflow

import (
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// from checks the tag that names another artifact.
func (l *linter) from(from string, t *Template, sc *scope, at []string) {
	if from == "" {
		return
	}
	inputs := map[string]ArtifactValue{}
	if t != nil {
		for _, a := range t.Inputs.Artifacts {
			inputs[a.Name] = ArtifactValue{}
		}
	}
	_, state := sc.artifact(from, inputs)
	if state == present {
		return
	}
	if tags := tagsOf(from); state == absent && len(tags) == 1 {
		parts := strings.Split(tags[0].body, ".")
		if p, ok := sc.peers[parts[1]]; ok && p == nil || ok && p.isGroup { // its template isn't known here
			return
		}
	}
	l.bad(at, "write {{inputs.artifacts.NAME}} or {{tasks.NAME.outputs.artifacts.NAME}}", "%q names no artifact that is known here", clip(from, 100))
}

// texts checks all texts of a value of JSON, fields of its own to skip aside.
func (l *linter) texts(v any, sc *scope, at []string, skip ...string) {
	switch v := v.(type) {
	case string:
		l.text(v, sc, at)
	case []any:
		for i := range v {
			l.texts(v[i], sc, join(at, strconv.Itoa(i)))
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if !slices.Contains(skip, key) {
				l.texts(v[key], sc, join(at, key))
			}
		}
	}
}

// leafTexts checks the body of a leaf: everything but its inputs' own values.
func (l *linter) leafTexts(raw map[string]any, sc *scope, at []string) {
	l.texts(raw, sc, at, "inputs", "name")
	inputs := child(raw, "inputs")
	l.texts(inputs["artifacts"], sc, join(at, "inputs", "artifacts"))
}

// text checks the tags of one text.
func (l *linter) text(text string, sc *scope, at []string) {
	for _, t := range tagsOf(text) {
		if t.expression {
			l.expression(t.body, at)
			continue
		}
		if sc.has && (t.body == "item" || strings.HasPrefix(t.body, "item.")) {
			continue
		}
		_, state := sc.lookup(t.body)
		head, rest, _ := strings.Cut(t.body, ".")
		switch {
		case state == present:
		case state == absent:
			task, _, _ := strings.Cut(rest, ".")
			if p := sc.peers[task]; p != nil {
				l.bad(at, "declare it in the outputs of its template", "{{%s}}: %s puts no such thing out", clip(t.body, 100), task)
			}
		case head == "workflow" && (l.open() && strings.HasPrefix(rest, "parameters.") || l.argument(strings.TrimPrefix(rest, "parameters."))):
			// whoever uses it brings it
		case l.def.template() && (strings.HasPrefix(rest, "labels.") || strings.HasPrefix(rest, "annotations.")):
		default:
			l.bad(at, l.hint(head, sc), "{{%s}} names nothing that is known here", clip(t.body, 100))
		}
	}
}

// hint lists what could have been meant.
func (l *linter) hint(head string, sc *scope) string {
	var names []string
	switch head {
	case "inputs":
		for _, n := range sortedKeys(sc.inputs) {
			names = append(names, "inputs.parameters."+n)
		}
	case "workflow":
		for _, n := range sortedKeys(sc.run.parameters) {
			names = append(names, "workflow.parameters."+n)
		}
	case sc.kind:
		for _, n := range sortedKeys(sc.peers) {
			names = append(names, sc.kind+"."+n)
		}
		if len(names) == 0 {
			return "only what comes before may be named"
		}
	default:
		return "to write two braces as text, write {{='{{'}}"
	}
	return "known here: " + clip(strings.Join(names, ", "), 200)
}

func (l *linter) expression(text string, at []string) {
	if text == "" {
		return
	}
	if _, err := compileExpression(text); err != nil {
		l.bad(at, "", "%s", fault.Message(err))
	}
}
