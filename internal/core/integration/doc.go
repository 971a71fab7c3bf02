// Package integration joins the platform to outside forges: which there are, with whose credentials, and how they do.
//
//   - An Integration is a document: a forge, its address, references to the secrets with its credentials and with those
//     that its webhooks are signed with. It is restricted: it takes integration:admin in its space, and no repository
//     brings one unless an administrator trusts it for that.
//   - Forge gives the forge of an integration. It is built once for each version of the document and of its secrets, and
//     kept, so that conditional requests and what is known of the forge's limit hold. Secrets are read of the document's
//     space and those above it.
//   - Each integration is tried when it changes, every ten minutes or so, and when someone asks: whether the forge knows
//     the credentials, what they lack, whether the organizations are seen and git's credentials can be had. The newest
//     result is a row; only a result that differs becomes an entry in the ledger (integration.healthy,
//     integration.failed).
//
// Its states: unknown (not tried yet), healthy, lacking (credentials with too few rights), refused (wrong or ended
// credentials, or what they may not see), limited (the forge's limit is reached), away (no answer, or none in a known
// form), broken (the document or its secrets are wrong). Whoever uses an integration asks the forge and takes its own
// fault: the state is for people, and holds nothing up.
package integration
