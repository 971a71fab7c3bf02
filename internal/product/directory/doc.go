// Package directory brings people and groups from where a company keeps them: an identity provider that provisions them by
// SCIM 2.0, or an LDAP server such as Active Directory that is read again and again.
//
//   - A Directory is a document. It is restricted: whoever declares one says who people are, which takes space:admin.
//   - What a directory says becomes User and Group entities of the catalog, by Catalog.Bring and under a source of the
//     directory's own ("directory:NAMESPACE/NAME"): versions, history, conflicts and rights are the catalog's. Memberships are
//     in the User documents, and nested groups in Group documents as children.
//   - What is sent by SCIM is kept in rows, in the transaction of the request and its ledger entry (directory.written), and
//     marked stale until its entity is as it says. That is done before the request is answered, and by the next look should
//     it have been cut off. An entity keeps its name while its resource is there, whatever becomes of its userName.
//   - A person who is not active, or is deleted, has no entity: tokens and sessions end with it.
//   - An LDAP server is read whole, within bounds and over verified TLS. What could not be read to its end changes nothing;
//     what is as it was writes nothing in the catalog; more than may go at once is held back.
//
// Its states: waiting (nothing has come, or it was not read yet), healthy, failing (it could not be read, with the reason).
// A change of state is an entry in the ledger (directory.healthy, directory.failed).
//
// Rights: directory:read; directory:write to provision by SCIM and to have one looked at now, which a token may be narrowed to
// (directory:write=NAMESPACE/NAME).
package directory
