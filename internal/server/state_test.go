package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// state speaks to the state backend of stack:default/net as an engine does.
func (g *ground) state(who, method, query, body string, header ...string) (int, string) {
	g.t.Helper()
	code, said, err := g.rawState(who, method, query, strings.NewReader(body), header...)
	if err != nil {
		g.t.Fatal(err)
	}
	return code, said
}

func (g *ground) rawState(who, method, query string, body io.Reader, header ...string) (int, string, error) {
	request, err := http.NewRequestWithContext(context.Background(), method, g.url+"/api/state/default/net"+query, body)
	if err != nil {
		return 0, "", err
	}
	if who != "" {
		request.SetBasicAuth("whoever", g.as[who].Token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	return response.StatusCode, string(said), err
}

func (g *ground) wantState(want int, words, who, method, query, body string, header ...string) {
	g.t.Helper()
	if code, said := g.state(who, method, query, body, header...); code != want || !strings.Contains(said, words) {
		g.t.Errorf("%s %s by %s = %d %.300s; want %d with %q", method, query, who, code, said, want, words)
	}
}

func stateFile(serial int, lineage, output string) string {
	return fmt.Sprintf(`{"version": 4, "serial": %d, "lineage": %q, "outputs": {"o": {"value": %q, "type": "string"}}, "resources": [{"instances": [{}, {}]}]}`, serial, lineage, output)
}

const lockOne, lockTwo = `{"ID": "one", "Who": "laptop"}`, `{"ID": "two", "Who": "other"}`

// TestAStateIsReadOfThoseAloneWhoMayWriteIt announces a large state and sends none of it: who may not write it is refused at
// once, in words that do not tell whether there is such a stack.
func TestAStateIsReadOfThoseAloneWhoMayWriteIt(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(stackDocument("net", ""))
		announce := func(who, name string) (code int, said string) {
			t.Helper()
			at, err := url.Parse(g.url)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := net.Dial("tcp", at.Host)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			proof := ""
			if who != "" {
				proof = "Authorization: Bearer " + g.as[who].Token + "\r\n"
			}
			if _, err := fmt.Fprintf(conn, "POST /api/state/default/%s?ID=one HTTP/1.1\r\nHost: %s\r\n%sContent-Length: 200000000\r\n\r\n", name, at.Host, proof); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%s by %q: %v", name, who, err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			return response.StatusCode, strings.ReplaceAll(string(text), name, "NAME")
		}
		for who, want := range map[string]int{"": 401, "mallory": 403} {
			there, said := announce(who, "net")
			missing, saidToo := announce(who, "missing")
			if there != want || missing != want || said != saidToo {
				t.Errorf("%q is told %d %s of a stack, and %d %s of none; want %d for both", who, there, said, missing, saidToo, want)
			}
		}
		if code, said := announce("rita", "net"); code != 403 || !strings.Contains(said, "stack:state in space default is missing") {
			t.Errorf("a reader is told %d %s", code, said)
		}
		if code, said := announce("otto", "missing"); code != 403 || !strings.Contains(said, "whose state you may use") { // 404 would be an empty state
			t.Errorf("of a stack that is not there the operator is told %d %s", code, said)
		}
	})
}

