package server

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestASerialThatIsDeclaredLowerHidesNoNewerState writes versions whose declared serials are below those in their states: what
// is older than the newest state is refused by every way, and what the platform writes is newer than that.
func TestASerialThatIsDeclaredLowerHidesNoNewerState(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		ctx := t.Context()
		otto := remote{g, "otto"}
		ws := remote{g, "alice"}.workspace("default", "net")
		g.apply(uploadedStack("other", ""))
		declare := func(status, serial int, state string) {
			t.Helper()
			sum := md5.Sum([]byte(state))
			otto.wants(200, "POST", "workspaces/"+ws.ID+"/actions/lock", `{"reason":"by hand"}`)
			v := otto.wants(status, "POST", "workspaces/"+ws.ID+"/state-versions", fmt.Sprintf(`{"data":{"attributes":{"serial":%d,"md5":%q,"state":%q}}}`,
				serial, hex.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString([]byte(state))))
			if status == 201 && v.text("serial") != fmt.Sprint(serial) {
				t.Errorf("declared with %d it is %+v", serial, v)
			}
			otto.wants(200, "POST", "workspaces/"+ws.ID+"/actions/unlock", "")
		}
		push := func(serial int, output string) error {
			return g.as["otto"].PushState(ctx, "default", "net", []byte(bucketState(serial, "l", output, bucket{"logs", "", ""})), false)
		}
		inside := func(name string) (serial int64) {
			t.Helper()
			data, err := g.as["otto"].PullState(ctx, "default", name, "latest")
			var f struct{ Serial int64 }
			if err == nil {
				err = json.Unmarshal(data, &f)
			}
			if err != nil {
				t.Fatal(err)
			}
			return f.Serial
		}
		state := func(serial int, output string) string {
			return bucketState(serial, "l", output, bucket{"logs", "", ""}, bucket{"moves", "", ""})
		}
		declare(201, 0, state(50, "a"))
		declare(201, 1, state(50, "a"))
		declare(201, 2, state(50, "a"))
		declare(201, 2, state(50, "a")) // its answer was lost
		declare(409, 2, state(51, "b"))
		declare(409, 3, state(50, "b"))
		declare(409, 40, state(49, "b"))
		declare(409, 40, state(41, "b"))
		g.wantRefused(push(41, "late"), fault.Conflict, "this state has serial 41, the stack's newest has 50; pull it first")
		g.wantRefused(push(50, "late"), fault.Conflict, "another state with serial 50")
		g.wantState(409, "the stack's newest has 50", "otto", "POST", "", state(41, "late"))
		g.wantState(409, "another state with serial 50", "otto", "POST", "", state(50, "late"))
		if err := g.as["otto"].PushState(ctx, "default", "net", []byte(state(50, "a")), false); err != nil {
			t.Errorf("what is there already is pushed: %v", err)
		}
		if s := g.stackNow("net"); s.State.Serial != 2 {
			t.Errorf("after what was refused the stack has %+v", s.State)
		}

		if _, err := client.Post[any](ctx, g.as["otto"], "/stacks/default/net/move-resources", map[string]any{"to": "other", "addresses": []string{"aws_s3_bucket.moves"}}); err != nil {
			t.Fatal(err)
		}
		if left, right := inside("net"), inside("other"); left != 51 || right != 1 {
			t.Errorf("after the move the states have serials %d and %d", left, right)
		}
		declare(201, 52, state(60, "c"))
		back, err := client.Post[client.StateVersion](ctx, g.as["otto"], netStates+"2/rollback", map[string]string{"reason": "it was wrong"})
		if err != nil || back.Serial != 61 || inside("net") != 61 {
			t.Errorf("the state is rolled back to %+v with %d inside (%v)", back, inside("net"), err)
		}
		declare(201, 62, state(70, "d"))
		if err := g.as["admin"].PushState(ctx, "default", "net", []byte(state(65, "forced")), true); err != nil || inside("net") != 71 {
			t.Errorf("a lower serial that was forced is %d (%v)", inside("net"), err)
		}
		if err := push(72, "next"); err != nil {
			t.Error(err)
		}
	})
}
