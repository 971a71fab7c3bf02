package scim

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/product/directory"
)

// TestPatches holds what RFC 7644 says, and what Okta and Entra ID send, against what comes of it.
func TestPatches(t *testing.T) {
	t.Parallel()
	const ann = `{"userName":"ann","active":true,"name":{"givenName":"Ann","familyName":"Lee"},"emails":[{"value":"ann@work","type":"work","primary":true},{"value":"ann@home","type":"home"}]}`
	for _, c := range []struct{ what, operations, want string }{
		{"Okta ends a person", `[{"op":"replace","value":{"active":false}}]`, `{"active":false}`},
		{"Entra ends a person, in words", `[{"op":"Replace","path":"active","value":"False"}]`, `{"active":false}`},
		{"a part of a name", `[{"op":"Replace","path":"name.familyName","value":"Low"}]`, `{"name":{"givenName":"Ann","familyName":"Low"}}`},
		{"keys that are paths", `[{"op":"Add","value":{"name.givenName":"A","emails[type eq \"work\"].value":"a@work"}}]`, `{"name":{"givenName":"A","familyName":"Lee"},"emails":[{"value":"a@work","type":"work","primary":true},{"value":"ann@home","type":"home"}]}`},
		{"a mail address that is there", `[{"op":"Replace","path":"emails[type eq \"work\"].value","value":"a@work"}]`, `{"emails":[{"value":"a@work","type":"work","primary":true},{"value":"ann@home","type":"home"}]}`},
		{"one that is not", `[{"op":"Add","path":"emails[type eq \"other\"].value","value":"a@other"}]`, `{"emails":[{"value":"ann@work","type":"work","primary":true},{"value":"ann@home","type":"home"},{"value":"a@other","type":"other"}]}`},
		{"another primary address", `[{"op":"add","path":"emails","value":[{"value":"x","type":"other","primary":true}]}]`, `{"emails":[{"value":"ann@work","type":"work"},{"value":"ann@home","type":"home"},{"value":"x","type":"other","primary":true}]}`},
		{"an address goes", `[{"op":"remove","path":"emails[type eq \"home\"]"}]`, `{"emails":[{"value":"ann@work","type":"work","primary":true}]}`},
		{"a filter of two", `[{"op":"replace","path":"emails[type eq \"work\" and primary eq true].value","value":"b"}]`, `{"emails":[{"value":"b","type":"work","primary":true},{"value":"ann@home","type":"home"}]}`},
		{"all addresses go", `[{"op":"remove","path":"emails"}]`, `{"emails":null}`},
		{"the enterprise's", `[{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"Pay"},{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"7"}]`,
			`{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Pay","manager":{"value":"7"}}}`},
		{"the enterprise's, as an object", `[{"op":"replace","value":{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Pay"}}}]`, `{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Pay"}}`},
		{"the same by whatever case", `[{"op":"REPLACE","path":"DisplayName","value":"Ann"}]`, `{"displayName":"Ann"}`},
		{"nothing is a removal", `[{"op":"replace","path":"name.familyName","value":null}]`, `{"name":{"givenName":"Ann"}}`},
		{"passwords are not kept", `[{"op":"replace","value":{"password":"hunter2","id":"x","groups":[],"strange":1}}]`, `{"password":null,"strange":null}`},
	} {
		p := patchedBy(t, directory.User, ann, nil, c.operations)
		if p.err != nil {
			t.Errorf("%s: %v", c.what, p.err)
			continue
		}
		var want map[string]any
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		for key, value := range want {
			if got, expected := inJSON(t, p.sent.Attributes[key]), inJSON(t, value); got != expected {
				t.Errorf("%s: %s is %s, want %s", c.what, key, got, expected)
			}
		}
		if active, said := want["active"].(bool); said && p.sent.Active != active {
			t.Errorf("%s: active is %v", c.what, p.sent.Active)
		}
	}
}

func TestPatchesOfMembers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, operations, want string }{
		{"Okta takes one out", `[{"op":"remove","path":"members[value eq \"b\"]"}]`, `["a"]`},
		{"Entra takes some out", `[{"op":"Remove","path":"members","value":[{"$ref":null,"value":"a"},{"value":"b"}]}]`, `[]`},
		{"one more, and one that is there", `[{"op":"add","path":"members","value":[{"value":"b","display":"B","type":"User"},{"value":"c"}]}]`, `["a","b","c"]`},
		{"others", `[{"op":"replace","path":"members","value":[{"value":"c"}]}]`, `["c"]`},
		{"others, without a path", `[{"op":"replace","value":{"id":"g","displayName":"Crew","members":[{"value":"c"}]}}]`, `["c"]`},
		{"nobody", `[{"op":"remove","path":"members"}]`, `[]`},
		{"who is not there", `[{"op":"remove","path":"members[value eq \"z\"]"}]`, `["a","b"]`},
		{"one by one", `[{"op":"add","path":"members","value":{"value":"c"}},{"op":"remove","path":"members[value eq \"a\"]"}]`, `["b","c"]`},
	} {
		p := patchedBy(t, directory.Group, `{"displayName":"Crew"}`, []directory.Member{{ID: "a", Kind: directory.User}, {ID: "b", Kind: directory.User}}, c.operations)
		if got := inJSON(t, p.sent.Members); p.err != nil || got != c.want {
			t.Errorf("%s: %s, %v; want %s", c.what, got, p.err, c.want)
		}
	}
}

