// Package access holds who may do what where: spaces, roles, bindings and memberships, and the one Authorize.
//
// A right is an action ("run:confirm") in a space. Spaces form a tree under "default"; a right in a space holds in
// every space below it and in no other. Rights come from RoleBinding documents, which give a role in a space to users,
// groups and machines; groups nest. Nothing takes a right away that a binding gives, save the scopes of the token or session.
// A session may be lent roles and groups by login policies (lent.go): they count in it alone, and as its end does they end.
//
// Trust follows the tree as well: a document counts only as far as the space of its source reaches.
//   - a Space may only be hung below its source's space;
//   - a RoleBinding binds only in its source's space or below, and only roles declared in or above the space it binds in;
//   - a machine, which belongs to a space, acts only there and below;
//   - a policy lends roles only in the space that it holds in or below, and membership only of groups declared there;
//   - a membership counts only when it was declared in or above the space of the group that it leads into.
//
// So an administrator of one space can make nobody, themselves included, mightier in a sibling or a parent space.
//
// The documents' projections are written in the transaction of the document's change. Each server keeps a compiled
// snapshot; it is marked stale by this server's own commits, so that a revoked right is gone with the next call, and it
// is woken by the commits of other servers. Authorize before opening a transaction: the snapshot is never read in it.
package access
