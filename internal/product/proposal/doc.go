// Package proposal keeps proposals: changes of a repository that are looked at before they are merged.
//
// A proposal brings a source branch into a target branch of the same repository. It has a number of its repository's
// own, a head (the source's commit, moved by pushes), comments and reviews, and checks of its head. What stands in the
// way of merging it is worked out by one pure function, blockers, from what the BranchRules of the repository demand
// (rule.go), what reviewers and owners said of the head, what the checks say, and how the two branches stand to each
// other; the same function decides on the merge itself, under the repository's lock.
//
// A BranchRule is a document. Rules add up: of several that hold for a branch the strictest of each demand counts, so a
// further one never loosens anything. A rule of a space holds in the spaces below it.
//
// Ledger: proposal.opened, .edited, .pushed, .closed, .reopened, .commented, .reviewed, .merged; their subject is
// "proposal:NAMESPACE/NAME#NUMBER", with "repository:NAMESPACE/NAME" and the repository's id among the references.
//
// Invariants:
//   - What is merged is what was seen: a merge names the head, and moves the target from the commit that the blockers
//     were worked out for.
//   - A review counts for the head that it was given to; a push ends it, where a rule says so.
//   - One open proposal for one source and target.
//   - Pushes reach a proposal through the ledger, in its order, each once.
//
// Rights: repository:read to see a proposal, repository:write to open, comment, review and merge one.
package proposal
