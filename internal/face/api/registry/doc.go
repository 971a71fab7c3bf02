// Package registry speaks the registry protocols of Terraform and OpenTofu: modules at /v1/modules/SPACE/NAME/SYSTEM and providers
// at /v1/providers/SPACE/TYPE, as /.well-known/terraform.json says. Clients fetch archives by links alone, without a token: such a
// link holds the one that asked for it, sealed, and is good for some minutes.
package registry
