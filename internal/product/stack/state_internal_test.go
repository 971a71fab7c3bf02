package stack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

const mixedState = `{"version": 4, "terraform_version": "1.12.0", "serial": 7, "lineage": "l", "outputs": {},
 "resources": [
  {"mode": "managed", "type": "aws_s3_bucket", "name": "logs", "provider": "provider[\"registry.opentofu.org/hashicorp/aws\"].west", "instances": [
   {"index_key": "a<b", "attributes": {"id": "logs-a", "arn": "arn:aws:s3:::logs-a", "tags": {"k": "v"}}},
   {"index_key": 1, "status": "tainted", "attributes": {"id": "logs-1"}}]},
  {"module": "module.db[\"x\"]", "mode": "managed", "type": "aws_db_instance", "name": "main", "provider": "module.db.provider[\"acme.example/acme/aws\"]", "instances": [
   {"attributes": {"id": "db-1", "name": "hunter2", "master_password": "s3cret", "pin": "hunter2", "setting": [{"name": "x", "value": "y"}, {"name": "z", "value": "top"}], "map": {"in": {"deep": "d"}, "open": 1}},
    "sensitive_attributes": [[{"type": "get_attr", "value": "pin"}], [{"type": "get_attr", "value": "setting"}, {"type": "index", "value": {"value": 1, "type": "number"}}, {"type": "get_attr", "value": "value"}],
     [{"type": "get_attr", "value": "map"}, {"type": "index", "value": {"value": "in", "type": "string"}}]]},
   {"deposed": "0badcafe", "attributes": {"id": "db-0"}}]},
  {"mode": "data", "type": "aws_caller_identity", "name": "me", "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]", "instances": [{"attributes": {"id": "1234567890123456789"}}]},
  {"instances": [{}]}]}`

