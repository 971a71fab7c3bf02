package identity

import (
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// How those are shown who have no name, or none any more.
const (
	platformName = "Roadbed"
	stepName     = "a step of a run"
	deletedUser  = "somebody who was deleted"
	wasDeleted   = " (deleted)" // behind the name of a machine
)

// Shown gives the condition, to be added, that a column has the id of somebody whom Names shows by a name with a text in it, in upper
// or lower case alike. It asks for no right, as Names.
func Shown(w *store.Where, column, text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
	has := func(name string) bool { return strings.Contains(strings.ToLower(name), strings.ToLower(text)) }
	parts := []string{"deleted = 0 AND " + w.Finds("name", text)}
	if has(deletedUser) {
		parts = append(parts, "deleted <> 0 AND kind = "+w.Arg(string(actor.User)))
	}
	parts = append(parts, "deleted <> 0 AND kind <> "+w.Arg(string(actor.User))+" AND "+w.Finds("name || '"+wasDeleted+"'", text))
	all := []string{column + " IN (SELECT id FROM identity_principals WHERE " + strings.Join(parts, " OR ") + ")"}
	if has(platformName) {
		all = append(all, column+" = 'system'")
	}
	if has(stepName) {
		all = append(all, w.Begins(column, ref.Step+"_"))
	}
	return "(" + strings.Join(all, " OR ") + ")"
}
