package gitlabtest

import (
	"strings"
	"testing"

	gl "gitlab.com/gitlab-org/api/client-go"
)

// The check of answers finds what a client would not understand.
func TestConforms(t *testing.T) {
	for _, c := range []struct {
		body, shape any
		want        string
	}{
		{object{"id": 1, "iid": 2, "author": object{"id": 3, "username": "ann"}, "created_at": "2026-05-04T12:00:00.000Z", "merged_at": nil}, gl.MergeRequest{}, ""},
		{object{"number": 2}, gl.MergeRequest{}, `field "number"`},
		{object{"author": object{"login": "ann"}}, gl.MergeRequest{}, `.author has a field "login"`},
		{object{"iid": "2"}, gl.MergeRequest{}, ".iid is string"},
		{object{"created_at": "yesterday"}, gl.MergeRequest{}, ".created_at is string"},
		{object{"draft": 1}, gl.MergeRequest{}, ".draft is float64"},
		{[]object{{"name": "main"}, {"names": "x"}}, []gl.Branch{}, `[1] has a field "names"`},
		{object{"name": "main"}, []gl.Branch{}, "is map"},
		{object{"scopes": []int{1}}, gl.PersonalAccessToken{}, ".scopes[0] is float64"},
		{object{"expires_at": "2099-12-31"}, gl.PersonalAccessToken{}, ""},
		{object{"expires_at": "2099-12-31T00:00:00Z"}, gl.PersonalAccessToken{}, ".expires_at is string"},
	} {
		err := conforms(c.body, c.shape)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %v, want %q", c.body, err, c.want)
		}
	}
}
