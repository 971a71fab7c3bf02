// Package github is the body of forge for GitHub: github.com, GitHub Enterprise Cloud with its own address, and GitHub
// Enterprise Server. It stands on go-github for the API's forms, and on forge.Transport for all that goes out.
//
// # Credentials
//
// A token (classic or fine-grained), or an App: its key signs what asks for an installation's tokens, which last an hour
// and are made anew before they end. The App's own calls go with a token for all that the installation has, as GitHub
// counts them together; what is handed out by Clone is narrowed to one repository and to its content.
//
// # What GitHub has otherwise
//
//   - A comment on a line has an ID of another row of numbers than one below the proposal: it is written r123.
//   - Whether comments are resolved is told by GraphQL alone; Comment.Resolved is always false.
//   - A check of a token is a commit status, which knows no "skipped" (it is written as passed) and nobody can tell the
//     check of one app from another's. A check of an App is a check run. Both are read, the newer of a name counts.
//   - A repository is empty, says GitHub, when it was never pushed to; of lists that is told by its dates.
//   - The default branch of an empty repository is the account's choice, until one is pushed.
package github
