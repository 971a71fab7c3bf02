package repository_test

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func TestConnectNeedsRights(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		for who, kind := range map[string]fault.Kind{"rita": fault.Denied, "carol": fault.NotFound} {
			n := repository.NewOutside{Integration: "default/forge", Remote: "acme/Shop"}
			if who == "carol" {
				n.Space = "lab"
			}
			if _, err := b.Connect(accesstest.As(who), n); !fault.Is(err, kind) {
				t.Errorf("%s: %v", who, err)
			}
		}
		if n := a.asked.Load(); n != 0 {
			t.Errorf("the forge was asked %d times", n)
		}
		if _, err := b.Connect(accesstest.As("alice"), repository.NewOutside{Integration: "default/forge", Remote: "acme/gone"}); !fault.Is(err, fault.NotFound) {
			t.Errorf("what is not there: %v", err)
		}
		b.connect()
		if _, err := b.Connect(accesstest.As("alice"), repository.NewOutside{Integration: "default/forge", Remote: "acme/shop", Name: "again"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("a second time: %v", err)
		}
		list, err := b.Offers(accesstest.As("alice"), "default/forge", "", page.Request{})
		if err != nil || len(list.Items) != 2 || list.Items[0].Connected != "default/shop" || !list.Items[0].Taken || list.Items[1].Taken {
			t.Errorf("what the forge offers is %+v, %v", list, err)
		}
		if _, err := b.Offers(accesstest.As("carol"), "default/forge", "", page.Request{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("carol sees what is offered: %v", err)
		}
		for name, change := range map[string]func() error{
			"rename":   func() error { _, err := b.Rename(accesstest.As("adam"), "default/shop", "default/other"); return err },
			"transfer": func() error { _, err := b.Transfer(accesstest.As("adam"), "default/shop", "lab"); return err },
			"protect": func() error {
				_, err := b.Update(accesstest.As("adam"), "default/shop", repository.Change{Protected: new(true)})
				return err
			},
		} {
			if err := change(); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "connect") && !strings.Contains(err.Error(), "https://forge.example.com/acme/Shop") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := b.Delete(accesstest.As("adam"), "default/shop"); err != nil {
			t.Error(err)
		}
		b.connect() // again
		a.mu.Lock()
		a.terms.Forge = "gitea"
		a.mu.Unlock()
		home, err := b.Platform().Home(t.Context(), "default/shop")
		if want := (catalog.Home{Forge: "gitea", URL: "https://forge.example.com/acme/Shop", Branch: "main"}); err != nil || home != want {
			t.Errorf("its files are looked at %+v, %v", home, err)
		}
		for page, want := range map[string]string{"https://forge.example.com/acme/SHOP": "[default/shop]", "https://forge.example.com/acme/other": "[]"} {
			if names, _, err := b.Platform().ByPage(t.Context(), page); err != nil || fmt.Sprint(names) != want {
				t.Errorf("%s is that of %v, %v", page, names, err)
			}
		}
	})
}

// An integration that is for some owners connects, lists and follows only what is theirs.
func TestAnIntegrationIsForItsOwners(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		ctx := accesstest.As("alice")
		a.set(func(a *away) { a.terms.Owners = []string{"empty", "other"} })
		if _, err := b.Connect(ctx, repository.NewOutside{Integration: "default/forge", Remote: "acme/Shop"}); !fault.Is(err, fault.Denied) {
			t.Errorf("another owner's: %v", err)
		}
		if _, err := b.Offers(ctx, "default/forge", "acme", page.Request{}); !fault.Is(err, fault.Denied) {
			t.Errorf("another owner's list: %v", err)
		}
		var names []string
		for cursor := ""; ; {
			list, err := b.Offers(ctx, "default/forge", "", page.Request{Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range list.Items {
				names = append(names, o.Name)
			}
			if cursor = list.Next; cursor == "" {
				break
			}
		}
		b.same("offers", names, "other/one", "other/two")
		if _, err := b.Offers(ctx, "default/forge", "", page.Request{Cursor: "7@x"}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a cursor that nobody gave: %v", err)
		}
		a.set(func(a *away) { a.terms.Owners = []string{"acme"} })
		b.connect()
		a.set(func(a *away) { a.there.Name = "mallory/Shop" })
		if _, err := b.Fetch(ctx, "default/shop"); !fault.Is(err, fault.Denied) {
			t.Errorf("what was given away: %v", err)
		}
	})
}

