package spacelift

import future.keywords.if

test_member if allow with input as {"session": {"member": true, "teams": []}}

test_contractor if deny with input as {"session": {"member": true, "teams": ["contractors"]}}

test_roles if roles == {"default": {"reader"}} with input as {"session": {"member": true, "teams": []}, "spaces": [{"id": "default"}]}
