package store

// Gathering is how many keys the next question has.
func Gathering[K comparable, V any](g *Gathered[K, V]) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next == nil {
		return 0
	}
	return len(g.next.keys)
}
