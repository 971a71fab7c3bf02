// Package hook keeps what forges send: the deliveries of webhooks, from the moment in which one is taken until what
// follows of it has happened.
//
// An integration, named NAMESPACE/NAME, is whose webhook it is; core/integration holds how its deliveries are read and
// signed. A delivery is taken in one short transaction and answered; everything else is done by jobs:
//
//	received ──sort──► ignored (nothing follows such events, or the integration is gone)
//	   │  ▲            done    (a ping)
//	   │  │            failed  (it can't be read)
//	   │  └── backoff ──────┐
//	   └──handle──► done, ignored, or failed (its attempts are used up)
//
// Sorting reads what a delivery is about, in the order in which deliveries came. Handling hands the events of one
// repository, one after the other and in that order, to the rooms that are connected. A person may have a delivery
// handled again (Redeliver).
//
// # What is once, and what is twice
//
// The signature is looked at before anything is kept. What forges sign is the body; the id of a delivery is not signed,
// save by GitLab with a signing token. So a delivery is known by its id and by the digest of its body, within its
// integration, for as long as its row is kept:
//
//   - The same id again: the forge repeats itself. It is counted; when the first one failed it is handled again.
//   - The same body under another id: either somebody replays it, or it is true again (a branch that went back and forth,
//     and two webhooks for one repository). Of a push nothing is believed but that there is something to look at, so that
//     its row is handled once more; everything else carries ids and times of its own, is the same, and is counted only.
//
// In no case is there a second row, so that a replay fills nothing. Handlers are idempotent and level-triggered: an
// event tells them where to look, never what is true.
//
// # Invariants
//
//   - Whoever was told that a delivery is taken will find it, whatever happens to the server.
//   - What is not signed leaves nothing but a number (Traffic); it is answered like a delivery for an integration that
//     does not exist.
//   - A delivery that was repeated or redelivered while it is handled is handled once more (rounds).
//   - Payloads go before rows: see Retention. What has not been handled is never dropped; when it is too much, nothing
//     more is taken (fault.Unavailable), and the forge's page shows it as failed.
//
// Entries: hook.failed and hook.redelivered (Data: number, delivery, kind, name, repository, reason), hook.registered
// (Data: target, id). Their subject is the integration. A delivery that goes well has no entry: what follows of it has.
//
// Rights, in the integration's space: integration:read for deliveries, integration:admin for their payloads, Redeliver
// and Register.
package hook
