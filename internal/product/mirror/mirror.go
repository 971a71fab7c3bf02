package mirror

import "github.com/roadbed-dev/roadbed/internal/machinery/provider"

// Kept is a package that the mirror keeps.
type Kept = provider.Kept

// key orders packages: by provider, version and platform.
func key(k Kept) string { return k.Package.String() }

// subject is what the ledger calls a provider.
func subject(n provider.Name) string { return "provider:" + n.String() }
