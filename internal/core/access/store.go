package access

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations gives the room's tables.
func Migrations() store.Migrations {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return store.Migrations{Room: "access", FS: sub}
}

func load(ctx context.Context, tx *store.Tx) (*snapshot, error) {
	generation, err := readGeneration(ctx, tx)
	if err != nil {
		return nil, err
	}
	spaces, err := readSpaces(ctx, tx)
	if err != nil {
		return nil, err
	}
	roles, err := readRoles(ctx, tx)
	if err != nil {
		return nil, err
	}
	bindings, err := readBindings(ctx, tx)
	if err != nil {
		return nil, err
	}
	groups, err := readGroups(ctx, tx)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT member, group_ref, declared FROM access_memberships WHERE nested = 1`)
	nested, err := store.Collect(rows, err, scanMembership)
	if err != nil {
		return nil, err
	}
	return &snapshot{graph: compile(spaces, roles, bindings, groups, nested), generation: generation}, nil
}

func readGeneration(ctx context.Context, tx *store.Tx) (n int64, err error) {
	err = tx.QueryRow(ctx, `SELECT n FROM access_generation WHERE id = 1`).Scan(&n)
	return n, err
}

func raiseGeneration(ctx context.Context, tx *store.Tx) error {
	_, err := tx.Exec(ctx, `UPDATE access_generation SET n = n + 1 WHERE id = 1`)
	return err
}

func readSpaces(ctx context.Context, tx *store.Tx) ([]Space, error) {
	rows, err := tx.Query(ctx, `SELECT name, parent, description, declared, apart FROM access_spaces ORDER BY name`)
	return store.Collect(rows, err, func(row store.Row) (s Space, err error) {
		var apart int
		err = row.Scan(&s.Name, &s.Parent, &s.Description, &s.Declared, &apart)
		s.Apart = apart == 1
		return s, err
	})
}

func readRoles(ctx context.Context, tx *store.Tx) ([]Role, error) {
	rows, err := tx.Query(ctx, `SELECT name, declared, description, permissions FROM access_roles ORDER BY name`)
	return store.Collect(rows, err, func(row store.Row) (r Role, err error) {
		var permissions string
		if err := row.Scan(&r.Name, &r.Space, &r.Description, &permissions); err != nil {
			return r, err
		}
		return r, unmarshalList(permissions, &r.Permissions)
	})
}

func readBindings(ctx context.Context, tx *store.Tx) ([]Binding, error) {
	rows, err := tx.Query(ctx, `SELECT ref, role, space, subjects, declared FROM access_bindings ORDER BY ref`)
	return store.Collect(rows, err, func(row store.Row) (b Binding, err error) {
		var subjects string
		if err := row.Scan(&b.Ref, &b.Role, &b.Space, &subjects, &b.Declared); err != nil {
			return b, err
		}
		return b, unmarshalList(subjects, &b.Subjects)
	})
}

func readGroups(ctx context.Context, tx *store.Tx) (map[string]string, error) {
	rows, err := tx.Query(ctx, `SELECT ref, declared FROM access_groups`)
	pairs, err := store.Collect(rows, err, func(row store.Row) (p [2]string, err error) {
		err = row.Scan(&p[0], &p[1])
		return p, err
	})
	groups := make(map[string]string, len(pairs))
	for _, p := range pairs {
		groups[p[0]] = p[1]
	}
	return groups, err
}

func scanMembership(row store.Row) (m membership, err error) {
	err = row.Scan(&m.Member, &m.Group, &m.Declared)
	return m, err
}

func membershipsOf(ctx context.Context, tx *store.Tx, member string) ([]membership, error) {
	rows, err := tx.Query(ctx, `SELECT member, group_ref, declared FROM access_memberships WHERE member = $1`, member)
	return store.Collect(rows, err, scanMembership)
}

func saveSpace(ctx context.Context, tx *store.Tx, s Space) error {
	apart := 0
	if s.Apart {
		apart = 1
	}
	_, err := tx.Exec(ctx, `INSERT INTO access_spaces (name, parent, description, declared, apart) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (name) DO UPDATE SET parent = excluded.parent, description = excluded.description, declared = excluded.declared, apart = excluded.apart`,
		s.Name, s.Parent, s.Description, s.Declared, apart)
	return err
}

func saveRole(ctx context.Context, tx *store.Tx, r Role) error {
	_, err := tx.Exec(ctx, `INSERT INTO access_roles (name, declared, description, permissions) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET declared = excluded.declared, description = excluded.description, permissions = excluded.permissions`,
		r.Name, r.Space, r.Description, marshalList(r.Permissions))
	return err
}

func saveBinding(ctx context.Context, tx *store.Tx, b Binding) error {
	_, err := tx.Exec(ctx, `INSERT INTO access_bindings (ref, role, space, subjects, declared) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (ref) DO UPDATE SET role = excluded.role, space = excluded.space, subjects = excluded.subjects, declared = excluded.declared`,
		b.Ref, b.Role, b.Space, marshalList(b.Subjects), b.Declared)
	return err
}

// keepFormer notes where a space was that is being deleted.
func keepFormer(ctx context.Context, tx *store.Tx, s Space) error {
	_, err := tx.Exec(ctx, `INSERT INTO access_former_spaces (name, parent) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET parent = excluded.parent`, s.Name, s.Parent)
	return err
}

// formerParent gives where a deleted space of that name was; "" when there was none.
func formerParent(ctx context.Context, tx *store.Tx, name string) (parent string, err error) {
	err = tx.QueryRow(ctx, `SELECT parent FROM access_former_spaces WHERE name = $1`, name).Scan(&parent)
	if fault.Is(err, fault.NotFound) {
		return "", nil
	}
	return parent, err
}

func saveGroup(ctx context.Context, tx *store.Tx, group, declared string) error {
	_, err := tx.Exec(ctx, `INSERT INTO access_groups (ref, declared) VALUES ($1, $2)
		ON CONFLICT (ref) DO UPDATE SET declared = excluded.declared`, group, declared)
	return err
}

// saveMemberships replaces what a source declared.
func saveMemberships(ctx context.Context, tx *store.Tx, source string, all []membership) error {
	if _, err := tx.Exec(ctx, `DELETE FROM access_memberships WHERE source = $1`, source); err != nil {
		return err
	}
	for _, m := range all {
		nested := 0
		if strings.HasPrefix(m.Member, "group:") {
			nested = 1
		}
		if _, err := tx.Exec(ctx, `INSERT INTO access_memberships (source, member, group_ref, declared, nested) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (source, member, group_ref) DO NOTHING`, source, m.Member, m.Group, m.Declared, nested); err != nil {
			return err
		}
	}
	return nil
}

func remove(ctx context.Context, tx *store.Tx, table, column, key string) error {
	_, err := tx.Exec(ctx, fmt.Sprintf(`DELETE FROM %s WHERE %s = $1`, table, column), key)
	return err
}

func marshalList(list []string) string {
	if list == nil {
		list = []string{}
	}
	raw, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings always encode
	}
	return string(raw)
}

func unmarshalList(raw string, into *[]string) error { return json.Unmarshal([]byte(raw), into) }
