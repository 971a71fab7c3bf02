package repository

import "sync"

// uploads counts what is being uploaded, by name, so that it is not taken for what nobody needs.
type uploads struct {
	mu     sync.Mutex
	byName map[string]int
}

func (u *uploads) begin(name string) (ended func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byName == nil {
		u.byName = map[string]int{}
	}
	u.byName[name]++
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.byName[name]--; u.byName[name] == 0 {
			delete(u.byName, name)
		}
	}
}

// unless runs fn, when nothing of that name is being uploaded; no upload begins before it ends.
func (u *uploads) unless(name string, fn func() error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byName[name] > 0 {
		return nil
	}
	return fn()
}
