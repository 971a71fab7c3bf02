package spacelift

# Everybody of the company comes in; who may do what is said by team.
allow { input.session.member }

admin { input.session.teams[_] == "platform" }

deny_admin { not office }

office { net.cidr_contains("10.0.0.0/8", input.request.remote_ip) }

space_admin[space.id] {
	space := input.spaces[_]
	space.labels[_] == "sandbox"
}

space_write["payments"] { input.session.teams[_] == "payments" }

space_read[space.id] {
	space := input.spaces[_]
	input.session.member
}

roles[space.id][role.id] {
	space := input.spaces[_]
	role := input.roles[_]
	role.name == "Deployer"
	input.session.teams[_] == "deployers"
}

team["crew"] { input.session.teams[_] == "payments" }
