package spacelift

import rego.v1

inbox contains {"title": "A run failed", "body": sprintf("%s of %s", [run.id, input.run_updated.stack.id]), "severity": "ERROR"} if {
	run := input.run_updated.run
	run.state == "FAILED"
}

webhook contains {"endpoint_id": endpoint.id, "payload": {"run": input.run_updated.run.id}} if {
	some endpoint in input.webhook_endpoints
}
