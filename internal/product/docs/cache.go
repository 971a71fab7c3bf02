package docs

import (
	"container/list"
	"sync"
)

// cacheBytes is what sites, pages and reports of commits may take in memory together.
const cacheBytes = 96 << 20

// cache keeps what was made of commits, which never change; what was used least goes first.
type cache struct {
	mu      sync.Mutex
	entries map[any]*list.Element
	order   *list.List
	bytes   int
	most    int
}

type cached struct {
	key   any
	value any
	size  int
}

func newCache(most int) *cache {
	return &cache{entries: map[any]*list.Element{}, order: list.New(), most: most}
}

func (c *cache) get(key any) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).value, true
}

func (c *cache) put(key, value any, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[key]; ok || size > c.most/2 {
		return
	}
	c.entries[key] = c.order.PushFront(&cached{key, value, size})
	for c.bytes += size; c.bytes > c.most; {
		last := c.order.Back()
		old := c.order.Remove(last).(*cached)
		delete(c.entries, old.key)
		c.bytes -= old.size
	}
}

// kept gives what is kept under a key, or makes it.
func kept[T any](c *cache, key any, make func() (T, int, error)) (T, error) {
	if v, ok := c.get(key); ok {
		return v.(T), nil
	}
	v, size, err := make()
	if err == nil {
		c.put(key, v, size)
	}
	return v, err
}
