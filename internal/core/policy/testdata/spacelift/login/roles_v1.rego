package spacelift

import rego.v1

allow if input.session.member

admin if "platform" in input.session.teams

deny_admin if not office

office if net.cidr_contains("10.0.0.0/8", input.request.remote_ip)

space_admin contains space.id if {
	some space in input.spaces
	"sandbox" in space.labels
}

space_write contains "payments" if "payments" in input.session.teams

space_read contains space.id if {
	some space in input.spaces
	input.session.member
}

roles[space.id] contains role.id if {
	some space in input.spaces
	some role in input.roles
	role.name == "Deployer"
	"deployers" in input.session.teams
}

team contains "crew" if "payments" in input.session.teams
