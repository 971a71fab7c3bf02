package delivery

import (
	"context"
	"fmt"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// namespace is where the application's objects go; that of its space when the document names none.
func (a Application) namespace() string {
	if a.Spec.Destination.Namespace != "" {
		return a.Spec.Destination.Namespace
	}
	return a.Space
}

// Destination gives where the application's objects go, as CLUSTER/NAMESPACE.
func (a Application) Destination() string { return a.clusterName() + "/" + a.namespace() }

// clusterName is the name of the cluster that the application goes to.
func (a Application) clusterName() string {
	if a.Spec.Destination.Name != "" {
		return a.Spec.Destination.Name
	}
	return LocalCluster
}

// ownNamespace refuses objects outside the application's namespace: what is there belongs to others.
func ownNamespace(namespace string, list []manifest) error {
	var wrong []fault.Detail
	for _, m := range list {
		meta, _ := m.Raw["metadata"].(map[string]any)
		name, field := meta["namespace"], "metadata.namespace"
		if m.Raw["kind"] == "Namespace" {
			name, field = meta["name"], "metadata.name"
		}
		if name == nil || name == "" || name == namespace {
			continue
		}
		wrong = append(wrong, m.object(m.Raw).Fault(field,
			fmt.Sprintf("%.100q is not the namespace of this application", fmt.Sprint(name)),
			"remove it, or write "+namespace+", or change destination.namespace of the application"))
	}
	if len(wrong) > 0 {
		return fault.At("the manifests leave the application's namespace", wrong[:min(len(wrong), 20)]...)
	}
	return nil
}

// permitted says whether an application may use what its document names: the repository and the stack are of its
// space or one below, and its namespace is not another space's. Denied with words for people.
func (s *Service) permitted(ctx context.Context, a Application) error {
	space, err := s.Repositories.SpaceOf(ctx, a.Repository)
	if err := s.within(ctx, a, "repository "+a.Repository, space, err); err != nil {
		return err
	}
	if !a.Stack.IsZero() {
		space, err := s.Stacks.SpaceOf(ctx, a.Stack)
		if err := s.within(ctx, a, a.Stack.String(), space, err); err != nil {
			return err
		}
	}
	return s.DB.Read(ctx, func(tx *store.Tx) error {
		_, err := s.namespaceFree(ctx, tx, a)
		return err
	})
}

// within says whether what is in a space may be used; err is that of finding the space.
func (s *Service) within(ctx context.Context, a Application, what, space string, err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.Errorf(fault.NotFound, "%s names %s, which does not exist yet", a.Ref, what)
	}
	if err != nil {
		return err
	}
	ok, err := s.Access.Within(ctx, space, a.Space)
	if err != nil || ok {
		return err
	}
	return fault.Errorf(fault.Denied, "%s is in space %s and may not use %s, which is in another space; move one of them", a.Ref, a.Space, what)
}

// namespaceFree tells whether the application's namespace is already that of its space. A namespace belongs to the
// space whose application went there first, for as long as any application of others has objects there: pods reach the
// Secrets and the pods of their namespace. Applications of the spaces above may go there too. Denied when it is another's.
func (s *Service) namespaceFree(ctx context.Context, tx *store.Tx, a Application) (claimed bool, err error) {
	var space string
	err = tx.QueryRow(ctx, "SELECT space FROM application_namespaces WHERE cluster = $1 AND namespace = $2", a.clusterName(), a.namespace()).Scan(&space)
	if fault.Is(err, fault.NotFound) {
		return false, s.nobodys(ctx, a)
	}
	if err != nil || space == a.Space {
		return true, err
	}
	if above, err := s.Access.Within(ctx, space, a.Space); err != nil || above {
		return true, err
	}
	others := 0
	err = tx.QueryRow(ctx, "SELECT COUNT(*) FROM application_places WHERE cluster = $1 AND namespace = $2 AND application <> $3", a.clusterName(), a.namespace(), a.Ref.String()).Scan(&others)
	switch {
	case err != nil:
		return false, err
	case others > 0:
		return true, a.namespaceTaken()
	}
	return false, s.nobodys(ctx, a) // those who had it are gone
}

// nobodys refuses a namespace in which nobody is when it has the name of a space to which a's rights do not reach: it is
// that one's when an application of it names none.
func (s *Service) nobodys(ctx context.Context, a Application) error {
	exists, err := s.Access.Exists(ctx, a.namespace())
	if err != nil || !exists {
		return err
	}
	within, err := s.Access.Within(ctx, a.namespace(), a.Space)
	if err == nil && !within {
		err = a.namespaceTaken()
	}
	return err
}

func (a Application) namespaceTaken() error {
	return fault.Errorf(fault.Denied, "namespace %s of cluster %s is used by another space; write another destination.namespace, or none for that of space %s",
		a.namespace(), a.clusterName(), a.Space)
}

// claim makes the application's namespace that of its space, and notes that the application goes there. Denied when it
// is another's.
func (s *Service) claim(ctx context.Context, a Application) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		// The row is taken first, so that of two claims at once the second sees the first.
		_, err := tx.Exec(ctx, `INSERT INTO application_namespaces (cluster, namespace, space, claimed) VALUES ($1,$2,$3,$4)
 ON CONFLICT (cluster, namespace) DO UPDATE SET namespace = excluded.namespace`, a.clusterName(), a.namespace(), a.Space, store.Micros(s.Now()))
		if err != nil {
			return fault.Wrap(err, "claim namespace %s", a.namespace())
		}
		claimed, err := s.namespaceFree(ctx, tx, a)
		if err != nil {
			return err
		}
		if !claimed {
			_, err = tx.Exec(ctx, "UPDATE application_namespaces SET space = $3, claimed = $4 WHERE cluster = $1 AND namespace = $2",
				a.clusterName(), a.namespace(), a.Space, store.Micros(s.Now()))
			if err != nil {
				return fault.Wrap(err, "claim namespace %s", a.namespace())
			}
		}
		_, err = tx.Exec(ctx, `INSERT INTO application_places (application, cluster, namespace, claimed) VALUES ($1,$2,$3,$4)
 ON CONFLICT (application, cluster, namespace) DO UPDATE SET claimed = excluded.claimed`, a.Ref.String(), a.clusterName(), a.namespace(), store.Micros(s.Now()))
		return fault.Wrap(err, "note that %s goes to namespace %s", a.Ref, a.namespace())
	})
}
