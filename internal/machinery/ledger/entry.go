package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"regexp"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Bounds of an entry; what is larger belongs into a blob that the entry names.
const (
	MaxData = 8 << 10 // bytes
	MaxRefs = 256
	maxText = 1 << 10 // bytes of any other field
)

// Entry is one change.
type Entry struct {
	Position int64           // 1 is the first; 0 until sealed
	ID       string          // led_…
	Time     time.Time       // when it was appended, to the microsecond
	Actor    string          // opaque id of a principal, "system" or "anonymous"; from the context when empty
	Space    string          // "" for the whole installation
	Type     string          // noun.past-tense: "run.created"
	Subject  string          // what changed: an entity reference or an id
	Refs     []string        // what else it touched, so that it shows in their history
	Run      string          // the run that it belongs to; that of a workload when empty
	Cause    string          // id of the entry that caused it; from the context when empty
	Data     json.RawMessage // small; no secrets, no names of people
	Hash     []byte          // SHA-256 over Previous and all fields
	Previous []byte          // Hash of the entry before; empty for the first
}

var typePattern = regexp.MustCompile(`^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+$`)

type causeKey struct{}

// WithCause gives a context whose entries name entryID as their cause.
func WithCause(ctx context.Context, entryID string) context.Context {
	return context.WithValue(ctx, causeKey{}, entryID)
}

// Cause gives the entry that WithCause named; "" when there is none. A room that records a change for later keeps it.
func Cause(ctx context.Context) string {
	id, _ := ctx.Value(causeKey{}).(string)
	return id
}

// complete fills what the context and the clock know, and checks the bounds.
func (e Entry) complete(ctx context.Context, now time.Time) (Entry, error) {
	who := actor.From(ctx)
	if e.Actor == "" {
		e.Actor = who.ID
	}
	if e.Actor == "" {
		e.Actor = "anonymous"
	}
	if e.Run == "" && who.Kind == actor.Workload {
		e.Run = who.Run
	}
	if e.Cause == "" {
		e.Cause = Cause(ctx)
	}
	if e.ID == "" {
		e.ID = ref.NewID(ref.Entry, now)
	}
	e.Time = store.FromMicros(store.Micros(now))
	e.Position, e.Hash, e.Previous = 0, nil, nil
	if len(e.Refs) == 0 {
		e.Refs = nil
	}
	var err error
	if e.Data, err = compact(e.Data); err != nil {
		return e, err
	}
	return e, e.check()
}

func compact(data json.RawMessage) (json.RawMessage, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		return nil, fault.Errorf(fault.Internal, "the data of a ledger entry is not JSON: %w", err)
	}
	if b.Len() > MaxData {
		return nil, fault.Errorf(fault.TooLarge, "the data of a ledger entry has %d bytes, more than %d; keep it in a blob", b.Len(), MaxData)
	}
	return b.Bytes(), nil
}

func (e Entry) check() error {
	if !typePattern.MatchString(e.Type) {
		return fault.Errorf(fault.Internal, "%q is not a type of ledger entry; write noun.past-tense", e.Type)
	}
	if len(e.Refs) > MaxRefs {
		return fault.Errorf(fault.TooLarge, "a ledger entry has %d refs, more than %d; keep them in a blob", len(e.Refs), MaxRefs)
	}
	for _, s := range append([]string{e.ID, e.Actor, e.Space, e.Type, e.Subject, e.Run, e.Cause}, e.Refs...) {
		if len(s) > maxText {
			return fault.Errorf(fault.TooLarge, "a field of a ledger entry has %d bytes, more than %d", len(s), maxText)
		}
	}
	return nil
}

// seal puts e behind an entry.
func (e Entry) seal(position int64, previous []byte) Entry {
	e.Position, e.Previous = position, previous
	e.Hash = e.sum()
	return e
}

// sum gives SHA-256 over the hash before and every field, each with its length in front, so that no two
// different entries have the same bytes.
func (e Entry) sum() []byte {
	b := make([]byte, 0, 512+len(e.Data))
	put := func(s string) {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	number := func(n int64) { b = binary.BigEndian.AppendUint64(b, uint64(n)) }
	put("roadbed ledger 1")
	put(string(e.Previous))
	number(e.Position)
	put(e.ID)
	number(store.Micros(e.Time))
	put(e.Actor)
	put(e.Space)
	put(e.Type)
	put(e.Subject)
	number(int64(len(e.Refs)))
	for _, r := range e.Refs {
		put(r)
	}
	put(e.Run)
	put(e.Cause)
	put(string(e.Data))
	sum := sha256.Sum256(b)
	return sum[:]
}

// mentions gives the subject and the refs, each once.
func (e Entry) mentions() []string {
	var all []string
	seen := map[string]bool{"": true}
	for _, r := range append([]string{e.Subject}, e.Refs...) {
		if !seen[r] {
			seen[r] = true
			all = append(all, r)
		}
	}
	return all
}
