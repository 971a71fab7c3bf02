package spacelift

import future.keywords.contains
import future.keywords.if
import future.keywords.in

allow if input.session.member

admin if "platform" in input.session.teams

deny if "contractors" in input.session.teams

roles[space.id] contains "reader" if {
	some space in input.spaces
	allow
}