// What moves at the forge is in the ledger as a push is, once, in the name of who pushed when the forge told that.
func TestAnOutsideRepositoryIsFollowed(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		first := b.commit("work", "x", "1")
		b.must("work", "push", "-q", "origin", "HEAD:main", "HEAD:old", "HEAD:refs/tags/v0", "HEAD:refs/pull/1/head")
		r := b.connect()
		b.mirrors(a, r)
		// What was there before is no push, save that the default branch has a head.
		b.same("pushes", b.pushes("default/shop"), "system refs/heads/main "+nothing+" "+short(first))
		if r.Head != first || r.Outside.Fetched.IsZero() {
			t.Errorf("the repository is %+v", r)
		}

		second := b.commit("work", "x", "2")
		b.must("work", "push", "-q", "origin", "HEAD:main", "HEAD:refs/tags/v1")
		a.set(func(a *away) { a.there.Changed = time.Unix(2000, 0) })
		event := forge.Event{
			Kind: forge.KindPush, Repository: forge.Repository{ID: "7", Name: "acme/Shop"}, Sender: forge.Person{ID: "41", Login: "bob-at-forge"},
			Push: &forge.Push{Ref: "refs/heads/main", Old: first, New: second},
		}
		for range 2 {
			if outcome, err := b.Handle(t.Context(), "default/forge", event); err != nil || !strings.Contains(outcome, "default/shop") {
				t.Fatal(outcome, err)
			}
		}
		late := event
		late.Push = &forge.Push{Ref: "refs/heads/main", Old: "", New: first} // long overtaken
		late.Sender = forge.Person{ID: "42", Login: "mallory"}
		if _, err := b.Handle(t.Context(), "default/forge", late); err != nil {
			t.Error(err)
		}
		b.must("work", "push", "-q", "origin", ":old")
		gone := event
		gone.Sender = forge.Person{ID: "43", Login: "somebody"}
		gone.Push = &forge.Push{Ref: "refs/heads/old", Old: first}
		if _, err := b.Handle(t.Context(), "default/forge", gone); err != nil {
			t.Error(err)
		}
		b.same("pushes", b.pushes("default/shop"),
			"system refs/heads/main "+nothing+" "+short(first),
			"pri_bob refs/heads/main "+short(first)+" "+short(second),
			"system refs/tags/v1 "+nothing+" "+short(second),
			"system refs/heads/old "+short(first)+" "+nothing)
		entries := b.entries("default/shop")
		if last := string(entries[len(entries)-1].Data); !strings.Contains(last, `"sender":"43"`) {
			t.Errorf("the last entry is %s", last)
		}
		b.mirrors(a, r)
		for _, e := range []forge.Event{
			{Kind: forge.KindPush, Repository: forge.Repository{ID: "7"}, Push: &forge.Push{Ref: "refs/pull/1/head", New: second}},
			{Kind: forge.KindPing, Repository: forge.Repository{ID: "7"}}, {Kind: forge.KindPush, Repository: forge.Repository{ID: "7"}},
		} {
			if outcome, err := b.Handle(t.Context(), "default/forge", e); err != nil || outcome == "" {
				t.Errorf("%+v: %q, %v", e, outcome, err)
			}
		}
		for _, e := range []forge.Event{{}, {Kind: forge.KindPush, Repository: forge.Repository{ID: "9", Name: "acme/unknown"}, Push: event.Push}} {
			if outcome, err := b.Handle(t.Context(), "default/forge", e); err != nil || outcome != "" {
				t.Errorf("%+v: %q, %v", e, outcome, err)
			}
		}
	})
}

