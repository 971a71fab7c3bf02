package ledger

import (
	"context"
	"strings"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// tailCount is how many of the newest entries a process remembers the types of.
const tailCount = 1000

// tail is what the newest entries are about. It is learned once for all subscribers of a process, so that an entry that
// none of them wants costs no question to the database.
type tail struct {
	mu     sync.Mutex
	begun  bool
	before int64         // of all after it, the types are known
	types  []string      // of the entries after before, one by one
	grown  chan struct{} // closed when types grow
}

func newTail() *tail { return &tail{grown: make(chan struct{})} }

// last is the position up to which the types are known; 0 before begin.
func (t *tail) last() int64 { return t.before + int64(len(t.types)) }

// begin has t know of what comes after position.
func (t *tail) begin(position int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun, t.before, t.types = true, position, nil
	t.wake()
}

func (t *tail) wake() {
	close(t.grown)
	t.grown = make(chan struct{})
}

// add notes the type of a sealed and committed entry. One that doesn't follow the last is left for learn.
func (t *tail) add(position int64, kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun || position != t.last()+1 {
		return
	}
	if t.types = append(t.types, kind); len(t.types) >= 2*tailCount {
		old := len(t.types) - tailCount
		t.before, t.types = t.before+int64(old), append([]string(nil), t.types[old:]...)
	}
	t.wake()
}

// wants tells whether an entry of the types is known past after, or may be, and else up to where there is none, as far as is
// known; grown ends when more is.
func (t *tail) wants(types []string, after int64) (wanted bool, upTo int64, grown <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun {
		return false, after, t.grown
	}
	if after < t.before {
		return true, after, t.grown
	}
	for i := after - t.before; i < int64(len(t.types)); i++ {
		if matches(types, t.types[i]) {
			return true, after, t.grown
		}
	}
	return false, max(after, t.last()), t.grown
}

// matches is the condition on types of Query.
func matches(types []string, kind string) bool {
	for _, t := range types {
		if kind == t || strings.HasSuffix(t, ".") && strings.HasPrefix(kind, t) {
			return true
		}
	}
	return types == nil
}

// learn has the tail follow the ledger until ctx ends: what this ledger seals it is told of, and what others seal it reads.
func (l *Ledger) learn(ctx context.Context) {
	l.repeat(ctx, sealedWake, false, "the newest entries of the ledger could not be read; it is tried again", l.learnSome)
}

func (l *Ledger) learnSome(ctx context.Context) (more bool, err error) {
	l.tail.mu.Lock()
	begun, after := l.tail.begun, l.tail.last()
	l.tail.mu.Unlock()
	if !begun {
		err = l.db.Read(ctx, func(tx *store.Tx) error {
			after, _, err = l.Head(ctx, tx)
			return err
		})
		if err == nil {
			l.know(after)
			l.tail.begin(after)
		}
		return true, err
	}
	type known struct {
		position int64
		kind     string
	}
	var all []known
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT position, type FROM ledger_entries WHERE position > $1 ORDER BY position LIMIT $2`, after, tailCount)
		all, err = store.Collect(rows, err, func(r store.Row) (k known, err error) { return k, r.Scan(&k.position, &k.kind) })
		return err
	})
	for _, k := range all {
		l.know(k.position)
		l.tail.add(k.position, k.kind)
	}
	return len(all) == tailCount, err
}
