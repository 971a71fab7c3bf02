package spacelift_test

import rego.v1

import data.spacelift

at(endpoint) := {"terraform": {"resource_changes": [{"address": "hook.one", "change": {"actions": ["create"], "after": {"endpoint": endpoint}}}]}}

test_old_endpoint if "hook.one talks to the old endpoint" in spacelift.deny with input as at(sanitized("https://old.example.com"))

test_other_endpoint if count(spacelift.deny) == 0 with input as at(sanitized("https://new.example.com"))

test_cost if {
	count(spacelift.warn) == 1 with input as {"third_party_metadata": {"infracost": {"projects": [{"breakdown": {"totalMonthlyCost": "120.5"}}]}}}
}