// A mirror that is dropped is no repository without branches, and many who read it share the fetch that brings it back.
func TestADroppedMirrorIsFetchedOnce(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		first := b.commit("work", "x", "1")
		b.must("work", "push", "-q", "origin", "HEAD:main", "HEAD:side")
		r := b.connect()
		folder := filepath.Join(b.dir, r.ID+".git")
		entries := len(b.types())

		// While it is read it stays.
		stream, err := b.Archive(accesstest.As("alice"), "default/shop", first, "")
		if err != nil {
			t.Fatal(err)
		}
		if dropped, err := b.Drop(t.Context(), r.ID); dropped || err != nil {
			t.Errorf("it was dropped while it was read: %v", err)
		}
		if _, err := io.Copy(io.Discard, stream); err != nil {
			t.Error(err)
		}
		stream.Close()
		known, err := b.Commits(accesstest.As("alice"), "default/shop", []string{first})
		if err != nil || known[first].Hash != first {
			t.Errorf("of %s is known %+v, %v", first, known, err)
		}
		if dropped, err := b.Drop(t.Context(), r.ID); !dropped || err != nil || isThere(folder) {
			t.Fatalf("it was not dropped: %v", err)
		}
		packs, lists := a.packs.Load(), a.lists.Load()
		if known, err := b.Commits(accesstest.As("alice"), "default/shop", []string{first}); err != nil || len(known) > 0 || isThere(folder) {
			t.Errorf("who asks about commits waits for a fetch: %+v, %v", known, err)
		}
		var readers sync.WaitGroup
		for range 10 {
			readers.Go(func() {
				content, err := b.ReadFile(accesstest.As("alice"), "default/shop", first, "x", 100)
				if err != nil || string(content) != "1" {
					t.Errorf("a reader got %q, %v", content, err)
				}
			})
		}
		readers.Wait()
		// One that comes at the very end may begin a second look, which has nothing to receive.
		if a.packs.Load() == packs || a.lists.Load()-lists > 4 {
			t.Errorf("ten readers asked for references %d times", a.lists.Load()-lists)
		}
		b.mirrors(a, r)
		if got := len(b.types()); got != entries {
			t.Errorf("the ledger has %d entries, it had %d: %v", got, entries, b.types())
		}
		// A reader needs no forge for what is there.
		a.set(func(a *away) { a.fails = errors.New("away") })
		if _, err := b.ReadFile(accesstest.As("alice"), "default/shop", "", "x", 100); err != nil {
			t.Error(err)
		}
		// Bounded by size: it goes, and the rows stay.
		b.Join(repository.OutsideOptions{Forges: a, Accounts: a, Cache: 1})
		if err := b.Trim(t.Context()); err != nil || isThere(folder) {
			t.Errorf("the cache is not bounded: %v", err)
		}
		if err := b.Settle(t.Context(), r.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("settle without a mirror: %v", err)
		}
		if refs, err := b.Refs(accesstest.As("alice"), "default/shop"); err != nil || len(refs) != 2 {
			t.Errorf("the rows are %v, %v", refs, err)
		}
		if got := len(b.types()); got != entries {
			t.Errorf("the ledger has %v", b.types())
		}
		// It is followed without a mirror, and comes back for a reader.
		a.set(func(a *away) { a.fails, a.there.Changed = nil, time.Unix(9000, 0) })
		pushes := len(b.pushes("default/shop"))
		later := b.commit("work", "x", "later")
		b.must("work", "push", "-q", "origin", "HEAD:main", "HEAD:later")
		if now := b.fetch(); now.Head != later || isThere(folder) {
			t.Errorf("without a mirror the head is %s; a mirror: %v", now.Head, isThere(folder))
		}
		if got, err := b.ReadFile(accesstest.As("alice"), "default/shop", "later", "x", 100); err != nil || string(got) != "later" || !isThere(folder) {
			t.Errorf("a reader gets %q, %v", got, err)
		}
		b.fetch()
		if got := b.pushes("default/shop"); len(got) != pushes+2 {
			t.Errorf("the pushes are %v", got)
		}
		b.mirrors(a, r)
	})
}

