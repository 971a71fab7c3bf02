package spacelift

approve { count(security) > 0; count(input.reviews.current.rejections) == 0 }

approve { input.run.type != "TRACKED" }

reject { count(input.reviews.current.rejections) > 1 }

security[review.author] {
	review := input.reviews.current.approvals[_]
	review.session.teams[_] == "security"
}