func TestAddressesAreTheEnginesOwn(t *testing.T) {
	t.Parallel()
	f, err := readState([]byte(mixedState))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range f.items() {
		best, all := x.identity()
		got = append(got, fmt.Sprint(x.Address, " | ", x.source(), " | ", best, " | ", all))
	}
	want := []string{
		`aws_s3_bucket.logs["a<b"] | hashicorp/aws | arn:aws:s3:::logs-a | [arn:aws:s3:::logs-a logs-a]`,
		`aws_s3_bucket.logs[1] | hashicorp/aws | logs-1 | [logs-1]`,
		`data.aws_caller_identity.me | hashicorp/aws | 1234567890123456789 | [1234567890123456789]`,
		`module.db["x"].aws_db_instance.main | acme.example/acme/aws | db-1 | [db-1]`, // its name is what its pin is
		`module.db["x"].aws_db_instance.main (deposed 0badcafe) | acme.example/acme/aws | db-0 | [db-0]`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("the state holds\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n := len(f.managed()); n != 4 {
		t.Errorf("%d are managed, want 4", n)
	}
}

func TestSensitiveValuesStayInTheState(t *testing.T) {
	t.Parallel()
	f, err := readState([]byte(mixedState))
	if err != nil {
		t.Fatal(err)
	}
	x := f.items()[3]
	raw, err := json.Marshal(x.attributes())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"db-1","map":{"in":"(sensitive value)","open":1},"master_password":"(sensitive value)","name":"hunter2","pin":"(sensitive value)","setting":[{"name":"x","value":"y"},{"name":"z","value":"(sensitive value)"}]}`
	if string(raw) != want {
		t.Errorf("shown is %s\nwant     %s", raw, want)
	}
	for path, want := range map[string]string{
		`[{"type":"get_attr","value":"list"},{"type":"index","value":{"value":{"a":1},"type":["object",{}]}}]`: `"(sensitive value)"`, // of a set: what can't be followed is hidden whole
		`[{"type":"get_attr","value":"list"},{"type":"index","value":{"value":9,"type":"number"}}]`:            `"(sensitive value)"`,
		`[{"type":"get_attr","value":"none"}]`: `["a"]`,
		`"odd"`:                                `"(sensitive value)"`,
		`[]`:                                   `"(sensitive value)"`,
	} {
		all := map[string]any{"list": []any{"a"}}
		maskPath(all, json.RawMessage(path))
		if raw, _ := json.Marshal(all["list"]); string(raw) != want {
			t.Errorf("of the path %s is left %s, want %s", path, raw, want)
		}
	}
	for name, secret := range map[string]bool{"db_password": true, "token": true, "tokens_used": false, "secret_name": false, "id": false} {
		if secretName("aws_db_instance", name) != secret {
			t.Errorf("%s is taken for a secret: %v", name, !secret)
		}
	}
	if !secretName("random_password", "result") || secretName("random_string", "result") {
		t.Error("the result of random_password is a secret, that of random_string is none")
	}
}

func TestAChangeTellsWhatDiffersAndNoSecret(t *testing.T) {
	t.Parallel()
	state := func(attributes, sensitive string) item {
		f, err := readState([]byte(`{"version": 4, "lineage": "l", "resources": [{"mode": "managed", "type": "t", "name": "n", "instances": [{"attributes": ` + attributes + `, "sensitive_attributes": ` + sensitive + `}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		return f.items()[0]
	}
	const pin = `[[{"type":"get_attr","value":"pin"}]]`
	before := state(`{"same": [1, 2], "size": 12345678901234567890, "pin": "old", "gone": true}`, "[]")
	after := state(`{"pin": "new", "size": 12345678901234567891, "same": [1,2], "big": "`+strings.Repeat("x", valueMost)+`"}`, pin)
	c := pair{&before, &after}.change(true)
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"Action":"update"`, `"Changed":["big","gone","pin","size"]`, `"Sensitive":true`, `12345678901234567890`, `12345678901234567891`, "bytes; pull the state",
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s is missing in %s", want, raw)
		}
	}
	for _, secret := range []string{`"old"`, `"new"`} { // sensitive on one side is on the other
		if strings.Contains(string(raw), secret) {
			t.Errorf("%s is told by %s", secret, raw)
		}
	}
	if c := (pair{&before, &after}).change(false); c.Before != nil || c.After != nil || len(c.Changed) != 4 {
		t.Errorf("without the right to values it is %+v", c)
	}
}

// drawState makes the resources of a state out of few names, so that two of them have much in common.
func drawState(t *rapid.T, label string) []item {
	f := stateFile{}
	for name, instances := range rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), rapid.MapOf(rapid.IntRange(0, 4), rapid.IntRange(0, 2))).Draw(t, label) {
		r := stateResource{Mode: "managed", Type: "t", Name: name}
		for key, value := range instances {
			r.Instances = append(r.Instances, stateInstance{Key: json.RawMessage(fmt.Sprint(key)), Attributes: json.RawMessage(fmt.Sprintf(`{"id": %d}`, value))})
		}
		f.Resources = append(f.Resources, r)
	}
	return f.managed()
}

// TestADeltaMakesOneStateOfTheOther applies what was compared to what was there, as the table of resources does.
func TestADeltaMakesOneStateOfTheOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawState(t, "before"), drawState(t, "after")
		d := compare(before, after)
		table := map[string]string{}
		for _, x := range before {
			table[x.key] = string(x.Attributes)
		}
		for _, key := range d.removed {
			if _, ok := table[key]; !ok {
				t.Fatalf("%s is removed and was not there", key)
			}
			delete(table, key)
		}
		for _, x := range d.put {
			if table[x.key] == string(x.Attributes) {
				t.Fatalf("%s is written and did not change", x.key)
			}
			table[x.key] = string(x.Attributes)
		}
		for _, x := range after {
			if table[x.key] != string(x.Attributes) {
				t.Fatalf("%s is %s, want %s", x.key, table[x.key], x.Attributes)
			}
			delete(table, x.key)
		}
		if len(table) > 0 {
			t.Fatalf("%v is left", table)
		}
	})
}

func TestKeysOfLongAddressesAreShortAndTheirOwn(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("module.x.", 200)
	a, b := listKey(long+"a.b"), listKey(long+"a.c")
	if a == b || len(a) > keyMost || len(b) > keyMost || listKey("a\x00.b\xff") != "a.b" {
		t.Errorf("the keys are %q and %q", a, b)
	}
}

// TestResourcesAreCarriedWholeOrNotAtAll moves parts of a state and reads both again.
func TestResourcesAreCarriedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	const unknown = `{"version": 4, "serial": 3, "lineage": "a", "terraform_version": "1.9.0", "outputs": {}, "later": {"kept": "<&>"}, "resources": [
  {"mode": "managed", "type": "t", "name": "n", "provider": "p", "each": "list", "instances": [{"index_key": 0, "schema_version": 1, "attributes": {"n": 12345678901234567890}, "private": "x=="}, {"index_key": 1, "attributes": {}}]},
  {"module": "module.m", "mode": "managed", "type": "t", "name": "n", "provider": "p", "instances": [{"attributes": {}}]},
  {"module": "module.m.module.in[0]", "mode": "data", "type": "t", "name": "n", "provider": "p", "instances": [{"attributes": {}}]},
  {"module": "module.more", "mode": "managed", "type": "t", "name": "n", "provider": "p", "instances": [{"attributes": {}}]}]}`
	carry := func(into string, addresses ...string) (from, to *wholeState, moved []string, err error) {
		if from, err = openWhole([]byte(unknown)); err != nil {
			t.Fatal(err)
		}
		if to, err = from.neighbour([]byte(into)); err != nil {
			t.Fatal(err)
		}
		moved, err = from.carry(to, addresses)
		return from, to, moved, err
	}
	from, to, moved, err := carry("", "t.n[0]", "module.m")
	if err != nil || !slices.Equal(moved, []string{"t.n[0]", "module.m.t.n", "module.m.module.in[0].data.t.n"}) {
		t.Fatalf("moved are %v (%v)", moved, err)
	}
	for _, w := range []struct {
		state  *wholeState
		serial int64
		has    []string
		not    []string
	}{
		{from, 4, []string{`"later"`, `<&>`, `"serial": 4`, `"module.more"`, `"index_key": 1`, `"lineage": "a"`}, []string{`"module.m"`, `"index_key": 0`}},
		{to, 1, []string{`"serial": 1`, `12345678901234567890`, `"private": "x=="`, `"each": "list"`, `"terraform_version": "1.9.0"`, `"module.m.module.in[0]"`}, []string{`"module.more"`, `"index_key": 1`, `"lineage": "a"`}},
	} {
		data, err := w.state.bytes(w.serial)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readState(data); err != nil {
			t.Errorf("%v in %s", err, data)
		}
		for _, text := range w.has {
			if !strings.Contains(string(data), text) {
				t.Errorf("%s is missing in %s", text, data)
			}
		}
		for _, text := range w.not {
			if strings.Contains(string(data), text) {
				t.Errorf("%s is in %s", text, data)
			}
		}
	}
	other := func(key, provider string) string {
		return `{"version": 4, "serial": 1, "lineage": "b", "resources": [{"mode": "managed", "type": "t", "name": "n", "provider": "` + provider + `", "instances": [{"index_key": ` + key + `, "attributes": {}}]}]}`
	}
	if _, to, _, err := carry(other("7", "p"), "t.n[0]"); err != nil || len(to.resources) != 1 || len(to.resources[0].instances) != 2 {
		t.Errorf("an instance beside another of its resource: %v", err)
	}
	for words, try := range map[string]func() error{
		"has t.n[1] already":        func() error { _, _, _, err := carry(other("1", "p"), "t.n"); return err },
		"is of provider q":          func() error { _, _, _, err := carry(other("7", "q"), "t.n[0]"); return err },
		"the state has no t.n[5]":   func() error { _, _, _, err := carry("", "t.n[0]", "t.n[5]"); return err },
		"the state has no module.q": func() error { _, _, _, err := carry("", "module.q"); return err },
	} {
		if err := try(); err == nil || !strings.Contains(fault.Message(err), words) {
			t.Errorf("%v; want %s", err, words)
		}
	}
}

// FuzzState reads what may be no state, and whatever it shows of it.
func FuzzState(f *testing.F) {
	f.Add([]byte(mixedState), []byte(`{"version":4,"lineage":"l","resources":[]}`))
	f.Add([]byte(`{"version":4,"lineage":"l","resources":[{"type":"t","name":"n","instances":[{"attributes":{"a":{"b":[1]}},"sensitive_attributes":[[{"type":"index","value":{}}],1,[]]}]}]}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		a, errA := readState(one)
		b, errB := readState(two)
		if errA != nil || errB != nil {
			return
		}
		d := StateDiff{}
		d.resources(a.items(), b.items(), DiffOptions{}, page.Request{})
		for _, c := range d.Changes.Items {
			if c.Address == "" || c.Action == "" {
				t.Fatalf("a change is %+v", c)
			}
		}
		for _, x := range a.items() {
			if len(x.key) > keyMost {
				t.Fatalf("the key %q is too long", x.key)
			}
			x.identity()
			for _, v := range x.attributes() {
				bounded(v)
			}
		}
		whole, err := openWhole(one)
		if err != nil {
			return
		}
		if _, err := whole.bytes(1); err != nil {
			t.Fatal(err)
		}
	})
}