// TestStatesAreLockedAndNeverLost holds the backend to what engines and people may do.
func TestStatesAreLockedAndNeverLost(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(stackDocument("net", "")) // its repository is not there: no run comes in between
		g.wantState(404, "", "otto", "GET", "", "")
		for who, want := range map[string]int{"": 401, "rita": 403, "alice": 403, "mallory": 403} {
			for _, method := range []string{"GET", "POST", "LOCK", "UNLOCK"} {
				if code, said := g.state(who, method, "", lockOne); code != want {
					t.Errorf("%s by %q = %d %s; want %d", method, who, code, said, want)
				}
			}
		}
		first := stateFile(1, "l", "a")
		g.wantState(200, "", "otto", "LOCK", "", lockOne)
		g.wantState(200, "", "otto", "LOCK", "", lockOne) // its answer was lost
		g.wantState(423, `"Who": "laptop"`, "otto", "LOCK", "", lockTwo)
		g.wantState(423, `"Who": "laptop"`, "otto", "POST", "?ID=two", first)
		g.wantState(423, `"Who": "laptop"`, "otto", "POST", "", first)
		g.wantState(423, `"Who": "laptop"`, "otto", "UNLOCK", "", lockTwo)
		sum := md5.Sum([]byte(first))
		g.wantState(422, "Content-MD5", "otto", "POST", "?ID=one", first, "Content-MD5", base64.StdEncoding.EncodeToString(make([]byte, 16)))
		g.wantState(200, "", "otto", "POST", "?ID=one", first, "Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
		g.wantState(200, first, "otto", "GET", "", "")
		g.wantState(200, "", "otto", "POST", "?ID=one", first) // the same again
		g.wantState(409, "another state with serial 1", "otto", "POST", "?ID=one", stateFile(1, "l", "b"))
		g.wantState(200, "", "otto", "POST", "?ID=one", stateFile(3, "l", "b"))
		g.wantState(409, "serial 2", "otto", "POST", "?ID=one", stateFile(2, "l", "c"))
		g.wantState(409, "lineage", "otto", "POST", "?ID=one", stateFile(9, "other", "c"))
		for _, wrong := range []string{"", "{", `{"version": 3, "serial": 9, "lineage": "l"}`, `{"version": 4, "serial": 9}`, `[]`, `{"version": 4, "serial": "x", "lineage": "l"}`} {
			g.wantState(422, "the state", "otto", "POST", "?ID=one", wrong)
		}
		for _, wrong := range []string{"{", "[]", "{}", `{"ID": ""}`, `{"ID": "` + strings.Repeat("x", 300) + `"}`} {
			g.wantState(422, "must be JSON with an ID", "otto", "LOCK", "", wrong)
		}
		g.wantState(413, "larger than", "otto", "LOCK", "", `{"ID": "`+strings.Repeat("x", 70<<10)+`"}`)
		g.wantState(405, "LOCK", "otto", "DELETE", "", "")
		g.wantState(200, "", "otto", "UNLOCK", "", lockOne)
		g.wantState(200, "", "otto", "UNLOCK", "", lockOne) // nothing is held any more
		g.wantState(409, "no longer held", "otto", "POST", "?ID=one", stateFile(4, "l", "c"))
		g.wantState(200, "", "otto", "POST", "", stateFile(4, "l", "c")) // nobody locks: -lock=false
		// Somebody frees the lock of an engine that is gone.
		g.wantState(200, "", "otto", "LOCK", "", lockTwo)
		if s := g.stackNow("net"); !strings.Contains(s.Lock, "other") || s.State.Serial != 4 || s.State.Resources != 2 || s.State.Actor.Name != "otto" {
			t.Errorf("the stack is %+v with the state %+v", s, s.State)
		}
		for who, want := range map[string]fault.Kind{"alice": fault.Denied, "mallory": fault.NotFound} {
			if _, err := client.Post[any](t.Context(), g.as[who], "/stacks/default/net/unlock", nil); !fault.Is(err, want) && !fault.Is(err, fault.Denied) {
				t.Errorf("%s unlocks: %v", who, err)
			}
		}
		if err := g.as["otto"].Do(t.Context(), "POST", "/stacks/default/net/unlock", nil, struct{}{}, nil); err != nil {
			t.Errorf("unlock: %v", err)
		}
		g.wantState(200, "", "otto", "LOCK", "", lockOne)
		versions, err := client.Get[client.List[client.StateVersion]](t.Context(), g.as["rita"], "/stacks/default/net/states", nil)
		if err != nil {
			t.Fatal(err)
		}
		var serials []int64
		for _, v := range versions.Items {
			serials = append(serials, v.Serial)
		}
		if fmt.Sprint(serials) != "[4 3 1]" {
			t.Errorf("kept are the serials %v", serials)
		}
		g.wantNoted("stack:default/net", "stack.state-written", 3)
		g.wantNoted("stack:default/net", "stack.state-locked", 3)
	})
}

// TestOfManyEnginesOneGetsTheLock has twenty lock and write at once.
func TestOfManyEnginesOneGetsTheLock(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(stackDocument("net", ""))
		var all sync.WaitGroup
		codes := make([]int, 20)
		errs := make([]error, len(codes))
		for i := range codes {
			all.Go(func() {
				lock := fmt.Sprintf(`{"ID": "engine-%d"}`, i)
				if codes[i], _, errs[i] = g.rawState("otto", "LOCK", "", strings.NewReader(lock)); codes[i] == http.StatusOK {
					var code int
					if code, _, errs[i] = g.rawState("otto", "POST", fmt.Sprintf("?ID=engine-%d", i), strings.NewReader(stateFile(1, "l", "x"))); code != http.StatusOK {
						errs[i] = errors.Join(errs[i], fmt.Errorf("the holder of the lock writes: %d", code))
					}
				}
			})
		}
		all.Wait()
		won := 0
		for i, code := range codes {
			switch {
			case errs[i] != nil:
				t.Error(errs[i])
			case code == http.StatusOK:
				won++
			case code != http.StatusLocked:
				t.Errorf("engine %d got %d", i, code)
			}
		}
		if won != 1 {
			t.Errorf("%d engines hold the lock", won)
		}
		g.wantNoted("stack:default/net", "stack.state-locked", 1)
	})
}

