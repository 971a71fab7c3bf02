// Package proposal keeps proposals: changes of a repository that are looked at before they are merged.
//
// A proposal brings a source branch into a target branch of the same repository. It has a number of its repository's
// own, a head (the source's commit, moved by pushes), comments and reviews, and checks of its head. What stands in the
// way of merging it is worked out by one pure function, blockers, from what the BranchRules of the repository demand
// (rule.go), what reviewers and owners said of the head, what the checks say, and how the two branches stand to each
// other; the same function decides on the merge itself, under the repository's lock.
//
// A proposal of a repository that lives at a forge is the forge's (outside.go): follow brings the row to what the forge
// says, whoever asks for that and however often, and what somebody does here is done there by the integration's account
// and then followed. Words that were said here keep their author here. What people of a forge say counts as far as their
// accounts are users' who may write.
//
// A BranchRule is a document. Rules add up: of several that hold for a branch the strictest of each demand counts, so a
// further one never loosens anything. A rule of a space holds in the spaces below it.
//
// A talk about lines keeps the lines as they were, and the commit that they are of; each look at a new head follows them
// there (place). A suggestion is a block of code in a comment; a commit whose message names the comment does it, and the
// look that finds the commit settles the talk, so that nothing lies between the two.
//
// A line /NAME of a comment is a command (command.go): it is kept in the transaction of the comment, and carried out by a
// job as its author, held to what their token was held to. What changes SQL records the outcome in its own transaction;
// what moves branches is looked at before it is done again. Words that other products know (Deps.Words) are passed on by
// the ledger and answered with Answer. A comment that is written at a forge commands as its author, when that is a user's
// account there, the comment is new and nobody changed it (outside_command.go); the forge is answered by one comment. The
// platform's own account commands nothing there, and nothing is approved there by a comment, which names no head.
//
// The platform has one comment of a proposal (voice.go), in which products say how things stand (Speak), each under a
// topic. What is to be said is kept, and a job has the comment be that, here or at the forge.
//
// What is declared of entities is edited where that is (declare.go): by a commit to the branch that the catalog reads, by a
// branch and a proposal where rules or a forge ask for one, or by an apply.
//
// A target that moves makes its proposals stale (target.go): those that it may have merged, those that wait to be merged and
// the newest few are looked at, any other when somebody looks at it or merges it.
//
// A merge announces its commit in the row before the target moves, so that a merge that nobody recorded is found as what
// it was, in each way of merging. What was merged is reverted by what lay between two commits, which the way tells.
//
// References: refs/proposals/NUMBER/head and, while it can be merged, /merge lead git's users to it; heads that were
// rewritten stay readable for those who looked at them.
//
// Ledger: proposal.opened, .edited, .pushed, .closed, .reopened, .commented, .comment-edited, .talk-settled, .reviewed,
// .merged, .asked (owners whose approval is missing), .commanded, .answered; their subject is
// "proposal:NAMESPACE/NAME#NUMBER", with "repository:NAMESPACE/NAME" the repository's id and the entities that it touches
// among the references.
//
// Invariants:
//   - What is merged is what was seen: a merge names the head, and moves the target from the commit that the blockers
//     were worked out for.
//   - A review counts for the head that it was given to; a push ends it, where a rule says so.
//   - One open proposal for one source and target.
//   - Pushes reach a proposal through the ledger, in its order, each once.
//   - The platform's comment is edited and not repeated, also when the answer of a forge was lost.
//   - A comment commands once, whatever ends the server meanwhile, and however often a forge tells of it.
//
// Rights: repository:read to see a proposal and to comment, repository:write to open, review, merge and revert one, and
// for what comments command.
package proposal
