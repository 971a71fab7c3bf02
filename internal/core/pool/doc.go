// Package pool keeps worker pools: where steps run that the server does not run itself, and the agents that run them.
//
//   - A WorkerPool is a document of a space. Stacks of that space may name it, and stacks of the spaces below where it is
//     shared. It is restricted: it takes pool:admin.
//   - An agent shows a token of its pool. Tokens are of this room alone and nothing else takes them: all that one opens is
//     the hub of its pool (Hub). Only their hashes are kept.
//   - An agent is a row by its name in its pool, from its first hello on: the folder that it keeps (home), the process that
//     it is (life), and when it was heard of last. One of another folder with the name of one that lives is refused. A new
//     life gives back what the earlier one held. Who has been silent for long is gone, and later forgotten.
//   - A pool, or one agent, is drained: it goes on with what it has and is given nothing more, from that transaction on.
//
// Invariants:
//   - An agent is given steps of its pool alone, of spaces that the pool serves now, and reads and reports what is leased to
//     it and nothing else.
//   - Of two processes that say to be the same agent, the newer one is; the other is refused from then on.
package pool
