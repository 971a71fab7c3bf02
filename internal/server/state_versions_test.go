package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// bucket is a bucket in a state.
type bucket struct{ name, tag, secret string }

func (b bucket) String() string {
	return fmt.Sprintf(`{"mode": "managed", "type": "aws_s3_bucket", "name": %q, "provider": "provider[\"registry.opentofu.org/hashicorp/aws\"]", "instances": [{"attributes":
 {"id": %[1]q, "arn": "arn:aws:s3:::%[1]s", "tag": %[2]q, "key": %[3]q}, "sensitive_attributes": [[{"type": "get_attr", "value": "key"}]]}]}`, b.name, b.tag, b.secret)
}

func bucketState(serial int, lineage, output string, buckets ...bucket) string {
	all := make([]string, len(buckets))
	for i, b := range buckets {
		all[i] = b.String()
	}
	return fmt.Sprintf(`{"version": 4, "terraform_version": "1.12.0", "serial": %d, "lineage": %q, "outputs": {"o": {"value": %q, "type": "string"}, "s": {"value": "top-%[3]s", "type": "string", "sensitive": true}}, "resources": [%s]}`,
		serial, lineage, output, strings.Join(all, ","))
}

func getAs[T any](g *ground, who, path string) (T, error) {
	return client.Get[T](g.t.Context(), g.as[who], path, nil)
}

func mustGet[T any](g *ground, who, path string) T {
	g.t.Helper()
	out, err := getAs[T](g, who, path)
	if err != nil {
		g.t.Fatalf("%s reads %s: %v", who, path, err)
	}
	return out
}

// wantRefused fails the test unless something is refused so.
func (g *ground) wantRefused(err error, kind fault.Kind, words string) {
	g.t.Helper()
	if !fault.Is(err, kind) || !strings.Contains(fault.Message(err), words) {
		g.t.Errorf("%v; want %v with %q", err, kind, words)
	}
}

const netStates = "/stacks/default/net/states/"