// A commit that no branch leads to is fetched when it is read, by all who read it together, and who asks for what is not
// there does not make the forge be asked again and again.
func TestACommitOfAProposalIsFetched(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		b.commit("work", "x", "1")
		b.must("work", "push", "-q", "origin", "HEAD:main")
		b.connect()
		fork := b.commit("work", "x", "2")
		b.must("work", "push", "-q", "origin", "HEAD:refs/pull/1/head")
		if content, err := b.Platform().ReadFile(t.Context(), "default/shop", fork, "x", 100); err != nil || string(content) != "2" {
			t.Errorf("the proposal's file is %q, %v", content, err)
		}
		lists := a.lists.Load()
		for range 5 {
			if _, err := b.Platform().ReadFile(t.Context(), "default/shop", strings.Repeat("ab", 20), "x", 100); !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
			if _, err := b.Resolve(accesstest.As("alice"), "default/shop", "nowhere"); !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
		}
		if n := a.lists.Load() - lists; n > 4 {
			t.Errorf("the forge was asked %d times for what is not there", n)
		}
		third := b.commit("work", "x", "3")
		b.must("work", "push", "-q", "origin", "HEAD:new")
		if got, err := b.Resolve(accesstest.As("alice"), "default/shop", "new"); err != nil || got != third {
			t.Errorf("a new branch is at %q, %v", got, err)
		}
	})
}

// What the platform commits is at the forge, marked as the platform's; a lost race is a conflict, and then the next try
// sees what is there.
func TestCommitsReachTheForge(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		first := b.commit("work", "x", "1")
		b.must("work", "push", "-q", "origin", "HEAD:main")
		r := b.connect()
		commit := func(parent string) (string, error) {
			return b.Platform().Commit(t.Context(), "default/shop", git.CommitRequest{Branch: "main", Parent: parent, Message: "digest",
				Changes: []git.FileChange{{Path: "digest", Content: []byte(parent)}}})
		}
		second, err := commit(first)
		if err != nil {
			t.Fatal(err)
		}
		if at := a.refs()["refs/heads/main"]; at != second {
			t.Errorf("the forge is at %s, want %s", at, second)
		}
		b.must("work", "pull", "-q", "origin", "main")
		third := b.commit("work", "x", "3")
		b.must("work", "push", "-q", "origin", "HEAD:main")
		if _, err := commit(second); !fault.Is(err, fault.Conflict) {
			t.Errorf("a lost race: %v", err)
		}
		head, err := b.Platform().Head(t.Context(), "default/shop", "main")
		if err != nil || head != third {
			t.Errorf("after the lost race the head is %s, %v", head, err)
		}
		fourth, err := commit(third)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Platform().DeleteBranch(t.Context(), "default/shop", "main", fourth); !fault.Is(err, fault.Conflict) {
			t.Errorf("the default branch: %v", err)
		}
		person, err := b.CommitFiles(accesstest.As("alice"), "default/shop", git.CommitRequest{Branch: "side", Parent: "", Message: "new",
			Changes: []git.FileChange{{Path: "y", Content: []byte("y")}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.RemoveBranch(accesstest.As("alice"), "default/shop", "side", ""); err != nil {
			t.Error(err)
		}
		b.same("pushes", b.pushes("default/shop"),
			"system refs/heads/main "+nothing+" "+short(first),
			"system refs/heads/main "+short(first)+" "+short(second)+" platform",
			"system refs/heads/main "+short(second)+" "+short(third),
			"system refs/heads/main "+short(third)+" "+short(fourth)+" platform",
			"pri_alice refs/heads/side "+nothing+" "+short(person),
			"pri_alice refs/heads/side "+short(person)+" "+nothing)
		if is, err := b.Platform().IsPlatformCommit(t.Context(), "default/shop", fourth); err != nil || !is {
			t.Errorf("%s is the platform's: %v, %v", fourth, is, err)
		}
		b.fetch()
		b.mirrors(a, r)

		// Git reads it here, and pushes there.
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "here")
		b.commit("here", "z", "1")
		b.refused("https://forge.example.com/acme/Shop", "here", "push", "origin", "HEAD:main")

		// Refused credentials: nothing moves, and it is told.
		a.set(func(a *away) { a.password = "another" })
		if _, err := commit(fourth); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("refused credentials: %v", err)
		}
		a.set(func(a *away) { a.password = "rbt_secret" })
		b.fetch()
		b.mirrors(a, r)
		b.chain("default/shop")
	})
}

