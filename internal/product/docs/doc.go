// Package docs shows the documentation that lives beside the code: the pages of Markdown of a repository, and the
// definitions of APIs.
//
// An entity's docs are where its annotation backstage.io/techdocs-ref says ("dir:./docs-site" relative to the file that
// declares it, "url:" of a repository known here), or, without one, beside that file: mkdocs.yml, docs/, or a README alone
// (place.go). A site is what is there at one commit: its pages, their order, its title (site.go, config.go). A page is
// rendered by docs/markdown when it is asked for, with its links made to lead where they would in MkDocs (link.go).
// Nothing is built or kept but in a cache by commit, so a push is visible at once and an unchanged commit starts no git
// process.
//
// A check (check.go) reads all pages of a site and tells each link that leads nowhere, with file and line; of an entity, or
// of files that somebody sends before they commit them.
//
// For search and for lists the room keeps a projection: docs_sites, docs_entities and docs_sections (store.go). It is
// level-triggered: entities that changed are looked at by themselves ("docs.entity", "docs.many"), which asks the catalog where
// each is declared and what it says; a push enqueues "docs.look" of the repository, which asks git what the pages are, and looks
// at all entities that are declared there where they are few, one is gone, or the repository or a location is another one by
// now. Each writes what differs. A change of a site's pages, or of the entities whose docs it is, has an entry docs.changed in
// the ledger (Data: site, commit, pages, broken), whose subject is the repository. Projection gives search what is there.
//
// A site's sections are written as a version of theirs, a part after another, beside those that the site shows (version.go); the
// last transaction has it show them. docs_versions names what no site shows, and each look at a repository ends what somebody
// still writes there and sweeps it. So a reader sees all sections of one reading, whoever is killed and how many read at once.
// What says the same as before is not written.
//
// The definition of an API (an entity of kind API) is its document's spec.definition; docs/definition reads the formats and
// tells what changed between two versions, and what of it breaks who uses it.
//
// Rights: entity:read for the entity and repository:read for the repository that its docs are in; whoever lacks one learns
// nothing of them (fault.NotFound).
//
// Invariants:
//   - What a repository says is never trusted: pages are held to an allowlist, files are served so that no browser runs
//     them, and nothing outside of the repository's commit is read.
//   - No transaction writes or deletes more than some hundred sections.
//   - Every page, site, list and time is bounded; what is beyond a bound is said, not silently left out.
//   - The projection is only for finding. What is read is always the repository at its commit, as the reader.
package docs
