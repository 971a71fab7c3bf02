package api_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/face/api"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Whoever is answered 401 signs in again, which does not help where a forge refuses this server's credentials.
func TestOnlyTheCallersOwnSignInIs401(t *testing.T) {
	t.Parallel()
	own := fault.Errorf(fault.Unauthenticated, "sign in")
	forges := fault.Wrap(fault.Foreign(own), "repository %s", "crew/shop")
	var known *fault.Error // as the clients of forges take it out of what libraries wrap
	if !errors.As(fmt.Errorf("get: %w", fault.Foreign(own)), &known) {
		t.Fatal("it is of no kind")
	}
	for err, want := range map[error]int{own: 401, forges: 424, known: 424, fault.Foreign(fault.Errorf(fault.NotFound, "no")): 404} {
		if got := api.HTTPStatus(err); got != want {
			t.Errorf("%v is answered %d, want %d", err, got, want)
		}
	}
	if fault.Message(forges) != "repository crew/shop: sign in" || !fault.Is(forges, fault.Unauthenticated) {
		t.Errorf("it is told %q", fault.Message(forges))
	}
}