func TestPatchesThatAreWrong(t *testing.T) {
	t.Parallel()
	for operations, want := range map[string]string{
		`[{"op":"move","path":"active"}]`:                                       invalidSyntax,
		`[{"op":"replace","path":"no such","value":1}]`:                         invalidPath,
		`[{"op":"replace","path":"strange","value":1}]`:                         invalidPath,
		`[{"op":"replace","path":"id","value":"x"}]`:                            mutability,
		`[{"op":"remove"}]`:                                                     noTarget,
		`[{"op":"replace","value":"x"}]`:                                        noTarget,
		`[{"op":"remove","path":"userName"}]`:                                   invalidValue,
		`[{"op":"replace","path":"active","value":"perhaps"}]`:                  invalidValue,
		`[{"op":"replace","path":"emails[strange eq \"x\"].value","value":""}]`: invalidPath,
		`[{"op":"add","path":"emails[type ne \"work\" and value pr].value","value":"x"},{"op":"add","path":"photos[type co \"x\"].value","value":"y"}]`: noTarget,
	} {
		p := patchedBy(t, directory.User, `{"userName":"ann"}`, nil, operations)
		var word typed
		if !errors.As(p.err, &word) || word.word != want {
			t.Errorf("%s is answered with %v, want %s", operations, p.err, want)
		}
	}
}

type outcome struct {
	sent directory.Sent
	err  error
}

func patchedBy(t *testing.T, kind, attributes string, members []directory.Member, operations string) outcome {
	t.Helper()
	r := directory.Resource{Kind: kind, Active: true, Members: members}
	var all []operation
	if json.Unmarshal([]byte(attributes), &r.Attributes) != nil || json.Unmarshal([]byte(operations), &all) != nil {
		t.Fatalf("%s is no JSON", operations)
	}
	sent, err := patched(r, all)
	return outcome{sent, err}
}

func inJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestFilters(t *testing.T) {
	t.Parallel()
	r := directory.Resource{ID: "dir_1", Kind: directory.User, ExternalID: "X1", Active: true, Attributes: map[string]any{
		"userName": "Ann", "title": `a "b"`, "emails": []any{map[string]any{"value": "ann@work", "type": "work"}, map[string]any{"value": "ann@home", "type": "home"}},
		"name": map[string]any{"familyName": "Lee"}, enterprise: map[string]any{"department": "Pay"},
	}}
	for text, want := range map[string]bool{
		`userName eq "ann"`: true, `userName eq "bob"`: false, `externalId eq "X1"`: true, `externalId eq "x1"`: false, `active eq true`: true, `active eq "False"`: false,
		`name.familyName sw "l"`: true, `emails.value ew "home"`: true, `emails[type eq "work" and value co "home"]`: false, `emails[type eq "work"]`: true,
		`not (userName eq "ann")`: false, `userName eq "bob" or title pr`: true, `userName pr and nickName pr`: false, `userName ne "bob"`: true,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "pay"`: true, `urn:ietf:params:scim:schemas:core:2.0:User:userName eq "ANN"`: true,
		`meta.lastModified lt "2011-05-13T04:42:34Z"`: true, `title eq "a \"b\""`: true, `emails co "work"`: true,
	} {
		q := directory.Query{Kind: directory.User}
		if err := narrow(&q, text); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := (q.Label == "" || q.Label == "ann" || q.Label == "ANN") && (q.ExternalID == "" || q.ExternalID == r.ExternalID)
		if q.Match != nil {
			got = got && q.Match(r)
		}
		if got != want {
			t.Errorf("%s holds: %v", text, got)
		}
	}
	for _, text := range []string{`userName`, `userName eq`, `strange eq "x"`, `password eq "x"`, `name.strange pr`, `emails[strange pr]`} {
		q := directory.Query{Kind: directory.User}
		var word typed
		if err := narrow(&q, text); !errors.As(err, &word) || word.word != invalidFilter {
			t.Errorf("%s is answered with %v", text, err)
		}
	}
	q := directory.Query{Kind: directory.Group}
	if err := narrow(&q, `displayName eq "Crew" and members[value eq "dir_2"]`); err != nil || q.Match != nil || q.Label != "Crew" || q.Member != "dir_2" {
		t.Errorf("what can be asked by columns is %+v, %v", q, err)
	}
}

func FuzzPatches(f *testing.F) {
	f.Add(`[{"op":"add","path":"emails[type eq \"work\"].value","value":"x"}]`)
	f.Add(`[{"op":"replace","value":{"name":{"givenName":1},"emails":["x",null,{"value":[]}]}}]`)
	f.Fuzz(func(t *testing.T, operations string) {
		var all []operation
		if json.Unmarshal([]byte(operations), &all) != nil {
			return
		}
		r := directory.Resource{Kind: directory.User, Attributes: map[string]any{"userName": "ann", "emails": []any{map[string]any{"value": "x", "type": "work"}}}}
		sent, err := patched(r, all)
		if err == nil && sent.Label == "" {
			t.Errorf("%s leaves nobody", operations)
		}
	})
}
