// Package delivery brings what a repository's folder says to a cluster: render, diff, sync, health, rollback.
//
// An Application is Argo CD's document. Its branch's head is deployed once the pipeline of that commit has passed
// and the stack that it names has been applied; each deployment is a run of kind "sync":
//
//	queued → syncing → progressing → succeeded
//	                 → rolling-back → failed       health did not come: the last good revision is back
//	       → failed                                nothing was applied
//
// Invariants:
//   - Everything that is deployed comes from one commit and the newest outputs of the stack; images of the embedded
//     registry must belong to a repository that the application's space may use.
//   - A revision that failed is not tried again by itself; a new commit, new outputs or a person's sync is needed.
//   - One sync at a time for an application: the run holds its lock.
//   - What is rendered of a repository holds no secret value: outputs are added when it is applied.
package delivery
