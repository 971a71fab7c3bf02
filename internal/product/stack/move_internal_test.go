package stack

import (
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// TestAStackThatIsDeclaredInAnotherSpaceHasNothingOfTheOneBefore: neither what that said, nor what a policy there has locked.
func TestAStackThatIsDeclaredInAnotherSpaceHasNothingOfTheOneBefore(t *testing.T) {
	t.Parallel()
	eachGround(t, &branches{head: "first"}, func(g ground) {
		g.rows(func(r rows) {
			before := r.stack("net", "other", "{}")
			r.exec("UPDATE stacks SET deleted = 1, message = 'a policy of other denies it', left_out = 'it is busy', push_lock = 'a key of other'")
			before.Deleted = true
			if err := r.s.takeOver(g.ctx, r.tx, document.Change{Ref: ref.New("stack", "default", "net"), Space: "default"}, before); err != nil {
				t.Fatal(err)
			}
			left := ""
			if err := r.tx.QueryRow(g.ctx, "SELECT message || left_out || push_lock FROM stacks").Scan(&left); err != nil || left != "" {
				t.Errorf("it has %q of the one before, %v", left, err)
			}
		})
	})
}
