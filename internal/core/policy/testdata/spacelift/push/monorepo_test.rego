package spacelift

stack := {"branch": "main", "project_root": "infra", "labels": ["urgent"]}

test_tracks {
	track with input as {"push": {"branch": "main", "affected_files": ["infra/main.tf"], "tag": ""}, "stack": stack}
	not ignore with input as {"push": {"branch": "main", "affected_files": ["infra/main.tf"], "tag": ""}, "stack": stack}
}

test_proposes { propose with input as {"push": {"branch": "idea", "affected_files": ["infra/main.tf"], "tag": ""}, "stack": stack} }

test_ignores {
	ignore with input as {"push": {"branch": "main", "affected_files": ["docs/a.md"], "tag": ""}, "stack": stack}
	message["nothing here concerns this stack"] with input as {"push": {"branch": "main", "affected_files": ["docs/a.md"], "tag": ""}, "stack": stack}
}

test_cancels {
	cancel == {"run_1"} with input as {"push": {"branch": "idea", "affected_files": [], "tag": ""}, "in_progress": [{"id": "run_1", "type": "PROPOSED", "branch": "idea"}, {"id": "run_2", "type": "TRACKED", "branch": "idea"}]}
}

test_locks { lock == "proposal-7" with input as {"pull_request": {"id": 7, "closed": false}} }
