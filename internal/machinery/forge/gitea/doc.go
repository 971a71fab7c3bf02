// Package gitea is the body of forge for Gitea and what is like it (Forgejo), over the REST API v1 that both have.
//
// It speaks to the API itself and not by Gitea's client library: that one has a context for a client and not for a
// request, asks for the server's version before its calls, and reads whole answers, where the contract wants bounds; and
// the events of webhooks have the API's objects, which are declared here once for both.
//
// What Gitea has in its own way:
//
//   - A draft is a proposal whose title begins with WIP; that is added and taken away here, so that titles are without it.
//   - Gitea tells whether a proposal can be merged, not why it can't: it may have conflicts or be looked at still.
//     GetProposal asks again for a moment before it says conflicts; lists and events leave it unknown. Protected branches
//     are not in it: a merge that they forbid is a Conflict.
//   - There are no pings, and of repositories only their making and their end are told. Each new branch or tag comes as a
//     push and once more as "create", which is therefore KindOther. A deleted one has no old commit.
//   - Events of reviews have no id.
//   - A token tells its scopes since Gitea 1.27; the patches of a comparison are there since 1.27 too.
//   - Lists are read by numbered pages: what is added or deleted between two reads may double or hide an item.
package gitea
