package spacelift

run := {"state": "FINISHED", "type": "TRACKED"}

test_dependents { trigger == {"app"} with input as {"run": run, "stack": {"id": "net"}, "stacks": [{"id": "app", "labels": ["depends-on:net"]}, {"id": "other", "labels": []}]} }

test_failures { count(trigger) == 0 with input as {"run": {"state": "FAILED", "type": "TRACKED"}, "stack": {"id": "net"}, "stacks": [{"id": "app", "labels": ["depends-on:net"]}]} }
