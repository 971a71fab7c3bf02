package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/product/proposal"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

func (a *API) proposalRoutes() {
	const all, one = "/repositories/{namespace}/{name}/proposals", "/repositories/{namespace}/{name}/proposals/{number}"
	const noun = "proposals"
	register(a, operation("listProposals", http.MethodGet, "/proposals", noun, "Proposals of all repositories, newest first"), a.listProposals)
	register(a, operation("countProposals", http.MethodGet, "/proposals/counts", noun, "How many proposals there are in each state"), a.countProposals)
	op := operation("openProposal", http.MethodPost, all, noun, "Propose to bring one branch into another")
	op.DefaultStatus = 201
	register(a, op, a.openProposal)
	register(a, operation("getProposal", http.MethodGet, one, noun, "One proposal, and what stands in its way"), a.getProposal)
	register(a, operation("editProposal", http.MethodPatch, one, noun, "Change its words, its target, or whether it is a draft"), a.editProposal)
	register(a, operation("closeProposal", http.MethodPost, one+"/close", noun, "End it without merging it"), a.closeProposal)
	register(a, operation("reopenProposal", http.MethodPost, one+"/reopen", noun, "Open it again"), a.reopenProposal)
	op = operation("revertProposal", http.MethodPost, one+"/revert", noun, "Open a proposal that takes a merged one back")
	op.DefaultStatus = 201
	register(a, op, a.revertProposal)
	register(a, operation("updateProposal", http.MethodPost, one+"/update", noun, "Bring its target into its source"), a.updateProposal)
	register(a, operation("mergeProposal", http.MethodPost, one+"/merge", noun, "Merge it"), a.mergeProposal)
	register(a, operation("autoMergeProposal", http.MethodPut, one+"/auto", noun, "Merge it as soon as nothing is in the way, in the caller's name"), a.autoMergeProposal)
	register(a, operation("diffProposal", http.MethodGet, one+"/diff", noun, "What it changes"), a.diffProposal)
	a.proposalStackRoutes()
	register(a, operation("listProposalCommits", http.MethodGet, one+"/commits", noun, "The commits that it brings, newest first"), a.listProposalCommits)
	register(a, operation("listProposalComments", http.MethodGet, one+"/comments", noun, "What was said of it, oldest first"), a.listProposalComments)
	op = operation("commentProposal", http.MethodPost, one+"/comments", noun, "Say something of it, or of a line of it")
	op.DefaultStatus = 201
	register(a, op, a.commentProposal)
	register(a, operation("editProposalComment", http.MethodPatch, one+"/comments/{id}", noun, "Change one's own comment"), a.editProposalComment)
	register(a, operation("settleProposalTalk", http.MethodPut, one+"/comments/{id}/settled", noun, "Mark the talk that a comment on a line began as settled, or as open"), a.settleProposalTalk)
	register(a, operation("applySuggestions", http.MethodPost, one+"/suggestions", noun, "Commit what comments suggest to its source"), a.applySuggestions)
	op = operation("reviewProposal", http.MethodPost, one+"/reviews", noun, "Give a verdict on its head")
	op.DefaultStatus = 201
	register(a, op, a.reviewProposal)
	register(a, operation("listChecks", http.MethodGet, "/repositories/{namespace}/{name}/checks/{commit}", noun, "What is said of a commit"), a.listChecks)
	register(a, operation("setCheck", http.MethodPut, "/repositories/{namespace}/{name}/checks/{commit}", noun, "Say how a check of a commit stands"), a.setCheck)
}

// ProposalInput names a proposal.
type ProposalInput struct {
	Named
	Number int `path:"number" minimum:"1"`
}

