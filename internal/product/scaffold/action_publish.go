package scaffold

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func publishActions() []Action {
	return []Action{{
		ID: "publish:roadbed", Description: "Makes a repository on the hosted git and commits the workspace to it.",
		Input: object([]string{"repoUrl"}, map[string]any{
			"repoUrl":          text("HOST?owner=NAMESPACE&repo=NAME; the host is this installation's, or roadbed."),
			"description":      text("What the repository is for."),
			"defaultBranch":    text("Default main."),
			"repoVisibility":   map[string]any{"type": "string", "enum": []any{"private", "internal", "public"}, "description": "Taken for what other platforms want; who may read is said by the space."},
			"space":            text("Space of the repository; default is that of the run."),
			"sourcePath":       text("Folder of the workspace to commit; default is all of it."),
			"gitCommitMessage": text("Default: initial commit."), "gitAuthorName": text("Default: the person."), "gitAuthorEmail": text("Default: the person's."),
		}),
		Output: object(nil, map[string]any{
			"remoteUrl": text("For git clone."), "repoContentsUrl": text("For catalog:register."), "commitHash": text("Of the commit."), "repository": text("NAMESPACE/NAME."),
		}),
		run: func(s *Service, ctx context.Context, c *call) error { return c.publish(ctx, s) },
	}}
}

type publishInput struct {
	RepoURL, Description, DefaultBranch, Space, SourcePath string
	GitCommitMessage, GitAuthorName, GitAuthorEmail        string
}

// Hosted git's names, which are also parts of addresses and paths.
var repositoryPart = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// repositoryOf reads the NAMESPACE and NAME of a repository URL of this installation. An owner may be an entity
// reference, as owner pickers give it.
func (s *Service) repositoryOf(repoURL string) (namespace, name string, err error) {
	parts, err := parseRepoURL(repoURL)
	if err != nil {
		return "", "", fault.Errorf(fault.Invalid, "%w", err)
	}
	host, _ := parts["host"].(string)
	if !s.isOwnHost(host) {
		return "", "", fault.Errorf(fault.Invalid, "%s is not this installation's hosted git; publish:roadbed publishes to roadbed?owner=NAMESPACE&repo=NAME", clip(host, 200))
	}
	owner, _ := parts["owner"].(string)
	if _, rest, isRef := strings.Cut(owner, ":"); isRef {
		owner = rest
	}
	if _, rest, found := strings.Cut(owner, "/"); found {
		owner = rest
	}
	name, _ = parts["repo"].(string)
	namespace, name = strings.ToLower(owner), strings.ToLower(name)
	for _, part := range []string{namespace, name} {
		if !repositoryPart.MatchString(part) || strings.HasSuffix(part, ".git") || strings.Contains(part, "..") {
			return "", "", fault.Errorf(fault.Invalid, "%q can't be the namespace or name of a repository; use letters, digits, '-', '_' and '.'", clip(part, 100))
		}
	}
	return namespace, name, nil
}

func (c *call) publish(ctx context.Context, s *Service) error {
	in := publishInput{DefaultBranch: "main", Space: c.task.Space, GitCommitMessage: "initial commit"}
	if err := c.into(&in); err != nil {
		return err
	}
	namespace, name, err := s.repositoryOf(in.RepoURL)
	if err != nil {
		return err
	}
	folder, err := safePath(in.SourcePath)
	if err != nil {
		return err
	}
	changes := c.space.changes(folder)
	if len(changes) == 0 {
		return fault.Errorf(fault.Invalid, "there is nothing to publish: the workspace has no files in %q", in.SourcePath)
	}
	repository := namespace + "/" + name
	if err := git.CheckBranch(in.DefaultBranch); err != nil {
		return err
	}
	thing := Made{Kind: MadeRepository, Name: repository, URL: s.repositoryURL(repository), Branch: in.DefaultBranch}
	resumed, err := c.createRepository(ctx, s, &thing, NewRepository{
		Space: in.Space, Namespace: namespace, Name: name, Description: in.Description, DefaultBranch: in.DefaultBranch,
	})
	if err != nil {
		return err
	}
	thing.Commit, err = c.firstCommit(ctx, s, repository, resumed, c.commitOf(in, changes))
	if err != nil {
		return err
	}
	if err := c.keeper.made(ctx, thing); err != nil {
		return err
	}
	c.logf("published %d files to %s at %s", len(changes), repository, thing.Commit)
	c.output["remoteUrl"] = thing.URL + ".git"
	c.output["repoContentsUrl"] = thing.URL
	c.output["commitHash"] = thing.Commit
	c.output["repository"] = repository
	return nil
}