// What goes wrong is in the row, in words; the forge is left alone until its time; and nothing here is lost.
func TestTroubleIsSeen(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		first := b.commit("work", "x", "1")
		b.must("work", "push", "-q", "origin", "HEAD:main")
		r := b.connect()
		ctx := accesstest.As("alice")
		for _, kind := range []fault.Kind{fault.Unauthenticated, fault.Denied, fault.NotFound, fault.Unavailable} {
			a.set(func(a *away) { a.fails = fault.Errorf(kind, "the forge says %s", kind) })
			if _, err := b.Fetch(ctx, "default/shop"); !fault.Is(err, kind) {
				t.Errorf("%v: %v", kind, err)
			}
			got, err := b.Get(ctx, "default/shop")
			if err != nil || got.Outside.TroubleKind != kind.String() || !strings.Contains(got.Outside.Trouble, "the forge says") || got.Outside.TroubleSince.IsZero() {
				t.Errorf("%v: %+v, %v", kind, got.Outside, err)
			}
			asked := a.asked.Load()
			if err := b.Look(t.Context(), r.ID); !fault.Is(err, kind) || a.asked.Load() != asked {
				t.Errorf("%v: before its time the forge is asked %d times, %v", kind, a.asked.Load()-asked, err)
			}
			if next := b.Following(got).Next; !next.After(time.Now()) {
				t.Errorf("%v: it is tried next %s", kind, next)
			}
		}
		if content, err := b.ReadFile(ctx, "default/shop", first, "x", 10); err != nil || string(content) != "1" {
			t.Errorf("what is here: %q, %v", content, err)
		}
		// Gone at the forge: it stays.
		gone := forge.Event{Kind: forge.KindRepository, Repository: forge.Repository{ID: "7", Name: "acme/Shop"}, Change: &forge.RepositoryEvent{Action: forge.RepositoryDeleted}}
		a.set(func(a *away) { a.fails = fault.Errorf(fault.NotFound, "there is none") })
		if outcome, err := b.Handle(t.Context(), "default/forge", gone); err != nil || !strings.Contains(outcome, "stays") {
			t.Errorf("deleted at the forge: %q, %v", outcome, err)
		}
		// Another repository has its name.
		a.set(func(a *away) { a.fails = nil; a.there.ID = "8" })
		if _, err := b.Fetch(ctx, "default/shop"); !fault.Is(err, fault.Conflict) {
			t.Errorf("another of its name: %v", err)
		}
		a.set(func(a *away) { a.there.ID = "7" })
		if got := b.fetch(); got.Outside.Trouble != "" || got.Outside.TroubleKind != "" {
			t.Errorf("after it: %+v", got.Outside)
		}
		// What git is refused is told as well.
		a.set(func(a *away) { a.password = "another" })
		if _, err := b.Fetch(ctx, "default/shop"); !fault.Is(err, fault.Unauthenticated) || strings.Contains(err.Error(), "rbt_secret") {
			t.Errorf("git is refused: %v", err)
		}
		b.same("entries", b.types(), "connected", "pushed", "troubled", "troubled", "troubled", "troubled", "troubled", "troubled", "recovered", "troubled")
	})
}

