package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// placed puts a run of a workspace into the database as it is, which nothing moves. The latest has the greatest number.
func (g *ground) placed(tx *store.Tx, workspace, kind, state, changes string, canceled bool, number int, actor string) (id string) {
	g.t.Helper()
	at := time.Now().Add(time.Duration(number-100_000) * time.Second)
	name := ref.New("stack", "default", workspace)
	input, err := json.Marshal(stack.Input{Type: kind, Stack: name.String()})
	if err != nil {
		g.t.Fatal(err)
	}
	r := run.Run{ID: ref.NewID(ref.Run, at), State: state, Terminal: stack.Kind().States[state].Terminal, CancelRequested: canceled, Input: input, Output: []byte(changes)}
	_, err = tx.Exec(g.t.Context(), `INSERT INTO runs (id, kind, space, subject, refs, title, state, reason, terminal, waiting, actor, cause, repository, commit_id, ref, input, output,
 lock_name, waits_lock, priority, version, cancel_requested, warnings, created, started, ended, updated, wake, marks, words)
 VALUES ($1, 'stack', 'default', $2, '', $3, $4, '', $5, 0, $6, '', '', '', '', $7, $8, $9, 0, 0, 1, $10, '', $11, 0, 0, $11, 0, $12, '')`,
		r.ID, name.String(), "Run "+fmt.Sprint(number), state, r.Terminal, actor, string(input), changes, stack.LockName(name), canceled, at, " "+strings.Join(stack.MarksOf(r), " ")+" ")
	if err != nil {
		g.t.Fatal(err)
	}
	return r.ID
}

const oneChange = `{"summary":{"create":1}}`

// manyKinds gives every type, state and outcome of a run to do.
func manyKinds(do func(kind, state, changes string, canceled bool)) {
	states := stack.Kind().States
	for _, kind := range []string{stack.Tracked, stack.Proposed, stack.Destroy, stack.Drift, stack.Task} {
		for _, state := range slices.Sorted(maps.Keys(states)) {
			for _, changes := range []string{"", oneChange} {
				do(kind, state, changes, false)
				if !states[state].Terminal {
					do(kind, state, changes, true)
				}
			}
		}
	}
}

