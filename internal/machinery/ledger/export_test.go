package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// An export stands for the ledger without a database: whoever changes it, or takes something out of it, is found out.
func TestAnExportIsVerifiedByItself(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		l := newLedger(t, db)
		var out bytes.Buffer
		if r, err := ledger.Export(ctx, db, &out); err != nil || r.Entries != 0 || out.Len() != 0 {
			t.Errorf("an empty ledger: %+v, %v, %q", r, err, out.String())
		}
		odd := ledger.Entry{Type: "thing.done", Subject: `component:default/<a>&"b"`, Refs: []string{"x\u2028", "ä"}, Data: json.RawMessage("{\"html\":\"<b>&\",\"line\":\"\u2028\",\"n\":1.0,\"u\":\"\\u00e4\"}")}
		appendAll(t, db, l, odd)
		for i := range 12 {
			appendAll(t, db, l, numbered(100*i, 100)...)
		}
		sealed(t, l)
		kept, err := ledger.Verify(ctx, db)
		if err != nil || kept.Broken != nil {
			t.Fatalf("%+v, %v", kept, err)
		}
		if r, err := ledger.Export(ctx, db, &out); err != nil || r.Entries != kept.Entries || !bytes.Equal(r.HeadHash, kept.HeadHash) {
			t.Fatalf("exported %+v, %v, of %+v", r, err, kept)
		}
		whole := strings.SplitAfter(strings.TrimSuffix(out.String(), "\n"), "\n")
		verify := func(lines []string) ledger.Report {
			t.Helper()
			r, err := ledger.VerifyExport(strings.NewReader(strings.Join(lines, "")))
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		if r := verify(whole); r.Broken != nil || r.Entries != kept.Entries || r.Head != kept.Head || !bytes.Equal(r.HeadHash, kept.HeadHash) {
			t.Errorf("as it was written: %+v, %+v", r, r.Broken)
		}
		for name, c := range map[string]struct {
			at     int64
			change func(lines []string) []string
		}{
			"changed data":       {1, func(l []string) []string { l[0] = strings.Replace(l[0], "<b>", "<i>", 1); return l }},
			"changed time":       {8, func(l []string) []string { l[7] = strings.Replace(l[7], `"time":"2`, `"time":"3`, 1); return l }},
			"removed":            {5, func(l []string) []string { return slices.Delete(l, 4, 5) }},
			"removed first":      {1, func(l []string) []string { return l[1:] }},
			"swapped":            {3, func(l []string) []string { l[2], l[3] = l[3], l[2]; return l }},
			"torn":               {1201, func(l []string) []string { l[1200] = l[1200][:40]; return l }},
			"other text":         {2, func(l []string) []string { l[1] = "# a note\n"; return l }},
			"another hash":       {6, func(l []string) []string { l[5] = strings.Replace(l[5], `"hash":"`, `"hash":"zz`, 1); return l }},
			"shown as another's": {4, func(l []string) []string { l[3] = strings.Replace(l[3], `{`, `{"actor":"pri_other",`, 1); return l }},
			"with a note": {4, func(l []string) []string {
				l[3] = strings.Replace(l[3], `{`, `{"note":"approved by all",`, 1)
				return l
			}},
		} {
			if r := verify(c.change(slices.Clone(whole))); r.Broken == nil || r.Broken.Position != c.at {
				t.Errorf("%s: broken = %+v, want at %d", name, r.Broken, c.at)
			}
		}
		if r := verify(whole[:100]); r.Broken != nil || r.Head != 100 || bytes.Equal(r.HeadHash, kept.HeadHash) {
			t.Errorf("cut off at its end: %+v; only its head tells", r)
		}
	})
}
