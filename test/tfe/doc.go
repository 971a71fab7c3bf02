// Package tfe names the client of Terraform's remote protocol whose own tests are run against a server of this platform; see
// pass.txt and internal/server. It is a module of its own, so that the platform does not depend on it.
package tfe

import _ "github.com/hashicorp/go-tfe" // whose tests are run
