// Package process runs commands as isolated processes of this machine: on Linux in namespaces of their own
// (mount, process, network, IPC, host name, cgroup and user), with their own root, no rights and bounded resources.
//
// What a step sees: the host's programs (/usr and its like) read-only, a fresh /proc, five devices, a private /tmp,
// its workspace at /work and the mounts of its Spec. What it does not: the host's processes, network, other
// files, environment and open files. Started by root, a step runs as user 70000, which owns nothing else, in a
// user namespace in which only that user exists.
//
// The first process inside (package sandbox) ends with the server, however the server ends, and the kernel then ends all that
// is inside. Reap is for what even that left.
//
// Where the kernel allows no isolation the same commands run as plain process groups with a clean environment,
// and Capabilities says so.
package process

//go:generate sh -c "CGO_ENABLED=0 GOOS=linux GOARCH=$(go env GOARCH) go build -trimpath -ldflags '-s -w' -o builtinit/init_linux_$(go env GOARCH) ./sandboxinit"