// TestVersionsOfAStateAreReadAndCompared has a reader see what differs, an operator how, and nobody a secret.
func TestVersionsOfAStateAreReadAndCompared(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(stackDocument("net", ""))
		g.wantRefused(second(getAs[client.StateVersion](g, "rita", netStates+"latest")), fault.NotFound, "state of stack:default/net does not exist")
		g.wantState(200, "", "otto", "POST", "", bucketState(1, "l", "a", bucket{"logs", "one", "hidden-1"}, bucket{"old", "", ""}))
		g.wantState(200, "", "otto", "POST", "", bucketState(4, "l", "b", bucket{"logs", "two", "hidden-2"}, bucket{"new", "", "hidden-3"}))

		first := mustGet[client.StateVersion](g, "rita", netStates+"1")
		if first.Serial != 1 || first.Lineage != "l" || first.Resources != 2 || first.Actor.Name != "otto" || string(first.Outputs["o"].Value) != `"a"` || first.Outputs["s"].Value != nil {
			t.Errorf("the first version is %+v", first)
		}
		if again := mustGet[client.StateVersion](g, "rita", netStates+first.ID); again.Serial != 1 {
			t.Errorf("by its id it is %+v", again)
		}
		held := mustGet[client.List[client.StateResource]](g, "rita", netStates+"1/resources")
		if len(held.Items) != 2 || held.Items[0].Address != "aws_s3_bucket.logs" || held.Items[0].Provider != "hashicorp/aws" || held.Items[0].Identity != "arn:aws:s3:::logs" || held.Items[0].Attributes != nil {
			t.Errorf("it holds %+v", held)
		}
		if found := mustGet[client.List[client.StateResource]](g, "rita", netStates+"latest/resources?text=S3:::NEW"); len(found.Items) != 1 || found.Items[0].Name != "new" {
			t.Errorf("found is %+v", found)
		}
		for who, want := range map[string]string{"rita": "null", "otto": `{"arn":"arn:aws:s3:::logs","id":"logs","key":"(sensitive value)","tag":"two"}`} {
			one := mustGet[client.StateResource](g, who, netStates+"latest/resource?address=aws_s3_bucket.logs")
			if raw, _ := json.Marshal(one.Attributes); string(raw) != want {
				t.Errorf("%s sees %s", who, raw)
			}
		}
		for who, values := range map[string]bool{"rita": false, "otto": true} {
			d := mustGet[client.StateDiff](g, who, netStates+"latest/diff")
			raw, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			var told []string
			for _, c := range d.Items {
				told = append(told, c.Action+" "+c.Address+" "+strings.Join(c.Changed, "+"))
			}
			if d.Created != 1 || d.Updated != 1 || d.Deleted != 1 || d.From.Serial != 1 || d.To.Serial != 4 || d.Values != values ||
				!slices.Equal(told, []string{"update aws_s3_bucket.logs key+tag", "create aws_s3_bucket.new ", "delete aws_s3_bucket.old "}) {
				t.Errorf("for %s differs %v: %s", who, told, raw)
			}
			if strings.Contains(string(raw), "hidden-") || strings.Contains(string(raw), "top-") || strings.Contains(string(raw), `"tag":"one"`) != values {
				t.Errorf("%s is told %s", who, raw)
			}
			if len(d.Outputs) != 2 || d.Outputs[0].Before != "a" || d.Outputs[0].After != "b" || !d.Outputs[1].Sensitive {
				t.Errorf("of the outputs differ %+v", d.Outputs)
			}
		}
		back := mustGet[client.StateDiff](g, "otto", netStates+"1/diff?from=4&action=create")
		if back.Created != 1 || len(back.Items) != 1 || back.Items[0].Name != "old" {
			t.Errorf("the other way it is %+v", back)
		}
		if beginning := mustGet[client.StateDiff](g, "rita", netStates+"1/diff"); beginning.From != nil || beginning.Created != 2 {
			t.Errorf("beside nothing the first is %+v", beginning)
		}
		for _, path := range []string{"1", "1/resources", "1/resource?address=aws_s3_bucket.logs", "1/diff"} {
			g.wantRefused(second(getAs[any](g, "mallory", netStates+path)), fault.NotFound, "there is no stack stack:default/net, or you may not see it")
		}
		for path, words := range map[string]string{
			"2": "serial 2", "sta_none": "sta_none", "-1/resources": "serial -1", "1/diff?from=9": "serial 9", "1/resource?address=a.b": "has no a.b", "99999999999999999999": "does not exist",
		} {
			g.wantRefused(second(getAs[any](g, "otto", netStates+path)), fault.NotFound, words)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestALargeStateIsReadInParts compares two versions of ten thousand resources of which one differs.
func TestALargeStateIsReadInParts(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(stackDocument("net", ""))
		many := make([]bucket, 10_000)
		for i := range many {
			many[i] = bucket{fmt.Sprintf("b-%05d", i), "one", "x"}
		}
		g.wantState(200, "", "otto", "POST", "", bucketState(1, "l", "a", many...))
		many[7000].tag = "two"
		g.wantState(200, "", "otto", "POST", "", bucketState(2, "l", "a", many...))
		d := mustGet[client.StateDiff](g, "otto", netStates+"2/diff")
		if d.Updated != 1 || d.Created+d.Deleted != 0 || len(d.Items) != 1 || d.Items[0].Address != "aws_s3_bucket.b-07000" || len(d.Outputs) != 0 {
			t.Errorf("what differs is %+v", d)
		}
		all, err := client.All[client.StateResource](t.Context(), g.as["rita"], netStates+"2/resources", nil)
		if err != nil || len(all) != len(many) || all[9_999].Name != "b-09999" {
			t.Errorf("%d resources are read (%v)", len(all), err)
		}
		part := mustGet[client.StateDiff](g, "rita", netStates+"1/diff?limit=200")
		next := mustGet[client.StateDiff](g, "rita", netStates+"1/diff?limit=200&cursor="+part.Next)
		if part.Created != len(many) || len(part.Items) != 200 || len(next.Items) != 200 || next.Items[0].Name != "b-00200" {
			t.Errorf("the parts have %d and %d, of %d", len(part.Items), len(next.Items), part.Created)
		}
		changed, err := client.All[client.Resource](t.Context(), g.as["rita"], "/resources", map[string][]string{"type": {"aws_s3_bucket"}})
		if err != nil || len(changed) != len(many) {
			t.Fatalf("%d are found (%v)", len(changed), err)
		}
		moved := 0
		for _, r := range changed {
			if r.Changed.After(r.FirstSeen) {
				moved++
			}
		}
		if moved != 1 {
			t.Errorf("%d are told to have changed", moved)
		}
	})
}

