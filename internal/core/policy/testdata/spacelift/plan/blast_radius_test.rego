package spacelift

change(type, actions) := {"address": concat(".", [type, "one"]), "type": type, "change": {"actions": actions}}

test_small_changes_pass {
	count(deny) == 0 with input as {"spacelift": {"run": {"type": "PROPOSED"}}, "terraform": {"resource_changes": [change("bucket", ["create"])]}}
}

test_large_previews_fail {
	deny["the change reaches too far (6 of 5)"] with input as {"spacelift": {"run": {"type": "PROPOSED"}}, "terraform": {"resource_changes": [change("bucket", ["delete"]), change("queue", ["delete"])]}}
}

test_large_runs_are_looked_at {
	warn["the change reaches too far (6 of 5)"] with input as {"spacelift": {"run": {"type": "TRACKED"}}, "terraform": {"resource_changes": [change("bucket", ["delete"]), change("queue", ["delete"])]}}
}

test_databases_stay {
	deny["replacing costs an outage"] with input as {"spacelift": {"run": {"type": "TRACKED"}}, "terraform": {"resource_changes": [change("database", ["delete", "create"])]}}
}
