package delivery_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// everything gives all that people can see of an application: status, tree, diff, history, runs, the ledger, logs of
// steps and recorded decisions.
func (b *bench) everything() string {
	b.t.Helper()
	var out strings.Builder
	show := func(v any) {
		text, err := json.Marshal(v)
		if err != nil {
			b.t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\n", text)
	}
	ctx := accesstest.As("adam")
	diff, err := b.Diff(ctx, shop)
	if err != nil {
		show(err.Error())
	}
	st := b.status(shop)
	show(diff)
	show(st)
	show(b.history(shop))
	events, err := b.node.Events(ctx, shop.String())
	if err != nil {
		b.t.Fatal(err)
	}
	show(events)
	for _, r := range b.syncs(shop) {
		d, err := b.runs.Detail(ctx, r.ID)
		if err != nil {
			b.t.Fatal(err)
		}
		show(d)
	}
	out.WriteString(b.logs.String())
	err = b.db.Read(context.Background(), func(tx *store.Tx) error {
		entries, err := b.ledger.List(context.Background(), tx, ledger.Query{Limit: 1000})
		show(entries)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out.String()
}

func TestValuesOfSecretsAreNeverShown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		secret := func(word string) string {
			return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: keys, annotations: {kubectl.kubernetes.io/last-applied-configuration: '%s'}}\ndata: {token: %s}\nstringData: {plain: %s}\n",
				word+"-noted", base64.StdEncoding.EncodeToString([]byte(word+"-coded")), word+"-plain")
		}
		b.repository("default", "team/shop")
		b.apply("default", policyDocument("watch", `warn contains sprintf("%v", [input.objects])`))
		b.push("team/shop", map[string]string{"deploy/a.yaml": secret("first")})
		b.apply("default", application("shop", "team/shop", automated))
		second := b.commit("alice", "team/shop", map[string]string{"deploy/a.yaml": secret("second")})
		seen := b.everything() // with a diff between the two
		b.drain()
		b.want(shop, "Synced", "Healthy", second, "")
		b.push("team/shop", map[string]string{"deploy/a.yaml": strings.Replace(secret("third"), "token: ", "token: '!", 1) + "'"})
		b.push("team/shop", map[string]string{"deploy/a.yaml": strings.Replace(secret("third"), "data: {token: ", "data: {token: [", 1)})
		b.push("team/shop", map[string]string{"deploy/a.yaml": strings.Replace(secret("third"), "stringData: {plain: third-plain", "stringData: {plain: {deep: third-plain}", 1)})
		seen += b.everything()
		if !strings.Contains(seen, "(hidden)") || !strings.Contains(seen, "core/Secret/shop/keys") {
			t.Errorf("the secret is not shown at all: %s", seen)
		}
		for _, word := range []string{"first", "second", "third"} {
			for _, value := range []string{word + "-noted", word + "-plain", word + "-coded", base64.StdEncoding.EncodeToString([]byte(word + "-coded"))} {
				if i := strings.Index(seen, value); i >= 0 {
					t.Errorf("%s is to be seen: …%s…", value, seen[max(0, i-300):i+100])
				}
			}
		}
	})
}
