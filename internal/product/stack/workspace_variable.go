package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"path"
	"strings"
	"unicode/utf8"

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
		rows, err := tx.Query(ctx, "SELECT id, category, name, description, hcl, version FROM stack_workspace_variables WHERE stack = $1 ORDER BY id", of.String())
		notes, err = store.Collect(rows, err, func(row store.Row) (n VariableNote, err error) {
			hcl := 0
			err = row.Scan(&n.ID, &n.Category, &n.Name, &n.Description, &hcl, &n.Version)
			n.HCL = hcl == 1
			return n, err
		})
		return fault.Wrap(err, "list the variables of %s", of)
	})
	return notes, err
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

// NoteVariable keeps a note, with another version, in place of those with its id or its name.
// Permission: entity:write in the space of the workspace or context; NotFound for who may not even see it.
func (s *Service) NoteVariable(ctx context.Context, of ref.Entity, n VariableNote) (VariableNote, error) {
	if err := s.mayNote(ctx, of); err != nil {
		return n, err
	}
	if utf8.RuneCountInString(n.Description) > MostDescription {
		return n, fault.Errorf(fault.Invalid, "Description is too long (maximum is %d characters)", MostDescription)
	}
	n.Version = strings.ToLower(rand.Text())
	return n, s.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM stack_workspace_variables WHERE stack = $1 AND (id = $2 OR category = $3 AND name = $4)", of.String(), n.ID, n.Category, n.Name); err != nil {
			return fault.Wrap(err, "forget variable %s", n.ID)
		}
		_, err := tx.Exec(ctx, "INSERT INTO stack_workspace_variables (stack, id, category, name, description, hcl, version) VALUES ($1,$2,$3,$4,$5,$6,$7)",
			of.String(), n.ID, n.Category, n.Name, n.Description, btoi(n.HCL), n.Version)
		return fault.Wrap(err, "note variable %s", n.ID)
	})
}

// ForgetVariable takes a note away. Permission: that of NoteVariable.
func (s *Service) ForgetVariable(ctx context.Context, of ref.Entity, id string) error {
	if err := s.mayNote(ctx, of); err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM stack_workspace_variables WHERE stack = $1 AND id = $2", of.String(), id)
		return fault.Wrap(err, "forget variable %s", id)
	})
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
