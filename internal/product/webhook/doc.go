// Package webhook sends what policies have to say to addresses outside, such as those of chats and pagers.
//
// A Webhook (kind.go) names an address of a space. A message is for one webhook; it is kept until it is taken:
//
//	waiting → sent     answered with 2xx
//	        → failed   refused, tried for about five hours (so is one whose secret is missing), not sent within a day, or
//	                   the webhook is gone
//
// Rights: integration:admin declares a webhook in its space, integration:read shows what became of its messages. Nobody but
// the platform sends: who may have what sent is the caller's to say, within the bounds below.
//
// Invariants:
//   - A webhook takes messages about its own space and those below. Policies of its space and above use it, those of
//     spaces below only where it is shared.
//   - What is dialled is looked at (machinery/outbound), and no redirect is followed.
//   - Neither the address, which may be a secret, nor what was answered is kept or told: reasons are fixed words (reason.go).
//   - A message is sent at least once; its id is in X-Roadbed-Message. What has the same key is one message.
//   - Its secrets are of its own space. What they sign begins with the id and the time, which no policy chooses.
//   - A webhook that goes to another space takes none of its messages there.
//   - Of one space, two messages are on their way to one webhook at a time (flight.go). No space uses up what waits, or what is
//     on its way, for others.
package webhook