// TestAStateIsRolledBackByAPerson goes back to an earlier version, which engines then take for the newest.
func TestAStateIsRolledBackByAPerson(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(stackDocument("net", ""))
		rollback := func(who, to string) (client.StateVersion, error) {
			return client.Post[client.StateVersion](t.Context(), g.as[who], netStates+to+"/rollback", map[string]string{"reason": "it was wrong"})
		}
		g.wantRefused(second(rollback("otto", "1")), fault.NotFound, "serial 1")
		g.wantState(200, "", "otto", "POST", "", bucketState(1, "l", "a", bucket{"logs", "one", "x"}))
		g.wantState(200, "", "otto", "POST", "", bucketState(7, "l", "b"))
		for who, kind := range map[string]fault.Kind{"rita": fault.Denied, "alice": fault.Denied, "mallory": fault.Denied} {
			g.wantRefused(second(rollback(who, "1")), kind, "")
		}
		g.wantRefused(second(rollback("otto", "7")), fault.Conflict, "the newest version already")
		g.wantRefused(second(rollback("otto", "2")), fault.NotFound, "serial 2")

		// Not while somebody holds the lock, and that says who.
		g.wantState(200, "", "otto", "LOCK", "", lockOne)
		g.wantRefused(second(rollback("otto", "1")), fault.Conflict, "one, laptop")
		g.wantState(200, "", "otto", "UNLOCK", "", lockOne)

		v, err := rollback("otto", "1")
		if err != nil || v.Serial != 8 || v.Resources != 1 || v.Lineage != "l" || v.Actor.Name != "otto" {
			t.Fatalf("the state is rolled back to %+v (%v)", v, err)
		}
		code, said := g.state("otto", "GET", "", "")
		var now struct {
			Serial    int
			Lineage   string
			Version   int `json:"version"`
			Resources []any
		}
		if err := json.Unmarshal([]byte(said), &now); err != nil || code != 200 || now.Serial != 8 || now.Lineage != "l" || now.Version != 4 || len(now.Resources) != 1 {
			t.Errorf("an engine gets %s (%v)", said, err)
		}
		if d := mustGet[client.StateDiff](g, "otto", netStates+"8/diff?from=1"); d.Created+d.Updated+d.Deleted+len(d.Outputs) != 0 {
			t.Errorf("it differs from the version that it was rolled back to by %+v", d)
		}
		if found := mustGet[client.List[client.Resource]](g, "rita", "/resources?text=logs"); len(found.Items) != 1 {
			t.Errorf("what is back is found as %+v", found)
		}
		if s := g.stackNow("net"); s.Lock != "" || s.State.Serial != 8 {
			t.Errorf("the stack is %+v", s)
		}
		g.wantState(409, "serial 7", "otto", "POST", "", bucketState(7, "l", "late"))
		g.wantState(200, "", "otto", "POST", "", bucketState(9, "l", "next"))
		g.wantNoted("stack:default/net", "stack.state-rolled-back", 1)
	})
}

