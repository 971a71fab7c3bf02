package spacelift

import rego.v1

# Written as for Spacelift, in Rego 1, with its function sanitized and a module of helpers.
import data.lib.changes

deny contains sprintf("%s talks to the old endpoint", [resource.address]) if {
	some resource in changes.of(input)
	resource.change.after.endpoint == sanitized("https://old.example.com")
}

warn contains "this is expensive" if to_number(input.third_party_metadata.infracost.projects[0].breakdown.totalMonthlyCost) > 100
