package workflow

import (
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// grantable are the scopes that a document may ask for a step. A document comes from a repository, so none of them lets
// it change who may do what; artifact:write is held to the run's own repository.
var grantable = map[string]bool{
	"artifact:read": true, "artifact:write": true, "entity:read": true, "repository:read": true, "run:read": true, "run:log": true,
}

// ownScope gives a scope as a step of a run gets it; own is the run's repository.
func ownScope(scope, own string) (string, error) {
	action, object, narrowed := strings.Cut(scope, "=")
	if action != "artifact:write" {
		return scope, nil
	}
	if own == "" || narrowed && object != own {
		return "", fault.Errorf(fault.Denied, "scope %q: a step may only write artifacts of its run's own repository", scope)
	}
	return action + "=" + own, nil
}

// grant notes the scopes that the steps may have: those that the templates name and that who submits them has too.
// Denied, with the line, when a scope is not theirs.
func (p *Plan) grant(def *definition, refs map[string]*Spec, n Submission) error {
	p.Limited = true
	var wrong []fault.Detail
	look := func(spec *Spec, name string) {
		eachTemplate(spec, func(t *Template, at []string) {
			for _, scope := range fields(t.Metadata.Annotations[AnnotationScopes]) {
				scope, err := ownScope(scope, n.Source.Repository)
				if err != nil && n.Source.Repository == "" {
					continue // the step is refused by itself, if it is reached
				}
				if err == nil {
					action, object, _ := strings.Cut(scope, "=")
					err = n.may(action, object)
				}
				switch {
				case err == nil:
					p.Granted = append(p.Granted, scope)
				case name == "":
					wrong = append(wrong, def.At(AnnotationScopes+": "+fault.Message(err), "a step gets no right that you lack", join(at, "metadata", "annotations", AnnotationScopes)...))
				default:
					wrong = append(wrong, fault.Detail{Message: "WorkflowTemplate " + name + ": " + AnnotationScopes + ": " + fault.Message(err), Hint: "a step gets no right that you lack"})
				}
			}
		})
	}
	look(&def.spec, "")
	for _, name := range sortedKeys(refs) {
		look(refs[name], name)
	}
	slices.Sort(p.Granted)
	p.Granted = slices.Compact(p.Granted)
	if len(wrong) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Denied, Message: "the workflow's steps ask for more than you may do", Details: wrong}
}

// given gives the scopes of a step that asks for some.
func (p *Plan) given(asked []string, own string) ([]string, error) {
	var scopes []string
	for _, scope := range asked {
		scope, err := ownScope(scope, own)
		if err != nil {
			return nil, err
		}
		if p.Limited && !slices.Contains(p.Granted, scope) {
			return nil, fault.Errorf(fault.Denied, "scope %q is not among those that whoever submitted the workflow has", scope)
		}
		scopes = append(scopes, scope)
	}
	return scopes, nil
}

// eachTemplate visits the templates of a spec with their places, also those within tasks.
func eachTemplate(spec *Spec, visit func(t *Template, at []string)) {
	var walk func(t *Template, at []string)
	walk = func(t *Template, at []string) {
		visit(t, at)
		if t.DAG != nil {
			for i := range t.DAG.Tasks {
				if inline := t.DAG.Tasks[i].Inline; inline != nil {
					walk(inline, join(at, "dag", "tasks", strconv.Itoa(i), "inline"))
				}
			}
		}
		for i := range t.Steps {
			for j := range t.Steps[i] {
				if inline := t.Steps[i][j].Inline; inline != nil {
					walk(inline, join(at, "steps", strconv.Itoa(i), strconv.Itoa(j), "inline"))
				}
			}
		}
	}
	for i := range spec.Templates {
		walk(&spec.Templates[i], []string{"spec", "templates", strconv.Itoa(i)})
	}
}
