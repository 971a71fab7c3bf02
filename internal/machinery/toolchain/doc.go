// Package toolchain keeps the programs that plan and apply infrastructure by their versions: OpenTofu and Terraform, and
// kubectl, Terragrunt and Pulumi for stacks of these. Those that the machine has anyway count, and those that are
// downloaded, with checksums verified, into a folder of its own.
//
// The folder has one program a version:
//
//	tofu/1.12.6/tofu            the program
//	tofu/1.12.6/record.json     its SHA-256, and from where it is; see record
//	tofu/versions.json          the versions of which the releases' site has told last
//	pulumi/3.274.1/pulumi-*     what Pulumi runs beside it
//
// Whoever has no network carries programs there by hand, at the first of these paths.
//
// Invariants:
//   - Of OpenTofu and Terraform nothing is kept whose checksum is not that of a list which the maker's key has signed.
//   - The makers of kubectl, Terragrunt and Pulumi sign no list with a key that is known here. Of these nothing is kept whose
//     checksum is not the one that the maker's site, or the mirror that the operator has named, tells by TLS: whoever has that
//     site in hand can give anything at the first download. That checksum is noted in record.json, which stays when the
//     program goes, and another one for the same version is refused for good.
//   - What is kept is looked at again in each life of a process before it is used: one that was changed is removed.
//   - Several processes may share the folder: a version is brought by one of them at a time, and is there whole or not
//     at all.
//   - What was downloaded takes at most Options.Room; what was used longest ago goes first. What was carried there stays.
package toolchain
