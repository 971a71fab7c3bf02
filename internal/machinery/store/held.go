package store

import (
	"context"
	"sync"
)

// Held keeps what was read, for as long as nobody commits: of what each request asks anew. It holds nothing where the moment
// tells nothing (see DB.Moment).
type Held[K comparable, V any] struct {
	mu     sync.Mutex
	moment int64
	values map[K]V
}

const mostHeld = 1000

// Of gives what is held for a key, or reads and holds it. What fails is not held.
func (h *Held[K, V]) Of(ctx context.Context, db *DB, key K, read func() (V, error)) (V, error) {
	return h.At(db.Moment(ctx), key, read)
}

// At is Of for who has asked for the moment already, before a transaction began.
func (h *Held[K, V]) At(moment int64, key K, read func() (V, error)) (V, error) {
	if moment == NoMoment {
		return read()
	}
	h.mu.Lock()
	value, ok := h.values[key]
	ok = ok && h.moment == moment
	h.mu.Unlock()
	if ok {
		return value, nil
	}
	value, err := read()
	if err != nil {
		return value, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.moment > moment {
		return value, nil
	}
	if h.values == nil || h.moment < moment || len(h.values) >= mostHeld {
		h.moment, h.values = moment, map[K]V{}
	}
	h.values[key] = value
	return value, nil
}
