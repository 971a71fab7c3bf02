package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// inputPrefix begins the names of the environment by which an engine is given a variable.
const inputPrefix = "TF_VAR_"

// oddInput tells whether a name of the environment is that of an engine's variable which no shell hands on.
func oddInput(name string) bool {
	rest, ok := strings.CutPrefix(name, inputPrefix)
	return ok && !variableName.MatchString(rest) && inputName.MatchString(rest)
}

// unshelled gives the variables whose names no shell hands on, such as net-cidr, as a file that the engine reads before all
// others of its kind. Those of contexts are texts.
func (in Input) unshelled() []worker.File {
	odd := map[string]any{}
	for name, value := range in.Env {
		if oddInput(name) {
			odd[strings.TrimPrefix(name, inputPrefix)] = value
		}
	}
	for name, value := range in.Variables {
		if !variableName.MatchString(name) {
			odd[name] = value
		}
	}
	if len(odd) == 0 {
		return nil
	}
	text, err := json.Marshal(odd)
	if err != nil { // it came from JSON
		return nil
	}
	return []worker.File{{Path: path.Join("source", in.Path, "000_roadbed.auto.tfvars.json"), Content: string(text), Mode: 0o600}}
}

// VariableNote is what the clients of the remote protocol say of a variable besides its value. A variable keeps its id when it
// gets another name.
type VariableNote struct {
	ID, Category, Name, Description string
	HCL                             bool
	Version                         string // another one after each change
}

// MostDescription bounds what is said of a variable, in characters.
const MostDescription = 512

// VariableNotes gives those of a workspace or a context, by id. What its document no longer has may be among them.
// Permission: stack:read in its space; otherwise NotFound.
func (s *Service) VariableNotes(ctx context.Context, of ref.Entity) (notes []VariableNote, err error) {
	if _, err := s.noted(ctx, of); err != nil {
		return nil, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := notesOf(ctx, tx, []string{of.String()})
		notes = all[of.String()]
		return err
	})
	return notes, err
}

// notesOf gives the notes of stacks and contexts, by their references.
func notesOf(ctx context.Context, tx *store.Tx, names []string) (map[string][]VariableNote, error) {
	all := map[string][]VariableNote{}
	err := inParts(names, func(part []string) error {
		w := &store.Where{}
		w.Add(w.In("stack", part))
		return each(ctx, tx, "SELECT stack, "+noteColumns+" FROM stack_workspace_variables"+w.String()+"ORDER BY stack, id", w.Args, func(row store.Row) error {
			name := ""
			n, err := scanNote(ahead{row, []any{&name}})
			all[name] = append(all[name], n)
			return err
		})
	})
	return all, fault.Wrap(err, "list the variables of %d documents", len(names))
}

// noted gives the space of a stack or a context that the caller may see.
func (s *Service) noted(ctx context.Context, of ref.Entity) (space string, err error) {
	if of.Kind == "context" {
		c, err := s.Context(ctx, of)
		return c.Space, err
	}
	stack, err := s.read(ctx, of)
	return stack.Space, err
}

// VariableChange is what is said of a variable from now on; of what is nil, what was said before.
type VariableChange struct {
	ID, Category, Name string
	Description        *string
	HCL                *bool
}

