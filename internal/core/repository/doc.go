// Package repository holds the repositories that the platform hosts: who may read and write them, where they are on
// disk, and what was pushed.
//
// A repository has an address (NAMESPACE/NAME, compared without case) and belongs to a space, which its rights come
// from. On disk it is a bare folder named after its id, so that a new name or space moves nothing.
//
// A push and the ledger. References live in git's files, the ledger in SQL, so no transaction spans them. Therefore:
//
//  1. The pack is received and checked; nothing has changed yet.
//  2. The repository is locked, by a lock that the git process holds too, and its row is marked dirty with who pushes.
//  3. git moves the references.
//  4. Settle compares git's references with the rows of repository_refs and, in one transaction, writes the rows, one
//     repository.pushed entry for each difference, and takes the mark away.
//
// A crash at any line leaves either nothing or a mark; marked repositories are settled when the server starts, after
// what is left of the git process has ended. Settle is level-triggered: run twice, it finds no difference the second
// time. So each change of a reference has exactly one entry.
//
// Packing drops what no reference leads to. It takes a second lock, which every push holds from before it is checked until
// its references have moved, so that nothing is dropped that a push builds on. A repository that is deleted ends what is
// being served of it.
//
// A deleted repository keeps its row, its name and its folder until its purge time: to everybody but who restores it there is
// none. Then Run removes it: first the row, in the transaction of the entry, then the folder, of which a crash leaves an orphan.
//
// Entries: repository.created, repository.pushed (Data: repository, ref, old, new, platform, options; the zero hash for what
// was not or is no more), repository.changed, repository.renamed, repository.transferred, repository.deleted,
// repository.restored, repository.purged. Their subject is "repository:NAMESPACE/NAME". What hangs on a repository hides or waits when it is deleted,
// and goes when it is purged.
//
// Rights: repository:read, write (push, commit), create, admin (rename, transfer, settings, delete). Whoever may not
// read a repository learns nothing of it: it is fault.NotFound.
package repository