// TestARunHoldsTheStateOfItsStack refuses people while a run waits with its plan, and lets them when it has ended, however
// that ended: a lock that a dead apply has kept is taken over by who locks the state.
func TestARunHoldsTheStateOfItsStack(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		id := g.stack("net", sleeping, "")
		g.wantRun(g.rests(id), "unconfirmed", "")
		push := func(serial int, output string) error {
			return g.as["otto"].PushState(t.Context(), "default", "net", []byte(bucketState(serial, "l", output)), false)
		}
		lock := func() error {
			return g.as["otto"].Do(t.Context(), "POST", "/stacks/default/net/lock", nil, map[string]string{"reason": "I look at it"}, nil)
		}
		g.wantRefused(push(1, "a"), fault.Conflict, "run "+id+" holds")
		g.wantRefused(lock(), fault.Conflict, "run "+id+" holds")
		engine, sleeps := g.applies(id)
		if err := syscall.Kill(engine, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(sleeps, syscall.SIGKILL); err != nil && err != syscall.ESRCH { // it may have gone with the engine
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "failed", "applying")
		g.wantRefused(push(1, "a"), fault.Conflict, "run "+id+" was killed")
		if err := lock(); err != nil {
			t.Fatalf("the lock of a dead run stands in the way: %v", err)
		}
		pushed := g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": sleeping + "# more\n"}))
		if r := until(t, g.admin, pushed, func(r client.RunDetail) bool { return r.Wait != nil && r.Wait.For == "state" }); !strings.Contains(r.Wait.Reason, "held by hand: ") || !strings.Contains(r.Wait.Reason, "I look at it") {
			t.Errorf("what is pushed waits for %+v", r.Wait)
		}
		if _, err := g.act("admin", pushed, "cancel"); err != nil {
			t.Fatal(err)
		}
		if s := g.stackNow("net"); !strings.Contains(s.Lock, "I look at it") || !strings.Contains(s.Lock, "otto") {
			t.Errorf("the lock is %s", s.Lock)
		}
		g.wantState(423, "I look at it", "otto", "LOCK", "", lockTwo)
		g.wantRefused(push(99, "a"), fault.Conflict, "I look at it")
		g.wantRefused(g.as["admin"].Do(t.Context(), "POST", "/stacks/default/net/unlock?mine=true", nil, nil, nil), fault.Conflict, "by hand")
		if err := g.as["otto"].Do(t.Context(), "POST", "/stacks/default/net/unlock?mine=true", nil, nil, nil); err != nil {
			t.Error(err)
		}
		if err := g.as["otto"].Do(t.Context(), "POST", "/stacks/default/net/unlock?mine=true", nil, nil, nil); err != nil {
			t.Errorf("what is free is freed again: %v", err)
		}
		g.wantState(200, "", "otto", "LOCK", "", lockTwo)
	})
}

// TestAStateFromOutsideIsTakenUp pushes states of all kinds from elsewhere.
func TestAStateFromOutsideIsTakenUp(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(stackDocument("net", ""))
		push := func(who, state string, force bool) error {
			return g.as[who].PushState(t.Context(), "default", "net", []byte(state), force)
		}
		if _, err := g.as["otto"].PullState(t.Context(), "default", "net", "latest"); !fault.Is(err, fault.NotFound) {
			t.Errorf("there is a state: %v", err)
		}
		for who, kind := range map[string]fault.Kind{"rita": fault.Denied, "alice": fault.Denied, "mallory": fault.Denied} {
			g.wantRefused(push(who, bucketState(5, "l", "a"), false), kind, "")
		}
		first := bucketState(5, "l", "a", bucket{"logs", "one", "x"})
		for range 2 { // the second is the first whose answer was lost
			if err := push("otto", first, false); err != nil {
				t.Fatal(err)
			}
		}
		if pulled, err := g.as["otto"].PullState(t.Context(), "default", "net", "5"); err != nil || string(pulled) != first {
			t.Errorf("pulled is %s (%v)", pulled, err)
		}
		if _, err := g.as["rita"].PullState(t.Context(), "default", "net", "5"); !fault.Is(err, fault.Denied) {
			t.Errorf("a reader pulls: %v", err)
		}
		for state, words := range map[string]string{
			bucketState(4, "l", "b"):     "this state has serial 4, the stack's newest has 5; pull it first, or push it with --force (stack:state-force)",
			bucketState(5, "l", "b"):     "another state with serial 5",
			bucketState(6, "other", "b"): "of lineage other, the stack's is l",
		} {
			g.wantRefused(push("otto", state, false), fault.Conflict, words)
			g.wantRefused(push("otto", state, true), fault.Denied, "stack:state-force in space default is missing")
		}
		for _, wrong := range []string{
			"", "{", "hello", `[]`, `{"version": 3, "serial": 9, "lineage": "l"}`, `{"version": 4, "serial": 9}`, `{"version": 4, "serial": -1, "lineage": "l"}`,
			`{"version": 4, "serial": 9223372036854775807, "lineage": "l"}`, `{"version": 4, "serial": 9, "lineage": "l", "resources": 5}`,
		} {
			for _, force := range []bool{false, true} {
				g.wantRefused(push("admin", wrong, force), fault.Invalid, "the state")
			}
		}
		if g.house.DB.Dialect() == "sqlite" { // one of them is enough for what takes this long
			code, said, err := g.rawState("otto", http.MethodPost, "?push=true", io.LimitReader(zeros{}, stack.StateLimit+1))
			if err == nil && (code != http.StatusRequestEntityTooLarge || !strings.Contains(said, "larger than")) {
				t.Errorf("a state beyond the limit = %d %.200s", code, said)
			}
		}
		if s := g.stackNow("net"); s.State.Serial != 5 || s.Lock != "" {
			t.Errorf("after what was refused the stack has %+v", s.State)
		}
		if err := push("admin", bucketState(2, "l", "older"), true); err != nil {
			t.Fatal(err)
		}
		if s := g.stackNow("net"); s.State.Serial != 6 || string(s.State.Outputs["o"].Value) != `"older"` {
			t.Errorf("a lower serial that was forced is %+v", s.State)
		}
		if err := push("admin", bucketState(9, "other", "foreign"), true); err != nil {
			t.Fatal(err)
		}
		if s := g.stackNow("net"); s.State.Serial != 9 || s.State.Lineage != "other" {
			t.Errorf("another lineage that was forced is %+v", s.State)
		}
		g.wantRefused(second(client.Post[any](t.Context(), g.as["otto"], netStates+"5/rollback", nil)), fault.Conflict, "of lineage l")
		g.wantNoted("stack:default/net", "stack.state-imported", 3)
	})
}