func (a *API) wireProposals(ctx context.Context, all ...proposal.Detail) ([]Proposal, error) {
	var ids []string
	for _, p := range all {
		ids = append(append(ids, p.Author, p.MergedBy, p.Auto.By), p.Assignees...)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Proposal, len(all))
	for i, p := range all {
		name, _, err := proposal.ParseFull(p.Full)
		if err != nil {
			return nil, err
		}
		out[i] = Proposal{
			ID: p.ID, Full: p.Full, Repository: name, Number: p.Number, Space: p.Space, Title: p.Title, Body: p.Body, State: p.State, Draft: p.Draft,
			Author: who(p.Author), Source: p.Source, Target: p.Target, Head: p.Head, Base: p.Base, Ahead: p.Standing.Ahead, Behind: p.Standing.Behind,
			Conflicts: p.Standing.Conflicts, Auto: p.Auto.Way, Created: p.Created, Updated: p.Updated, Ended: moment(p.Ended), Version: p.Version,
		}
		for _, id := range p.Assignees {
			out[i].Assignees = append(out[i].Assignees, who(id))
		}
		if p.State == proposal.Merged {
			out[i].MergeCommit, out[i].MergeWay = p.Merge, p.MergeWay
		} else {
			p.MergedBy = ""
		}
		out[i].Touches, out[i].Stale = p.Touches, p.Stale()
		out[i].Ref = git.ProposalPrefix + strconv.Itoa(p.Number) + "/head"
		if there := p.There; there != nil {
			out[i].Ref = there.Ref
			out[i].URL, out[i].Labels, out[i].Author = there.URL, there.Labels, byLogin(out[i].Author, there.Author)
		}
		out[i].MergedBy, out[i].AutoBy = known(who, p.MergedBy), known(who, p.Auto.By)
	}
	return out, nil
}

// byLogin gives somebody whom only a forge knows by their login there.
func byLogin(who Actor, login string) Actor {
	if who.ID == "" && login != "" {
		return Actor{Name: login}
	}
	return who
}

// known gives who an id is; nil for none.
func known(who func(string) Actor, id string) *Actor {
	if id == "" {
		return nil
	}
	x := who(id)
	return &x
}

