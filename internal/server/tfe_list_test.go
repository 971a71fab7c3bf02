package server

import (
	"encoding/json"
	"fmt"
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

// remoteList is an answer with a part of a list.
type remoteList struct {
	Data, Included []remoteResource
	Meta           struct {
		Pagination struct {
			Total int `json:"total-count"`
			Pages int `json:"total-pages"`
			Next  int `json:"next-page"`
		}
	}
}

func (m remote) part(path string) (l remoteList) {
	m.t.Helper()
	code, said := m.send("GET", path, nil)
	if err := json.Unmarshal(said, &l); code != 200 || err != nil {
		m.t.Fatalf("GET %s by %s = %d %.500s, %v", path, m.who, code, said, err)
	}
	return l
}

// lists reads a list by its pages, and fails unless each thing is there once and as many as its total.
func (m remote) lists(path string, query url.Values, want int) (all []remoteResource) {
	m.t.Helper()
	seen := map[string]bool{}
	for number := 1; number > 0; {
		q := url.Values{"page[size]": {"90"}, "page[number]": {fmt.Sprint(number)}}
		for key, values := range query {
			q[key] = values
		}
		l := m.part(path + "?" + q.Encode())
		if l.Meta.Pagination.Total != want {
			m.t.Errorf("page %d of %s?%s tells of %d, want %d", number, path, query.Encode(), l.Meta.Pagination.Total, want)
		}
		for _, x := range l.Data {
			if seen[x.ID] {
				m.t.Errorf("%s is twice in %s?%s", x.ID, path, query.Encode())
			}
			seen[x.ID] = true
		}
		all = append(all, l.Data...)
		if number = l.Meta.Pagination.Next; number > 0 && len(l.Data) != 90 {
			m.t.Errorf("a page of %s?%s that is not the last has %d", path, query.Encode(), len(l.Data))
		}
	}
	if len(all) != want {
		m.t.Errorf("%s?%s gives %d, want %d", path, query.Encode(), len(all), want)
	}
	return all
}

// manyWorkspaces declares workspaces ws-000 and so on; every third has the tag third, every fifth a label, the first two name a context.
func (g *ground) manyWorkspaces(n int) {
	g.t.Helper()
	var text strings.Builder
	for i := range n {
		more, spec := "", ""
		if i%3 == 0 {
			more += ", tags: [third, all]"
		}
		if i%5 == 0 {
			more += fmt.Sprintf(", labels: {tier: t%d, other: t9}", i%2)
		}
		if i < 2 {
			spec = ", contexts: [set-000]"
		}
		fmt.Fprintf(&text, "---\n{apiVersion: roadbed.dev/v1, kind: Stack, metadata: {name: ws-%03d%s}, spec: {owner: group:default/crew, source: {upload: true}%s}}\n", i, more, spec)
	}
	g.apply(text.String())
}

func namesIn(list []remoteResource) (names []string) {
	for _, x := range list {
		names = append(names, x.text("name"))
	}
	return names
}

// TestRemoteWorkspacesAreListedToTheLast: more than any bound of a page, by what they are narrowed to and in each order.
func TestRemoteWorkspacesAreListedToTheLast(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		const n = 230
		g.manyWorkspaces(n)
		m := remote{g, "rita"}
		at := "organizations/default/workspaces"
		all := m.lists(at, nil, n)
		if names := namesIn(all); !slices.IsSorted(names) || names[0] != "ws-000" || names[n-1] != "ws-229" {
			t.Errorf("they are %q", names)
		}
		for query, want := range map[string]int{
			"search[name]=s-22": 10, "search[name]=S-22": 10, "search[name]=_": 0, "search[name]=%25": 0,
			"search[wildcard-name]=ws-1*": 100, "search[wildcard-name]=*9": 23, "search[wildcard-name]=*-0*": 100, "search[wildcard-name]=ws-007": 1,
			"search[tags]=third": 77, "search[tags]=third,all": 77, "search[tags]=Third": 0, "search[tags]=thi": 0, "search[exclude-tags]=third": n - 77,
			"filter[tagged][0][key]=tier": 46, "filter[tagged][0][key]=tier&filter[tagged][0][value]=t1": 23, "filter[tagged][0][key]=tier&filter[tagged][0][value]=t9": 0,
			"filter[tagged][0][key]=tie": 0, "filter[project][id]=prj-default": n, "filter[project][id]=prj-other": 0,
			"search[tags]=third&search[name]=ws-22": 3, "filter[current-run][status]=applied": 0, "sort=current-run.created-at": n, "sort=-latest-change-at": n,
		} {
			q, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			m.lists(at, q, want)
		}
		if names := namesIn(m.lists(at, url.Values{"sort": {"-name"}}, n)); names[0] != "ws-229" || names[n-1] != "ws-000" {
			t.Errorf("the other way round they are %q", names)
		}
		if l := m.part(at + "?page[number]=9&page[size]=100"); len(l.Data) != 0 || l.Meta.Pagination.Total != n || l.Meta.Pagination.Pages != 3 {
			t.Errorf("beyond the last page is %+v", l)
		}
		tags := m.part("organizations/default/tags")
		if len(tags.Data) != 2 || tags.Data[1].text("instance-count") != "77" {
			t.Errorf("the tags are %+v", tags)
		}
		remote{g, "mallory"}.wants(404, "GET", at, "")

		// Of one somebody holds the state, of which others wait.
		g.manyRuns("ws-100", 3)
		late := namesIn(m.lists(at, url.Values{"filter[current-run][status]": {"pending"}, "include": {"current_run,organization,locked_by"}}, 1))
		if !slices.Equal(late, []string{"ws-100"}) {
			t.Errorf("those that wait are %q", late)
		}
		for _, order := range []string{"current-run.created-at", "-current-run.created-at"} {
			if names := namesIn(m.lists(at, url.Values{"sort": {order}}, n)); names[0] != "ws-100" {
				t.Errorf("by %s the first is %s", order, names[0])
			}
		}
	})
}

