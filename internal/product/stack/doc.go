// Package stack is infrastructure as code: plan, policy, review, apply, and the state that they share.
//
// A Stack is a document that names a repository, a branch and a folder. A push that touches the folder starts a
// tracked run at that commit. Its states are Spacelift's:
//
//	queued → ready → planning → judging → finished                       nothing to change
//	                                    → unconfirmed → confirmed → applying → finished
//	                                    → failed                         a policy denies
//	                                    → pending_review → finished      a preview that a policy warns of
//	unconfirmed → replan_requested → planning                            of what somebody chose of the plan
//
// What plans and applies is OpenTofu or Terraform, or another tool by the same contract (tool, in vendor.go).
//
// A run that a push policy has wait for something outside stays queued until that is marked (external.go); a marking holds for
// a space and a name, before and after the push. Approval policies that are written for Spacelift are asked then, too
// (approval.go).
//
// A proposed run ends after judging and holds no lock; tracked and destroy runs hold the stack's lock from ready to
// their end, so a stack has at most one of them under way.
//
// A StackSet makes a stack of each folder of a branch that fits (set.go); its stacks are documents of its own source. A
// PriceList tells what plans cost (price.go, cost.go).
//
// A proposal into the stack's branch that touches its folder has a proposed run at its head (preview.go), which takes the
// place of that of an older head. How its stacks stand is said in the platform's one comment of it (feedback.go), and
// comments command them (comment.go).
//
// Invariants:
//   - An apply runs exactly the plan that was judged and confirmed, by its digest, and at most once: a lost worker
//     fails the run and never repeats the apply by itself.
//   - A run whose plan was denied is never applied; a confirmation is decided by the approval policies at that moment.
//   - State versions are never overwritten; a write under another's lock, or with an older serial, is refused.
//   - A state that an engine could not write is taken up after it. What a run has written counts for others (Outputs) when
//     the run has finished.
//   - What changes infrastructure is at a commit of the stack's branch. The state of a stack is for a stack of its name
//     in its space alone: none changes its space while anything of it is there.
//   - What push and trigger policies start is what anybody could: at commits of the branch, by the rules of reviews. One run
//     of a push's commit and type, one of each stack after a run; a workflow of triggered runs has an end.
//   - Runs of schedules are of nobody: who declares one holds what its runs take by hand. What a file says that anybody may push
//     runs no task.
//   - What begins by itself of a stack without a repository is of the upload that was applied last, and of none that was not.
//   - A stack that was destroyed at its time is deleted only when its state holds nothing and its document still says so.
//   - What people do to a state (roll back, push, move) is a new version with a higher serial, in a transaction that holds
//     its lock while no run holds the stack.
//   - The table of resources holds what the newest version of each state does, changed in its transaction. It holds no
//     value of a sensitive attribute.
//   - A replanned run is confirmed by somebody, however its stack is deployed. Who chose is among its authors; where a part is
//     applied, what counts as applied, and by whose changes, stays as it was.
//   - A set takes no stack away whose state holds something. Stacks whose folders would get one name are not made.
//   - A lock that a person takes holds the stack too, so that runs wait for it in the queue.
//   - Of a tool that writes no state at the door, the platform writes one after each apply, also one that failed, within the
//     run that holds the stack: what may be there is never forgotten.
//   - What comes from a fork is planned when a policy allows it, or at the very head that somebody who may plan has seen.
//   - A run that waits for what is outside has no lock and no place in the queue; a run that was begun after it and changed the
//     stack cancels it, so that no older commit is applied after a newer one.
//   - A state lock taken by a run's step is free as soon as that attempt has ended, since its token has died with it.
package stack
