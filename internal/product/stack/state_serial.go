package stack

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// A version has two serials: that in the state, by which engines tell what is newer, and that by which it is known here.
// They are one, save where a client of Terraform's remote protocol declares a lower one.

// next gives the serial of a version that the platform makes after v, which is newer by both.
func (v StateVersion) next() int64 { return 1 + max(v.Serial, v.inside) }

// follows tells whether a state may come after the newest version. done tells that it is that version, written again after
// its answer was lost. Conflict for another lineage, and for a state that is older by either serial, or another one of
// the same serial.
func (s *Service) follows(ctx context.Context, last, v StateVersion, data []byte) (done bool, err error) {
	switch {
	case last.Lineage != v.Lineage:
		return false, fault.Errorf(fault.Conflict, "this state is of lineage %s, the stack's is %s; it belongs to something else", v.Lineage, last.Lineage)
	case v.inside < last.inside:
		return false, fault.Errorf(fault.Conflict, "this state has serial %d, the stack's newest has %d; pull it first", v.inside, last.inside)
	case v.Serial < last.Serial:
		return false, fault.Errorf(fault.Conflict, "this state has serial %d, the stack's newest has %d; pull it first", v.Serial, last.Serial)
	case v.Serial == last.Serial:
		return true, s.sameState(ctx, last, v.Serial, data)
	case v.inside == last.inside:
		return false, s.sameState(ctx, last, v.inside, data)
	}
	return false, nil
}
