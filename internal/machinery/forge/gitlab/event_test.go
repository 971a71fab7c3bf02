package gitlab_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitlab"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// golden is what another library reads in a delivery.
type golden struct {
	Ref         any
	Action      string
	Before      string
	After       string
	Repo        struct{ ID, Namespace, Name, Branch, Link, Clone string }
	Sender      struct{ Login string }
	Comment     struct{ Body string }
	PullRequest struct {
		Number                                 int
		Title, Body, Sha, Source, Target, Link string
		Closed, Merged                         bool
	}
	Issue struct {
		PullRequest struct {
			Number         int
			Source, Target string
		}
	}
	Commit    struct{ Sha string }
	Execution struct{ Status, URL string }
}

// Every delivery of the corpus is read: as the corpus names it, and as others read it.
func TestCorpus(t *testing.T) {
	root := lacktest.Corpus(t, "webhooks")
	index, err := os.ReadFile(filepath.Join(root, "index.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]forge.Kind{
		"push": forge.KindPush, "tag_push": forge.KindPush, "mr_open": forge.KindProposal, "mr_close": forge.KindProposal, "mr_reopen": forge.KindProposal,
		"mr_update": forge.KindProposal, "mr_merge": forge.KindProposal, "mr_approval": forge.KindReview, "mr_unapproved": forge.KindReview,
		"note_MergeRequest": forge.KindComment, "note_Issue": forge.KindOther, "issue": forge.KindOther, "pipeline": forge.KindCheck,
	}
	read := 0
	for line := range strings.Lines(string(index)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) < 5 || f[1] != "gitlab" {
			continue
		}
		read++
		t.Run(f[0], func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join(root, f[0]))
			if err != nil {
				t.Fatal(err)
			}
			e, err := gitlab.Hooks{}.Parse(http.Header{}, body)
			if err != nil {
				t.Fatal(err)
			}
			want, known := kinds[f[2]]
			if !known || e.Kind != want {
				t.Errorf("%s is read as %s (%s)", f[2], e.Kind, e.Name)
			}
			if e.Repository.ID == "" || !strings.Contains(e.Repository.Name, "/") || e.Repository.URL == "" || e.Sender.Login == "" {
				t.Errorf("of %+v by %+v", e.Repository, e.Sender)
			}
			whole(t, f[2], e)
			if f[4] == "y" {
				compare(t, filepath.Join(root, f[0]+".golden"), e)
			}
		})
	}
	if read < 30 {
		t.Errorf("the corpus has %d deliveries of GitLab", read)
	}
}

