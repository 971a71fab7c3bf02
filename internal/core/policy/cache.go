package policy

import (
	"context"
	"sync"
)

// maxCached bounds the policies that are kept compiled; when there are more, all are compiled anew as they are asked.
const maxCached = 500

// cache keeps policies compiled, by their content.
type cache struct {
	mu      sync.Mutex
	entries map[string]*entry
}

type entry struct {
	once     sync.Once
	compiled *compiled
	err      error
}

// get compiles a policy at most once, whoever asks first.
func (c *cache) get(at, version, source string) (*compiled, error) {
	key := at + " " + version
	c.mu.Lock()
	if c.entries == nil || len(c.entries) > maxCached {
		c.entries = map[string]*entry{}
	}
	e, ok := c.entries[key]
	if !ok {
		e = &entry{}
		c.entries[key] = e
	}
	c.mu.Unlock()
	// The result serves everyone, so it does not depend on the context of the first who asks.
	e.once.Do(func() { e.compiled, e.err = compile(context.Background(), at, source) })
	return e.compiled, e.err
}
