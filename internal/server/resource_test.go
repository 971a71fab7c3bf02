package server

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// addresses tells what a question about resources finds.
func (g *ground) addresses(who, query string) []string {
	g.t.Helper()
	found := []string{}
	for _, r := range mustGet[client.List[client.Resource]](g, who, "/resources"+query).Items {
		found = append(found, strings.TrimPrefix(r.Stack, "stack:default/")+" "+r.Address)
	}
	return found
}

func (g *ground) wantAddresses(who, query string, want ...string) {
	g.t.Helper()
	if got := g.addresses(who, query); !slices.Equal(got, want) {
		g.t.Errorf("%s asks for %s and finds %q, want %q", who, query, got, want)
	}
}

// TestWhoOwnsThisBucket asks for resources across all states, of two spaces.
func TestWhoOwnsThisBucket(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.lab()
		g.apply(stackDocument("net", ""))
		g.wantAddresses("rita", "")
		if err := g.inLab("lena", "net2"); err != nil {
			t.Fatal(err)
		}
		g.wantState(200, "", "otto", "POST", "", bucketState(1, "l", "a", bucket{"logs", "one", "secret-word"}, bucket{"a_b", "", ""}, bucket{"axb", "", ""}))
		g.wantState(200, "", "otto", "POST", "2", `{"version": 4, "serial": 1, "lineage": "m", "resources": [{"module": "module.db", "mode": "managed", "type": "acme_db", "name": "main",
 "provider": "module.db.provider[\"acme.example/acme/acme\"]", "instances": [{"index_key": "Blue", "attributes": {"id": "DB-77"}}]},
 {"mode": "data", "type": "acme_zone", "name": "z", "provider": "provider[\"acme.example/acme/acme\"]", "instances": [{"attributes": {"id": "DB-77"}}]}]}`)

		found := mustGet[client.List[client.Resource]](g, "rita", "/resources?text=arn:aws:s3:::LOGS").Items
		if len(found) != 1 {
			t.Fatalf("found is %+v", found)
		}
		if r := found[0]; r.Stack != "stack:default/net" || r.Owner != "group:default/crew" || r.Space != "default" || r.Address != "aws_s3_bucket.logs" || r.Provider != "hashicorp/aws" ||
			r.Identity != "arn:aws:s3:::logs" || r.Actor.Name != "otto" || r.Run != "" || r.FirstSeen.IsZero() || !r.Changed.Equal(r.FirstSeen) || r.Orphan {
			t.Errorf("the bucket is %+v", r)
		}
		g.wantAddresses("rita", "?text=secret-word") // what is sensitive finds nothing
		g.wantAddresses("rita", "?text=a_b", "net aws_s3_bucket.a_b")
		g.wantAddresses("rita", "?text=db-77+blue", `net2 module.db.acme_db.main["Blue"]`)
		g.wantAddresses("rita", "?text=%25")
		g.wantAddresses("rita", "?type=acme_db", `net2 module.db.acme_db.main["Blue"]`)
		g.wantAddresses("rita", "?provider=aws&text=logs", "net aws_s3_bucket.logs")
		g.wantAddresses("rita", "?provider=acme.example/acme/acme", `net2 module.db.acme_db.main["Blue"]`)
		g.wantAddresses("rita", "?stack=default/net2", `net2 module.db.acme_db.main["Blue"]`)
		g.wantAddresses("rita", "?space=lab", `net2 module.db.acme_db.main["Blue"]`)
		g.wantAddresses("rita", "?owner=group:default/crew&text=logs", "net aws_s3_bucket.logs")
		g.wantAddresses("rita", "?owner=crew&text=logs", "net aws_s3_bucket.logs")
		g.wantAddresses("rita", "?owner=group:default/others")
		g.wantAddresses("rita", "?orphan=true")
		g.wantAddresses("lena", "", `net2 module.db.acme_db.main["Blue"]`)
		g.wantAddresses("lena", "?stack=default/net")
		g.wantAddresses("mallory", "")
		for query, words := range map[string]string{"?owner=:": "is not an owner", "?stack=a/b/c/": "is not a stack", "?cursor=x": "cursor", "?text=a+b+c+d+e+f+g+h+i+j+k": "11 words"} {
			g.wantRefused(second(getAs[any](g, "rita", "/resources"+query)), fault.Invalid, words)
		}

		// Part by part each is there once.
		parts, cursor := []string{}, ""
		for {
			list := mustGet[client.List[client.Resource]](g, "rita", "/resources?limit=1&cursor="+url.QueryEscape(cursor))
			for _, r := range list.Items {
				parts = append(parts, r.Address)
			}
			if cursor = list.Next; cursor == "" {
				break
			}
		}
		if want := []string{"aws_s3_bucket.a_b", "aws_s3_bucket.axb", "aws_s3_bucket.logs", `module.db.acme_db.main["Blue"]`}; !slices.Equal(parts, want) {
			t.Errorf("the parts are %q", parts)
		}

		// A change tells when and by whom; what stays keeps its age; what is gone is not found.
		g.wantState(200, "", "admin", "POST", "", bucketState(2, "l", "a", bucket{"logs", "two", "secret-word"}, bucket{"axb", "", ""}))
		for _, r := range mustGet[client.List[client.Resource]](g, "rita", "/resources?stack=net").Items {
			if changed := r.Changed.After(r.FirstSeen); changed != (r.Name == "logs") || changed == (r.Actor.Name == "otto") {
				t.Errorf("after the change %s is %+v", r.Name, r)
			}
		}
		g.wantAddresses("rita", "?stack=net", "net aws_s3_bucket.axb", "net aws_s3_bucket.logs")

		// What a deleted stack has built has lost who cares for it.
		g.deleteStack("net")
		g.wantAddresses("rita", "?orphan=true", "net aws_s3_bucket.axb", "net aws_s3_bucket.logs")
		g.wantState(200, "", "otto", "POST", "", bucketState(3, "l", "a"))
		if err := g.inLab("lena", "net"); err != nil {
			t.Fatal(err)
		}
		g.wantAddresses("rita", "?stack=net")
	})
}

