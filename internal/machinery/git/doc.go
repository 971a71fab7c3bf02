// Package git serves, reads and writes bare repositories with the git program. It knows no product noun: a
// repository is a folder, rights and records are the caller's.
//
// Every command runs with an environment of its own: nothing of the server's environment, of the machine's or of
// a user's configuration reaches it, no transport is allowed but the one that is served and, towards a remote, HTTPS,
// and nothing is asked on a terminal. Names that come from outside are checked here before they reach a command line,
// output is bounded, and the end of a context ends the whole process group: first by SIGTERM, at which git removes its
// lock files and its quarantine, then by SIGKILL. The end of the server, however it comes, does the same.
//
// A remote is another server's repository: what is fetched from it is received apart and checked as a push is, before any
// reference moves, and the credentials for it reach git by a pipe.
//
// A developer waits for each process that a push starts. Therefore what a small push brings, which git keeps as loose
// objects, is read without git (loose.go), and git is asked about what stands in packs or was there before.
//
// References below refs/roadbed/ and refs/proposals/ belong to the platform: they can't be pushed to. The former are
// never advertised; the latter are fetched by whoever names them, and no clone fetches them unasked.
package git
