package leak

import "testing"

// Every pattern compiles, and has the word without which it is not tried.
func TestEveryRuleCompiles(t *testing.T) {
	t.Parallel()
	for _, r := range New().rules {
		if r.pattern() == nil || r.word == "" || r.name == "" {
			t.Errorf("the rule of %q, for %q, is not whole", r.name, r.word)
		}
	}
}