// TestEachRunIsListedByItsStatus, and by no other, whatever it is of and however it stands.
func TestEachRunIsListedByItsStatus(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.manyWorkspaces(1)
		n := 0
		err := g.house.DB.Write(t.Context(), func(tx *store.Tx) error {
			manyKinds(func(kind, state, changes string, canceled bool) {
				g.placed(tx, "ws-000", kind, state, changes, canceled, n, "system")
				n++
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		m := remote{g, "alice"}
		at := "organizations/default/runs"
		called := map[string][]string{}
		for _, x := range m.lists(at, nil, n) {
			status := x.text("status")
			called[status] = append(called[status], x.ID)
		}
		if len(called) != 11 {
			t.Errorf("the statuses are %q", slices.Sorted(maps.Keys(called)))
		}
		for status, want := range called {
			var got []string
			for _, x := range m.lists(at, url.Values{"filter[status]": {status}}, len(want)) {
				got = append(got, x.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("as %s are listed %q, want %q", status, got, want)
			}
		}
		for _, none := range []string{"finished", "performing", "policy_checked", "%", "pending_"} {
			m.lists(at, url.Values{"filter[status]": {none}}, 0)
		}
	})
}

// TestWorkspacesAreListedByTheirCurrentRuns: those that hold the stack, else wait first, else came last; never previews, and tasks only
// while they hold or wait.
func TestWorkspacesAreListedByTheirCurrentRuns(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		const n = 60
		g.manyWorkspaces(n)
		want := map[string]string{} // by workspace
		err := g.house.DB.Write(t.Context(), func(tx *store.Tx) error {
			for i := range n {
				name := fmt.Sprintf("ws-%03d", i)
				add := func(kind, state, changes string, number int) string {
					return g.placed(tx, name, kind, state, changes, false, number*100+i, "system")
				}
				if i%10 == 9 { // nothing but what does not count
					add(stack.Proposed, "finished", oneChange, 1)
					add(stack.Task, "finished", "", 2)
					add(stack.Drift, "queued", "", 3)
					continue
				}
				add(stack.Tracked, "failed", "", 1)
				want[name] = add([]string{stack.Tracked, stack.Destroy}[i%2], []string{"finished", "discarded", "canceled"}[i%3], oneChange, 2)
				add(stack.Proposed, "planning", "", 3)
				add(stack.Drift, "finished", oneChange, 4)
				add(stack.Task, "failed", "", 5)
				if i%4 > 0 {
					want[name] = add([]string{stack.Tracked, stack.Task}[i%2], "queued", "", 6)
					add(stack.Tracked, "queued", "", 7)
				}
				if i%4 > 1 {
					want[name] = add(stack.Tracked, []string{"unconfirmed", "applying"}[i%2], oneChange, 8)
					if _, err := tx.Exec(t.Context(), "INSERT INTO run_locks (name, run, taken) VALUES ($1, $2, 0)", stack.LockName(ref.New("stack", "default", name)), want[name]); err != nil {
						return err
					}
				}
			}
			// One is held by something that is no run.
			_, err := tx.Exec(t.Context(), "INSERT INTO run_locks (name, run, taken) VALUES ($1, 'import', 0)", stack.LockName(ref.New("stack", "default", "ws-000")))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		m := remote{g, "rita"}
		at := "organizations/default/workspaces"
		all := m.part(at + "?page[size]=100&include=current_run")
		status, begun := map[string]string{}, map[string]string{}
		for _, x := range all.Included {
			if strings.HasPrefix(x.ID, "run-") {
				status[x.ID], begun[x.ID] = x.text("status"), x.text("created-at")
			}
		}
		current := map[string]string{} // run by workspace
		by := map[string][]string{}
		for _, x := range all.Data {
			var to struct{ ID string }
			if err := json.Unmarshal(x.Relations["current-run"].Data, &to); err != nil && string(x.Relations["current-run"].Data) != "null" {
				t.Fatal(err)
			}
			name := x.text("name")
			if to.ID != strings.Replace(want[name], "_", "-", 1) {
				t.Errorf("the current run of %s is %q, want %q", name, to.ID, want[name])
			}
			if current[name] = to.ID; to.ID != "" {
				by[status[to.ID]] = append(by[status[to.ID]], name)
			}
		}
		if got := slices.Sorted(maps.Keys(by)); !slices.Equal(got, []string{"applied", "applying", "canceled", "discarded", "pending", "planned"}) {
			t.Errorf("their statuses are %q", got)
		}
		for status, want := range by {
			if got := namesIn(m.lists(at, url.Values{"filter[current-run][status]": {status}}, len(want))); !slices.Equal(got, want) {
				t.Errorf("with a current run that is %s are %q, want %q", status, got, want)
			}
		}
		m.lists(at, url.Values{"filter[current-run][status]": {"pending,applied,nothing"}}, len(by["pending"])+len(by["applied"]))
		m.lists(at, url.Values{"filter[current-run][status]": {"nothing"}}, 0)
		both := m.lists(at, url.Values{"filter[current-run][status]": {"pending"}, "search[tags]": {"third"}, "sort": {"-current-run.created-at"}}, len(slices.DeleteFunc(slices.Clone(by["pending"]), func(name string) bool {
			var i int
			_, err := fmt.Sscanf(name, "ws-%d", &i)
			return err != nil || i%3 != 0
		})))
		if len(both) == 0 {
			t.Error("none that waits has the tag")
		}
		for _, down := range []bool{false, true} {
			order := slices.Clone(namesIn(all.Data))
			slices.SortStableFunc(order, func(a, b string) int {
				x, y := begun[current[a]], begun[current[b]]
				switch {
				case x == "" || y == "":
					return strings.Compare(y, x)
				case down:
					return strings.Compare(y, x)
				}
				return strings.Compare(x, y)
			})
			sort := map[bool]string{false: "current-run.created-at", true: "-current-run.created-at"}[down]
			if got := namesIn(m.lists(at, url.Values{"sort": {sort}}, n)); !slices.Equal(got, order) {
				t.Errorf("by %s they are %q, want %q", sort, got, order)
			}
		}
	})
}

// TestRunsAreFoundByWhoBeganThem, in any case, as they are shown: also those who are gone, and the house itself.
func TestRunsAreFoundByWhoBeganThem(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.manyWorkspaces(1)
		g.apply(`{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: zoe}, spec: {memberOf: [], profile: {displayName: "Zoë Ünal 100%"}}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: gone}, spec: {memberOf: [], profile: {displayName: "Gone Soon"}}}
`)
		who := map[string]string{"system": "system", "step": ref.NewID(ref.Step, time.Now()), "nobody": ref.NewID(ref.Principal, time.Now())}
		for _, name := range []string{"alice", "zoe", "gone"} {
			err := g.house.DB.Read(t.Context(), func(tx *store.Tx) error {
				p, err := g.house.Identity.Find(t.Context(), tx, ref.New("user", "default", name))
				who[name] = p.ID
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		err := g.house.DB.Write(t.Context(), func(tx *store.Tx) error {
			for i, name := range slices.Sorted(maps.Keys(who)) {
				for k := range i + 1 {
					g.placed(tx, "ws-000", stack.Tracked, "finished", "", false, i*10+k, who[name])
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for i, name := range slices.Sorted(maps.Keys(who)) {
			counts[name] = i + 1
		}
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/user/default/gone", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		m := remote{g, "rita"}
		for text, want := range map[string]int{
			"zoë": counts["zoe"], "ZOË ÜN": counts["zoe"], "Zoe": 0, "100%": counts["zoe"], "%": counts["zoe"], "_": 0, "Gone Soon": 0, "who was deleted": counts["gone"],
			"roadbed": counts["system"], "step of": counts["step"], who["nobody"]: 0, "nobody of that name": 0, "\x00": counts["system"] + counts["step"] + counts["zoe"] + counts["gone"] + counts["alice"],
		} {
			m.lists("organizations/default/runs", url.Values{"search[user]": {text}}, want)
		}
		n := 0
		for _, c := range counts {
			n += c
		}
		m.lists("organizations/default/runs", url.Values{"search[user]": {""}}, n)
	})
}