// TestTheRunThatChangedAResourceIsTold applies with the real engine.
func TestTheRunThatChangedAResourceIsTold(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		id := g.stack("net", lightInfra, "")
		g.rests(id)
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied")
		found := mustGet[client.List[client.Resource]](g, "rita", "/resources").Items
		if len(found) != 1 || found[0].Run != id || found[0].Address != "terraform_data.database" || found[0].Identity == "" || found[0].Provider != "terraform.io/builtin/terraform" {
			t.Errorf("found is %+v", found)
		}
	})
}

// marks tells, by its address, how each resource that a question finds has drifted.
func (g *ground) marks(query string) map[string]string {
	g.t.Helper()
	all := map[string]string{}
	for _, r := range mustGet[client.List[client.Resource]](g, "admin", "/resources"+query).Items {
		all[r.Address] = r.Drift
	}
	return all
}

// TestEachResourceTellsItsDrift has somebody write another state than was applied, looks, and mends it.
func TestEachResourceTellsItsDrift(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		wantMarks := func(query string, want map[string]string) {
			t.Helper()
			if got := g.marks(query); !maps.Equal(got, want) {
				t.Errorf("%s finds %v, want %v", query, got, want)
			}
		}
		id := g.stack("net", "resource \"terraform_data\" \"one\" {\n  input = \"as applied\"\n}\nresource \"terraform_data\" \"two\" {}\n", "")
		g.rests(id)
		g.wantRun(g.confirms(id), "finished", "applied")
		if r := mustGet[client.List[client.Resource]](g, "rita", "/resources").Items; len(r) != 2 {
			t.Fatalf("there are %+v", r)
		}
		g.wantRun(g.drifts("net"), "finished", "no drift")

		data, err := g.admin.PullState(t.Context(), "default", "net", "latest")
		if err != nil {
			t.Fatal(err)
		}
		var state map[string]any
		if err := json.Unmarshal(data, &state); err != nil {
			t.Fatal(err)
		}
		state["serial"] = state["serial"].(float64) + 1
		all := state["resources"].([]any)
		extra := []byte(strings.ReplaceAll(asJSON(t, all[1]), `"two"`, `"by_hand"`))
		var more any
		if err := json.Unmarshal(extra, &more); err != nil {
			t.Fatal(err)
		}
		state["resources"] = append(all, more)
		other := strings.ReplaceAll(asJSON(t, state), "as applied", "by hand")
		if err := g.as["otto"].PushState(t.Context(), "default", "net", []byte(other), false); err != nil {
			t.Fatal(err)
		}
		wantMarks("?drifted=true", map[string]string{})

		look := g.drifts("net")
		g.wantRun(look, "finished", "drifted: 1 to change, 1 to destroy")
		g.followed("stack.ends", "run.state-changed", look.ID, `"finished"`)
		wantMarks("", map[string]string{"terraform_data.one": "update", "terraform_data.two": "", "terraform_data.by_hand": "delete"})
		wantMarks("?drifted=true", map[string]string{"terraform_data.one": "update", "terraform_data.by_hand": "delete"})
		wantMarks("?drifted=true&owner=group:default/crew", map[string]string{"terraform_data.one": "update", "terraform_data.by_hand": "delete"})
		wantMarks("?drifted=true&owner=group:default/others", map[string]string{})
		g.wantAddresses("mallory", "?drifted=true")
		for _, r := range mustGet[client.List[client.Resource]](g, "rita", "/resources").Items {
			if !r.Looked.After(r.FirstSeen) {
				t.Errorf("%s was looked at %s and is there since %s", r.Address, r.Looked, r.FirstSeen)
			}
		}

		// What is written anew has the mark no more; what applies the rest takes all of them away.
		next, err := g.begins("net", "tracked")
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(next.ID), "unconfirmed", "1 to change, 1 to destroy")
		g.wantRun(g.confirms(next.ID), "finished", "applied: 1 to change, 1 to destroy")
		wantMarks("", map[string]string{"terraform_data.one": "", "terraform_data.two": ""})
	})
}

