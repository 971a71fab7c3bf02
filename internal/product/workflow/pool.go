package workflow

import (
	"context"
	"fmt"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/pool"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// AnnotationPool names the worker pool that runs containers and scripts: NAMESPACE/NAME, or NAME in the namespace default.
// On a template it counts for that one; on the document for those of its templates that name none.
const AnnotationPool = "roadbed.dev/pool"

// Pools is what this room asks of core/pool.
type Pools interface {
	// Usable fails with Invalid for a pool that what is of a space may not name.
	Usable(ctx context.Context, tx *store.Tx, name, space string) error
}

// poolOf reads the pool of a document or a template, in full; "" for none.
func poolOf(annotations map[string]string) (string, error) {
	text := annotations[AnnotationPool]
	if text == "" {
		return "", nil
	}
	name, err := pool.Name(text, ref.DefaultNamespace)
	if err != nil {
		return "", &wishError{AnnotationPool, fault.Errorf(fault.Invalid, AnnotationPool+": %s", fault.Message(err))}
	}
	return name, nil
}

// pool gives the worker pool of a step: its template's, else that of the document in which the template stands, else the
// workflow's. "" is the server's own.
func (s Start) pool(p *Plan) (string, error) {
	name, err := poolOf(s.Template.Metadata.Annotations)
	if err != nil || name != "" {
		return name, err
	}
	if name = p.Pools[s.home]; s.home != "" && name != "" {
		return name, nil
	}
	return p.Pool, nil
}

// named is a pool with the place that names it.
type named struct {
	pool string
	at   []string
}

// poolsOf gives the pools that a document names.
func poolsOf(annotations map[string]string, spec *Spec) (all []named, wrong []fault.Detail) {
	add := func(annotations map[string]string, at []string) {
		at = join(at, "metadata", "annotations", AnnotationPool)
		name, err := poolOf(annotations)
		switch {
		case err != nil:
			wrong = append(wrong, fault.Detail{Message: fault.Message(err)})
		case name != "":
			all = append(all, named{name, at})
		}
	}
	add(annotations, nil)
	eachTemplate(spec, func(t *Template, at []string) { add(t.Metadata.Annotations, at) })
	return all, wrong
}

// mayUse gives what is wrong with the pools that a document names, for what is of a space.
func (s *Service) mayUse(ctx context.Context, tx *store.Tx, annotations map[string]string, spec *Spec, space string, at func(message string, place []string) fault.Detail) ([]fault.Detail, error) {
	all, wrong := poolsOf(annotations, spec)
	asked := map[string]error{}
	for _, n := range all {
		err, known := asked[n.pool]
		if !known {
			err = fault.Errorf(fault.Invalid, "there are no worker pools here")
			if s.Pools != nil {
				err = s.Pools.Usable(ctx, tx, n.pool, space)
			}
			asked[n.pool] = err
		}
		switch {
		case fault.Is(err, fault.Invalid):
			wrong = append(wrong, at(AnnotationPool+": "+fault.Message(err), n.at))
		case err != nil:
			return nil, err
		}
	}
	return wrong, nil
}

// pools notes the pools of a plan. Invalid, with the line, for one that what is of the run's space may not name; the lease
// of each step asks again.
func (s *Service) pools(ctx context.Context, tx *store.Tx, p *Plan, def *definition, b *binder) error {
	var err error
	if p.Pool, err = poolOf(def.Metadata.Annotations); err != nil {
		return err
	}
	wrong, err := s.mayUse(ctx, tx, def.Metadata.Annotations, &def.spec, p.Space, func(message string, place []string) fault.Detail {
		return def.At(message, "", place...)
	})
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(b.refs) {
		annotations := b.annotations[name]
		of, err := poolOf(annotations)
		if err == nil && of != "" {
			if p.Pools == nil {
				p.Pools = map[string]string{}
			}
			p.Pools[name] = of
		}
		more, err := s.mayUse(ctx, tx, annotations, b.refs[name], p.Space, func(message string, _ []string) fault.Detail {
			return fault.Detail{Message: "WorkflowTemplate " + name + ": " + message}
		})
		if err != nil {
			return err
		}
		wrong = append(wrong, more...)
	}
	if base := def.spec.WorkflowTemplateRef; base != nil && p.Pools[base.Name] != "" { // its steps stand in that document
		p.Pool = p.Pools[base.Name]
	}
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("%s can't run", orDocument(def.Origin.File)), wrong...)
	}
	return nil
}

// documentChanged refuses a WorkflowTemplate that names a pool that is not there for its space.
func (s *Service) documentChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	if c.New == nil {
		return nil
	}
	def, wrong := read(*c.New)
	if len(wrong) > 0 { // its validation has told
		return nil
	}
	wrong, err := s.mayUse(ctx, tx, c.New.Metadata.Annotations, &def.spec, c.Space, func(message string, place []string) fault.Detail {
		return c.New.At(message, "", place...)
	})
	if err != nil || len(wrong) == 0 {
		return err
	}
	return fault.At(fmt.Sprintf("WorkflowTemplate %s is not valid", c.New.Metadata.Name), wrong...)
}

// forCommands refuses what only a container or a script can have.
func (l *linter) forCommands(annotations map[string]string, kind string, at []string) {
	for _, name := range []string{AnnotationPool, AnnotationOIDC} {
		if _, there := annotations[name]; there {
			l.bad(join(at, "metadata", "annotations", name), "write it on the containers and scripts", "%s is of no use on a template of type %s", name, kind)
		}
	}
}

// document checks the annotations of the document itself.
func (l *linter) document() {
	at := []string{"metadata", "annotations"}
	if _, err := poolOf(l.def.Metadata.Annotations); err != nil {
		l.err(join(at, AnnotationPool), err)
	}
	if _, there := l.def.Metadata.Annotations[AnnotationOIDC]; there {
		l.bad(join(at, AnnotationOIDC), "write it on the templates whose steps need the token", "%s is for containers and scripts", AnnotationOIDC)
	}
}

// catalogName names a WorkflowTemplate that is submitted as the catalog has it: by its document d, since a name may be
// written in several ways.
func catalogName(n Submission, d document.Document) string {
	if n.Template == "" {
		return ""
	}
	e := d.Ref()
	return e.Namespace + "/" + e.Name
}