func (a *API) wireProposal(ctx context.Context, d proposal.Detail, err error) (*tagged[ProposalDetail], error) {
	if err != nil {
		return nil, err
	}
	wired, err := a.wireProposals(ctx, d)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range d.Reviews {
		ids = append(ids, r.Author)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := ProposalDetail{
		Proposal: wired[0], Reviews: []client.ProposalReview{}, Checks: []client.ProposalCheck{}, Blockers: []client.Blocker{}, Owners: []client.ProposalOwners{},
		Ways: append([]string{}, d.Ways...), Rules: append([]string{}, d.Demand.Rules...), Warnings: d.Warnings, Talks: d.Talks, Can: a.canPropose(ctx, wired[0].Repository, d), Etag: d.Etag(),
	}
	for _, r := range d.Reviews {
		out.Reviews = append(out.Reviews, client.ProposalReview{ID: r.ID, Author: byLogin(who(r.Author), r.Login), Verdict: r.Verdict, Body: r.Body, Head: r.Head, Time: r.Created})
	}
	for _, c := range d.Checks {
		out.Checks = append(out.Checks, wireCheck(c))
	}
	for _, b := range d.Blockers {
		out.Blockers = append(out.Blockers, client.Blocker(b))
	}
	for _, o := range d.Owners {
		out.Owners = append(out.Owners, client.ProposalOwners{
			Section: o.Section, Optional: o.Optional, Needs: max(o.Needs, 1), Owners: o.Owners, Files: o.Files, Approved: o.Approved(),
		})
	}
	return withTag(d.Etag(), out), nil
}

func wireCheck(c proposal.Check) client.ProposalCheck {
	return client.ProposalCheck{Name: c.Name, State: c.State, Description: c.Description, URL: c.URL, Run: c.Run, Updated: c.Updated}
}

// canPropose lists what the caller may do with a proposal now.
func (a *API) canPropose(ctx context.Context, name string, d proposal.Detail) []string {
	can := []string{"comment"}
	if _, err := a.Repositories.Authorize(ctx, repository.Write, name); err != nil {
		return can
	}
	can = append(can, "review", "auto")
	if d.There == nil {
		can = append(can, "edit", "settle") // one that lives at a forge is edited there
	}
	switch d.State {
	case proposal.Open:
		can = append(can, "close")
		if d.Author != actor.From(ctx).ID {
			can = append(can, "approve")
		}
		if len(d.Blockers) == 0 {
			can = append(can, "merge")
		}
		if d.Standing.Behind > 0 && d.Standing.Base != "" {
			can = append(can, "update")
		}
	case proposal.Merged:
		can = append(can, "revert")
	case proposal.Closed:
		can = append(can, "reopen")
	}
	return can
}

// ProposalFilter narrows lists and counts of proposals.
type ProposalFilter struct {
	Repository string `query:"repository" maxLength:"200" example:"payments/shop"`
	State      string `query:"state" enum:"open,closed,merged"`
	Author     string `query:"author" maxLength:"64" doc:"Opaque id; me for the caller."`
	Assignee   string `query:"assignee" maxLength:"64" doc:"Opaque id of who looks after it; me for the caller."`
	Source     string `query:"source" maxLength:"250"`
	Target     string `query:"target" maxLength:"250"`
	Text       string `query:"text" maxLength:"250" doc:"In the title, in any case."`
	Draft      string `query:"draft" enum:"true,false"`
	Waiting    bool   `query:"waiting" doc:"Only what waits for the caller's review: they look after it, or own files of it, and have given no verdict on its head."`
}

func (f ProposalFilter) query(ctx context.Context) proposal.Query {
	for _, who := range []*string{&f.Author, &f.Assignee} {
		if *who == "me" {
			*who = actor.From(ctx).ID
		}
	}
	q := proposal.Query{Repository: f.Repository, State: f.State, Author: f.Author, Assignee: f.Assignee, Source: f.Source, Target: f.Target, Text: f.Text, Waiting: f.Waiting}
	if f.Draft != "" {
		draft := f.Draft == "true"
		q.Draft = &draft
	}
	return q
}

type listProposalsInput struct {
	Paging
	ProposalFilter
}

func (a *API) listProposals(ctx context.Context, in *listProposalsInput) (*body[List[ProposalLine]], error) {
	part, err := a.Proposals.List(ctx, in.query(ctx), in.part())
	if err != nil {
		return nil, err
	}
	items, err := a.wireLines(ctx, part.Items)
	return list(items, part.Next), err
}

func (a *API) wireLines(ctx context.Context, lines []proposal.Line) ([]ProposalLine, error) {
	all := make([]proposal.Detail, len(lines))
	for i, l := range lines {
		all[i] = proposal.Detail{Proposal: l.Proposal, Full: l.Full, Assignees: l.Assignees}
	}
	wired, err := a.wireProposals(ctx, all...)
	if err != nil {
		return nil, err
	}
	out := make([]ProposalLine, len(lines))
	for i, l := range lines {
		out[i] = ProposalLine{
			Proposal: wired[i], Approvals: l.Approvals, Wanted: l.Wanted, Refusals: l.Refusals, Passed: l.Passed, Failed: l.Failed, Pending: l.Pending,
		}
	}
	return out, nil
}

func (a *API) countProposals(ctx context.Context, in *struct{ ProposalFilter }) (*body[client.ProposalCounts], error) {
	n, err := a.Proposals.Count(ctx, in.query(ctx))
	if err != nil {
		return nil, err
	}
	return answer(client.ProposalCounts(n)), nil
}

type openProposalInput struct {
	Named
	Body struct {
		Title  string `json:"title,omitempty" maxLength:"250" doc:"The subject of the newest commit when absent."`
		Body   string `json:"body,omitempty" maxLength:"65536"`
		Source string `json:"source" maxLength:"250" doc:"Branch."`
		Target string `json:"target,omitempty" maxLength:"250" doc:"Branch; the default one when absent."`
		Draft  bool   `json:"draft,omitempty"`
	}
}

func (a *API) openProposal(ctx context.Context, in *openProposalInput) (*tagged[ProposalDetail], error) {
	b := in.Body
	d, err := a.Proposals.Open(ctx, proposal.NewProposal{Repository: in.full(), Title: b.Title, Body: b.Body, Source: b.Source, Target: b.Target, Draft: b.Draft})
	return a.wireProposal(ctx, d, err)
}

func (a *API) getProposal(ctx context.Context, in *ProposalInput) (*tagged[ProposalDetail], error) {
	d, err := a.Proposals.Get(ctx, in.full(), in.Number)
	return a.wireProposal(ctx, d, err)
}

type editProposalInput struct {
	ProposalInput
	Match
	Body struct {
		Title  *string `json:"title,omitempty" maxLength:"250"`
		Body   *string `json:"body,omitempty" maxLength:"65536"`
		Target *string `json:"target,omitempty" maxLength:"250"`
		Draft  *bool   `json:"draft,omitempty"`

		Assignees *[]string `json:"assignees,omitempty" maxItems:"20" doc:"References of all users who look after it, as user:default/alice."`
	}
}

func (a *API) editProposal(ctx context.Context, in *editProposalInput) (*tagged[ProposalDetail], error) {
	b := in.Body
	d, err := a.Proposals.Edit(ctx, in.full(), in.Number, proposal.Edit{
		Title: b.Title, Body: b.Body, Target: b.Target, Draft: b.Draft, Assignees: b.Assignees, IfMatch: in.etag(),
	})
	return a.wireProposal(ctx, d, err)
}

func (a *API) closeProposal(ctx context.Context, in *ProposalInput) (*tagged[ProposalDetail], error) {
	d, err := a.Proposals.Close(ctx, in.full(), in.Number, false)
	return a.wireProposal(ctx, d, err)
}

func (a *API) reopenProposal(ctx context.Context, in *ProposalInput) (*tagged[ProposalDetail], error) {
	d, err := a.Proposals.Close(ctx, in.full(), in.Number, true)
	return a.wireProposal(ctx, d, err)
}

func (a *API) revertProposal(ctx context.Context, in *ProposalInput) (*tagged[ProposalDetail], error) {
	d, err := a.Proposals.Revert(ctx, in.full(), in.Number)
	return a.wireProposal(ctx, d, err)
}

type updateProposalInput struct {
	ProposalInput
	Body struct {
		Way  string `json:"way" enum:"merge,rebase" doc:"By a merge of the target, or by making the source's commits anew on it."`
		Head string `json:"head,omitempty" maxLength:"64" doc:"Commit that was looked at: another one gives 412."`
	}
}

func (a *API) updateProposal(ctx context.Context, in *updateProposalInput) (*tagged[ProposalDetail], error) {
	d, err := a.Proposals.Update(ctx, in.full(), in.Number, proposal.UpdateRequest(in.Body))
	return a.wireProposal(ctx, d, err)
}

type mergeProposalInput struct {
	ProposalInput
	Body struct {
		Way          string `json:"way,omitempty" enum:"merge,squash,rebase" doc:"The first that the rules let when absent."`
		Title        string `json:"title,omitempty" maxLength:"250" doc:"Of the commit."`
		Body         string `json:"body,omitempty" maxLength:"32768" doc:"Of the commit."`
		Head         string `json:"head,omitempty" maxLength:"64" doc:"Commit that was looked at: another one gives 412."`
		DeleteSource bool   `json:"deleteSource,omitempty"`
	}
}

func (a *API) mergeProposal(ctx context.Context, in *mergeProposalInput) (*tagged[ProposalDetail], error) {
	d, err := a.Proposals.Merge(ctx, in.full(), in.Number, proposal.MergeRequest(in.Body))
	return a.wireProposal(ctx, d, err)
}

type autoMergeInput struct {
	ProposalInput
	Body struct {
		Way string `json:"way,omitempty" enum:"merge,squash,rebase" doc:"Absent takes it back."`
	}
}

func (a *API) autoMergeProposal(ctx context.Context, in *autoMergeInput) (*tagged[ProposalDetail], error) {
	d, err := a.Proposals.SetAuto(ctx, in.full(), in.Number, in.Body.Way)
	return a.wireProposal(ctx, d, err)
}

type diffProposalInput struct {
	ProposalInput
	File  string `query:"file" maxLength:"4096" doc:"This one alone, however large."`
	Since string `query:"since" maxLength:"64" doc:"An earlier head: only what was done since, without what came from the target."`
	Space string `query:"space" enum:"ignore" doc:"ignore: changes of white space alone are none."`
}

func (a *API) diffProposal(ctx context.Context, in *diffProposalInput) (*body[Diff], error) {
	from, to, d, err := a.Proposals.Diff(ctx, in.full(), in.Number, proposal.DiffQuery{File: in.File, Since: in.Since, IgnoreSpace: in.Space == "ignore"})
	return answer(wireDiff(from, to, d)), err
}

func wireDiff(from, to string, d git.Diff) Diff {
	out := Diff{From: from, To: to, Files: make([]client.FileDiff, len(d.Files)), Truncated: d.Truncated}
	for i, f := range d.Files {
		out.Files[i] = client.FileDiff{
			Path: f.Path, Status: f.Status, Additions: f.Additions, Deletions: f.Deletions, Binary: f.Binary, Folded: f.Folded, Patch: f.Patch,
			OldMode: f.OldMode, NewMode: f.NewMode, OldHash: f.OldHash, NewHash: f.NewHash,
		}
		if f.OldPath != f.Path {
			out.Files[i].OldPath = f.OldPath
		}
	}
	return out
}

type proposalPartInput struct {
	ProposalInput
	Paging
}

func (a *API) listProposalCommits(ctx context.Context, in *proposalPartInput) (*body[List[Commit]], error) {
	part, err := a.Proposals.Commits(ctx, in.full(), in.Number, in.part())
	return listPart(part, wireCommit), err
}

func (a *API) listProposalComments(ctx context.Context, in *proposalPartInput) (*body[List[ProposalComment]], error) {
	part, err := a.Proposals.Comments(ctx, in.full(), in.Number, in.part())
	if err != nil {
		return nil, err
	}
	items, err := a.wireComments(ctx, part.Items...)
	return list(items, part.Next), err
}

func (a *API) wireComments(ctx context.Context, all ...proposal.Comment) ([]ProposalComment, error) {
	var ids []string
	for _, c := range all {
		ids = append(ids, c.Author, c.Resolved)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]ProposalComment, len(all))
	for i, c := range all {
		out[i] = ProposalComment{
			ID: c.ID, Author: byLogin(who(c.Author), c.Login), Body: c.Body, Path: c.Path, Start: c.Start, Line: c.Line, Old: c.Old, Commit: c.Commit, Quote: c.Quote,
			NowStart: c.Now.Start, NowLine: c.Now.Line, ReplyTo: c.ReplyTo, Review: c.Review, Resolved: known(who, c.Resolved), Applied: c.Applied,
			Created: c.Created, Updated: c.Updated,
		}
		if text, ok := c.Suggestion(); ok {
			out[i].Suggestion = &text
		}
		for _, k := range c.Commands {
			out[i].Commands = append(out[i].Commands, client.ProposalCommand{Name: k.Name, Arguments: k.Arguments, State: k.State, Answer: k.Answer})
		}
	}
	return out, nil
}

