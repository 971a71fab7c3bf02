package catalog

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const userKind = "user"

// People gives the opaque ids by which the ledger knows users, since what is in the ledger can't be forgotten.
type People interface {
	// PersonID gives the id of a user, in the transaction; "" when there is none. With declare it gives one to a new user.
	PersonID(ctx context.Context, tx *store.Tx, user ref.Entity, declare bool) (string, error)
}

// Know has the ledger name users as p does. It comes before the first document; without it references stand for users.
func (s *Service) Know(p People) { s.people = p }

// named gives what an entity is called in the ledger; "" for a user who is not declared.
func (s *Service) named(ctx context.Context, tx *store.Tx, r ref.Entity, declare bool) (string, error) {
	if r.Kind != userKind || s.people == nil {
		return r.String(), nil
	}
	id, err := s.people.PersonID(ctx, tx, r, declare)
	return id, fault.Wrap(err, "find the id of %s", r)
}

// targets gives the names of what relations point at, as many as an entry holds.
func (s *Service) targets(ctx context.Context, tx *store.Tx, relations []document.Relation) (names []string, err error) {
	for _, r := range relations[:min(len(relations), ledger.MaxRefs)] {
		name, err := s.named(ctx, tx, r.Target, false)
		if err != nil {
			return nil, err
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// forgetPerson takes what was declared of a person out of the history, when the person goes, and has a job take the name out
// of what was declared of others.
func (s *Service) forgetPerson(ctx context.Context, tx *store.Tx, person ref.Entity) error {
	if _, err := tx.Exec(ctx, `UPDATE entity_versions SET document = '' WHERE ref = $1`, person.String()); err != nil {
		return fault.Wrap(err, "forget the versions of %s", person)
	}
	id, err := s.named(ctx, tx, person, false)
	if err != nil || !ref.IsID(id, ref.Principal) {
		return err
	}
	if err := forgetKept(ctx, tx, id); err != nil {
		return err
	}
	return s.queue.Insert(ctx, tx, jobForget, forgetArgs{person.String(), id}, queue.InsertOptions{Unique: id})
}

const jobForget = "catalog.forget"

type forgetArgs struct {
	Person string `json:"person"` // for as long as the job waits
	ID     string `json:"id"`
}

// forgetMentions has old versions of other entities, such as groups and bindings, name a person who has gone by the
// opaque id. What is declared now is left to those who declare it; when it changes, its version of today names nobody.
func (s *Service) forgetMentions(ctx context.Context, a forgetArgs) error {
	person, err := ref.Parse(a.Person, userKind, ref.DefaultNamespace)
	if err != nil {
		return err
	}
	like := "%" + strings.ReplaceAll(strings.ToLower(person.Name), "_", `\_`) + "%"
	for after := (versionKey{}); ; {
		var some []versionKey
		err := s.db.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, `SELECT ref, version FROM entity_versions WHERE (ref > $1 OR ref = $1 AND version > $2)
 AND LOWER(document) LIKE $3 ESCAPE '\' ORDER BY ref, version LIMIT $4`, after.ref, after.version, like, chunk)
			some, err = store.Collect(rows, err, func(r store.Row) (k versionKey, err error) { return k, r.Scan(&k.ref, &k.version) })
			return err
		})
		if err != nil || len(some) == 0 {
			return fault.Wrap(err, "look who names a person")
		}
		after = some[len(some)-1]
		err = s.db.Write(ctx, func(tx *store.Tx) error {
			for _, k := range some {
				if err := k.rename(ctx, tx, person, a.ID); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fault.Wrap(err, "forget who was named")
		}
	}
}

type versionKey struct {
	ref     string
	version int
}

func (k versionKey) rename(ctx context.Context, tx *store.Tx, person ref.Entity, id string) error {
	var text string
	err := tx.QueryRow(ctx, `SELECT document FROM entity_versions WHERE ref = $1 AND version = $2`+tx.ForUpdate(), k.ref, k.version).Scan(&text)
	if err != nil || text == "" {
		return err
	}
	d, err := document.FromJSON([]byte(text))
	if err != nil {
		return err
	}
	var fields map[string]any
	if err := json.Unmarshal(d.JSON(), &fields); err != nil {
		return err
	}
	m := mentions{person: person, id: id, namespace: d.Ref().Namespace}
	m.pattern = regexp.MustCompile(`(?i)user:(?:` + regexp.QuoteMeta(person.Namespace) + `/)?` + regexp.QuoteMeta(person.Name))
	renamed, err := document.FromValue(m.in("", fields).(map[string]any))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE entity_versions SET document = $3 WHERE ref = $1 AND version = $2`, k.ref, k.version, string(renamed.JSON()))
	return err
}

// mentions finds a person in the texts of a document: as user:NAMESPACE/NAME anywhere, without the namespace in documents
// of the same, and without the kind among members.
type mentions struct {
	person    ref.Entity
	id        string
	namespace string // of the document
	pattern   *regexp.Regexp
}

func (m mentions) in(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, value := range v {
			v[k] = m.in(k, value)
		}
	case []any:
		for i, value := range v {
			v[i] = m.in(key, value)
		}
	case string:
		if key == "members" {
			if r, err := ref.Parse(v, userKind, m.namespace); err == nil && r == m.person {
				return m.id
			}
		}
		return m.text(v)
	}
	return v
}

func (m mentions) text(text string) string {
	const inName = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	var out strings.Builder
	rest := text
	for {
		at := m.pattern.FindStringIndex(rest)
		if at == nil {
			return out.String() + rest
		}
		before, found, after := rest[:at[0]], rest[at[0]:at[1]], rest[at[1]:]
		goesOn := after != "" && (strings.Contains(inName, after[:1]) || after[0] == '.' && len(after) > 1 && strings.Contains(inName, after[1:2]))
		begun := before != "" && strings.Contains(inName, before[len(before)-1:])
		if goesOn || begun || m.namespace != m.person.Namespace && !strings.Contains(found, "/") {
			out.WriteString(before + found)
		} else {
			out.WriteString(before + m.id)
		}
		rest = after
	}
}
