// Package repository is the one door to the repositories, those that the platform hosts and those that live at a forge: who
// may read and write them, where they are on disk, and what was pushed.
//
// A repository has an address (NAMESPACE/NAME, compared without case) and belongs to a space, which its rights come
// from. On disk it is a bare folder named after its id, so that a new name or space moves nothing.
//
// The files go by what they are about: push_… what a push meets on its way, settle.go and reconcile.go the record of it;
// outside_… what lives at a forge; import… and pushmirror… what is exchanged with any other address (exchange.go, remote.go);
// large… Git LFS.
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
// Whoever is told of a push asks the same of its commits: what git said of them a moment ago is told again (recent.go).
//
// Packing drops what no reference leads to. It takes a second lock, which every push holds from before it is checked until
// its references have moved, so that nothing is dropped that a push builds on. A repository that is deleted ends what is
// being served of it.
//
// An outside repository lives at a forge. Its row is like a hosted one's, with one of repository_outsides; its folder is a
// mirror, whose references move by fetch in place of by push, under the same lock and mark, and are settled in the same way.
// A look (outside_refresh.go) asks the forge what the repository is now, and fetches what has moved; those who ask for one at the
// same time share it, and what goes wrong is in the row. The loop (outside_watch.go) looks when nobody told of anything; Handle
// (outside_event.go) takes what webhooks tell. What is changed here moves at the forge first (outside_write.go), with a lease, after it
// was written down by whom: a fetch that finds it records it as theirs, whatever was killed. Only one at a time speaks with
// the forge of a repository, so that no older list of references is taken for a newer one.
//
// One that is connected with ContentAPI (outside_content.go) has no mirror until somebody needs one. Until then its files are what
// the forge's API gives, and its rows are the references that somebody asked for or was told of, which are compared by API; they move
// in one transaction with their entries, without a mark, since no folder moves with them. Whether they are all of its references is
// in its row (complete), from the first settlement of a mirror on: before that, a reference that is new to the rows was not pushed,
// unless the forge told so, and no entry tells of it but for the default branch's; after that it was, also while the mirror is
// dropped again, when git lists the references without a folder. What the API does not tell as git would (links, lists that are cut)
// fills the mirror. A forge that does not answer as it should says nothing of files: that is fault.Unavailable and not
// fault.NotFound.
//
// The mirrors are the cache of clones (outside_mirror.go): filled apart and whole before they are in their place, dropped when
// they take too much and nobody reads them. Readers say so (reach, use), and lack nothing that the forge has.
//
// A deleted repository keeps its row, its name and its folder until its purge time: to everybody but who restores it there is
// none. Then Run removes it: first the rows, in the transaction of the entry, which leaves one that says that the folder is to go;
// then the folder, then that row. What a crash cut off goes on when the server starts.
//
// Imports and mirrors are rows that say when they are due; what is due is done in this process, and its outcome, written in
// one transaction, says when next. So a crash only has it done again: an import fetches what is missing, a mirror compares
// both sides. What an import brings is checked and recorded as a push is. Files of Git LFS (large_far.go) come after the
// references that lead to them, and go to a mirror before; the row says for which references all of them are through, so
// that only what is new is looked for. What is at a mirror and was neither pushed there by
// it nor is part of what is here is somebody else's, and left alone unless it is forced.
//
// Entries: repository.created, repository.pushed (Data: repository, ref, old, new, platform, options; the zero hash for what
// was not or is no more), repository.changed, repository.renamed, repository.transferred, repository.deleted,
// repository.restored, repository.purged; of an imported one repository.imported, repository.import-failed and
// repository.import-canceled; of an outside one repository.connected, repository.troubled and repository.recovered (Data: kind,
// message), and repository.proposal (Happened); mirror.added, mirror.removed, mirror.failed, mirror.recovered. Their subject is
// "repository:NAMESPACE/NAME"; a push names the entities that it touches among its references. What hangs on a repository hides or waits when it is deleted, and goes when it is purged.
//
// Rights: repository:read, write (push, commit), create (with integration:use for an outside one), admin (rename,
// transfer, settings, delete). Whoever may not
// read a repository learns nothing of it: it is fault.NotFound.
package repository