func (a *API) wireComment(ctx context.Context, c proposal.Comment, err error) (*body[ProposalComment], error) {
	if err != nil {
		return nil, err
	}
	wired, err := a.wireComments(ctx, c)
	if err != nil {
		return nil, err
	}
	return answer(wired[0]), nil
}

// NewProposalComment is what to say.
type NewProposalComment struct {
	Body    string `json:"body" maxLength:"65536"`
	Path    string `json:"path,omitempty" maxLength:"4096" doc:"File of the line that it is about."`
	Line    int    `json:"line,omitempty" minimum:"0" doc:"In the new file, or with old in the old one; of several the last."`
	Start   int    `json:"start,omitempty" minimum:"0" doc:"First of several lines."`
	Old     bool   `json:"old,omitempty"`
	ReplyTo string `json:"replyTo,omitempty" maxLength:"64" doc:"Comment that began the talk."`
}

type commentProposalInput struct {
	ProposalInput
	Body NewProposalComment
}

func (a *API) commentProposal(ctx context.Context, in *commentProposalInput) (*body[ProposalComment], error) {
	c, err := a.Proposals.Comment(ctx, in.full(), in.Number, proposal.NewComment(in.Body))
	return a.wireComment(ctx, c, err)
}

// CommentInput names a comment.
type CommentInput struct {
	ProposalInput
	ID string `path:"id" maxLength:"64"`
}

