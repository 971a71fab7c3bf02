package delivery

import (
	"context"
	"encoding/json"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Way is how manifests are deployed: what the document said, and the outputs that there were, when a sync was asked
// for. The sync and its rollback keep to it, whatever becomes of the document meanwhile.
type Way struct {
	Space      string `json:"space"`
	Repository string `json:"repository"`
	Branch     string `json:"branch"`
	Path       string `json:"path,omitempty"`
	Spec       Spec   `json:"spec"`
	Stack      string `json:"stack,omitempty"`
	Outputs    string `json:"outputs,omitempty"` // version of the stack's outputs
}

func (a Application) way(outputs string) Way {
	w := Way{Space: a.Space, Repository: a.Repository, Branch: a.Branch, Path: a.Path, Spec: a.Spec, Outputs: outputs}
	if !a.Stack.IsZero() {
		w.Stack = a.Stack.String()
	}
	return w
}

// held gives an application as its document was. Conflict when it has moved to another space, whose rights are others.
func (w Way) held(a Application) (Application, error) {
	if a.Space != w.Space {
		return a, fault.Errorf(fault.Conflict, "%s has moved to another space since this sync was asked for; sync it again", a.Ref)
	}
	a.Repository, a.Branch, a.Path, a.Spec = w.Repository, w.Branch, w.Path, w.Spec
	var err error
	a.Stack, err = w.stack()
	return a, err
}

func (w Way) stack() (ref.Entity, error) {
	if w.Stack == "" {
		return ref.Entity{}, nil
	}
	return ref.Parse(w.Stack, "stack", ref.DefaultNamespace)
}

// back gives the way to a revision: to where it was, with the outputs that it had; the rest is w's.
func (w Way) back(rev Revision) (Way, error) {
	if rev.Way == "" { // recorded by a version that kept none
		return w, nil
	}
	var was Way
	if err := json.Unmarshal([]byte(rev.Way), &was); err != nil {
		return w, fault.Wrap(err, "read the way of revision %s", rev.ID)
	}
	w.Spec.Destination, w.Stack, w.Outputs = was.Spec.Destination, was.Stack, was.Outputs
	return w, nil
}

// backTo gives an application as a revision of it was deployed, and the version of the outputs that it had.
func (a Application) backTo(rev Revision) (Application, string, error) {
	w, err := a.way("").back(rev)
	if err != nil {
		return a, "", err
	}
	a, err = w.held(a)
	return a, w.Outputs, err
}

// allowed asks whether an application may be deployed with these manifests, and makes its namespace its own. It is
// asked each time that something is applied: rights may have changed since the last.
func (s *Service) allowed(ctx context.Context, a Application, list []manifest) error {
	if err := s.permitted(ctx, a); err != nil {
		return err
	}
	if err := s.claim(ctx, a); err != nil {
		return err
	}
	return s.checkImages(ctx, a, list)
}