// TestResourcesMoveBetweenStacks takes them from the state of one stack to that of another.
func TestResourcesMoveBetweenStacks(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.lab()
		g.apply(stackDocument("net", "") + "---\n" + stackDocument("data", ""))
		if err := g.inLab("lena", "net2"); err != nil {
			t.Fatal(err)
		}
		move := func(who, to string, try bool, addresses ...string) (client.MovedResources, error) {
			return client.Post[client.MovedResources](t.Context(), g.as[who], "/stacks/default/net/move-resources", map[string]any{"to": to, "addresses": addresses, "try": try})
		}
		g.wantRefused(second(move("otto", "data", false, "aws_s3_bucket.logs")), fault.NotFound, "state of stack:default/net does not exist")
		g.wantState(200, "", "otto", "POST", "", bucketState(3, "l", "a", bucket{"logs", "one", "x"}, bucket{"kept", "", ""}))

		for who, kind := range map[string]fault.Kind{"rita": fault.Denied, "lena": fault.Denied, "mallory": fault.Denied} {
			g.wantRefused(second(move(who, "net2", false, "aws_s3_bucket.logs")), kind, "")
		}
		g.wantRefused(second(move("otto", "nothing", false, "aws_s3_bucket.logs")), fault.Denied, "there is no stack:default/nothing")
		g.wantRefused(second(move("otto", "net", false, "aws_s3_bucket.logs")), fault.Invalid, "both stacks")
		g.wantRefused(second(move("otto", "data", false, "aws_s3_bucket.logs", "aws_s3_bucket.none")), fault.NotFound, "has no aws_s3_bucket.none")
		g.wantState(200, "", "otto", "LOCK", "", lockOne)
		g.wantRefused(second(move("otto", "data", false, "aws_s3_bucket.logs")), fault.Conflict, "stack:default/net is locked")
		g.wantState(200, "", "otto", "UNLOCK", "", lockOne)
		if err := g.as["otto"].Do(t.Context(), "POST", "/stacks/default/data/lock", nil, struct{}{}, nil); err != nil {
			t.Fatal(err)
		}
		g.wantRefused(second(move("otto", "data", false, "aws_s3_bucket.logs")), fault.Conflict, "stack:default/data is locked")
		if err := g.as["otto"].Do(t.Context(), "POST", "/stacks/default/data/unlock", nil, nil, nil); err != nil {
			t.Fatal(err)
		}

		tried, err := move("otto", "data", true, "aws_s3_bucket.logs")
		if err != nil || !tried.Tried || tried.Count != 1 || tried.To != nil || tried.From.Serial != 3 || g.stackNow("data").State != nil {
			t.Errorf("tried is %+v (%v)", tried, err)
		}
		moved, err := move("otto", "data", false, "aws_s3_bucket.logs")
		if err != nil || !slices.Equal(moved.Addresses, []string{"aws_s3_bucket.logs"}) || moved.From.Serial != 4 || moved.From.Resources != 1 || moved.To == nil || moved.To.Serial != 1 || moved.To.Resources != 1 {
			t.Fatalf("moved is %+v (%v)", moved, err)
		}
		g.wantAddresses("rita", "", "data aws_s3_bucket.logs", "net aws_s3_bucket.kept")
		if from, to := g.stackNow("net"), g.stackNow("data"); from.State.Serial != 4 || from.State.Lineage != "l" || to.State.Lineage == "l" || from.Lock+to.Lock != "" || string(from.State.Outputs["o"].Value) != `"a"` {
			t.Errorf("the stacks are %+v and %+v", from.State, to.State)
		}
		// What is there already is in the way, and then nothing moves.
		g.wantState(200, "", "otto", "POST", "", bucketState(5, "l", "a", bucket{"logs", "again", ""}, bucket{"kept", "", ""}))
		g.wantRefused(second(move("otto", "data", false, "aws_s3_bucket.kept", "aws_s3_bucket.logs")), fault.Conflict, "has aws_s3_bucket.logs already")
		g.wantAddresses("rita", "", "data aws_s3_bucket.logs", "net aws_s3_bucket.kept", "net aws_s3_bucket.logs")
		g.wantNoted("stack:default/net", "stack.state-moved", 1)
		g.wantNoted("stack:default/data", "stack.state-moved", 1)
	})
}