func TestAForgeThatIsAskedTooOften(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		r := b.connect()
		a.set(func(a *away) { a.fails = fault.Errorf(fault.Exhausted, "too often") })
		if _, err := b.Fetch(accesstest.As("alice"), "default/shop"); !fault.Is(err, fault.Exhausted) {
			t.Error(err)
		}
		if due := b.Due(time.Now()); len(due) != 0 {
			t.Errorf("%v is asked all the same", due)
		}
		if due := b.Due(time.Now().Add(time.Hour)); len(due) != 1 || due[0] != r.ID {
			t.Errorf("later %v is asked", due)
		}
	})
}

// What the forge changes of a repository is followed, and told.
func TestARenamedRepositoryIsFollowed(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		b.commit("work", "x", "1")
		b.must("work", "push", "-q", "origin", "HEAD:main", "HEAD:trunk")
		r := b.connect()
		a.set(func(a *away) {
			a.there.Name, a.there.URL, a.there.DefaultBranch, a.there.Archived = "acme/Store", "https://forge.example.com/acme/Store", "trunk", true
		})
		event := forge.Event{
			Kind: forge.KindRepository, Repository: forge.Repository{ID: "7", Name: "acme/Store", URL: "javascript:alert(1)"},
			Change: &forge.RepositoryEvent{Action: forge.RepositoryRenamed, OldName: "acme/Shop"},
		}
		for range 2 {
			if _, err := b.Handle(t.Context(), "default/forge", event); err != nil {
				t.Fatal(err)
			}
		}
		got, err := b.Get(accesstest.As("alice"), "default/shop")
		if err != nil || got.Outside.Remote != "acme/Store" || got.Outside.URL != "https://forge.example.com/acme/Store" || got.DefaultBranch != "trunk" || !got.Archived {
			t.Errorf("it is %+v %+v, %v", got, got.Outside, err)
		}
		if head, err := a.git.Head(t.Context(), filepath.Join(b.dir, r.ID+".git")); err != nil || head != "trunk" {
			t.Errorf("the mirror's HEAD is %s, %v", head, err)
		}
		if _, err := b.CommitFiles(accesstest.As("alice"), "default/shop", git.CommitRequest{Branch: "x", Message: "x"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("a commit to what is archived: %v", err)
		}
		if n := strings.Count(strings.Join(b.types(), " "), "changed"); n < 1 || n > 2 {
			t.Errorf("the entries are %v", b.types())
		}
		// Its former pages lead to it until another repository has its page there, or it is disconnected.
		leads := func(want map[string]string) {
			t.Helper()
			for page, repositories := range want {
				names, former, err := b.Platform().ByPage(t.Context(), "https://forge.example.com/"+page)
				if got := strings.Repeat("former ", map[bool]int{true: 1}[former]) + fmt.Sprint(names); err != nil || got != repositories {
					t.Errorf("%s leads to %s, %v; want %s", page, got, err, repositories)
				}
			}
		}
		if _, err := b.Connect(accesstest.As("alice"), repository.NewOutside{Name: "twice", Integration: "default/forge", Remote: "acme/Shop"}); !errors.Is(err, repository.ErrConnected) || !fault.Is(err, fault.Conflict) {
			t.Errorf("by its former name it is connected again: %v", err)
		}
		leads(map[string]string{"acme/Shop": "former [default/shop]", "acme/shop": "former [default/shop]", "acme/store": "[default/shop]", "acme/mall": "[]"})
		a.set(func(a *away) { a.there.Name, a.there.URL = "acme/Mall", "https://forge.example.com/acme/Mall" })
		b.fetch()
		leads(map[string]string{"acme/shop": "former [default/shop]", "acme/store": "former [default/shop]", "acme/mall": "[default/shop]"})
		a.set(func(a *away) {
			a.there.ID, a.there.Name, a.there.URL = "8", "acme/Shop", "https://forge.example.com/acme/Shop"
		})
		if _, err := b.Connect(accesstest.As("alice"), repository.NewOutside{Integration: "default/forge", Remote: "acme/Shop"}); errors.Is(err, repository.ErrConnected) || !fault.Is(err, fault.Conflict) {
			t.Errorf("the next one takes the name of the one before: %v", err)
		}
		if _, err := b.Connect(accesstest.As("alice"), repository.NewOutside{Name: "next", Integration: "default/forge", Remote: "acme/Shop"}); err != nil {
			t.Fatal(err)
		}
		leads(map[string]string{"acme/shop": "[default/next]", "acme/store": "former [default/shop]", "acme/mall": "[default/shop]"})
		for i := range 25 {
			e := event
			e.Repository.Name, e.Repository.URL = fmt.Sprintf("acme/N%d", i), fmt.Sprintf("https://forge.example.com/acme/N%d", i)
			_, _ = b.Handle(t.Context(), "default/forge", e) // the forge says another name, so that each is one more
		}
		leads(map[string]string{"acme/store": "[]", "acme/n24": "[default/shop]"})
		if err := b.Delete(accesstest.As("adam"), "default/shop"); err != nil {
			t.Fatal(err)
		}
		leads(map[string]string{"acme/n24": "[]", "acme/n23": "[]", "acme/mall": "[]", "acme/shop": "[default/next]"})
	})
}

