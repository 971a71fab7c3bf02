// Package lfs brings files of Git LFS from a repository elsewhere, and sends them there: the batch API with basic transfers.
//
// Whom it talks to is somebody else. What it answers is bounded in size and in time, what is brought is bounded by the size
// that its pointer tells, and whoever keeps it checks its name, which is its SHA-256. Credentials go to the host of the
// repository alone, and what a batch gives for one file to the host of that file alone, whatever redirects say. No address
// that a batch names is told in an error: it may hold what opens it.
package lfs
