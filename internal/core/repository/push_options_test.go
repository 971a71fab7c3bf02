package repository_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// What a push asks for is in its entry; what it can't ask for is told, and what is not fit refuses it.
func TestOptionsOfAPushAreInItsEntry(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.create("default/shop")
		b.Portal("https://roadbed.example.com/")
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		b.commit("a", "x", "1")
		said := b.must("a", "push", "-o", "ci.skip", "-o", "merge_request.create", "origin", "HEAD:main")
		if !strings.Contains(said, `remote: the option "merge_request.create" means nothing here and was ignored`) || strings.Contains(said, "open a proposal") {
			t.Errorf("alice was told\n%s", said)
		}
		b.commit("a", "x", "2")
		said = b.must("a", "push", "origin", "HEAD:refs/heads/side/a+b")
		if !strings.Contains(said, "remote:   https://roadbed.example.com/repositories/default/shop/propose?source=side%2Fa%2Bb") {
			t.Errorf("alice was told\n%s", said)
		}
		b.commit("a", "x", "3")
		said = b.must("a", "push", "-o", "proposal.draft", "-o", "proposal.target=main", "-o", "proposal.title= Three = 3 ", "origin", "HEAD:three")
		if strings.Contains(said, "propose?") {
			t.Errorf("alice was told\n%s", said)
		}
		for word, options := range map[string][]string{
			"proposal.target needs a value": {"proposal.target"}, "ci.skip takes no value": {"ci.skip=no"}, "not the name of a branch": {"proposal.target=../x"},
			"at most 250 bytes": {"proposal.title=" + strings.Repeat("x", 251)},
		} {
			args := []string{"push"}
			for _, o := range options {
				args = append(args, "-o", o)
			}
			b.refused(word, "a", append(args, "origin", "HEAD:four")...)
		}
		b.refused("pushes one branch, this one 2", "a", "push", "-o", "proposal.create", "origin", "HEAD:four", "HEAD:five")
		var got []string
		for _, e := range b.entries("default/shop") {
			var p repository.Push
			if err := json.Unmarshal(e.Data, &p); err != nil {
				t.Fatal(err)
			}
			if e.Type == "repository.pushed" {
				got = append(got, fmt.Sprintf("%s %v %v %v", p.Ref, p.Options, p.SkipsRuns(), p.Proposes()))
			}
		}
		b.same("options", got,
			"refs/heads/main map[ci.skip:] true false",
			"refs/heads/side/a+b map[] false false",
			"refs/heads/three map[proposal.draft: proposal.target:main proposal.title:Three = 3] false true")
	})
}

// Options survive a crash between the references and the ledger.
func TestOptionsOfAPushSurviveACrash(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		head := b.commits("main", "", 1)
		err := b.db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE repositories SET dirty = 1, dirty_actor = 'pri_alice', dirty_options = '{"ci.skip":""}' WHERE id = $1`, r.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		b.must("", "--git-dir="+b.dir+"/"+r.ID+".git", "update-ref", "refs/heads/side", head)
		if err := b.Settle(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
		last := b.entries("default/shop")
		if e := last[len(last)-1]; e.Type != "repository.pushed" || !strings.Contains(string(e.Data), `"options":{"ci.skip":""}`) {
			t.Errorf("the entry is %s %s", e.Type, e.Data)
		}
	})
}
