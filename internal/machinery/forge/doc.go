// Package forge is the contract of an outside forge: GitHub, GitLab, Gitea. Its bodies live below it; the suite that
// each of them passes is forgetest. Machinery only: rights, credentials and records are the caller's, and so is the
// copy of a repository that git reads (core/repository).
//
// A body is one file for each part of the contract, over the forge's own client library where there is a good one, on
// Transport, which is the same for all of them: it asks conditionally for what it has seen, repeats what may be
// repeated, keeps to the forge's limits, and turns answers into faults.
//
// # Names
//
// A repository is named OWNER/NAME as the forge writes it; where groups lie in groups, OWNER has slashes itself. Its ID
// stays when it is renamed. A proposal is what a forge calls a pull request or a merge request; a check is a
// status, a check run or a pipeline's job, by its name.
//
// # Errors
//
// All methods give faults: Unauthenticated (the credentials are wrong or have ended), Denied (they lack a right, which
// the message names as far as the forge tells), NotFound (also what the credentials may not see), Conflict (a name is
// taken, a merge has conflicts), Stale (the head moved), Invalid (the forge refuses what was asked, with its words),
// TooLarge, Exhausted (the rate limit is reached; Retry tells how long), Unavailable (the forge does not answer, or not
// in a form that is known; it may be asked again).
//
// The platform's own git passes the same suite, through an adapter over its services (internal/server,
// TestHostedGitIsAForge), so that what holds of one holds of the other.
//
// # A further forge
//
// Write the methods of Forge and Hooks, run forgetest.Test against a real server or against a fake whose answers are
// checked against the forge's own description, and forgetest.Trouble against one that answers badly, and add it to core/repository's list of kinds.
package forge
