//go:build !amd64 && !arm64

package store

import "runtime"

// goroutine gives the number of the calling goroutine, as it stands on its stack.
func goroutine() uintptr {
	var buf [40]byte
	n := runtime.Stack(buf[:], false)
	id := uintptr(0)
	for _, c := range buf[len("goroutine "):n] {
		if c < '0' || c > '9' {
			break
		}
		id = id*10 + uintptr(c-'0')
	}
	return id
}
