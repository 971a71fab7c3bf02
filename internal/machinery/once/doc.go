// Package once keeps the answers to requests that carry a key of their sender's, so that a request that is sent
// again, because its answer was lost, is answered again and not done again.
//
// What a request changes is marked in the transaction of the change. So it is known of a request that a crash cut off
// whether anything came of it: if nothing did, it is done when it is sent again; else its sender is told to look.
package once
