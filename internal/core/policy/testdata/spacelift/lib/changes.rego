package lib.changes

import rego.v1

of(plan) := [resource | some resource in plan.terraform.resource_changes; not "no-op" in resource.change.actions]
