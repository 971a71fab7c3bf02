package spacelift

test_by_security { approve with input as {"run": {"type": "TRACKED"}, "reviews": {"current": {"approvals": [{"author": "a", "session": {"teams": ["security"]}}], "rejections": []}}} }

test_by_others { not approve with input as {"run": {"type": "TRACKED"}, "reviews": {"current": {"approvals": [{"author": "a", "session": {"teams": ["sales"]}}], "rejections": []}}} }
