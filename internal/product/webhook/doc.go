// Package webhook sends what policies have to say to addresses outside, such as those of chats and pagers.
//
// A Webhook (kind.go) names an address of a space. A message is for one webhook; it is kept until it is taken:
//
//	waiting → sent     answered with 2xx
//	        → failed   refused, tried for about five hours, or the webhook is gone
//
// Rights: integration:admin declares a webhook in its space, integration:read shows what became of its messages. Nobody but
// the platform sends: who may have what sent is the caller's to say, within the bounds below.
//
// Invariants:
//   - A webhook takes messages about its own space and those below. Policies of its space and above use it, those of
//     spaces below only where it is shared.
//   - What is dialled is looked at (machinery/outbound), and no redirect is followed.
//   - Neither the address, which may be a secret, nor what was answered is kept or told.
//   - A message is sent at least once; its id is in X-Roadbed-Message.
package webhook
