// Package trigger lets events start actions: a push to a repository starts a workflow.
//
// A Trigger is a document. Every push that it names becomes one event of the trigger, with an outcome: started
// (and which run), skipped (and why), or refused (and what to change). The workflow is read from the repository at
// the pushed commit, so a push is built by its own pipeline.
//
// Invariants:
//   - One trigger starts at most one run for one commit, however often it is asked.
//   - A push by the platform itself starts nothing.
//   - A Trigger that is new or changed looks at the head of its branches, so that it does not matter whether the
//     push or the document was first; at the commit below when the head is one of the platform's own.
package trigger