// Proposals, comments, reviews and checks are entries of one shape, each once.
func TestWhatHappensToProposalsIsInTheLedger(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		b.connect()
		there := forge.Repository{ID: "7", Name: "acme/Shop"}
		proposal := forge.Proposal{Number: 12, State: forge.StateOpen, Source: forge.Side{Branch: "topic", Commit: strings.Repeat("a", 40)}, Target: forge.Side{Branch: "main"}}
		events := []forge.Event{
			{Kind: forge.KindProposal, Proposal: &forge.ProposalEvent{Action: forge.ActionOpened, Proposal: proposal}},
			{Kind: forge.KindComment, Proposal: &forge.ProposalEvent{Action: forge.ActionOpened, Proposal: proposal, Comment: &forge.Comment{ID: "5"}}},
			{Kind: forge.KindReview, Proposal: &forge.ProposalEvent{Action: forge.ActionOpened, Proposal: proposal, Review: &forge.Review{ID: "6"}}},
			{Kind: forge.KindCheck, Check: &forge.CheckEvent{Commit: strings.Repeat("a", 40), Check: forge.Check{Name: "build"}}},
		}
		for delivery := range 2 {
			for i, e := range events {
				e.Delivery, e.Repository, e.Sender = strings.Repeat("x", 4*delivery+i+1), there, forge.Person{ID: "41", Login: "bob-at-forge"}
				if outcome, err := b.Handle(t.Context(), "default/forge", e); err != nil || outcome == "" {
					t.Fatal(outcome, err)
				}
			}
		}
		var got []string
		for _, e := range b.entries("default/shop") {
			if e.Type == "repository.proposal" {
				got = append(got, e.Actor+" "+string(e.Data))
			}
		}
		b.same("entries", got,
			`pri_bob {"repository":"default/shop","kind":"proposal","action":"opened","number":12,"source":"topic","target":"main","head":"`+strings.Repeat("a", 40)+`","state":"open","sender":"41"}`,
			`pri_bob {"repository":"default/shop","kind":"comment","action":"opened","number":12,"source":"topic","target":"main","head":"`+strings.Repeat("a", 40)+`","state":"open","sender":"41"}`,
			`pri_bob {"repository":"default/shop","kind":"review","action":"opened","number":12,"source":"topic","target":"main","head":"`+strings.Repeat("a", 40)+`","state":"open","sender":"41"}`,
			`pri_bob {"repository":"default/shop","kind":"check","head":"`+strings.Repeat("a", 40)+`","check":"build","sender":"41"}`)
	})
}