// What the GitLab of our own sends has no field that was never sent by a real one.
func TestSentFieldsAreReal(t *testing.T) {
	real := map[string]map[string]bool{}
	files, err := filepath.Glob(filepath.Join(lacktest.Corpus(t, "webhooks"), "gitlab", "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		collect(t, real, body)
	}
	sent := map[string]map[string]bool{}
	b := newBench(t)
	b.Sent = func(body []byte) { collect(t, sent, body) }
	ctx := t.Context()
	head := b.Commit(app, "ann", "one", "a.txt", "new\n")
	p := b.open("one")
	b.Commit(app, "ann", "one", "b.txt", "b\n")
	for _, call := range []func() error{
		func() error { return b.ann.SetCheck(ctx, app, head, forge.Check{Name: "x", State: forge.CheckPassed}) },
		func() error {
			_, err := b.rob.Review(ctx, app, p.Number, forge.NewReview{Verdict: forge.Approved, Body: "good", Comments: []forge.LineComment{{Path: "b.txt", Line: 1, Body: "b"}}})
			return err
		},
		func() error { return b.ann.CloseProposal(ctx, app, p.Number, true) },
		func() error { return b.ann.CloseProposal(ctx, app, p.Number, false) },
		func() error {
			_, err := b.ann.MergeProposal(ctx, app, p.Number, forge.Merge{Way: forge.MergeSquash, DeleteSource: true})
			return err
		},
	} {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"push", "merge_request", "note", "pipeline"} {
		if len(sent[kind]) == 0 {
			t.Errorf("no %s was sent", kind)
		}
		for field := range sent[kind] {
			if (part(field) == "" || kind != "merge_request" && strings.HasPrefix(field, ".object_attributes.") || !real[""][part(field)]) && !real[kind][field] && !slices.Contains(documented, kind+field) && !strings.HasPrefix(kind+field, "note.object_attributes.position.") {
				t.Errorf("no %s of the corpus has %s", kind, field)
			}
		}
	}
}

// documented are fields that GitLab's documentation has and no delivery of the corpus.
var documented = []string{"push.ref_protected", "note.event_type", "note.object_attributes.action", "pipeline.object_attributes.detailed_status", "pipeline.object_attributes.queued_duration"}

// part names a field by the thing that it is of, where that is in several kinds of deliveries; otherwise it is "".
func part(field string) string {
	for _, name := range []string{".last_commit.", ".commits[].", ".commit.", ".project.", ".source.", ".target.", ".user.", ".merge_request."} {
		if at := strings.LastIndex(field, name); at >= 0 {
			of := map[string]string{".last_commit.": "commit.", ".commits[].": "commit.", ".commit.": "commit.", ".user.": "user.", ".merge_request.": "merge_request."}[name]
			return cmp.Or(of, "project.") + field[at+len(name):]
		}
	}
	if rest, ok := strings.CutPrefix(field, ".object_attributes."); ok {
		return "merge_request." + rest
	}
	return ""
}

// collect notes the fields that a delivery has, by its kind.
func collect(t *testing.T, into map[string]map[string]bool, body []byte) {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Error(err)
		return
	}
	kind, _ := v["object_kind"].(string)
	for _, k := range []string{kind, ""} {
		if into[k] == nil {
			into[k] = map[string]bool{}
		}
	}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				into[kind][at+"."+name] = true
				if of := part(at + "." + name); kind == "merge_request" || !strings.HasPrefix(of, "merge_request.") {
					into[""][of] = true
				}
				walk(at+"."+name, inner)
			}
		case []any:
			for _, inner := range v {
				walk(at+"[]", inner)
			}
		}
	}
	walk("", v)
}

// whole checks what each kind has.
func whole(t *testing.T, event string, e forge.Event) {
	t.Helper()
	switch e.Kind {
	case forge.KindPush:
		if e.Push.Old == "" && e.Push.New == "" || strings.HasPrefix(e.Push.Ref, "refs/tags/") != (event == "tag_push") {
			t.Errorf("the push is %+v", e.Push)
		}
		for _, c := range e.Push.Commits {
			if len(c.Hash) != 40 || c.Author.Name == "" || c.Author.When.IsZero() {
				t.Errorf("a commit is %+v", c)
			}
		}
	case forge.KindProposal, forge.KindReview, forge.KindComment:
		p := e.Proposal.Proposal
		if p.Number < 1 || p.Title == "" || len(p.Source.Commit) != 40 || p.Source.Branch == "" || p.Target.Branch == "" || p.Target.Repository == "" ||
			p.Source.Repository == "" || p.Author.ID == "" || p.Created.IsZero() || p.Updated.IsZero() || e.Time.IsZero() {
			t.Errorf("the proposal is %+v at %s", p, e.Time)
		}
		action, want := e.Proposal.Action, map[string]string{
			"mr_open": forge.ActionOpened, "mr_close": forge.ActionClosed, "mr_reopen": forge.ActionReopened, "mr_merge": forge.ActionMerged,
		}[event]
		if want != "" && action != want {
			t.Errorf("%s is read as %s", event, action)
		}
		if e.Kind == forge.KindReview && (e.Proposal.Review.Author != e.Sender || e.Proposal.Review.Verdict != map[string]string{"mr_approval": forge.Approved, "mr_unapproved": forge.Dismissed}[event]) {
			t.Errorf("the review is %+v", e.Proposal.Review)
		}
		if e.Kind == forge.KindComment && (e.Proposal.Comment.Body == "" || e.Proposal.Comment.Author != e.Sender || e.Proposal.Comment.ID == "" || e.Proposal.Comment.Created.IsZero()) {
			t.Errorf("the comment is %+v", e.Proposal.Comment)
		}
	}
}

