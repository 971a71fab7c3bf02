// Package tfe speaks the remote protocol of Terraform and OpenTofu (TFE v2, JSON:API below /api/v2/), so that `cloud {}` and
// `backend "remote"` plan, apply and keep their state here, and `terraform login` signs in.
//
// An organization is a space, whose name it has; the root space is "default". A workspace is a stack in it, by the stack's
// name: one that is missing is made as a stack without a repository, where the caller may write documents. A stack that
// has a repository can be planned from a terminal, and not applied. Its variables are those of its document, a variable set
// is a Context, a tag one of the document's tags, and one with a value a label of it.
//
// Everything is asked of the rooms, which authorise: what the caller may not see is answered as if it were not there.
// Links that clients follow without their token (uploads, logs) hold a pass: the token that asked for them, sealed, with
// what it opens and until when.
package tfe
