// Package toolchain keeps the programs that plan and apply infrastructure, OpenTofu and Terraform, by their versions: those
// that the machine has anyway, and those that are downloaded, with signatures and checksums verified, into a folder of
// its own.
//
// The folder has one program a version:
//
//	tofu/1.12.6/tofu            the program
//	tofu/1.12.6/record.json     its SHA-256, and from where it is; see record
//	tofu/versions.json          the versions of which the releases' site has told last
//
// Whoever has no network carries programs there by hand, at the first of these paths.
//
// Invariants:
//   - Nothing is kept whose checksum is not that of a list which the maker's key has signed. What is kept is looked at
//     again in each life of a process before it is used: one that was changed is removed.
//   - Several processes may share the folder: a version is brought by one of them at a time, and is there whole or not
//     at all.
//   - What was downloaded takes at most Options.Room; what was used longest ago goes first. What was carried there stays.
package toolchain