func compare(t *testing.T, file string, e forge.Event) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) == 0 { // what others don't read
		return
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	same := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s is %q, others read %q", what, got, want)
		}
	}
	same("the repository's id", e.Repository.ID, g.Repo.ID)
	same("its name", e.Repository.Name, g.Repo.Namespace+"/"+g.Repo.Name)
	same("its page", e.Repository.URL, g.Repo.Link)
	same("its default branch", e.Repository.DefaultBranch, g.Repo.Branch)
	same("its clone address", e.Repository.CloneURL, g.Repo.Clone)
	same("the sender", e.Sender.Login, g.Sender.Login)
	switch e.Kind {
	case forge.KindPush:
		if ref, is := g.Ref.(map[string]any); is { // a reference that was made or deleted
			name, _ := ref["Name"].(string)
			sha, _ := ref["Sha"].(string)
			_, after, _ := strings.Cut(strings.TrimPrefix(e.Push.Ref, "refs/"), "/")
			same("the reference", after, name)
			hash := e.Push.New
			if g.Action == "deleted" {
				hash = e.Push.Old
				same("the new commit", e.Push.New, "")
			}
			same("the commit", hash, sha)
			break
		}
		ref, _ := g.Ref.(string)
		same("the reference", e.Push.Ref, ref)
		same("the old commit", e.Push.Old, g.Before)
		same("the new commit", e.Push.New, g.After)
	case forge.KindProposal:
		p := e.Proposal.Proposal
		same("the number", strconv.Itoa(p.Number), strconv.Itoa(g.PullRequest.Number))
		same("the title", p.Title, g.PullRequest.Title)
		same("the body", p.Body, g.PullRequest.Body)
		same("the head", p.Source.Commit, g.PullRequest.Sha)
		same("the source", p.Source.Branch, g.PullRequest.Source)
		same("the target", p.Target.Branch, g.PullRequest.Target)
		same("the page", p.URL, g.PullRequest.Link)
		same("open", strconv.FormatBool(p.State == forge.StateOpen), strconv.FormatBool(!g.PullRequest.Closed))
		same("merged", strconv.FormatBool(p.State == forge.StateMerged), strconv.FormatBool(g.PullRequest.Merged))
	case forge.KindComment:
		same("the comment", e.Proposal.Comment.Body, g.Comment.Body)
		same("the number", strconv.Itoa(e.Proposal.Proposal.Number), strconv.Itoa(g.Issue.PullRequest.Number))
		same("the source", e.Proposal.Proposal.Source.Branch, g.Issue.PullRequest.Source)
		same("the target", e.Proposal.Proposal.Target.Branch, g.Issue.PullRequest.Target)
	case forge.KindCheck:
		same("the commit", e.Check.Commit, g.Commit.Sha)
		same("the page", e.Check.Check.URL, g.Execution.URL)
		same("passed", strconv.FormatBool(e.Check.Check.State == forge.CheckPassed), strconv.FormatBool(g.Execution.Status == "success"))
	}
}

