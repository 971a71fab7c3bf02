package identity_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// TestASessionWithVeryManyGrantsBegins though the ledger has no room for all of them.
func TestASessionWithVeryManyGrantsBegins(t *testing.T) {
	eachJudged(t, func(t *testing.T, b *judged) {
		long := strings.Repeat("n", 63)
		var a access.Admission
		for i := range 200 { // the most that login policies give
			name := fmt.Sprintf("%s%03d", long[:60], i)
			a.Lent = append(a.Lent, actor.Lent{Group: "group:" + long + "/" + name, Policy: "policy:" + long + "/" + long, Within: long})
			a.Beyond = append(a.Beyond, strings.Repeat("<", 200)+name)
		}
		a.Decision = "dec_1"
		b.s.JudgedBy(says(a))
		if _, session := b.enter("alice"); len(actor.From(session).Lent) != 200 {
			t.Errorf("she is %+v", actor.From(session))
		}
		told := b.entries("session.created")
		if len(told) != 1 {
			t.Fatalf("the ledger tells %v", told)
		}
		all := strings.ReplaceAll(told[0], `\"`, `"`)
		for _, want := range []string{`"more_lent":`, `"more_beyond":`, `"decision":"dec_1"`} {
			if !strings.Contains(all, want) {
				t.Errorf("no %s in %s", want, all)
			}
		}
		if n := strings.Count(all, `"within":`); n < 10 || n > 30 {
			t.Errorf("it lists %d of 200", n)
		}
	})
}

// says admits everybody with the same.
type says access.Admission

func (s says) Admits(context.Context, string, func() (any, error)) (access.Admission, error) {
	return access.Admission(s), nil
}
