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
//   - An application uses what its space may use: repository, images and stack of its space or one below, and one
//     namespace, which is its space's alone or that of a space below.
//   - Objects that an application leaves (no prune), because it was deleted or goes elsewhere, stay its space's, with
//     their namespace and its name. An application of that name there takes them up again; a sync with prune, away.
//   - Nothing is applied before everything is read, checked and asked of the deploy policies.
//   - A sync and its rollback keep to what the document said when the sync was asked for (Way). Rights are asked each
//     time that something is applied; an application that moves to another space takes no sync along.
//   - A revision that failed is not tried again by itself; a new commit, new outputs, a changed document or a
//     person's sync is needed. What was gone back to is kept as it is until then.
//   - One sync at a time for an application: the run holds its lock, and its end asks for another look.
//   - A step that is done twice finds what it has done; what it recorded first stands.
//   - Values of Secrets are in no diff, log, ledger entry or policy input.
package delivery