// manyRuns begins runs of a workspace that wait for its state: every third plans only, every seventh is to destroy, every fifth has
// its plan saved, every fourth is Bob's. It gives the workspace's id.
func (g *ground) manyRuns(name string, n int) string {
	g.t.Helper()
	ctx := g.t.Context()
	ws := remote{g, "otto"}.wants(200, "GET", "organizations/default/workspaces/"+name, "")
	remote{g, "otto"}.wants(200, "POST", "workspaces/"+ws.ID+"/actions/lock", "")
	who := map[bool]string{}
	for _, name := range []string{"alice", "bob"} {
		who[name == "bob"] = remote{g, name}.wants(200, "GET", "account/details", "").ID
	}
	subject := ref.New("stack", "default", name)
	err := g.house.DB.Write(ctx, func(tx *store.Tx) error {
		for i := range n {
			in := stack.Input{Type: stack.Tracked, Stack: subject.String(), Upload: &stack.Upload{Message: fmt.Sprintf("Change %03d", i), Save: i%5 == 0, RefreshOnly: i%11 == 0}}
			switch {
			case i%3 == 0:
				in.Type = stack.Proposed
			case i%7 == 0:
				in.Type = stack.Destroy
			}
			_, _, err := g.house.Runs.Create(ctx, tx, run.New{
				Kind: stack.RunKind, Space: "default", Subject: subject.String(), Title: "Change " + name, Input: in, Lock: stack.LockName(subject), Actor: who[i%4 == 0],
				Source: run.Source{Commit: fmt.Sprintf("%040x", i)},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return ws.ID
}

// TestRemoteRunsAreListedToTheLast: what they are narrowed to is looked for in all of them.
func TestRemoteRunsAreListedToTheLast(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		const n = 230
		g.manyWorkspaces(2)
		id := g.manyRuns("ws-001", n)
		g.manyRuns("ws-000", 3)
		m := remote{g, "alice"}
		all := m.lists("workspaces/"+id+"/runs", nil, n)
		if all[0].text("message") != "Change 229" || all[n-1].text("message") != "Change 000" {
			t.Errorf("they go from %s to %s", all[0].text("message"), all[n-1].text("message"))
		}
		for _, x := range []remoteResource{all[3], all[n-1], all[100], all[n-2]} {
			m.wants(202, "POST", "runs/"+x.ID+"/actions/cancel", "")
		}
		divisible := func(by ...int) (count int) {
			for i := range n {
				if !slices.ContainsFunc(by, func(d int) bool { return d > 0 && i%d != 0 || d < 0 && i%-d == 0 }) {
					count++
				}
			}
			return count
		}
		for query, want := range map[string]int{
			"filter[status]=pending": n - 4, "filter[status]=canceled": 4, "filter[status]=pending,canceled": n, "filter[status]=applied,planned_and_finished": 0, "filter[status]=queued": 0,
			"filter[operation]=plan_only": divisible(3), "filter[operation]=plan_and_apply": divisible(-3), "filter[operation]=save_plan": divisible(5), "filter[operation]=refresh_only": divisible(11),
			"filter[operation]=destroy": divisible(7, -3), "filter[operation]=empty_apply": 0, "filter[operation]=empty_apply,save_plan": divisible(5),
			"filter[source]=tfe-api": n, "filter[source]=tfe-ui": 0, "filter[workspace_names]=ws-001,other": n, "filter[workspace_names]=s-001": 0, "filter[agent_pool_names]=far": 0,
			"search[user]=bob": divisible(4), "search[user]=nobody": 0, "search[commit]=" + fmt.Sprintf("%039x", 1): 16, "search[commit]=%25": 0,
			"search[basic]=change 017": 1, "search[basic]=CHANGE 1": 100, "search[basic]=" + all[7].ID: 1, "search[basic]=%00": n,
			"search[user]=bob&filter[operation]=plan_only,destroy": divisible(4, 3) + divisible(4, 7, -3),
		} {
			q, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			m.lists("workspaces/"+id+"/runs", q, want)
		}
		m.lists("organizations/default/runs", nil, n+3)
		m.lists("organizations/default/runs", url.Values{"filter[workspace_names]": {"ws-000"}}, 3)
		m.lists("organizations/default/runs/queue", nil, n+3-4)
		if c := m.wants(200, "GET", "organizations/default/capacity", ""); c.text("pending") != fmt.Sprint(n+3-4) || c.text("running") != "0" {
			t.Errorf("the capacity is %+v", c)
		}
		for _, query := range []string{"filter[status]=" + strings.Repeat("a,", 300), "filter[status]=" + strings.Repeat("a%2c", 300), "search[basic]=" + strings.Repeat("a", 9000)} {
			m.wants(422, "GET", "workspaces/"+id+"/runs?"+query, "")
		}
		// What a run is called is what it is found by.
		for _, x := range m.part("workspaces/" + id + "/runs?page[size]=100").Data {
			l := m.part("workspaces/" + id + "/runs?search[basic]=" + x.ID + "&filter[status]=" + x.text("status"))
			if len(l.Data) != 1 || l.Data[0].ID != x.ID {
				t.Errorf("run %s, which is %s, is not found by that: %+v", x.ID, x.text("status"), l)
			}
		}
		remote{g, "mallory"}.wants(404, "GET", "workspaces/"+id+"/runs", "")
	})
}

// copies puts rows beside one of a table, with other ids.
func (g *ground) copies(table, kind string, columns []string, n int) {
	g.t.Helper()
	err := g.house.DB.Write(g.t.Context(), func(tx *store.Tx) error {
		rest := strings.Join(columns, ", ")
		for i := range n {
			at := time.Now().Add(time.Duration(i-n) * time.Second)
			if _, err := tx.Exec(g.t.Context(), "INSERT INTO "+table+" (id, "+rest+") SELECT $1, "+rest+" FROM "+table+" WHERE id = (SELECT MAX(id) FROM "+table+")", ref.NewID(kind, at)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

// TestRemoteStatesAndConfigurationsAreListedToTheLast, and sets of variables.
func TestRemoteStatesAndConfigurationsAreListedToTheLast(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		const n = 210
		g.manyWorkspaces(2)
		m, otto := remote{g, "alice"}, remote{g, "otto"}
		ws := m.wants(200, "GET", "organizations/default/workspaces/ws-000", "")
		var managed []string
		for i := range n {
			managed = append(managed, fmt.Sprintf(`{"mode":"managed","type":"terraform_data","name":"r%03d","provider":"provider[\"terraform.io/builtin/terraform\"]","instances":[{"attributes":{"id":"%d"}}]}`, i, i))
		}
		otto.writesState(ws.ID, `{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[`+strings.Join(managed, ",")+`]}`)
		g.copies("stack_states", ref.State, []string{"stack", "serial", "lineage", "digest", "size", "run", "actor", "outputs", "resources", "created", "settled", "inner_serial"}, n-1)
		otto.lists("workspaces/"+ws.ID+"/state-versions", nil, n)
		otto.lists("state-versions", url.Values{"filter[organization][name]": {"default"}, "filter[workspace][name]": {"ws-000"}}, n)
		otto.lists("workspaces/"+ws.ID+"/resources", nil, n)
		remote{g, "mallory"}.wants(404, "GET", "workspaces/"+ws.ID+"/state-versions", "")

		m.wants(201, "POST", "workspaces/"+ws.ID+"/configuration-versions", `{"data":{"attributes":{}}}`)
		g.copies("stack_configurations", "cfg", []string{"stack", "status", "error", "speculative", "digest", "kept", "size", "entries", "actor", "created", "provisional"}, n-1)
		m.lists("workspaces/"+ws.ID+"/configuration-versions", nil, n)

		var text strings.Builder
		for i := range n {
			spec := ""
			if i == 1 {
				spec = ", attach: [ws-001]"
			}
			fmt.Fprintf(&text, "---\n{apiVersion: roadbed.dev/v1, kind: Context, metadata: {name: set-%03d, title: Set Ä%03d}, spec: {owner: group:default/crew, variables: [{name: A, value: a}]%s}}\n", i, i, spec)
		}
		g.apply(text.String())
		sets := m.lists("organizations/default/varsets", nil, n)
		for i, want := range []string{"2", "1", "0"} {
			if x := sets[i]; x.text("name") != fmt.Sprintf("Set Ä%03d", i) || x.text("workspace-count") != want || x.text("var-count") != "1" {
				t.Errorf("set %d is %+v, want one of %s workspaces", i, x, want)
			}
		}
		m.lists("organizations/default/varsets", url.Values{"q": {"set ä00"}}, 10)
		m.lists("organizations/default/varsets", url.Values{"q": {"%"}}, 0)
		m.wants(422, "POST", "organizations/default/varsets", `{"data":{"attributes":{"name":"Set Ä209"}}}`)
		m.wants(422, "PATCH", "varsets/"+sets[0].ID, `{"data":{"attributes":{"name":"Set Ä001"}}}`)
		m.wants(200, "PATCH", "varsets/"+sets[0].ID, `{"data":{"attributes":{"name":"Set Ä000"}}}`)
		m.lists("workspaces/"+ws.ID+"/varsets", nil, 1)
		remote{g, "mallory"}.wants(404, "GET", "organizations/default/varsets", "")
	})
}

// TestRemoteListsAskNotForEachItem: a page of many is read in as many transactions as one of two.
func TestRemoteListsAskNotForEachItem(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.manyWorkspaces(60)
		id := g.manyRuns("ws-001", 60)
		var text strings.Builder
		for i := range 60 {
			fmt.Fprintf(&text, "---\n{apiVersion: roadbed.dev/v1, kind: Context, metadata: {name: set-%03d}, spec: {owner: group:default/crew, attach: [ws-%03d]}}\n", i, i)
			fmt.Fprintf(&text, "---\n{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: space-%03d}, spec: {parent: default}}\n", i)
		}
		g.apply(text.String())
		m := remote{g, "alice"}
		reads := func(path string, size int, enough int64) int64 { // the least of some tries: the house reads for itself meanwhile
			t.Helper()
			least := int64(-1)
			for try := range 100 {
				if try > 8 && least <= enough {
					break
				}
				before := g.house.DB.Stats().Reads
				l := m.part(fmt.Sprintf("%spage[size]=%d", path, size))
				if took := g.house.DB.Stats().Reads - before; least < 0 || took < least {
					least = took
				}
				if len(l.Data) != size {
					t.Fatalf("%s gives %d of %d", path, len(l.Data), size)
				}
			}
			return least
		}
		for _, path := range []string{
			"organizations/default/workspaces?include=organization,project,current_run,current_state_version,current_configuration_version,locked_by,outputs&",
			"organizations/default/workspaces?sort=-current-run.created-at&",
			"workspaces/" + id + "/runs?include=workspace,plan,apply,created_by,configuration_version&search[user]=b&filter[status]=pending&",
			"organizations/default/runs/queue?", "organizations/default/varsets?", "organizations?", "organizations?q=space-&",
		} {
			size := 50
			if strings.Contains(path, "search[user]") {
				size = 15
			}
			few := reads(path, 2, 1000)
			if many := reads(path, size, few+4); many > few+4 {
				t.Errorf("%s: %d reads for 2, and %d for %d", path, few, many, size)
			}
		}
	})
}

// TestRemoteListsCountWhatTheReaderMaySee: who may read stacks, and neither runs nor documents.
func TestRemoteListsCountWhatTheReaderMaySee(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.manyWorkspaces(3)
		id := g.manyRuns("ws-001", 3)
		g.apply(`{apiVersion: roadbed.dev/v1, kind: Context, metadata: {name: set-000}, spec: {owner: group:default/crew}}
---
{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: looks}, spec: {description: Sees stacks, permissions: ["stack:read"]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: mallory-looks}, spec: {role: looks, space: default, subjects: ["user:default/mallory"]}}
`)
		m := remote{g, "mallory"}
		for path, want := range map[string]int{
			"organizations/default/workspaces?include=current_run,organization": 3, "workspaces/" + id + "/runs?": 0, "organizations/default/runs?search[user]=a": 0,
			"organizations/default/runs/queue?": 0, "organizations/default/varsets?": 0, "workspaces/" + id + "/varsets?": 0,
		} {
			l := m.part(path)
			if len(l.Data) != want || l.Meta.Pagination.Total != want {
				t.Errorf("%s gives %d of %d, want %d", path, len(l.Data), l.Meta.Pagination.Total, want)
			}
			for _, x := range l.Included {
				if strings.HasPrefix(x.ID, "run-") {
					t.Errorf("beside %s is run %s", path, x.ID)
				}
			}
		}
		if c := m.wants(200, "GET", "organizations/default/capacity", ""); c.text("pending") != "0" {
			t.Errorf("the capacity is %+v", c)
		}
		if l := (remote{g, "rita"}).part("organizations/default/workspaces?include=current_run"); len(l.Included) != 1 {
			t.Errorf("who may read runs gets %+v beside workspaces", l.Included)
		}
	})
}

// TestRemoteRelationsToOneThatAreWrongAreTold, with where in the body they are.
func TestRemoteRelationsToOneThatAreWrongAreTold(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		m := remote{g, "alice"}
		ws := m.workspace("default", "net")
		for _, wrong := range []string{`[]`, `"x"`, `{"type":"workspaces"}`, `{"type":"workspaces","id":7}`, `[{"type":"workspaces","id":"ws-x"}]`} {
			for _, c := range []struct{ path, name, body string }{
				{"runs", "workspace", `{"data":{"attributes":{},"relationships":{"workspace":{"data":%s}}}}`},
				{"runs", "configuration-version", `{"data":{"attributes":{},"relationships":{"workspace":{"data":{"type":"workspaces","id":"` + ws.ID + `"}},"configuration-version":{"data":%s}}}}`},
				{"organizations/default/varsets", "parent", `{"data":{"attributes":{"name":"shared"},"relationships":{"parent":{"data":%s}}}}`},
			} {
				code, said := m.send("POST", c.path, fmt.Appendf(nil, c.body, wrong))
				if code != 422 || !strings.Contains(string(said), `"source":{"pointer":"/data/relationships/`+c.name+`/data"}`) {
					t.Errorf("POST %s with %s %s = %d %s", c.path, c.name, wrong, code, said)
				}
			}
		}
		if l := m.part("workspaces/" + ws.ID + "/runs"); len(l.Data) != 0 {
			t.Errorf("there are runs: %+v", l)
		}
	})
}

