// Package discovery brings whole organizations of a forge into the catalog: the repositories that have a file for it, the
// teams and the people.
//
// A Discovery document names an integration and an organization (on GitLab a group, with those below it). It is looked at again
// and again (reconcile.go), when a webhook tells of its repositories, and when somebody asks. A look lists everything
// page by page, by conditional requests. Of a repository that has moved since, the forge is asked for the file; where
// there is one, the repository is connected (core/repository) and the Discovery holds a location of the catalog for it. Teams and
// people are one source of the catalog, brought as a whole set.
//
// # States
//
// A Discovery is unknown (not looked at yet), healthy, held (more would go at once than may: all of it stays until that is
// allowed), limited (the forge's limit is reached; it goes on by itself), refused (the credentials don't see the organization),
// away (the forge does not answer) or broken (the document can't work). A repository is registered, without (it has no file),
// excluded, pending (not asked for its file yet) or failed.
//
// # Invariants
//
//   - A look that fails half way takes nothing away. What a list lacks is asked for by itself before it counts as gone.
//   - A repository is known by its id at the forge, so that another name changes nothing but that name.
//   - An organization that is as it was costs conditional requests, and no write but the time of the look.
//   - Each transaction holds the row of the Discovery at the generation of its look: a later look, a changed document or the end of
//     it ends an older look.
//   - Users and Groups are taken by the word of an administrator alone: whoever applies a Discovery is one, and a location that brings
//     one needs to be trusted for them too.
//   - An integration is used in its own space, or from a space above it, so that nobody reaches a forge by a Discovery who could
//     not have used the integration.
//   - Everything that a forge gives is bounded.
//
// Rights: a Discovery is restricted, and takes space:admin; reading one takes entity:read in its space, the repositories that it
// found location:write, and a look location:write.
package discovery