type editCommentInput struct {
	CommentInput
	Body struct {
		Body string `json:"body" maxLength:"65536"`
	}
}

func (a *API) editProposalComment(ctx context.Context, in *editCommentInput) (*body[ProposalComment], error) {
	c, err := a.Proposals.EditComment(ctx, in.full(), in.Number, in.ID, in.Body.Body)
	return a.wireComment(ctx, c, err)
}

type settleInput struct {
	CommentInput
	Body struct {
		Settled bool `json:"settled"`
	}
}

func (a *API) settleProposalTalk(ctx context.Context, in *settleInput) (*body[ProposalComment], error) {
	c, err := a.Proposals.Settle(ctx, in.full(), in.Number, in.ID, !in.Body.Settled)
	return a.wireComment(ctx, c, err)
}

type applySuggestionsInput struct {
	ProposalInput
	Body struct {
		Comments []string `json:"comments" maxItems:"100" doc:"Ids of comments with one suggestion each."`
		Message  string   `json:"message,omitempty" maxLength:"32768" doc:"Of the commit; one that names the files when absent."`
		Head     string   `json:"head,omitempty" maxLength:"64" doc:"Commit that was looked at: another one gives 412."`
	}
}

func (a *API) applySuggestions(ctx context.Context, in *applySuggestionsInput) (*tagged[ProposalDetail], error) {
	d, err := a.Proposals.Apply(ctx, in.full(), in.Number, proposal.ApplyRequest(in.Body))
	return a.wireProposal(ctx, d, err)
}

