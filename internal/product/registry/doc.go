// Package registry keeps Terraform modules and providers for those who may read them.
//
// A Module (kind.go) names a folder of a repository, and the address SPACE/NAME/SYSTEM under which engines find it. A tag such as
// v1.2.0, or module_version in the repository's configuration, makes a version of it (reconcile.go): the folder at that commit as an
// archive (pack.go), what its files declare (inspect.go), and the tests that its configuration or its examples ask for (config.go).
//
// States of a version, in registry_versions.state:
//
//	testing → ready    all its tests passed, or it has none
//	        → failed   a test did not pass, or the folder can't be packed
//
// Push policies with the rule module_version make versions of pushes as well (release.go).
//
// A person who says why may yank a version in any state, and take that back. What is yanked is not offered to who resolves
// versions; its archive can still be fetched by who has its address. Each test is a run of the kind testing (testing.go):
//
//	queued → applying → destroying → finished
//	                               → failed, canceled
//
// It applies the archive, and always destroys after it what the state says is there. A negative test passes when planning or
// applying fails. Tests that depend on others wait for them.
//
// A Provider (provider.go) has versions that are uploaded: archives by platform, their sums, and a signature of the sums by a key
// that its document lists. A version is offered when all archives that its sums name are there, and as long as the document lists
// the key.
//
// Rights: module:read or provider:read, in the space of the thing, in one that it is shared with, or in one below that; who has
// neither learns nothing of it. module:write to yank and to test again, provider:write to publish and to yank, in its space.
// A step of a run reads what its own space may.
//
// Invariants:
//   - A version of a module never changes: its archive, its commit and its content are those of the first look. That its tag
//     has moved since is said of it, and changes nothing else.
//   - No version is offered that has not passed its tests.
//   - No archive holds a link, a name that leads out, or more than the bounds allow; equal folders give equal archives.
//   - Only a version of a provider whose sums were signed by a listed key is kept, and only archives that its sums name.
package registry
