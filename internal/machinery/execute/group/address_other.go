//go:build !linux

package group

// unixAddress gives the path of a socket; a path that is too long fails when it is used.
func unixAddress(path string) (address string, release func(), err error) {
	return path, func() {}, nil
}