// What changes a merge request is told apart.
func TestUpdates(t *testing.T) {
	root := lacktest.Corpus(t, "webhooks")
	for file, want := range map[string]string{
		"woodpecker-ci__woodpecker/HookPullRequestUpdated.json": forge.ActionPushed, "woodpecker-ci__woodpecker/HookPullRequestEdited.json": forge.ActionEdited,
		"woodpecker-ci__woodpecker/HookPullRequestLabelsAdded.json": forge.ActionEdited, "woodpecker-ci__woodpecker/HookPullRequestAssigned.json": forge.ActionOther,
		"woodpecker-ci__woodpecker/HookPullRequestWithoutChanges.json": forge.ActionOther, "runatlantis__atlantis/gitlab-merge-request-event-update-mixed.json": forge.ActionEdited,
		"runatlantis__atlantis/gitlab-merge-request-event-update-reviewer.json": forge.ActionOther,
	} {
		body, err := os.ReadFile(filepath.Join(root, "gitlab", file))
		if err != nil {
			t.Fatal(err)
		}
		if e, err := (gitlab.Hooks{}).Parse(http.Header{}, body); err != nil || e.Proposal.Action != want {
			t.Errorf("%s: %+v, %v, want %s", file, e.Proposal, err, want)
		}
	}
}

func TestEventsOfProjects(t *testing.T) {
	for name, want := range map[string]string{
		"project_create": forge.RepositoryCreated, "project_destroy": forge.RepositoryDeleted, "project_rename": forge.RepositoryRenamed,
		"project_transfer": forge.RepositoryTransferred, "project_update": forge.RepositoryEdited,
	} {
		e, err := gitlab.Hooks{}.Parse(http.Header{"Idempotency-Key": {"k1"}}, []byte(`{"event_name":"`+name+`","created_at":"2012-07-21T07:30:54Z","updated_at":"2012-07-21T07:38:22Z",
			"name":"Underscore","path":"underscore","path_with_namespace":"jsmith/underscore","project_id":73,"project_visibility":"internal","old_path_with_namespace":"jsmith/overscore"}`))
		if err != nil || e.Kind != forge.KindRepository || e.Change.Action != want || e.Change.OldName != "jsmith/overscore" || e.Repository.Name != "jsmith/underscore" || e.Repository.ID != "73" || !e.Repository.Private || e.Delivery != "k1" {
			t.Errorf("%s: %+v %+v, %v", name, e, e.Change, err)
		}
	}
	e, err := gitlab.Hooks{}.Parse(http.Header{}, []byte(`{"object_kind":"build","sha":"2293ada6b400935a1378653304eaf6221e0fdb8f","build_name":"test","build_status":"failed",
		"build_finished_at":"2021-02-23 02:43:19 UTC","project_id":380,"user":{"id":3,"username":"root"},"repository":{"homepage":"http://192.168.64.1/gitlab-org/gitlab-test"}}`))
	if err != nil || e.Kind != forge.KindCheck || e.Check.Check.Name != "test" || e.Check.Check.State != forge.CheckFailed || e.Repository.Name != "gitlab-org/gitlab-test" || e.Repository.ID != "380" || e.Time.IsZero() {
		t.Errorf("a job: %+v %+v, %v", e, e.Check, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, body := range []string{
		"", "null garbage", "[]", `"push"`, `{"object_kind":"push"}`, `{"object_kind":"push","ref":7}`, `{"object_kind":"merge_request"}`,
		`{"object_kind":"merge_request","object_attributes":{"iid":0}}`, `{"object_kind":"note","object_attributes":{"noteable_type":"MergeRequest"},"merge_request":{}}`,
		`{"object_kind":"pipeline"}`, `{"object_kind":"build","sha":"1"}`, `{"event_name":"project_create"}`,
	} {
		if e, err := (gitlab.Hooks{}).Parse(http.Header{}, []byte(body)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s is read as %+v, %v", body, e, err)
		}
	}
	for _, body := range []string{`null`, `{}`, `{"object_kind":"wiki_page"}`, `{"object_kind":"deployment","project":{"id":1,"path_with_namespace":"a/b"}}`} {
		if e, err := (gitlab.Hooks{}).Parse(http.Header{}, []byte(body)); err != nil || e.Kind != forge.KindOther {
			t.Errorf("%s is read as %+v, %v", body, e, err)
		}
	}
}

// A delivery with a signature needs the right one, whatever secret it carries; one without needs the secret.
func TestVerify(t *testing.T) {
	const key, token = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	// The example of the Standard Webhooks specification.
	h := http.Header{}
	h.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	h.Set("webhook-timestamp", "1614265330")
	h.Set("webhook-signature", "v1a,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,bm90IGl0")
	body := []byte(`{"test": 2432232314}`)
	verify := func(secrets ...string) error { return gitlab.Hooks{}.Verify(h, body, secrets...) }
	if err := verify("other", token); err != nil {
		t.Error(err)
	}
	for _, secrets := range [][]string{nil, {""}, {key}, {"other"}} {
		if err := verify(secrets...); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%q verifies: %v", secrets, err)
		}
	}
	h.Set("X-Gitlab-Token", "hidden")
	if err := verify("hidden"); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("the secret stands in for a signature: %v", err)
	}
	for _, change := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		old := h.Get(change)
		h.Set(change, old+"1")
		if err := verify(token); change != "webhook-signature" && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("another %s verifies: %v", change, err)
		}
		h.Set(change, old)
	}
	if err := (gitlab.Hooks{}).Verify(h, append(body, ' '), token); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("another body verifies: %v", err)
	}
	h.Del("webhook-signature")
	if err := verify("other", "hidden"); err != nil {
		t.Error(err)
	}
	for _, secrets := range [][]string{nil, {""}, {"hidde"}, {"hidden "}} {
		if err := verify(secrets...); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%q verifies: %v", secrets, err)
		}
	}
	h.Del("X-Gitlab-Token")
	if err := verify(""); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("nothing verifies: %v", err)
	}
}