// TestAConfigurationWithNothingToChangeIsTheCurrentOne, though it was provisional, once a run of it has finished; not by a preview.
func TestAConfigurationWithNothingToChangeIsTheCurrentOne(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		m := remote{g, "alice"}
		ws := m.workspace("default", "net")
		first := m.sends(ws.ID, false, map[string]string{"main.tf": "locals { a = 1 }\n"})
		provisional := func(content string) remoteResource {
			t.Helper()
			c := m.wants(201, "POST", "workspaces/"+ws.ID+"/configuration-versions", `{"data":{"attributes":{"provisional":true}}}`)
			if code, said := m.send("PUT", c.text("upload-url"), tarball(t, map[string]string{"main.tf": content})); code != 200 {
				t.Fatalf("%d %s", code, said)
			}
			return c
		}
		current := func() string {
			t.Helper()
			return string(m.wants(200, "GET", "workspaces/"+ws.ID, "").Relations["current-configuration-version"].Data)
		}
		second := provisional("locals { a = 2 }\n")
		m.status(m.begins(201, ws.ID, second.ID, `,"plan-only":true`).ID, "planned_and_finished", "errored")
		if got := current(); !strings.Contains(got, first) {
			t.Errorf("after a preview the current one is %s", got)
		}
		r := m.status(m.begins(201, ws.ID, second.ID, "").ID, "planned_and_finished", "planned", "errored")
		if r.text("status") != "planned_and_finished" {
			t.Fatalf("the run is %s", r.text("status"))
		}
		if c := m.wants(200, "GET", "configuration-versions/"+second.ID, ""); c.text("provisional") != "false" {
			t.Errorf("after the run it is %+v", c)
		}
		if got := current(); !strings.Contains(got, second.ID) {
			t.Errorf("after the run the current one is %s", got)
		}

		// One that is newer stays the current one.
		third := provisional("locals { a = 3 }\n")
		newer := m.sends(ws.ID, false, map[string]string{"main.tf": "locals { a = 4 }\n"})
		m.status(m.begins(201, ws.ID, third.ID, "").ID, "planned_and_finished", "errored")
		if got := current(); !strings.Contains(got, newer) {
			t.Errorf("after a run of an older one the current one is %s", got)
		}
	})
}
