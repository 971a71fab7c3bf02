package store

import (
	"sync"
	"testing"
)

// Goroutines that live at the same time have numbers of their own, and keep them when their stack moves.
func TestGoroutinesAreToldApart(t *testing.T) {
	const n = 100
	var mu sync.Mutex
	seen := map[uintptr]bool{}
	var all sync.WaitGroup
	hold := make(chan struct{})
	var told sync.WaitGroup
	told.Add(n)
	for range n {
		all.Go(func() {
			id := goroutine()
			if deep(500) != id {
				t.Error("the number changed with the stack")
			}
			mu.Lock()
			seen[id] = true
			mu.Unlock()
			told.Done()
			<-hold
		})
	}
	told.Wait()
	close(hold)
	all.Wait()
	if len(seen) != n || seen[goroutine()] || seen[0] {
		t.Errorf("%d goroutines have %d numbers", n, len(seen))
	}
}

//go:noinline
func deep(n int) uintptr {
	var room [256]byte
	if n == 0 {
		return goroutine()
	}
	id := deep(n - 1)
	room[n%len(room)] = byte(id)
	if room[0] == room[255] {
		return id
	}
	return goroutine()
}
