package store

import "sync"

// waker wakes those in this process who listen on a channel.
type waker struct {
	mu        sync.Mutex
	listeners map[string]map[chan struct{}]bool
}

func newWaker() *waker { return &waker{listeners: map[string]map[chan struct{}]bool{}} }

func (w *waker) listen(channel string) (<-chan struct{}, func()) {
	wake := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.listeners[channel] == nil {
		w.listeners[channel] = map[chan struct{}]bool{}
	}
	w.listeners[channel][wake] = true
	return wake, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.listeners[channel], wake)
		if len(w.listeners[channel]) == 0 {
			delete(w.listeners, channel)
		}
	}
}

func (w *waker) wake(channel string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for wake := range w.listeners[channel] {
		poke(wake)
	}
}

func (w *waker) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, listeners := range w.listeners {
		for wake := range listeners {
			poke(wake)
		}
	}
}

func poke(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default: // it is awake already
	}
}

// Notify wakes the listeners of channel once tx is committed: in this process at once, and on PostgreSQL in
// the other servers too. A wake can be lost when a server dies, so listeners also poll now and then.
func (db *DB) Notify(tx *Tx, channel string) {
	if tx.wakes[channel] {
		return
	}
	if tx.wakes == nil {
		tx.wakes = map[string]bool{}
	}
	tx.wakes[channel] = true
	tx.OnCommit(func() {
		db.waker.wake(channel)
		if p, ok := db.engine.(*postgres); ok {
			p.announce(channel)
		}
	})
}

// Listen gives a channel that receives after commits that called Notify; several wakes become one.
// The function ends it.
func (db *DB) Listen(channel string) (<-chan struct{}, func()) { return db.waker.listen(channel) }
