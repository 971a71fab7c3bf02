package spacelift

track { affected; input.push.branch == input.stack.branch }

propose { affected; input.push.branch != input.stack.branch }

ignore { not affected }

ignore { input.push.tag != "" }

message["nothing here concerns this stack"] { not affected }

affected { startswith(input.push.affected_files[_], concat("", [input.stack.project_root, "/"])) }

cancel[run.id] {
	run := input.in_progress[_]
	run.type == "PROPOSED"
	run.branch == input.push.branch
}

prioritize { input.stack.labels[_] == "urgent" }

lock := id { id := sprintf("proposal-%d", [input.pull_request.id]); not input.pull_request.closed }