type reviewProposalInput struct {
	ProposalInput
	Body struct {
		Verdict  string               `json:"verdict" enum:"approved,refused,commented"`
		Body     string               `json:"body,omitempty" maxLength:"65536"`
		Head     string               `json:"head,omitempty" maxLength:"64" doc:"Commit that was looked at: another one gives 412."`
		Comments []NewProposalComment `json:"comments,omitempty" maxItems:"200"`
	}
}

func (a *API) reviewProposal(ctx context.Context, in *reviewProposalInput) (*tagged[ProposalDetail], error) {
	n := proposal.NewReview{Verdict: in.Body.Verdict, Body: in.Body.Body, Head: in.Body.Head}
	for _, c := range in.Body.Comments {
		n.Comments = append(n.Comments, proposal.NewComment(c))
	}
	d, err := a.Proposals.Review(ctx, in.full(), in.Number, n)
	return a.wireProposal(ctx, d, err)
}

type checksInput struct {
	Named
	Commit string `path:"commit" minLength:"40" maxLength:"64"`
	Paging
}

func (a *API) listChecks(ctx context.Context, in *checksInput) (*body[List[ProposalCheck]], error) {
	part, err := a.Proposals.Checks(ctx, in.full(), in.Commit, in.part())
	return listPart(part, wireCheck), err
}

type setCheckInput struct {
	Named
	Commit string `path:"commit" minLength:"40" maxLength:"64"`
	Body   struct {
		Name        string `json:"name" minLength:"1" maxLength:"200"`
		State       string `json:"state" enum:"pending,passed,failed"`
		Description string `json:"description,omitempty" maxLength:"500"`
		URL         string `json:"url,omitempty" maxLength:"2000" format:"uri"`
	}
}

func (a *API) setCheck(ctx context.Context, in *setCheckInput) (*struct{}, error) {
	b := in.Body
	return nil, a.Proposals.SetCheck(ctx, in.full(), in.Commit, proposal.Check{Name: b.Name, State: b.State, Description: b.Description, URL: b.URL})
}
