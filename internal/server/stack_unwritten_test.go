package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// elsewhere stands for an engine that applies a plan of a new resource and writes no state here, as one does whose hooks have it
// write to another place.
const elsewhere = `#!/bin/sh
set -eu
case $1 in
version) echo "OpenTofu v9.9.9" ;;
init)
  mkdir -p "$TF_DATA_DIR"
  printf '{\n  "backend": {\n    "type": "http",\n    "config": {\n      "address": null\n    },\n    "hash": 1\n  }\n}\n' > "$TF_DATA_DIR/terraform.tfstate"
  ;;
plan)
  echo PK > "$ROADBED_WORK/plan.bin"
  exit 2
  ;;
show)
  echo '{"format_version":"1.2","resource_changes":[{"address":"a.b","mode":"managed","type":"a","name":"b","change":{"actions":["create"],"before":null,"after":{}}}]}'
  ;;
esac
`

// TestAnApplyOfWhichNoStateComesHoldsItsStack: what is pushed waits and leaves on the stack's page why, until a run is begun by hand.
func TestAnApplyOfWhichNoStateComesHoldsItsStack(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.Engine = database, filepath.Join(t.TempDir(), "elsewhere")
		if err := os.WriteFile(o.Engine, []byte(elsewhere), 0o755); err != nil {
			t.Fatal(err)
		}
		h, server := openWith(t, o)
		g := newGround(t, h, server)
		id := g.stack("net", "# nothing\n", "")
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(id), "finished", "applied: 1 to create")
		says := func(when string) {
			t.Helper()
			if s := g.stackNow("net"); !strings.HasPrefix(s.Message, "run "+id+" has applied its plan (1 to create), and no state has come of that") {
				t.Errorf("%s the stack says %q", when, s.Message)
			}
		}
		says("then")
		pushed := g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": "# more\n"}))
		g.heldSince(pushed, id, "has applied its plan (1 to create), and no state has come of that")
		says("after a push")
		byHand, err := client.Post[client.RunDetail](t.Context(), g.as["bob"], "/stacks/default/net/runs", map[string]string{"type": "tracked"})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(pushed), "unconfirmed", "")
		if s := g.stackNow("net"); s.Lock != "" || s.Message != "" {
			t.Errorf("once one is begun by hand, it is locked by %s, and says %q", s.Lock, s.Message)
		}
		if _, err := g.act("admin", pushed, "discard"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(byHand.ID), "unconfirmed", "")
	})
}
