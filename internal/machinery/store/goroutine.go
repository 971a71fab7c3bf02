//go:build amd64 || arm64

package store

// goroutine gives a number of the calling goroutine, which no other has while it lives. A transaction function receives no
// context of its own, so this is the only way to know a call that comes from inside one; waiting for it would be a
// deadlock. It is the address of the runtime's record, read from its register: the other way is to print the stack, which
// took a fifth of what a server does for a request.
func goroutine() uintptr