// Whatever comes, reading it ends with an event or with Invalid.
func FuzzParse(f *testing.F) {
	f.Add(`{"object_kind":"push","ref":"refs/heads/main","before":"0000","after":"1","commits":[{"id":"1","added":["a"]}]}`)
	f.Add(`{"object_kind":"merge_request","user":{"id":1},"object_attributes":{"iid":1,"action":"update","oldrev":"1","state":"merged","created_at":"2023-12-05 18:40:22 UTC"}}`)
	f.Add(`{"object_kind":"note","object_attributes":{"id":1,"noteable_type":"MergeRequest","position":{"old_line":1}},"merge_request":{"iid":1}}`)
	f.Add(`{"object_kind":"pipeline","object_attributes":{"sha":"1","finished_at":null}}`)
	f.Add(`{"object_kind":"build","sha":"1","build_name":"x","repository":{"homepage":"http://[::1"}}`)
	f.Add(`{"event_name":"project_rename","path_with_namespace":"a/b"}`)
	f.Add(`{"object_kind":"push","event_name":"project_create","ref":"refs/"}`)
	f.Fuzz(func(t *testing.T, body string) {
		h := http.Header{"X-Gitlab-Event": {body}, "Webhook-Signature": {body}, "X-Gitlab-Token": {body}}
		e, err := gitlab.Hooks{}.Parse(h, []byte(body))
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%v is no Invalid", err)
			}
		} else if (e.Kind == forge.KindPush) != (e.Push != nil) || (e.Kind == forge.KindCheck) != (e.Check != nil) || (e.Kind == forge.KindRepository) != (e.Change != nil) ||
			(e.Kind == forge.KindReview) != (e.Proposal != nil && e.Proposal.Review != nil) || (e.Kind == forge.KindComment) != (e.Proposal != nil && e.Proposal.Comment != nil) ||
			e.Kind == forge.KindProposal && e.Proposal == nil || e.Kind == "" {
			t.Fatalf("%s is read as %+v", body, e)
		}
		if err := (gitlab.Hooks{}).Verify(h, []byte(body), "secret"); err == nil && body != "secret" {
			t.Fatal("it verifies")
		}
	})
}
