package identity

import (
	"container/list"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// How many failed attempts an address has at once, and how often it gets another one. Generous, since many people can
// share an address; the secrets themselves can't be guessed at this rate or any other.
const (
	limiterBurst     = 60
	limiterRefill    = time.Second
	limiterAddresses = 10_000
	limiterProved    = 8 // secrets of an address
)

// Limiter slows down whoever fails to authenticate again and again. It remembers at most 10,000 addresses, those that
// tried last. It is safe for concurrent use.
//
// A secret that was right at an address (Prove) is let through there whatever others at it do, such as behind the same
// NAT. That lets them try, without end, whether theirs is that one; so what is proved must be too long to be found.
type Limiter struct {
	now func() time.Time

	mu        sync.Mutex
	addresses map[netip.Addr]*list.Element
	order     *list.List // of *attempts, the latest first
}

type attempts struct {
	address netip.Addr
	failed  float64 // at time at; falls by one each refill
	at      time.Time
	proved  [][]byte // hashes of secrets that were right, the latest first
}

// NewLimiter gives a limiter that has seen nothing.
func NewLimiter(now func() time.Time) *Limiter {
	return &Limiter{now: now, addresses: map[netip.Addr]*list.Element{}, order: list.New()}
}

// Begin counts an attempt of an address ("10.1.2.3:4567" or "10.1.2.3") as failed until Passed is told of it, so that those
// which come together count together. It fails with fault.Exhausted when the address has failed too often.
func (l *Limiter) Begin(remote string) error {
	address, now := group(remote), l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	known, ok := l.addresses[address]
	if !ok {
		if l.order.Len() >= limiterAddresses {
			oldest := l.order.Back()
			delete(l.addresses, oldest.Value.(*attempts).address)
			l.order.Remove(oldest)
		}
		known = l.order.PushFront(&attempts{address: address, at: now})
		l.addresses[address] = known
	}
	a := known.Value.(*attempts)
	left := a.left(now)
	if left > limiterBurst-1 {
		wait := time.Duration(math.Ceil(left-limiterBurst+1)) * limiterRefill
		return fault.Errorf(fault.Exhausted, "too many failed sign-ins from this address; try again in %s", wait)
	}
	a.failed, a.at = left+1, now
	l.order.MoveToFront(known)
	return nil
}

// Passed takes back what Begin counted, since the attempt succeeded or could not be judged.
func (l *Limiter) Passed(remote string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.addresses[group(remote)]; ok {
		a, now := known.Value.(*attempts), l.now()
		a.failed, a.at = max(0, a.left(now)-1), now
	}
}

// Proved tells whether a secret was right at an address the last time that it was shown there.
func (l *Limiter) Proved(remote, secret string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, ok := l.addresses[group(remote)]
	if !ok || !slices.ContainsFunc(known.Value.(*attempts).proved, same(secret)) {
		return false
	}
	l.order.MoveToFront(known)
	return true
}

// Prove notes that a secret was right at an address, or that it is no longer.
func (l *Limiter) Prove(remote, secret string, right bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, ok := l.addresses[group(remote)]
	if !ok {
		return
	}
	a := known.Value.(*attempts)
	a.proved = slices.DeleteFunc(a.proved, same(secret))
	if right {
		a.proved = slices.Insert(a.proved[:min(len(a.proved), limiterProved-1)], 0, hash(secret))
	}
}

func same(secret string) func([]byte) bool {
	sum := hash(secret)
	return func(other []byte) bool { return sameHash(sum, other) }
}

func (a *attempts) left(now time.Time) float64 {
	return max(0, a.failed-float64(now.Sub(a.at))/float64(limiterRefill))
}

// group gives what counts as one address: an IPv6 user has a whole /64. What can't be read is one address together.
func group(remote string) netip.Addr {
	address, err := netip.ParseAddr(remote)
	if err != nil {
		if both, err := netip.ParseAddrPort(remote); err == nil {
			address = both.Addr()
		}
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		if prefix, err := address.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return address
}
