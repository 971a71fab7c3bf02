package giteatest

import _ "embed"

// configuration is Gitea's app.ini; the browser's journeys read the same.
//
//go:embed app.ini
var configuration string
