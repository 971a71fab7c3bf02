// Package container runs commands in containers of an engine on this machine, by the API that Docker has and Podman serves
// too. Each command has a container of its own, which is gone when the command is.
//
//   - A step sees the files of its image read-only, its workspace at /work, a private /tmp, and the mounts of its Spec. Its
//     network is loopback alone, unless the Spec asks for the host's.
//   - The first process inside is ours (package sandbox), as in the process executor: it gets the command, its environment and
//     its files by a socket, so that secrets are in no container's configuration and output in no engine's log. It takes all rights
//     from the command, which never runs as root, and ends when the server is gone; its end is the container's.
//   - Memory, processes and processor time are bounded by the engine; time, output and disk by package group.
//   - Images are those of an allow list. One that is not there is pulled, within a time.
//   - What earlier lives left is found by the labels of containers, of which the folder's name is one.
//
// The engine must be on this machine: folders are mounted, and sockets passed, that only one kernel can.
package container
