package git

import "time"

// SetIdle says how long a client is waited for.
func (g *Git) SetIdle(d time.Duration) { g.idle = d }

// SetMemory says how much memory a process may take.
func (g *Git) SetMemory(bytes uint64) { g.memory = bytes }

// ServeShare is how many requests of one client are served at the same time.
const ServeShare = serveShare

// TreeEntries is how many entries of a folder are kept.
const TreeEntries = treeEntries
