// Package provider keeps packages of providers in a folder, and fetches those that are missing from the registries that
// it is allowed to ask. A network mirror and a filesystem mirror of Terraform and OpenTofu are served from it.
//
//	packages/HOST/NAMESPACE/TYPE/terraform-provider-TYPE_VERSION_OS_ARCH.zip   as `tofu providers mirror` writes it
//	records/…the same….json                                                    checksums of it, and from where it is
//	upstream/HOST/NAMESPACE/TYPE/                                              what its registry has told last
//	unpacked/HOST/NAMESPACE/TYPE/VERSION/OS_ARCH/                              for this platform, what is in the archive
//
// Invariants:
//   - A package of a registry is kept when its SHA-256 is that of the registry's list for the version, and the list is
//     signed by one of the keys that the registry names for the provider. (One whose registry names no key has the checksum
//     alone, as engines take it.)
//   - An archive is whole before it has its name, and so is an unpacked one, whose hash is that of its archive. Each is
//     fetched once, however many ask for it.
//   - Names make paths, so that each is checked before it does; archives are bounded in their size, packed and unpacked.
//   - What was fetched takes at most Options.Room; what was asked for longest ago goes first. What somebody has put there
//     stays.
package provider
