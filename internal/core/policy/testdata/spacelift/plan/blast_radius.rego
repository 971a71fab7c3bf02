package spacelift

# Written as for Spacelift, in Rego 0: how far a change reaches is weighed by what happens to each resource.
limit := 5

weight := {"delete": 3, "update": 2, "create": 1}

sizes[[resource.address, action]] = size {
	resource := affected_resources[_]
	action := resource.change.actions[_]
	size := weight[action]
}

total := sum([size | size := sizes[_]])

deny[sprintf("the change reaches too far (%d of %d)", [total, limit])] {
	input.spacelift.run.type == "PROPOSED"
	total > limit
}

warn[sprintf("the change reaches too far (%d of %d)", [total, limit])] {
	input.spacelift.run.type == "TRACKED"
	total > limit
}

deny["replacing costs an outage"] {
	recreated_resources[resource]
	resource.type == "database"
}

sample := true
