package server

import (
	"io"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// pulumiConfigured puts out what it is configured by.
const pulumiConfigured = `name: shop
runtime: yaml
config:
  sizes: {type: array, items: {type: integer}}
  deep: {type: object}
  other: {type: string}
outputs: {sizes: "${sizes}", deep: "${deep}", other: "${other}"}
`

// TestVariablesReplaceWhatPulumiIsConfiguredBy: a shorter list is what it is, and not the beginning of the committed one.
func TestVariablesReplaceWhatPulumiIsConfiguredBy(t *testing.T) {
	t.Parallel()
	g := pulumiGround(t, "", false)
	files := map[string]string{
		"Pulumi.yaml":      pulumiConfigured,
		"Pulumi.prod.yaml": "config:\n  shop:sizes: [1, 2, 3]\n  shop:deep: {a: 1, b: {c: 2}}\n  shop:other: committed\n",
	}
	vendor := "  vendor: {pulumi: {stackName: prod}}\n"
	id := g.tool("shop", vendor+"  variables: {sizes: [9], deep: {b: {d: 4}}}\n", files)
	g.wantRun(g.rests(id), "unconfirmed", "1 to create, 3 outputs change")
	g.wantRun(g.confirms(id), "finished", "applied: 1 to create")
	for output, want := range map[string]string{"sizes": "[9]", "deep": `{"b":{"d":4}}`, "other": `"committed"`} {
		if got := g.output("shop", output); got != want {
			t.Errorf("%s is %s, want %s", output, got, want)
		}
	}

	// Without them what is committed counts.
	g.apply(toolDocument("shop", vendor))
	id = g.nth("shop", "tracked", 2)
	g.wantRun(g.rests(id), "unconfirmed", "2 outputs change")
	g.wantRun(g.confirms(id), "finished", "applied")
	for output, want := range map[string]string{"sizes": "[1,2,3]", "deep": `{"a":1,"b":{"c":2}}`, "other": `"committed"`} {
		if got := g.output("shop", output); got != want {
			t.Errorf("%s is %s, want %s", output, got, want)
		}
	}
}

// TestPulumiKeepsItsStateElsewhere has a backend of Pulumi's, in PostgreSQL, keep the state.
func TestPulumiKeepsItsStateElsewhere(t *testing.T) {
	t.Parallel()
	backend := reachable(t, storetest.PostgresURL(t))
	g, there := pulumiGround(t, "", true), newShelf(t)
	files := map[string]string{"Pulumi.yaml": `name: shop
runtime: yaml
resources:
  only:
    type: shelf:Item
    properties: {name: one, text: hello}
outputs: {text: "${only.text}"}
`}
	id := g.tool("shop", "  vendor: {pulumi: {stackName: organization/shop/prod, loginUrl: '"+backend+"'}}\n  network: true\n  environment: [{name: SHELF, value: '"+there.url+"'}]\n", files)
	g.wantRun(g.rests(id), "unconfirmed", "2 to create, 1 output changes")
	g.wantRun(g.confirms(id), "finished", "applied: 2 to create")
	if got := there.all(); len(got) != 1 {
		t.Errorf("there are %q", got)
	}
	if s := g.stackNow("shop"); s.State != nil {
		t.Errorf("the platform keeps %s", asJSON(t, s.State))
	}
	there.put(`"name":"one"`, `{"name":"one","text":"by hand"}`)
	g.wantRun(g.drifts("shop"), "finished", "drifted: 1 to change")
	there.put(`"name":"one"`, unreadable)
	g.wantRun(g.drifts("shop"), "failed", "planning: Preview failed: the shelf says 500")
	destroy, err := g.begins("shop", "destroy")
	if err != nil {
		t.Fatal(err)
	}
	g.wantRun(g.rests(destroy.ID), "failed", "planning: Preview failed: the shelf says 500")
	there.put(unreadable, `{"name":"one","text":"by hand"}`)
	if destroy, err = g.begins("shop", "destroy"); err != nil {
		t.Fatal(err)
	}
	g.wantRun(g.rests(destroy.ID), "unconfirmed", "2 to destroy")
	g.wantRun(g.confirms(destroy.ID), "finished", "applied: 2 to destroy")
	if got := there.all(); len(got) > 0 {
		t.Errorf("there are still %q", got)
	}
}

// reachable gives an address of a PostgreSQL that steps with a network reach also where it listens at a socket alone.
func reachable(t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	network, to := "tcp", u.Host
	if dir := u.Query().Get("host"); strings.HasPrefix(dir, "/") {
		network, to = "unix", dir+"/.s.PGSQL.5432"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() { // until the listener is closed
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, to)
			if err != nil {
				from.Close()
				continue
			}
			pass := func(to, from net.Conn) {
				_, _ = io.Copy(to, from) // either side may end
				to.Close()
			}
			go pass(server, from)
			go pass(from, server)
		}
	}()
	u.Host, u.RawQuery = listener.Addr().String(), "sslmode=disable"
	return u.String()
}
