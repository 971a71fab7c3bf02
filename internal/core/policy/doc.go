// Package policy answers at the named points of the platform (plan, approval, push, deploy, …) by Rego documents.
//
//   - A Policy holds in the space of its source and in all below. A decision unites the policies of its space and of
//     those above: what they deny, reject or warn of adds up; what they grant (approve, allow) counts only when every
//     policy that speaks of it grants it, so nobody weakens a higher space's policy by a lenient one of their own.
//   - What can't be decided (a runtime error, a time limit, too large an input) is denied, with the reason.
//   - Every decision is recorded with its input, from which what an engine marks as sensitive is taken out first: the
//     policies see what is recorded, so a changed policy can be replayed over it and gives the same answer twice.
//   - A policy may be attached to labels or subjects within its space: it is asked about nothing else there.
//   - Rego may be written in the syntax of version 1 or 0, in package roadbed, roadbed.POINT or spacelift. Whatever
//     reaches out, reads a clock or throws dice is not available.
//
// What the shipped policies read of their input, so what the products give, besides whatever else helps:
//
//	plan      terraform (the plan as JSON: resource_changes[].{address, mode, change.{actions, before}}), run.type
//	push, trigger, notification, login, initialization, task: as Spacelift has them
//	approval  run.author, reviews.current.{approvals, rejections}[].author; authors are opaque ids (pri_…)
//
// A caller goes on when nothing is denied; a run that waits for approval, when "approve" is among the outcome. A rule
// that only holds (true) says the policy's description. OPA is compiled into this room alone; nothing of it runs before
// the first policy is validated or asked.
package policy
