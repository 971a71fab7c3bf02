package policy

import (
	"context"
	"sync"
)

// maxCached bounds the policies that are kept compiled, by the bytes of their sources; each counts as 4 KiB at least. When
// there are more, all are compiled anew as they are asked.
const (
	maxCached = 2 << 20
	minCached = 4 << 10
)

// cache keeps policies compiled, by their content.
type cache struct {
	mu      sync.Mutex
	entries map[string]*entry
	bytes   int // of the entries
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
	e, ok := c.entries[key]
	if !ok {
		size := max(len(source), minCached)
		if c.entries == nil || c.bytes+size > maxCached {
			c.entries, c.bytes = map[string]*entry{}, 0
		}
		e = &entry{}
		c.entries[key] = e
		c.bytes += size
	}
	c.mu.Unlock()
	// The result serves everyone, so it does not depend on the context of the first who asks.
	e.once.Do(func() { e.compiled, e.err = compile(context.Background(), at, source) })
	return e.compiled, e.err
}
