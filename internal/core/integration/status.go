package integration

import (
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// State is how an integration does.
type State string

// States of an integration.
const (
	Unknown State = "unknown" // it was not tried yet
	Healthy State = "healthy"
	Lacking State = "lacking" // the credentials have too few rights
	Refused State = "refused" // the credentials are wrong or have ended, or may not see what they are for
	Limited State = "limited" // the forge's limit is reached
	Away    State = "away"    // the forge does not answer, or not in a form that is known
	Broken  State = "broken"  // the document or its secrets are wrong
)

// Status is what the newest test found.
type Status struct {
	State  State
	Reason string // why it is not healthy, and what to do
	Health Health
	Looked time.Time // when it was tried last; zero for never
	Since  time.Time // when it came into its state
}

// Health is what the forge told of the credentials. What it told last stays while it tells nothing.
type Health struct {
	forge.Health
	Clone string // the repository for which credentials for git were got; "" when there is none to try it with
}

// judge gives the state that an error of a test means.
func judge(err error) State {
	switch fault.KindOf(err) {
	case fault.Unauthenticated, fault.Denied, fault.NotFound:
		return Refused
	case fault.Exhausted:
		return Limited
	case fault.Invalid, fault.Conflict:
		return Broken
	}
	return Away
}

// differs tells whether a status says something else than the one before: other times, an other rest of the limit, and
// other words for a forge that is away or wants to be left alone are no news.
func (s Status) differs(before Status) bool {
	if s.State != before.State || s.Health.Login != before.Health.Login || !slices.Equal(s.Health.Missing, before.Health.Missing) {
		return true
	}
	return s.Reason != before.Reason && s.State != Away && s.State != Limited
}
