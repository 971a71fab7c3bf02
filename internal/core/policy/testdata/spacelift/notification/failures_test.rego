package spacelift

import rego.v1

test_inbox if {
	some notice in inbox with input as {"run_updated": {"run": {"id": "run_1", "state": "FAILED"}, "stack": {"id": "net"}}}
	notice.body == "run_1 of net"
}