// TestALargeStateIsTakenAndATooLargeOneIsNot sends bodies around the limit, and one that is cut short.
func TestALargeStateIsTakenAndATooLargeOneIsNot(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(stackDocument("net", ""))
		large := stateFile(1, "l", strings.Repeat("x", 20<<20))
		g.wantState(200, "", "otto", "POST", "", large)
		if code, said := g.state("otto", "GET", "", ""); code != 200 || said != large {
			t.Errorf("a large state came back as %d with %d bytes", code, len(said))
		}
		if g.house.DB.Dialect() == "sqlite" { // one of them is enough for what takes this long
			code, said, err := g.rawState("otto", "POST", "", io.LimitReader(zeros{}, stack.StateLimit+1))
			if err == nil && (code != http.StatusRequestEntityTooLarge || !strings.Contains(said, "larger than")) {
				t.Errorf("a state beyond the limit = %d %.200s", code, said)
			}
		}
		cut := io.MultiReader(strings.NewReader(stateFile(2, "l", "cut")[:40]), broken{})
		if code, said, err := g.rawState("otto", "POST", "", cut); err == nil && code == http.StatusOK {
			t.Errorf("a state that was cut short is taken: %s", said)
		}
		if s := g.stackNow("net"); s.State.Serial != 1 {
			t.Errorf("the stack has serial %d", s.State.Serial)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the line went dead") }

// TestAnEngineInATerminalKeepsItsStateHere runs the engine itself, as people do with backend "http".
func TestAnEngineInATerminalKeepsItsStateHere(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.apply(stackDocument("net", ""))
		dir := t.TempDir()
		write(t, filepath.Join(dir, "main.tf"), lightInfra+"\nterraform {\n  backend \"http\" {}\n}\n")
		engine := func(args ...string) (string, error) {
			c := exec.CommandContext(t.Context(), g.house.engine.path(), args...)
			c.Dir = dir
			address := g.url + "/api/state/default/net"
			c.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_VAR_name=net", "TF_CLI_CONFIG_FILE=/dev/null",
				"TF_HTTP_ADDRESS="+address, "TF_HTTP_LOCK_ADDRESS="+address, "TF_HTTP_UNLOCK_ADDRESS="+address,
				"TF_HTTP_USERNAME=otto", "TF_HTTP_PASSWORD="+g.as["otto"].Token, "TF_HTTP_RETRY_MAX=0")
			var out bytes.Buffer
			c.Stdout, c.Stderr = &out, &out
			err := c.Run()
			return out.String(), err
		}
		must := func(want string, args ...string) {
			t.Helper()
			if out, err := engine(args...); err != nil || !strings.Contains(out, want) {
				t.Fatalf("%v: %v; want %q in\n%s", args, err, want, out)
			}
		}
		must("Successfully configured", "init", "-input=false", "-no-color")
		must("1 added", "apply", "-auto-approve", "-no-color")
		if g.output("net", "endpoint") != `"net.region-one"` || g.stackNow("net").Lock != "" {
			t.Errorf("the stack is %+v", g.stackNow("net"))
		}
		g.wantState(200, "", "otto", "LOCK", "", lockTwo)
		if out, err := engine("apply", "-auto-approve", "-no-color", "-var=region=two"); err == nil || !strings.Contains(out, "Error acquiring the state lock") || !strings.Contains(out, "two") {
			t.Errorf("an apply against somebody's lock: %v\n%s", err, out)
		}
		must("unlocked", "force-unlock", "-force", "two")
		must("1 changed", "apply", "-auto-approve", "-no-color", "-var=region=two")
		must("terraform_data.database", "state", "list")
		must("1 destroyed", "destroy", "-auto-approve", "-no-color")
		if s := g.stackNow("net"); s.State.Resources != 0 || s.State.Actor.Name != "otto" {
			t.Errorf("the state is %+v", s.State)
		}
	})
}
