package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/product/directory/slapdtest"
)

// provider is an identity provider with a token for one directory.
type provider struct {
	t           *testing.T
	base, token string
}

// ask does a request and gives the status and the body.
func (p provider) ask(method, path, body string, header ...string) (int, map[string]any, http.Header) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Content-Type", "application/scim+json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var out map[string]any
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &out); err != nil {
			p.t.Fatalf("%s %s = %d %.300s", method, path, answer.StatusCode, raw)
		}
	}
	return answer.StatusCode, out, answer.Header
}

// must is ask that is answered with a status.
func (p provider) must(status int, method, path, body string, header ...string) map[string]any {
	p.t.Helper()
	got, out, _ := p.ask(method, path, body, header...)
	if got != status {
		p.t.Fatalf("%s %s = %d %v, want %d", method, path, got, out, status)
	}
	return out
}

// TestPeopleAreProvisionedBySCIM goes the way of an identity provider, by HTTP alone: from a document and a token to people who
// sign in with the rights of their group, until they leave.
func TestPeopleAreProvisionedBySCIM(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		admin := h.Options.AdminToken
		api := func(status int, method, path, body string) map[string]any {
			t.Helper()
			return provider{t, server.URL + "/api/v1", admin}.must(status, method, path, body, "Content-Type", "application/json")
		}
		api(200, "POST", "/apply", `{"source":"test","documents":"{apiVersion: roadbed.dev/v1, kind: Directory, metadata: {name: okta}, spec: {scim: {}}}\n---\n{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: okta}, spec: {role: admin, subjects: ['machine:default/okta']}}\n---\n{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: crew}, spec: {role: developer, subjects: ['group:default/payments-crew']}}"}`)
		api(201, "POST", "/machines", `{"name":"okta"}`)
		token := api(201, "POST", "/tokens", `{"name":"okta","owner":"machine:default/okta","scopes":["directory:write=default/okta"]}`)
		secret, _ := token["secret"].(string)
		if address := api(200, "GET", "/directories/default/okta", "")["address"]; address != server.URL+"/scim/v2/default/okta" {
			t.Errorf("the provider is sent to %v", address)
		}
		p := provider{t, server.URL + "/scim/v2/default/okta", secret}
		for _, path := range []string{"/ServiceProviderConfig", "/Schemas", "/ResourceTypes", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "/ResourceTypes/User"} {
			p.must(200, "GET", path, "")
		}
		find := "/Users?filter=" + url.QueryEscape(`userName eq "ann@example.com"`) + "&startIndex=1&count=100"
		if n := p.must(200, "GET", find, "")["totalResults"]; n != 0.0 {
			t.Errorf("there are %v before there is one", n)
		}
		ann := p.must(201, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann@example.com","name":{"givenName":"Ann","familyName":"Lee"},"emails":[{"primary":true,"value":"ann@example.com","type":"work"}],"displayName":"Ann Lee","locale":"en-US","externalId":"00u1","groups":[],"password":"1mz050nq","active":true}`)
		id, _ := ann["id"].(string)
		if _, kept := ann["password"]; kept {
			t.Error("the password is given back")
		}
		if answer := p.must(409, "POST", "/Users", `{"userName":"ANN@example.com"}`); answer["scimType"] != "uniqueness" {
			t.Errorf("a second one of the name is answered with %v", answer)
		}
		if answer := p.must(400, "GET", "/Users?filter=nonsense", ""); answer["scimType"] != "invalidFilter" {
			t.Errorf("a filter that is none is answered with %v", answer)
		}
		crew := p.must(201, "POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Payments Crew","members":[]}`)
		group, _ := crew["id"].(string)
		p.must(204, "PATCH", "/Groups/"+group, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Add","path":"members","value":[{"$ref":null,"value":"`+id+`"}]}]}`)
		if found := p.must(200, "GET", "/Groups?excludedAttributes=members&filter="+url.QueryEscape(`displayName eq "payments crew"`), ""); found["totalResults"] != 1.0 || strings.Contains(mustJSON(t, found), "members") {
			t.Errorf("the group is found as %v", found)
		}
		for at, request := range map[string][3]string{
			"externalId":                   {"POST", "/Users", `{"userName":"eve","externalId":"a\u0000b"}`},
			"userName":                     {"POST", "/Users", `{"userName":"e\u0000ve"}`},
			"displayName":                  {"PUT", "/Groups/" + group, `{"displayName":"Pay\u0000"}`},
			"name.givenName":               {"PUT", "/Users/" + id, `{"userName":"ann@example.com","name":{"givenName":"\u0000"}}`},
			"emails[1].value":              {"POST", "/Users", `{"userName":"eve","emails":[{"value":"a"},{"value":"\u0000"}]}`},
			"members[0].value":             {"POST", "/Groups", `{"displayName":"x","members":[{"value":"\u0000"}]}`},
			"Operations[0].value[0].value": {"PATCH", "/Groups/" + group, `{"Operations":[{"op":"add","path":"members","value":[{"value":"\u0000"}]}]}`},
			"Operations[0].path":           {"PATCH", "/Users/" + id, `{"Operations":[{"op":"add","path":"emails[type eq \"\u0000\"].value","value":"x"}]}`},
			`the name of a\0b`:             {"POST", "/Users", `{"userName":"eve","a\u0000b":1}`},
		} {
			if answer := p.must(400, request[0], request[1], request[2]); answer["scimType"] != "invalidValue" || !strings.HasPrefix(fmt.Sprint(answer["detail"]), at+" holds a NUL") {
				t.Errorf("a NUL in %s is answered with %v", at, answer)
			}
		}
		if n := p.must(200, "GET", "/Users", "")["totalResults"]; n != 1.0 {
			t.Errorf("after what was refused there are %v", n)
		}
		person := p.must(200, "GET", "/Users/"+id, "")
		if !strings.Contains(mustJSON(t, person["groups"]), group) {
			t.Errorf("the person is in %v", person["groups"])
		}
		// Versions hold what was seen.
		status, _, header := p.ask("GET", "/Users/"+id, "")
		if status != 200 || header.Get("ETag") == "" {
			t.Fatalf("a person has the version %q", header.Get("ETag"))
		}
		p.must(412, "PUT", "/Users/"+id, `{"userName":"ann@example.com"}`, "If-Match", `W/"77"`)
		p.must(200, "PATCH", "/Users/"+id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"displayName","value":"Ann Lo"}]}`, "If-Match", header.Get("ETag"))

		// She has the rights of her group, until she leaves.
		own := provider{t, server.URL + "/api/v1", ""}
		made := api(201, "POST", "/tokens", `{"name":"own","owner":"user:default/ann_example.com"}`)
		own.token, _ = made["secret"].(string)
		if me := own.must(200, "GET", "/whoami", ""); !strings.Contains(mustJSON(t, me), "group:default/payments-crew") {
			t.Errorf("she is %v", me)
		}
		p.must(200, "PATCH", "/Users/"+id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]}`)
		own.must(401, "GET", "/whoami", "")
		api(404, "GET", "/entities/user/default/ann_example.com", "")
		if d := api(200, "GET", "/directories/default/okta", ""); d["inactive"] != 1.0 || d["people"] != 0.0 || d["groups"] != 1.0 || d["state"] != "healthy" {
			t.Errorf("the directory tells %v", d)
		}
		p.must(204, "DELETE", "/Users/"+id, "")
		p.must(404, "GET", "/Users/"+id, "")

		// The token reaches nothing else.
		provider{t, server.URL + "/scim/v2/default/okta", "nonsense"}.must(401, "GET", "/Users", "")
		provider{t, server.URL + "/scim/v2/default/other", secret}.must(404, "GET", "/Users", "")
		if status, _, _ := (provider{t, server.URL + "/api/v1", secret}).ask("POST", "/machines", `{"name":"x"}`, "Content-Type", "application/json"); status != 403 {
			t.Errorf("the provider's token makes machines: %d", status)
		}
	})
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestPeopleAreReadFromLDAP has a server read, and somebody join and leave, by HTTP alone.
func TestPeopleAreReadFromLDAP(t *testing.T) {
	t.Parallel()
	s := slapdtest.Start(t)
	ann, bob := s.Person("ann", "Ann Lee"), s.Person("bob", "Bob")
	crew := s.Group("crew", ann)
	h, server := open(t)
	p := provider{t, server.URL + "/api/v1", h.Options.AdminToken}
	api := func(status int, method, path, body string) map[string]any {
		t.Helper()
		return p.must(status, method, path, body, "Content-Type", "application/json")
	}
	if code, answer := do(t, server, http.MethodPut, "/api/v1/secrets/default/ldap", h.Options.AdminToken, `{"value":"`+slapdtest.Password+`"}`); code >= 300 {
		t.Fatalf("a secret = %d %s", code, answer)
	}
	document := map[string]any{"apiVersion": "roadbed.dev/v1", "kind": "Directory", "metadata": map[string]any{"name": "corp"}, "spec": map[string]any{"ldap": map[string]any{
		"url": "ldaps://" + s.Address, "ca": s.CA, "bindDN": slapdtest.Admin, "password": map[string]any{"secretRef": "default/ldap"},
		"users": map[string]any{"base": "ou=people," + slapdtest.Suffix}, "groups": map[string]any{"base": "ou=groups," + slapdtest.Suffix},
	}}}
	api(200, "POST", "/apply", mustJSON(t, map[string]any{"source": "test", "documents": mustJSON(t, document)}))
	d := api(200, "POST", "/directories/default/corp/look", "")
	if d["state"] != "healthy" || d["people"] != 2.0 || d["groups"] != 1.0 {
		t.Fatalf("the server is read as %v", d)
	}
	s.Replace(crew, "member", bob)
	s.Delete(ann)
	api(200, "POST", "/directories/default/corp/look", "")
	api(404, "GET", "/entities/user/default/ann", "")
	if e := api(200, "GET", "/entities/user/default/bob", ""); !strings.Contains(mustJSON(t, e), "group:default/crew") {
		t.Errorf("bob is %v", e)
	}
	if list := api(200, "GET", "/directories", ""); !strings.Contains(mustJSON(t, list), "ldaps://") {
		t.Errorf("the list is %v", list)
	}
}