// createRepository makes the repository, or knows again one that this run has made before: it was written down as
// intended, with its id, when it did not exist.
func (c *call) createRepository(ctx context.Context, s *Service, to *Made, n NewRepository) (resumed bool, err error) {
	before, id, err := c.keeper.state(ctx, *to)
	if err != nil {
		return false, err
	}
	if before == "" {
		id = s.Repositories.NewRepositoryID()
	}
	to.ID, n.ID = id, id
	thing := *to
	taken := fault.Errorf(fault.Conflict, "repository %s exists already; choose another name", thing.Name)
	if before == "" {
		switch _, err := s.Repositories.Describe(ctx, thing.Name); {
		case err == nil:
			return false, taken
		case !fault.Is(err, fault.NotFound):
			return false, err
		}
		if err := c.keeper.intend(ctx, thing); err != nil {
			return false, err
		}
	}
	err = s.Repositories.Create(ctx, n)
	switch {
	case err == nil:
		c.logf("made repository %s", thing.Name)
		return before != "", nil
	case !fault.Is(err, fault.Conflict):
		return false, c.forgetUnlessResumed(ctx, thing, before, err)
	case before == "":
		return false, c.forget(ctx, thing, taken) // somebody was quicker
	}
	about, err := s.Repositories.Describe(ctx, thing.Name)
	if err != nil {
		return false, err
	}
	if about.ID != thing.ID {
		return false, c.forget(ctx, thing, taken)
	}
	c.logf("repository %s was made by an earlier try of this run", thing.Name)
	return true, nil
}

// forgetUnlessResumed takes an intention back when nothing can have come of it: what was refused was not made.
func (c *call) forgetUnlessResumed(ctx context.Context, thing Made, before string, err error) error {
	switch fault.KindOf(err) {
	case fault.Denied, fault.Invalid, fault.NotFound, fault.Unauthenticated:
		if before == "" {
			return c.forget(ctx, thing, err)
		}
	}
	return err
}

func (c *call) firstCommit(ctx context.Context, s *Service, repository string, resumed bool, r git.CommitRequest) (string, error) {
	commit, err := s.Repositories.Commit(ctx, repository, r)
	if err == nil || !resumed || !fault.Is(err, fault.Conflict) {
		return commit, fault.Wrap(err, "commit to %s", repository)
	}
	commit, err = s.ownCommit(ctx, c.task, repository, r.Branch) // the commit was made before, too
	if err == nil && commit == "" {
		err = fault.Errorf(fault.Conflict, "repository %s has commits that this run did not make; delete it and try again", repository)
	}
	return commit, err
}

// ownCommit gives the commit of a branch when it is all that the branch has, and this run's; "" otherwise.
func (s *Service) ownCommit(ctx context.Context, t *task, repository, branch string) (string, error) {
	commits, err := s.Repositories.Log(ctx, repository, "refs/heads/"+branch, 2)
	if err != nil {
		return "", ignoreMissing(err)
	}
	if len(commits) != 1 || !strings.Contains(commits[0].Message+"\n", runTrailer(t)) {
		return "", nil
	}
	return commits[0].Hash, nil
}

// runTrailer is the line of a commit's message that names its run.
func runTrailer(t *task) string { return "\nRoadbed-Run: " + t.Run + "\n" }

// commitOf gives the same commit for every try of a run, so its time is that of the run.
func (c *call) commitOf(in publishInput, changes []git.FileChange) git.CommitRequest {
	author := git.Signature{Name: c.user.Name, Email: c.user.Ref.Name + "@roadbed.local", When: c.task.Created}
	if author.Name == "" {
		author.Name = c.user.Ref.Name
	}
	if in.GitAuthorName != "" {
		author.Name = in.GitAuthorName
	}
	if in.GitAuthorEmail != "" {
		author.Email = in.GitAuthorEmail
	}
	if author.Name == "" || author.Email == "@roadbed.local" {
		author.Name, author.Email = "Roadbed", "platform@roadbed.local"
	}
	return git.CommitRequest{
		Branch: in.DefaultBranch, Author: author, Changes: changes,
		Message: fmt.Sprintf("%s\n\nRoadbed-Template: %s%s", in.GitCommitMessage, c.task.Template, runTrailer(c.task)),
	}
}

func (s *Service) repositoryURL(repository string) string {
	return strings.TrimSuffix(s.BaseURL(), "/") + "/git/" + repository
}
