//go:build !linux || !(amd64 || arm64)

package process

func (e *Executor) withoutIsolation() {}