// TestADamagedVersionStandsInNobodysWay loses what the newest version holds, as a broken disk does: the next is written all the
// same, and its resources are found.
func TestADamagedVersionStandsInNobodysWay(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(stackDocument("net", ""))
		g.wantState(200, "", "otto", "POST", "", bucketState(1, "l", "a", bucket{"logs", "one", "x"}, bucket{"gone", "", ""}))
		err := g.house.DB.Read(t.Context(), func(tx *store.Tx) error {
			var digest string
			if err := tx.QueryRow(t.Context(), "SELECT digest FROM stack_states WHERE stack = 'stack:default/net'").Scan(&digest); err != nil {
				return err
			}
			return g.house.Blob.Delete(t.Context(), digest)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := second(getAs[any](g, "rita", netStates+"1/resources")); err == nil {
			t.Error("what is lost is read")
		}
		g.wantState(200, "", "otto", "POST", "", bucketState(2, "l", "a", bucket{"logs", "one", "x"}, bucket{"new", "", ""}))
		g.wantAddresses("rita", "", "net aws_s3_bucket.logs", "net aws_s3_bucket.new")
		g.wantState(200, "", "otto", "POST", "", bucketState(3, "l", "a", bucket{"new", "", ""}))
		g.wantAddresses("rita", "", "net aws_s3_bucket.new")
	})
}

// TestOneOfTwoMovesIsDone moves the same resource from both sides of two stacks, and pushes meanwhile: nothing is lost or doubled.
func TestOneOfTwoMovesIsDone(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(stackDocument("net", "") + "---\n" + stackDocument("data", ""))
		g.wantState(200, "", "otto", "POST", "", bucketState(1, "l", "a", bucket{"one", "", ""}, bucket{"two", "", ""}))
		if err := g.as["otto"].PushState(t.Context(), "default", "data", []byte(bucketState(1, "m", "a", bucket{"three", "", ""})), false); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		errs := make([]error, 12)
		for i := range errs {
			from, to, what := "net", "data", "aws_s3_bucket.one"
			switch i % 3 {
			case 1:
				what = "aws_s3_bucket.two"
			case 2:
				from, to, what = "data", "net", "aws_s3_bucket.three"
			}
			all.Go(func() {
				_, errs[i] = client.Post[any](t.Context(), g.as["otto"], "/stacks/default/"+from+"/move-resources", map[string]any{"to": to, "addresses": []string{what}})
			})
		}
		all.Wait()
		done := 0
		for _, err := range errs {
			switch {
			case err == nil:
				done++
			case !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.NotFound):
				t.Error(err)
			}
		}
		found := g.addresses("rita", "")
		names := map[string]int{}
		for _, one := range found {
			_, name, _ := strings.Cut(one, " ")
			names[name]++
		}
		if done == 0 || done > 3 || len(found) != 3 || len(names) != 3 {
			t.Errorf("%d moves were done, and there are %q", done, found)
		}
		if got := g.stackNow("net").State.Resources + g.stackNow("data").State.Resources; got != 3 {
			t.Errorf("the states hold %d resources", got)
		}
	})
}
