// Package oidc gives steps of runs tokens that clouds trust (OpenID Connect), so that no key of a cloud has to be stored here.
//
//   - The issuer is the server's own address. A verifier finds the public keys at Discovery and Keys, and needs no
//     secret of ours.
//   - A token is signed when a worker takes a step, for that step alone, and ends after TokenTime. It is never stored;
//     the ledger has its id (jti) with the run and the audience.
//   - Private keys are sealed where they are stored, and made when they are first needed. One that is replaced signs nothing more
//     and its private half is forgotten; its public half is shown until the last token that it signed has ended.
package oidc
