package store

import "runtime"

// goroutine gives the number of the calling goroutine. A transaction function receives no context of its
// own, so this is the only way to know a call that comes from inside one; waiting for it would be a deadlock.
func goroutine() uint64 {
	var buf [40]byte
	n := runtime.Stack(buf[:], false)
	id := uint64(0)
	for _, c := range buf[len("goroutine "):n] {
		if c < '0' || c > '9' {
			break
		}
		id = id*10 + uint64(c-'0')
	}
	return id
}