// NoteVariable keeps a note, with another version, in place of those with its id or its name. The ledger tells of what is said, not
// of a name alone, which is the document's.
// Permission: entity:write in the space of the workspace or context; NotFound for who may not even see it.
func (s *Service) NoteVariable(ctx context.Context, of ref.Entity, c VariableChange) (n VariableNote, err error) {
	if err := s.mayNote(ctx, of); err != nil {
		return n, err
	}
	if c.Description != nil && utf8.RuneCountInString(*c.Description) > MostDescription {
		return n, fault.Errorf(fault.Invalid, "Description is too long (maximum is %d characters)", MostDescription)
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		space, err := holdNoted(ctx, tx, of)
		if err != nil {
			return err
		}
		before, err := noteOf(ctx, tx, of, c.ID)
		if err != nil {
			return err
		}
		n = before
		n.ID, n.Category, n.Name, n.Version = c.ID, c.Category, c.Name, strings.ToLower(rand.Text())
		if c.Description != nil {
			n.Description = *c.Description
		}
		if c.HCL != nil {
			n.HCL = *c.HCL
		}
		if before.ID != "" && (before.Category != n.Category || before.Name != n.Name) {
			if err := forgetNote(ctx, tx, of, n.ID); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `INSERT INTO stack_workspace_variables (stack, id, category, name, description, hcl, version) VALUES ($1,$2,$3,$4,$5,$6,$7)
 ON CONFLICT (stack, category, name) DO UPDATE SET id = excluded.id, description = excluded.description, hcl = excluded.hcl, version = excluded.version`,
			of.String(), n.ID, n.Category, n.Name, n.Description, btoi(n.HCL), n.Version)
		if err != nil {
			return fault.Wrap(err, "note variable %s", n.ID)
		}
		if n.Description == before.Description && n.HCL == before.HCL {
			return nil
		}
		return s.tellVariable(ctx, tx, space, of, "variable.described", n)
	})
	return n, err
}

// ForgetVariable takes a note away. Permission: that of NoteVariable.
func (s *Service) ForgetVariable(ctx context.Context, of ref.Entity, id string) error {
	if err := s.mayNote(ctx, of); err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		space, err := holdNoted(ctx, tx, of)
		if err != nil {
			return err
		}
		n, err := noteOf(ctx, tx, of, id)
		if err != nil || n.ID == "" {
			return err
		}
		if err := forgetNote(ctx, tx, of, id); err != nil {
			return err
		}
		return s.tellVariable(ctx, tx, space, of, "variable.forgotten", n)
	})
}

// holdNoted gives the space of a stack or a context, of which nobody else notes anything until the commit.
func holdNoted(ctx context.Context, tx *store.Tx, of ref.Entity) (space string, err error) {
	if of.Kind == "context" {
		c, err := getContext(ctx, tx, of, tx.ForUpdate())
		return c.Space, err
	}
	stack, err := getStack(ctx, tx, of, tx.ForUpdate())
	return stack.Space, err
}

const noteColumns = "id, category, name, description, hcl, version"

func scanNote(row store.Row) (n VariableNote, err error) {
	hcl := 0
	err = row.Scan(&n.ID, &n.Category, &n.Name, &n.Description, &hcl, &n.Version)
	n.HCL = hcl == 1
	return n, err
}

// noteOf gives the note with an id; the zero one when there is none.
func noteOf(ctx context.Context, tx *store.Tx, of ref.Entity, id string) (VariableNote, error) {
	n, err := store.One(tx.QueryRow(ctx, "SELECT "+noteColumns+" FROM stack_workspace_variables WHERE stack = $1 AND id = $2", of.String(), id), scanNote, "variable %s of %s", id, of)
	if fault.Is(err, fault.NotFound) {
		return VariableNote{}, nil
	}
	return n, err
}

func forgetNote(ctx context.Context, tx *store.Tx, of ref.Entity, id string) error {
	_, err := tx.Exec(ctx, "DELETE FROM stack_workspace_variables WHERE stack = $1 AND id = $2", of.String(), id)
	return fault.Wrap(err, "forget variable %s", id)
}

// tellVariable appends to the ledger what became of the note of a variable: which it is, and nothing that was said.
func (s *Service) tellVariable(ctx context.Context, tx *store.Tx, space string, of ref.Entity, kind string, n VariableNote) error {
	data, err := json.Marshal(map[string]string{"name": n.Name, "category": n.Category})
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Space: space, Type: kind, Subject: of.String(), Data: data})
	return fault.Wrap(err, "note %s of %s", kind, of)
}

func (s *Service) mayNote(ctx context.Context, of ref.Entity) error {
	space, err := s.noted(ctx, of)
	if err != nil {
		return err
	}
	return s.Access.Authorize(ctx, "entity:write", space)
}

// forgetNotes takes away what was noted of the variables of a context that is deleted.
func forgetNotes(ctx context.Context, tx *store.Tx, of ref.Entity) error {
	_, err := tx.Exec(ctx, "DELETE FROM stack_workspace_variables WHERE stack = $1", of.String())
	return fault.Wrap(err, "forget the variables of %s", of)
}
