// Package gitlab is the body of forge for GitLab, on gitlab.com or self-managed, over the REST API v4.
//
// Repositories are projects, organizations are groups, teams are the groups below a group, proposals are merge requests,
// checks are commit statuses and pipelines' jobs. A name is a project's full path, with as many groups as it has.
//
// What GitLab has in its own way:
//
//   - A project has one merge method for all its merge requests. Merging by "merge" needs the methods "Merge commit" or
//     "Merge commit with semi-linear history", by "rebase" "Fast-forward merge"; the other pairs are refused as Invalid.
//     "squash" works with each, and is followed by a merge commit unless the method is "Fast-forward merge".
//   - There is no refusal in a review: Refused takes the caller's own approval back and comments.
//   - A check can't be set to "error": it becomes "canceled", which is read as error again.
//   - An empty project has the instance's default branch, whatever NewRepository asks for; the first push decides.
//   - The time of a project's last change moves at most once an hour, and deleting a project may only mark it, which is
//     read as its end.
//   - Group webhooks are of the paid tiers.
//   - Lists are read by numbered pages: what is added or deleted between two reads may double or hide an item. The list of
//     all projects is read by their ids and has no such gap.
package gitlab
