// Package identity knows who is who: principals, and the tokens, sessions, sign-in links and workload tokens by which
// they show it.
//
//   - A principal has an opaque id (pri_…), which is all that the ledger and other rooms keep. Users are the projection
//     of User documents; machines are made in a space and act only there and below.
//   - No secret is stored: only its SHA-256, and secrets are 256 random bits. A token is shown once, when it is made.
//   - Whoever is deleted can do nothing from that commit on: their tokens, sessions and links end with it. Of a person
//     nothing but the id is kept.
//   - A token can be narrowed by scopes and never made by a narrower or shorter one.
//   - Login policies may lend a session roles and groups, or hold it to what a developer may (lent.go). What a session is
//     lent no token has.
//   - A workload's token belongs to one step of a run, holds its scopes in its space, and ends with the step.
//
// What a request costs is one indexed read; the time of the last use is gathered in memory and written once a minute.
package identity
